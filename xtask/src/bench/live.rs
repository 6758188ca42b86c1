//! `cargo xtask bench live [SECONDS [EVENTS-PER-SECOND]]`: measures the console in Chromium while many events arrive.

use anyhow::Result;

use crate::run::{cargo_target, command, root, run};

/// Builds the release binary and runs `bench/live/`. `arguments` are passed on.
pub(super) fn measure(arguments: &[String]) -> Result<()> {
    let build = ["build", "--release", "--quiet", "-p", "duet-proxy"];
    run(command("cargo", build, &root()))?;
    let ci = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    run(command("npm", ci, &root().join("tests/browser")))?;
    let mut live = command("node", ["bench/live/live.mjs"], &root());
    live.args(arguments)
        .env("DUET_BIN", cargo_target().join("release"));
    run(live)
}
