//! `cargo xtask release`: builds the files that users download, into `target/downloads/`.
//!
//! 1. For each platform, cargo builds one static binary. All files for the platform contain this binary.
//! 2. A development build writes the man pages and the completions of shells.
//! 3. The binary is packed into an archive, a Debian package, an image and an npm package.
//! 4. The other files are written: the npm packages of the SDK and of the launcher, the lists of components, the notes and the
//!    checksums.
//!
//! The same commit gives the same bytes. For this, every file gets the commit's time, every list is sorted, and the binary
//! contains no path of the machine.

mod archive;
mod binary;
mod components;
mod debian;
mod facts;
mod image;
mod licences;
mod manual;
mod notes;
mod npm;
mod platform;
mod twice;
mod upgrade;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail, ensure};
use clap::{Arg, ArgAction, ArgMatches, Command, builder::PossibleValuesParser};

use crate::{
    run::{cargo_target, command, output, root, run},
    sdk,
};

use facts::Facts;
pub(crate) use facts::repository;
use platform::Platform;
pub(crate) use upgrade::check_known as check_upgrades;

/// Returns the command and its steps.
pub(crate) fn cli() -> Command {
    let names = platform::PLATFORMS.map(|platform| platform.name);
    let platforms = Arg::new("platform")
        .num_args(0..)
        .value_parser(PossibleValuesParser::new(names))
        .help("The platforms. If none is named: all platforms of Linux");
    let draft = Arg::new("draft")
        .long("draft")
        .action(ArgAction::SetTrue)
        .global(true)
        .help("Also builds a commit that cannot be released yet");
    let step = |name, about| Command::new(name).about(about).arg(&platforms);
    let steps = [
        step(
            "binary",
            "Builds only the binaries, into target/downloads/binaries/",
        ),
        step(
            "pack",
            "Packs the binaries that are in target/downloads/binaries/",
        ),
        step(
            "twice",
            "Builds everything a second time in another folder, and compares the bytes",
        ),
        upgrade::cli(),
    ];
    Command::new("release")
        .about("Builds and packs everything that users download, into target/downloads/")
        .arg(&platforms)
        .arg(draft)
        .subcommands(steps)
}

/// Runs the command.
pub(crate) fn run_command(matches: &ArgMatches) -> Result<()> {
    let draft = matches.get_flag("draft");
    let (step, matches) = matches
        .subcommand()
        .map_or((None, matches), |(step, matches)| (Some(step), matches));
    if step == Some("upgrade") {
        return upgrade::check(matches);
    }
    let platforms = platform::chosen(matches.get_many("platform").into_iter().flatten());
    let facts = Facts::read()?;
    let obstacles = facts.obstacles()?;
    if !draft && !obstacles.is_empty() {
        bail!(
            "this commit cannot be released:\n- {}\n`--draft` builds this commit all the same",
            obstacles.join("\n- ")
        );
    }
    for obstacle in &obstacles {
        println!("only a draft: {obstacle}");
    }
    match step {
        Some("binary") => build(&facts, &platforms),
        Some("pack") => pack_all(&facts, &platforms),
        Some("twice") => twice::compare(&facts, draft, &platforms),
        _ => {
            build(&facts, &platforms)?;
            pack_all(&facts, &platforms)
        }
    }
}

/// The folder of the downloads.
fn downloads() -> PathBuf {
    root().join("target/downloads")
}

/// Returns the path of a platform's binary in a folder of downloads.
fn binary(folder: &Path, platform: &Platform) -> PathBuf {
    folder
        .join("binaries")
        .join(platform.name)
        .join("duet-proxy")
}

fn build(facts: &Facts, platforms: &[&Platform]) -> Result<()> {
    for platform in platforms {
        println!("\n=== the binary for {}", platform.name);
        let built = binary::build(platform, facts)?;
        install(&built, &binary(&downloads(), platform), 0o755)?;
    }
    Ok(())
}

fn pack_all(facts: &Facts, platforms: &[&Platform]) -> Result<()> {
    let sdk = sdk::build()?.archive;
    pack(facts, platforms, &sdk, &downloads())
}

