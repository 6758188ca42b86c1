//! Runs other programs. If a program fails, the error is one sentence.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

/// Returns the root folder of the repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Returns the folder of cargo's build results.
pub(crate) fn cargo_target() -> PathBuf {
    let set = std::env::var_os("CARGO_TARGET_DIR");
    root().join(set.unwrap_or_else(|| "target".into()))
}

/// Prepares a program with its arguments, to run in `folder`.
pub(crate) fn command<S: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = S>,
    folder: &Path,
) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    command
}

/// Prepares git. It also works in a folder of another user, because in a container the checkout of a build service can have
/// another owner.
pub(crate) fn git<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let trusted = format!("safe.directory={}", root().display());
    let mut git = command("git", ["-c", &trusted], &root());
    git.args(arguments);
    git
}

/// Runs a program and passes on its output.
pub(crate) fn run(mut command: Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("{} could not be started", name(&command)))?;
    ensure!(status.success(), "{} failed ({status})", name(&command));
    Ok(())
}

/// Runs a program and returns its output.
pub(crate) fn output(mut command: Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("{} could not be started", name(&command)))?;
    ensure!(
        output.status.success(),
        "{} failed ({}):\n{}",
        name(&command),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn name(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).take(4).collect();
    format!("`{}`", words.join(" "))
}
