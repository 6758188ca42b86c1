//! `cargo xtask simulate`: many simulated weeks, quickly.

use std::process::Command;

use anyhow::Result;

use crate::run::{cargo_target, command, root, run as start};

/// Builds the simulation for speed, and runs it with these arguments.
pub(crate) fn run(arguments: impl Iterator<Item = String>) -> Result<()> {
    let build = ["build", "--release", "--quiet", "-p", "duet-simulation"];
    start(command("cargo", build, &root()))?;
    let mut simulation = Command::new(cargo_target().join("release/duet-simulation"));
    simulation.args(arguments);
    start(simulation)
}
