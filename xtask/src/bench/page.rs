//! `cargo xtask bench page`: compares how long the SDK and plain JavaScript use the main thread of a page.

use anyhow::Result;

use crate::{
    run::{command, root, run},
    sdk,
};

/// Builds the package and runs `bench/page/` in Chromium and Firefox.
pub(super) fn measure() -> Result<()> {
    sdk::build()?;
    let ci = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    run(command("npm", ci, &root().join("tests/browser")))?;
    run(command("node", ["bench/page/page.mjs"], &root()))
}
