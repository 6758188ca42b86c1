//! `duet-events` knows nobody: its dependency tree is compared, crate by crate, with what it may be.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use crate::run::{command, output, root};

/// What a page is built with: hashing, ids and what those stand on, and Unicode's tables, which its module leaves out.
const PAGE: &[&str] = &[
    "block-buffer",
    "cfg-if",
    "cpufeatures",
    "crypto-common",
    "digest",
    "duet-events",
    "hybrid-array",
    "libc",
    "percent-encoding",
    "sha2",
    "tinyvec",
    "typenum",
    "unicode-normalization",
    "uuid",
];
/// What reading JSON adds.
const JSON: &[&str] = &[
    "itoa",
    "memchr",
    "serde",
    "serde_core",
    "serde_json",
    "zmij",
];

pub(super) fn check() -> Result<()> {
    compare(&["--no-default-features"], PAGE)?;
    compare(&["--all-features"], &[PAGE, JSON].concat())
}

fn compare(features: &[&str], allowed: &[&str]) -> Result<()> {
    let tree = [
        "tree",
        "-p",
        "duet-events",
        "-e",
        "no-dev,no-build,no-proc-macro",
        "--target",
        "all",
        "--prefix",
        "none",
        "-f",
        "{p}",
    ];
    let tree = output(command("cargo", tree.iter().chain(features), &root()))?;
    let found: BTreeSet<_> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let strangers: Vec<_> = found
        .difference(&allowed.iter().copied().collect())
        .copied()
        .collect();
    ensure!(
        strangers.is_empty(),
        "duet-events depends on {strangers:?}; it knows no I/O, clock, randomness or JavaScript"
    );
    Ok(())
}
