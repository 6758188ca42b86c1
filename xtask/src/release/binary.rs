//! Builds the binary of a platform, so that the same commit gives the same bytes in any folder.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{facts::Facts, platform::Platform};
use crate::run::{cargo_target, command, output, root, run};

/// The size limit of the binary. The limit is a little above the current size, so any growth needs a decision.
const MOST_BYTES: u64 = 10_000_000;

/// Builds the binary and returns its path.
pub(super) fn build(platform: &Platform, facts: &Facts) -> Result<PathBuf> {
    let mut cargo = command(
        "cargo",
        [
            "build",
            "--release",
            "--locked",
            "--package",
            "duet-proxy",
            "--target",
            platform.target,
        ],
        &root(),
    );
    add_target(platform.target)?;
    let c_flags = set_linker(platform, &mut cargo)?;
    // Replace these folders in the paths of sources, which the messages of panics contain.
    let folders = [(root(), "/duet"), (cargo_home()?, "/cargo")];
    let remapped = |option: &str| {
        let options = folders
            .iter()
            .map(|(folder, name)| format!("{option}{}={name}", folder.display()));
        options.collect::<Vec<_>>()
    };
    let mut flags = remapped("--remap-path-prefix=");
    if platform.is_linux() {
        // This makes the binary half a megabyte smaller. musl supports such relocations since version 1.2.4.
        flags.push("-Clink-arg=-Wl,-z,pack-relative-relocs".to_owned());
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    let c_flags = [remapped("-ffile-prefix-map="), c_flags].concat().join(" ");
    cargo.env(
        format!("CFLAGS_{}", platform.target.replace('-', "_")),
        c_flags,
    );
    cargo.env("DUET_COMMIT", facts.built());
    cargo.env("SOURCE_DATE_EPOCH", facts.time.to_string());
    run(cargo)?;
    let built = cargo_target()
        .join(platform.target)
        .join("release/duet-proxy");
    if platform.is_linux() {
        remove_unwinding(platform, &built)?;
    }
    let bytes = fs::metadata(&built)?.len();
    println!("{}: {bytes} bytes", platform.name);
    ensure!(
        bytes <= MOST_BYTES,
        "the binary for {} has {bytes} bytes; at most {MOST_BYTES} are allowed",
        platform.name
    );
    Ok(built)
}

/// Removes the tables that are needed to unwind the stack, 0.75 MB. The proxy does not need these tables, because a panic ends
/// the process without unwinding.
fn remove_unwinding(platform: &Platform, binary: &Path) -> Result<()> {
    let objcopy = if is_native(platform) {
        "objcopy".to_owned()
    } else {
        format!("{}-objcopy", gnu(platform))
    };
    let mut remove = command(&objcopy, [] as [&str; 0], &root());
    for section in [".eh_frame", ".eh_frame_hdr", ".gcc_except_table"] {
        remove.args(["--remove-section", section]);
    }
    remove.arg(binary);
    run(remove)
}

fn is_native(platform: &Platform) -> bool {
    platform.target.starts_with(env::consts::ARCH)
}

/// Returns how Debian's compilers name the platform.
fn gnu(platform: &Platform) -> String {
    platform.target.replace("unknown-linux-musl", "linux-gnu")
}

fn cargo_home() -> Result<PathBuf> {
    let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".cargo"));
    let set = env::var_os("CARGO_HOME").map(PathBuf::from);
    set.or_else(home).context("CARGO_HOME or HOME must be set")
}

fn add_target(target: &str) -> Result<()> {
    run(command("rustup", ["target", "add", target], &root()))
        .with_context(|| format!("the compiler's target {target} could not be added"))
}

/// Sets the C compiler of the platform for cargo, and returns the flags that this compiler needs.
fn set_linker(platform: &Platform, cargo: &mut std::process::Command) -> Result<Vec<String>> {
    if !platform.is_linux() {
        ensure!(
            cfg!(target_os = "macos"),
            "a binary for macOS must be built on macOS"
        );
        return Ok(Vec::new());
    }
    let variable = platform.target.replace('-', "_");
    if is_native(platform) {
        need("musl-gcc", "musl-tools")?;
        cargo.env(format!("CC_{variable}"), "musl-gcc");
        return Ok(Vec::new());
    }
    let gnu = gnu(platform);
    let compiler = format!("{gnu}-gcc");
    let headers = platform.target.replace("-unknown", "");
    need(&compiler, &format!("gcc-{}", gnu.replace('_', "-")))?;
    let headers = format!("/usr/include/{headers}");
    ensure!(
        fs::exists(&headers)?,
        "building for {} needs the package musl-dev:{} of Debian ({headers})",
        platform.name,
        platform.architecture
    );
    let own = output(command(&compiler, ["-print-file-name=include"], &root()))?;
    cargo.env(format!("CC_{variable}"), &compiler);
    let linker = format!("CARGO_TARGET_{}_LINKER", variable.to_uppercase());
    cargo.env(linker, &compiler);
    // Use the headers of musl, because the compiler's own headers belong to another C library.
    Ok(vec![format!("-nostdinc -isystem {headers} -isystem {own}")])
}

fn need(program: &str, package: &str) -> Result<()> {
    let found = command(program, ["--version"], &root()).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    bail!(
        "{program} must be installed: it is in the package {package} of Debian, and `.ci/release-tools` installs it"
    )
}
