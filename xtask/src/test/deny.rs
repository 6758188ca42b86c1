//! Licences and bans, by cargo-deny. It is installed beside the build when it is not there.

use std::path::PathBuf;

use anyhow::Result;

use crate::run::{cargo_target, command, output, root, run};

const VERSION: &str = "0.20.2";

pub(super) fn check() -> Result<()> {
    let deny = find()?;
    run(command(
        &deny,
        ["check", "licenses", "bans", "sources"],
        &root(),
    ))
}

/// The one on the path, or our own.
fn find() -> Result<String> {
    let version = output(command("cargo-deny", ["--version"], &root()));
    if version.is_ok_and(|version| version.ends_with(VERSION)) {
        return Ok("cargo-deny".to_owned());
    }
    let tools = cargo_target().join("tools");
    let own: PathBuf = tools.join("bin/cargo-deny");
    if !own.exists() {
        println!("installing cargo-deny {VERSION}; this takes some minutes, once");
        let mut install = command(
            "cargo",
            [
                "install",
                "cargo-deny",
                "--version",
                VERSION,
                "--locked",
                "--quiet",
                "--root",
            ],
            &root(),
        );
        install.arg(&tools);
        run(install)?;
    }
    Ok(own.display().to_string())
}
