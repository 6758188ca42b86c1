//! Packs the development build like a release, and tests the packages: npm installs and runs them, and Debian installs, upgrades
//! and removes them.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::{
    release,
    run::{cargo_target, command, output, root, run},
};

/// The exit status of `deploy/check-package` if this machine cannot install the package in a copy of itself.
const SKIPPED: i32 = 77;

pub(super) fn check() -> Result<()> {
    if let Some(obstacle) = release::obstacle() {
        println!("the downloads were not packed on this machine: {obstacle}");
        return Ok(());
    }
    let folder = release::rehearse()?;
    let mut npm = command("npm", ["test"], &root().join("tests/downloads"));
    npm.env("DUET_DOWNLOADS", &folder);
    run(npm)?;
    if !can_install() {
        println!("the Debian package was not installed: this needs root, dpkg, and systemd-nspawn");
        return Ok(());
    }
    let mut packages = fs::read_dir(&folder)?.flatten().map(|file| file.path());
    let package = packages.find(|path| path.extension().is_some_and(|ending| ending == "deb"));
    let mut install = command("deploy/check-package", [] as [&str; 0], &root());
    install.arg(package.context("the downloads must contain a Debian package")?);
    install.arg(cargo_target().join("debug/duet-sandbox"));
    let status = install
        .status()
        .context("deploy/check-package could not be started")?;
    if status.code() == Some(SKIPPED) {
        println!("the Debian package was not installed");
        return Ok(());
    }
    ensure!(status.success(), "deploy/check-package failed ({status})");
    Ok(())
}

/// Returns whether this process is root, has Debian's tools, and is allowed to mount file systems.
fn can_install() -> bool {
    let prints = |program: &str, word: &str| output(command(program, [word], &root()));
    let is_root = prints("id", "-u").is_ok_and(|user| user == "0");
    let programs = ["dpkg", "systemd-nspawn"];
    let has_all = programs
        .iter()
        .all(|program| prints(program, "--version").is_ok());
    // A container without rights cannot mount.
    let mounts = output(command("unshare", ["--mount", "true"], &root())).is_ok();
    is_root && has_all && mounts
}
