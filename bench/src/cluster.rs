//! Measures several proxies on PostgreSQL: under load with faults and with a count of every event afterwards, in races, and
//! in rates beside those of the embedded store.
//!
//! Each part has a count, which an argument can change: `primary=3 races=50` runs only these two parts. Every wait has a
//! limit. The program prints one table of all results, and fails if a promise in this table is broken.

mod book;
mod disk;
mod figures;
mod kills;
mod load;
mod nodes;
mod patroni;
mod quota;
mod races;
mod relay;
mod report;
mod scene;
mod stalls;

use std::path::Path;

use anyhow::{Context, Result, ensure};

use report::Report;

type Measure = fn(&Path, u32, &mut Report) -> Result<()>;

/// The parts, with their default counts.
const PARTS: [(&str, u32, Measure); 10] = [
    ("primary", 30, kills::primary),
    ("proxies", 20, kills::proxies),
    ("all", 5, kills::all),
    ("stops", 1, stalls::stops),
    ("partitions", 1, stalls::partitions),
    ("disk", 1, disk::full),
    ("patroni", 5, patroni::measure),
    ("races", 1000, races::measure),
    ("turns", 5, figures::measure),
    ("keys", 10_000_000, figures::keys),
];

/// Runs the named parts, or all, and prints the table.
pub(crate) fn measure(binary: &Path, words: &[&str]) -> Result<()> {
    let mut named = Vec::new();
    for word in words {
        let (name, count) = word.split_once('=').unwrap_or((word, ""));
        let part = PARTS.iter().find(|(known, ..)| *known == name);
        let (_, usual, measure) = part.with_context(|| {
            let known: Vec<_> = PARTS.iter().map(|(name, ..)| *name).collect();
            format!("a part must be one of {}, got {name}", known.join(", "))
        })?;
        let count = if count.is_empty() {
            *usual
        } else {
            count.parse()?
        };
        ensure!(count > 0, "{name} must be above 0");
        named.push((name, count, *measure));
    }
    if named.is_empty() {
        named.extend(PARTS);
    }
    let mut report = Report::default();
    for (name, count, measure) in named {
        println!("cluster: {name}={count}");
        measure(binary, count, &mut report).with_context(|| format!("{name} could not run"))?;
    }
    report.finish()
}
