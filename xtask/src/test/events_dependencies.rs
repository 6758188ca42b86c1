//! Checks that `duet-events` has no unexpected dependencies: its dependency tree is compared with an allowed list, crate by
//! crate.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use crate::run::{command, output, root};

/// The crates from which the page's module is built: hashing, ids and their dependencies. The crates of Unicode's tables are
/// listed too, although the module does not contain them.
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
/// The additional crates for reading JSON.
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
        "duet-events must not depend on {strangers:?}; it uses no I/O, clock, randomness or JavaScript"
    );
    Ok(())
}
