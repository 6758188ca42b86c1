//! `cargo xtask simulate`: runs many simulated weeks with an optimised build.

use std::process;

use anyhow::Result;
use clap::{Arg, Command, value_parser};

use crate::run::{cargo_target, command, root, run as start};

/// Returns the command and its flags.
pub(crate) fn cli() -> Command {
    let number = |name, help| {
        Arg::new(name)
            .long(name)
            .value_name("N")
            .value_parser(value_parser!(u64))
            .help(help)
    };
    Command::new("simulate")
        .about("Runs a simulated week of a shop for each seed, and searches for lost or doubled events")
        .args([
            number("seeds", "How many seeds to run"),
            number("from", "The first seed"),
            number("seed", "Prints what happens in the week of this seed"),
            Arg::new("plant")
                .long("plant")
                .value_name("NAME")
                .help("Adds this known fault to the code, and checks that the search finds it; a wrong name lists all names"),
        ])
}

/// Builds the simulation with optimisation, and runs it with these words.
pub(crate) fn run(words: impl Iterator<Item = String>) -> Result<()> {
    let build = ["build", "--release", "--quiet", "-p", "duet-simulation"];
    start(command("cargo", build, &root()))?;
    let mut simulation = process::Command::new(cargo_target().join("release/duet-simulation"));
    simulation.args(words);
    start(simulation)
}
