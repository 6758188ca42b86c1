//! `duet-proxy manual DIR`: writes the man pages and the completions of shells, from the commands themselves. Only a build with
//! the feature `manual` has this command. `cargo xtask release` makes such a build.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::{Shell, generate_to};

const PROGRAM: &str = "duet-proxy";

pub(super) fn command() -> Command {
    Command::new("manual").hide(true).arg(
        Arg::new("folder")
            .value_name("DIR")
            .required(true)
            .value_parser(value_parser!(PathBuf)),
    )
}

/// Writes `man/*.1` and `completions/*`.
pub(super) fn run(matches: &ArgMatches) -> Result<()> {
    let folder = matches.get_one::<PathBuf>("folder");
    let folder = folder.context("the folder is required")?;
    let (pages, completions) = (folder.join("man"), folder.join("completions"));
    fs::create_dir_all(&pages)?;
    fs::create_dir_all(&completions)?;
    // The pages describe the binary that is released, which does not have this command.
    let shown = super::public_command();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut shown.clone(), PROGRAM, &completions)?;
    }
    clap_mangen::generate_to(shown.disable_help_subcommand(true), &pages)?;
    Ok(())
}
