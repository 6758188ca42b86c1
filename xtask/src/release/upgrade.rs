//! Tests an upgrade and the way back on one folder, with two binaries: the development build of an older commit, and the
//! development build of this commit.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::{Arg, ArgMatches, Command};

use super::fresh;
use crate::run::{cargo_target, command, git, output, root, run};

/// The file that states the format of the store.
const STORE: &str = "proxy/src/store/embedded.rs";
const FORMAT: &str = "pub const FORMAT: u32 = ";

/// Returns the command and its arguments.
pub(super) fn cli() -> Command {
    Command::new("upgrade")
        .about("Tests the way from older versions to this one and back")
        .arg(Arg::new("commit").num_args(0..).help(
            "Commits or tags. If none is named: the last tag, the first commit with this format of the store, and the commit before it",
        ))
}

/// Tests the upgrade from the named versions.
pub(super) fn check(matches: &ArgMatches) -> Result<()> {
    let named = matches.get_many("commit").into_iter().flatten().cloned();
    let named: Vec<String> = named.collect();
    if named.is_empty() {
        return check_known();
    }
    check_each(&named)
}

/// Tests the upgrade from the last release, from the first commit with this format of the store, and from the commit before
/// that one. Skips the test if this folder does not have the repository's history.
pub(crate) fn check_known() -> Result<()> {
    let is_whole = output(git(["rev-parse", "--is-shallow-repository"]));
    if !is_whole.is_ok_and(|shallow| shallow == "false") {
        println!(
            "no older version was tested: this folder does not have the history of the repository"
        );
        return Ok(());
    }
    let text = fs::read_to_string(root().join(STORE))?;
    let format = text.lines().find(|line| line.starts_with(FORMAT));
    let format = format.with_context(|| format!("{STORE} must state `{FORMAT}`"))?;
    let commits = output(git([
        "log",
        "--reverse",
        "--format=%H",
        "-S",
        format,
        "--",
        STORE,
    ]))?;
    let first = commits.lines().next().map(str::to_owned);
    // If no commit has this format yet, the change of the format is not committed.
    let first = first.unwrap_or_else(|| "HEAD".to_owned());
    let before = format!("{first}^");
    let last_tag = output(git(["describe", "--tags", "--abbrev=0", "HEAD^"]));
    let versions: Vec<_> = last_tag.into_iter().chain([first, before]).collect();
    check_each(&versions)
}

fn check_each(versions: &[String]) -> Result<()> {
    let older = versions.iter().map(|version| build(version));
    let older = older.collect::<Result<Vec<_>>>()?;
    let packages = ["duet-proxy", "duet-sandbox"];
    let packages = packages.iter().flat_map(|package| ["--package", package]);
    run(command(
        "cargo",
        ["build", "--quiet"].into_iter().chain(packages),
        &root(),
    ))?;
    for (version, older) in versions.iter().zip(older) {
        let Some(older) = older else { continue };
        println!("from {version} to this version, and back");
        let words = [
            "test",
            "--quiet",
            "--package",
            "duet-tests",
            "--test",
            "e2e",
            "upgrades::",
            "--",
            "--ignored",
            "--nocapture",
        ];
        let mut test = command("cargo", words, &root());
        test.env("DUET_OLDER_PROXY", older);
        run(test)?;
    }
    Ok(())
}

/// Builds an older version, and returns the path of its binary. Returns `None` on a machine that cannot download the version's
/// libraries. Libraries that have not changed since that version are not compiled again.
fn build(version: &str) -> Result<Option<PathBuf>> {
    let folder = fresh(&cargo_target().join("older-sources"))?;
    let archive = folder.with_extension("tar");
    let mut packed = git(["archive", "--output"]);
    packed.arg(&archive).arg(version);
    run(packed)?;
    let mut unpacked = command("tar", ["--extract", "--file"], &folder);
    unpacked.arg(&archive);
    run(unpacked)?;
    let libraries = output(command("cargo", ["fetch", "--quiet", "--locked"], &folder));
    if let Err(error) = libraries {
        println!(
            "{version} was not tested, because its libraries could not be downloaded: {error:#}"
        );
        return Ok(None);
    }
    let words = ["build", "--quiet", "--locked", "--package", "duet-proxy"];
    let mut cargo = command("cargo", words, &folder);
    cargo.env("CARGO_TARGET_DIR", cargo_target());
    run(cargo)?;
    let commit = output(git(["rev-parse", version]))?;
    let older = cargo_target().join("older");
    fs::create_dir_all(&older)?;
    let older = older.join(commit);
    fs::copy(cargo_target().join("debug/duet-proxy"), &older)?;
    Ok(Some(older))
}
