//! The man pages and the completions of shells. The proxy itself writes these files, if it is built with the feature `manual`.

use std::{fs, path::Path};

use anyhow::Result;

use crate::run::{command, root, run};

/// Writes `man/*.1` and `completions/*` in `folder`.
pub(super) fn write(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let words = [
        "run",
        "--quiet",
        "--package",
        "duet-proxy",
        "--features",
        "manual",
        "--",
        "manual",
    ];
    let mut cargo = command("cargo", words, &root());
    cargo.arg(folder);
    run(cargo)
}
