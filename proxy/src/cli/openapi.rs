//! `duet-proxy openapi`: describes all HTTP routes, for programs that generate clients and tests.

use anyhow::{Context, Result};
use clap::Command;
use duet_proxy::config::settings::{SETTINGS, default_of};

const DOCUMENT: &str = include_str!("../../openapi.yaml");
const TRACK_PATH: &str = "DUET_TRACK_PATH";

/// Returns the command with its one setting, which is the only setting that changes the document.
pub(super) fn command() -> Command {
    let track_path = SETTINGS.iter().filter(|setting| setting.name == TRACK_PATH);
    Command::new("openapi")
        .about("Prints an OpenAPI 3.1 document of all HTTP routes, as YAML")
        .args(track_path.map(super::argument))
}

/// Prints the document.
#[allow(
    clippy::print_stdout,
    reason = "printing the document is the purpose of the command"
)]
pub(super) fn run(lookup: impl Fn(&str) -> Option<String>) -> Result<()> {
    let usual = default_of(TRACK_PATH).context("DUET_TRACK_PATH must have a default, got none")?;
    let track_path = lookup(TRACK_PATH).unwrap_or_else(|| usual.to_owned());
    print!("{}", DOCUMENT.replace(usual, &track_path));
    Ok(())
}
