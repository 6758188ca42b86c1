//! Builds the downloads a second time, from a clone of the commit in another folder, and compares the bytes.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::{Platform, downloads, facts::Facts, fresh};
use crate::run::{command, root, run};

/// Builds the downloads again. Fails if a file differs from the same file in `target/downloads/`.
pub(super) fn compare(facts: &Facts, draft: bool, platforms: &[&Platform]) -> Result<()> {
    ensure!(
        !facts.changed,
        "the second build uses the files of the commit, so no file may differ from the commit, but `git status` shows changes"
    );
    let first = downloads().join("SHA256SUMS");
    let first = fs::read_to_string(first)
        .context("there is no first build to compare with; run `cargo xtask release` first")?;
    let folder = fresh(&root().join("target/release-again"))?;
    let clone = folder.join("duet");
    let mut git = command("git", ["clone", "--quiet", "--no-hardlinks"], &folder);
    git.arg(root()).arg(&clone);
    run(git)?;
    run(command(
        "git",
        ["checkout", "--quiet", &facts.commit],
        &clone,
    ))?;
    let mut words = vec!["xtask", "release"];
    words.extend(draft.then_some("--draft"));
    words.extend(platforms.iter().map(|platform| platform.name));
    let mut again = command("cargo", words, &clone);
    again.env("CARGO_TARGET_DIR", "target");
    run(again)?;
    let second = fs::read_to_string(clone.join("target/downloads/SHA256SUMS"))?;
    let differ: Vec<_> = first
        .lines()
        .filter(|line| !second.contains(line))
        .collect();
    ensure!(
        differ.is_empty() && first.lines().count() == second.lines().count(),
        "both builds must have the same files and bytes, but these differ:\n{}",
        differ.join("\n")
    );
    println!(
        "{} files are the same in both builds",
        first.lines().count()
    );
    Ok(())
}
