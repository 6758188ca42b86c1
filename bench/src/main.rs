//! Measures Duet and prints what it found, each figure beside a reference that ran in the same minute.
//!
//! `cargo xtask bench` builds the release binary and runs this. Nothing is asserted: the figures belong
//! into `docs/benchmarks.md`, with the command that makes them.
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

mod footprint;
mod server;

use std::path::PathBuf;

use anyhow::{Context, Result};

fn main() -> Result<()> {
    let proxy = std::env::args_os().nth(1).map(PathBuf::from);
    footprint::measure(&proxy.context("usage: duet-bench PATH-OF-DUET-PROXY")?)
}
