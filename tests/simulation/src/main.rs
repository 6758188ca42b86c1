//! `cargo xtask simulate`: runs the weeks of many seeds, or prints the story of one seed.

use std::{env, process::ExitCode, str::FromStr, sync::Mutex, thread, time::Instant};

use anyhow::{Context, Result, bail};
use duet_simulation::{plant::Plant, world::World};

/// The number of seeds, if the command line does not state it.
const SEEDS: u64 = 2_000;

struct Options {
    first: u64,
    seeds: u64,
    one: Option<u64>,
    plant: Option<Plant>,
}

fn main() -> Result<ExitCode> {
    let options = Options::read(env::args().skip(1))?;
    if let Some(seed) = options.one {
        return Ok(tell(seed, options.plant));
    }
    let started = Instant::now();
    let next = Mutex::new(options.first);
    let failed = Mutex::new(None);
    let totals = Mutex::new((0_usize, 0_usize, 0_usize));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| search(&options, &next, &failed, &totals));
        }
    });
    let failed = failed.into_inner().unwrap_or_default();
    let (steps, events, paid) = totals.into_inner().unwrap_or_default();
    let seconds = started.elapsed().as_secs_f64();
    if let Some(seed) = failed {
        return Ok(tell(seed, options.plant));
    }
    let last = options.first + options.seeds - 1;
    report(&format!(
        "seeds {} to {last}: {steps} steps, {events} accepted events, {paid} paid orders, no event lost or counted twice, {seconds:.1} s",
        options.first
    ));
    Ok(ExitCode::SUCCESS)
}

fn search(
    options: &Options,
    next: &Mutex<u64>,
    failed: &Mutex<Option<u64>>,
    totals: &Mutex<(usize, usize, usize)>,
) {
    loop {
        let seed = {
            let Ok(mut next) = next.lock() else { return };
            let is_failed = failed.lock().is_ok_and(|failed| failed.is_some());
            if is_failed || *next >= options.first + options.seeds {
                return;
            }
            *next += 1;
            *next - 1
        };
        match World::new(seed, options.plant, false).live() {
            Ok(lived) => {
                if let Ok(mut totals) = totals.lock() {
                    totals.0 += lived.steps;
                    totals.1 += lived.events;
                    totals.2 += lived.paid;
                }
            }
            Err(_) => {
                if let Ok(mut failed) = failed.lock() {
                    *failed = Some(failed.map_or(seed, |known: u64| known.min(seed)));
                }
            }
        }
    }
}

/// Runs one week and prints its story.
fn tell(seed: u64, plant: Option<Plant>) -> ExitCode {
    match World::new(seed, plant, true).live() {
        Ok(lived) => {
            lived.story.iter().for_each(|line| report(line));
            report(&format!(
                "seed {seed}: {} steps, {} accepted events, {} paid orders",
                lived.steps, lived.events, lived.paid
            ));
            ExitCode::SUCCESS
        }
        Err(failure) => {
            failure.story.iter().for_each(|line| report(line));
            report(&format!("seed {seed}: {}", failure.wrong));
            report(&format!(
                "to run this week again: cargo xtask simulate --seed {seed}"
            ));
            ExitCode::FAILURE
        }
    }
}

#[allow(
    clippy::print_stdout,
    reason = "the command's purpose is to print results"
)]
fn report(line: &str) {
    println!("{line}");
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            first: 0,
            seeds: SEEDS,
            one: None,
            plant: None,
        };
        while let Some(flag) = arguments.next() {
            let value = arguments
                .next()
                .with_context(|| format!("{flag} must be followed by a value"))?;
            match flag.as_str() {
                "--seeds" => options.seeds = value.parse()?,
                "--from" => options.first = value.parse()?,
                "--seed" => options.one = Some(value.parse()?),
                "--plant" => {
                    options.plant = Some(Plant::from_str(&value).map_err(anyhow::Error::msg)?);
                }
                _ => bail!("the flag must be --seeds, --from, --seed or --plant, got {flag}"),
            }
        }
        Ok(options)
    }
}
