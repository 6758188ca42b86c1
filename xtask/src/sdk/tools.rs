//! Checks the tools for building the SDK.

use std::fs;

use anyhow::{Context as _, Result, bail, ensure};

use crate::run::{command, output, root, run};

const OLDEST_NODE: u32 = 20;
const TARGET: &str = "wasm32-unknown-unknown";

/// Fails with one clear sentence if Node, npm or the compiler's target is missing. If only the target is missing and rustup is
/// installed, installs the target.
pub(crate) fn check() -> Result<()> {
    let advice = || format!("building the SDK needs Node {OLDEST_NODE} or newer with npm");
    let node = output(command("node", ["--version"], &root())).with_context(advice)?;
    ensure!(major(&node) >= OLDEST_NODE, "{}, got {node}", advice());
    output(command("npm", ["--version"], &root())).with_context(advice)?;
    add_target()
}

fn major(version: &str) -> u32 {
    let digits = version.trim_start_matches('v').split('.').next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn add_target() -> Result<()> {
    let sysroot = output(command("rustc", ["--print", "sysroot"], &root()))?;
    let library = std::path::Path::new(&sysroot)
        .join("lib/rustlib")
        .join(TARGET);
    if library.exists() {
        return Ok(());
    }
    println!("adding the compiler's target {TARGET}");
    if let Err(error) = run(command("rustup", ["target", "add", TARGET], &root())) {
        bail!("the compiler cannot build for {TARGET}, and rustup could not add it: {error:#}");
    }
    Ok(())
}

/// Installs the build tools that `sdk/package-lock.json` pins, unless they are installed.
pub(crate) fn install() -> Result<()> {
    let sdk = root().join("sdk");
    let wanted = fs::read(sdk.join("package-lock.json"))?;
    let stamp = sdk.join("node_modules/.installed-lock.json");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    // No package needs its install script here, so no install script is run.
    let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    run(command("npm", arguments, &sdk)).context("the SDK's build tools could not be installed")?;
    fs::write(stamp, wanted)?;
    Ok(())
}
