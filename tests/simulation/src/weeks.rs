//! Runs many weeks in which no event may be lost, and weeks with a planted fault that must be found.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use crate::{
    alarms::Week,
    plant::Plant,
    world::{Failure, World},
};

/// The number of seeds that each run of the tests tries.
const SEEDS: u64 = 2_000;
/// The number of seeds within which a planted fault must be found.
const FOUND_WITHIN: u64 = 20_000;

/// The number of weeks of each kind in which the alarms are watched.
const WATCHED: u64 = 40;

/// Returns the lowest seed that failed, and its failure.
fn first_failure(seeds: u64, world: impl Fn(u64) -> World + Sync) -> Option<(u64, Failure)> {
    let (next, end) = (AtomicU64::new(0), AtomicU64::new(seeds));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let live = || {
        let mut failure = None;
        while failure.is_none() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end.load(Ordering::Relaxed) {
                break;
            }
            failure = world(seed).live().err().map(|failure| (seed, failure));
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
    if let Some((seed, failure)) = first_failure(SEEDS, |seed| World::new(seed, None, false)) {
        panic!(
            "{}; see `cargo xtask simulate --seed {seed}`",
            failure.wrong
        );
    }
}

#[test]
#[allow(
    clippy::print_stdout,
    reason = "the number of seeds until a fault was found is useful to know"
)]
fn every_planted_fault_is_found() {
    for (plant, name) in Plant::ALL {
        let found = first_failure(FOUND_WITHIN, |seed| World::new(seed, Some(plant), false));
        let (seed, failure) = found.unwrap_or_else(|| {
            panic!("the planted fault {name} must be found within {FOUND_WITHIN} seeds")
        });
        println!("{name}: seed {seed}: {}", failure.wrong);
    }
}

/// Watches the alarms of some weeks. If a week fails, panics with the end of the week's story.
fn watch(week: Week) {
    let world = |seed, tells| World::new(seed, None, tells).watched(week);
    if let Some((seed, failure)) = first_failure(WATCHED, |seed| world(seed, false)) {
        let told = world(seed, true).live().err();
        let story = told.map(|failure| failure.story).unwrap_or_default();
        let end = story.len().saturating_sub(40);
        panic!(
            "{}\nseed {seed}: {}",
            story[end..].join("\n"),
            failure.wrong
        );
    }
}

#[test]
fn a_calm_week_has_no_alarm() {
    watch(Week::Calm);
}

#[test]
fn a_planted_cause_begins_its_alarm_and_its_end_ends_it() {
    watch(Week::Planted);
}

#[test]
fn every_fault_begins_its_alarm_and_its_end_ends_it() {
    watch(Week::Faulty);
}
