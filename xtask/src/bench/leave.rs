//! `cargo xtask bench leave [ROUNDS [WORD…]]`: visitors make a call and leave the page at once, in Chromium and Firefox. The
//! benchmark uses the same proxy, sandbox and pages as the tests in browsers.

use anyhow::Result;

use crate::{
    run::{cargo_target, command, root, run},
    sdk,
};

/// Builds the binaries and runs `bench/leave/`. `arguments` are passed on.
pub(super) fn measure(arguments: &[String]) -> Result<()> {
    sdk::build()?;
    let build = ["build", "--quiet", "-p", "duet-proxy", "-p", "duet-sandbox"];
    run(command("cargo", build, &root()))?;
    let ci = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    run(command("npm", ci, &root().join("tests/browser")))?;
    let mut leave = command("node", ["bench/leave/leave.mjs"], &root());
    leave
        .args(arguments)
        .env("DUET_BIN", cargo_target().join("debug"));
    run(leave)
}
