//! Runs many weeks in which no event may be lost, and some weeks in which a planted fault must be found.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use crate::{
    plant::Plant,
    world::{Failure, World},
};

/// The number of seeds in every run of the tests.
const SEEDS: u64 = 2_000;
/// The number of seeds in which a planted fault must be found.
const FOUND_WITHIN: u64 = 20_000;

/// Returns the first failing seed and its failure.
fn first_failure(seeds: u64, plant: Option<Plant>) -> Option<(u64, Failure)> {
    let (next, end) = (AtomicU64::new(0), AtomicU64::new(seeds));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let live = || {
        let mut failure = None;
        while failure.is_none() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end.load(Ordering::Relaxed) {
                break;
            }
            failure = World::new(seed, plant, false)
                .live()
                .err()
                .map(|failure| (seed, failure));
        }
        if failure.is_some() {
            end.store(0, Ordering::Relaxed);
        }
        failure
    };
    thread::scope(|scope| {
        let searches: Vec<_> = (0..threads).map(|_| scope.spawn(live)).collect();
        let found = searches
            .into_iter()
            .filter_map(|search| search.join().unwrap());
        found.min_by_key(|(seed, _)| *seed)
    })
}

#[test]
fn no_week_loses_doubles_or_changes_anything() {
    if let Some((seed, failure)) = first_failure(SEEDS, None) {
        panic!(
            "{}; see `cargo xtask simulate --seed {seed}`",
            failure.wrong
        );
    }
}

#[test]
#[allow(
    clippy::print_stdout,
    reason = "how many seeds it took is worth knowing"
)]
fn every_planted_fault_is_found() {
    for (plant, name) in Plant::ALL {
        let found = first_failure(FOUND_WITHIN, Some(plant));
        let (seed, failure) = found.unwrap_or_else(|| panic!("{name} is not found"));
        println!("{name}: seed {seed}: {}", failure.wrong);
    }
}