/// Packs the binaries in `folder/binaries/` and the package of the SDK into `folder`.
fn pack(facts: &Facts, platforms: &[&Platform], sdk: &Path, folder: &Path) -> Result<()> {
    clear(folder)?;
    let stage = fresh(&root().join("target/release-stage"))?;
    let texts = stage.join("texts");
    manual::write(&texts)?;
    licences::write(&texts)?;
    for platform in platforms {
        println!("packing for {}", platform.name);
        let contents = Contents {
            facts,
            platform,
            texts: &texts,
            stage: &stage,
            into: folder,
        };
        archive::pack(&contents)?;
        if platform.is_linux() {
            debian::pack(&contents)?;
            image::pack(&contents)?;
        }
        npm::pack_platform(&contents)?;
    }
    npm::pack_launcher(facts, platforms, &stage, folder)?;
    fs::copy(sdk, folder.join(sdk.file_name().unwrap_or_default()))?;
    components::write(facts, platforms, folder)?;
    notes::write(facts, folder)?;
    sum(folder)
}

/// Returns a sentence about what this machine lacks to pack the downloads of its platform. Returns `None` if it lacks nothing.
pub(crate) fn obstacle() -> Option<String> {
    let platforms = match platform::of_this_machine() {
        Ok(platforms) => platforms,
        Err(error) => return Some(error.to_string()),
    };
    let version = |program: &str| output(command(program, ["--version"], &root()));
    if !version("tar").is_ok_and(|text| text.contains("GNU tar")) {
        return Some("GNU tar is not installed".to_owned());
    }
    let is_linux = platforms.iter().any(|platform| platform.is_linux());
    let debian = is_linux.then_some("dpkg-deb");
    let mut programs = ["gzip", "npm", "sha256sum", "strip"]
        .into_iter()
        .chain(debian);
    let missing = programs.find(|program| version(program).is_err());
    let missing = missing.map(|program| format!("{program} is not installed"));
    let lacks_authorities = is_linux && !image::authorities().exists();
    missing.or_else(|| {
        lacks_authorities.then(|| {
            format!(
                "there is no list of certificate authorities {}",
                image::authorities().display()
            )
        })
    })
}

/// Packs the downloads twice, as for a release but with the development build as the binary. Returns the folder of the
/// packages. Fails if the bytes of the two results differ.
pub(crate) fn rehearse() -> Result<PathBuf> {
    let folder = root().join("target/rehearsal");
    let platforms = platform::of_this_machine()?;
    for platform in &platforms {
        let binary = binary(&folder, platform);
        fs::create_dir_all(binary.with_file_name(""))?;
        let mut strip = command("strip", ["-o"], &root());
        strip
            .arg(binary)
            .arg(cargo_target().join("debug/duet-proxy"));
        run(strip)?;
    }
    let facts = Facts::read()?;
    let mut sums = Vec::new();
    for _ in 0..2 {
        pack(&facts, &platforms, &sdk::archive(), &folder)?;
        sums.push(fs::read_to_string(folder.join("SHA256SUMS"))?);
    }
    ensure!(
        sums.first() == sums.last(),
        "packing twice must give the same bytes, got\n{}",
        sums.join("\n")
    );
    Ok(folder)
}

/// The files that go into one platform's packages, and the folder of the packages.
struct Contents<'a> {
    facts: &'a Facts,
    platform: &'a Platform,
    /// The folder of the man pages, the completions and the licences.
    texts: &'a Path,
    /// A folder for intermediate files.
    stage: &'a Path,
    into: &'a Path,
}

impl Contents<'_> {
    fn binary(&self) -> PathBuf {
        binary(self.into, self.platform)
    }
}

/// Writes `SHA256SUMS`, which `sha256sum --check` reads.
fn sum(folder: &Path) -> Result<()> {
    let mut names = Vec::new();
    for file in fs::read_dir(folder)? {
        let file = file?;
        if file.file_type()?.is_file() {
            names.push(file.file_name());
        }
    }
    names.sort();
    let sums = output(command("sha256sum", &names, folder))?;
    fs::write(folder.join("SHA256SUMS"), format!("{sums}\n"))?;
    println!("{sums}\n\n{}", folder.display());
    Ok(())
}

/// Removes the files of an earlier run, but not the binaries.
fn clear(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    for file in fs::read_dir(folder)? {
        let file = file?;
        if file.file_type()?.is_file() {
            fs::remove_file(file.path())?;
        }
    }
    Ok(())
}

/// Returns an empty folder.
fn fresh(folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    Ok(folder.to_owned())
}

/// Copies a file, gives the copy this mode, and creates the folders above it.
#[cfg(unix)]
fn install(from: &Path, to: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(from, to)?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode))?;
    Ok(())
}
