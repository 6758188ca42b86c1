//! States the commit of a release build in the variable `DUET_COMMIT`, for `duet-proxy --version`, and links a release build for
//! its size.
//!
//! A development build states no commit. Otherwise each commit would compile the crate again, also if no code changed.
#![allow(
    clippy::print_stdout,
    reason = "a build script answers cargo on its output"
)]

use std::{env, fs, path::Path, process::Command};

/// The paths, from this folder on, of all code in the binary. If one of them differs from the commit, the build says so.
const SOURCES: [&str; 7] = [
    "src",
    "openapi.yaml",
    "Cargo.toml",
    "../events",
    "../tests/sandbox",
    "../Cargo.toml",
    "../Cargo.lock",
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=commit");
    println!("cargo:rerun-if-env-changed=DUET_COMMIT");
    let stated = env::var("DUET_COMMIT").ok().filter(|text| !text.is_empty());
    let commit = stated.or_else(from_archive).or_else(from_git);
    if let Some(commit) = commit {
        println!("cargo:rustc-env=DUET_COMMIT={commit}");
    }
    if env::var("PROFILE").as_deref() == Ok("release") {
        link_small();
    }
}

/// Leaves out the tables with which a debugger walks the stack, because a panic ends the process without unwinding (0.7 MB), packs
/// the addresses that a start relocates (0.4 MB), and merges equal functions (0.2 MB). On this platform the compiler links with
/// lld, which can do all three. glibc reads packed addresses since 2.36.
fn link_small() {
    if env::var("TARGET").as_deref() != Ok("x86_64-unknown-linux-gnu") {
        return;
    }
    let script = Path::new(&env::var("OUT_DIR").unwrap_or_default()).join("small.ld");
    let discard = "SECTIONS { /DISCARD/ : { *(.eh_frame) } } INSERT AFTER .text;";
    if fs::write(&script, discard).is_ok() {
        link(&format!("-T,{}", script.display()));
        link("--no-eh-frame-hdr");
    }
    if glibc().is_some_and(|version| version >= (2, 36)) {
        link("-z,pack-relative-relocs");
    }
    link("--icf=all");
}

fn link(option: &str) {
    println!("cargo:rustc-link-arg-bins=-Wl,{option}");
}

/// Returns the version of this machine's C library.
fn glibc() -> Option<(u32, u32)> {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let text = String::from_utf8(output.ok()?.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Returns the commit that `git archive` has written into the file `commit`, before its time.
fn from_archive() -> Option<String> {
    let text = fs::read_to_string("commit").ok()?;
    let text = text.split_whitespace().next()?;
    let is_commit = text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_commit.then(|| text.to_owned())
}

/// Returns the commit of the clone that this folder belongs to, in a release build.
fn from_git() -> Option<String> {
    if env::var("PROFILE").as_deref() != Ok("release") {
        return None;
    }
    let root = fs::canonicalize("..").ok()?;
    // The sources can be in a folder of another repository.
    if Path::new(&git(&["rev-parse", "--show-toplevel"])?) != root {
        return None;
    }
    // A new commit adds a line to this file.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    for path in SOURCES.iter().copied().chain([log.as_str()]) {
        println!("cargo:rerun-if-changed={path}");
    }
    let commit = git(&["rev-parse", "HEAD"])?;
    let edits = git(&[&["status", "--porcelain", "--"], &SOURCES[..]].concat())?;
    let mark = if edits.is_empty() { "" } else { "-changed" };
    Some(format!("{commit}{mark}"))
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
