//! `duet-proxy move`: moves everything that a stopped proxy has stored from its folder into a database, or back.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::{ArgMatches, Command};
use duet_proxy::queue;

use super::{
    access::{self, say},
    given,
};

/// Returns the command and its arguments.
pub(super) fn command() -> Command {
    let to_database = Command::new("to-database")
        .about("Moves the folder DUET_DATA_DIR into the empty database DUET_QUEUE");
    let to_folder = Command::new("to-folder")
        .about("Moves the database DUET_QUEUE into the empty folder DUET_DATA_DIR");
    access::command(
        "move",
        "Moves everything that is stored from the folder into a database, or back; stop all proxies first",
    )
    // This setting limits only the acceptance of new events, so it is hidden here.
    .mut_arg("DUET_DISK_RESERVE_MB", |reserve| reserve.hide(true))
    .subcommand(to_database)
    .subcommand(to_folder)
}

/// Runs the command.
pub(super) fn run(matches: &ArgMatches, lookup: impl Fn(&str) -> Option<String>) -> Result<()> {
    let folder = given(&lookup, "DUET_DATA_DIR");
    let folder = Path::new(&folder);
    let database = access::database(&lookup)?;
    let database = database.context("DUET_QUEUE must be the address of a database, got disk")?;
    let (moved, new) = match matches.subcommand_name() {
        Some("to-database") => {
            ensure!(
                folder.join("version").exists(),
                "DUET_DATA_DIR: there is no store in the folder {}",
                folder.display()
            );
            (queue::to_database(folder, &database)?, "the database")
        }
        _ => (queue::to_folder(&database, folder)?, "the folder"),
    };
    match moved {
        Some(moved) => say(&format!("moved {moved}")),
        None => say(
            "an earlier `duet-proxy move` had already copied everything, and that move is finished now",
        ),
    }
    say(&format!(
        "from now on proxies use {new}; the old copy is kept, but no longer used: delete the old copy when you no longer need it"
    ));
    Ok(())
}
