//! `cargo xtask bench fuzz`: searches for inputs that break Duet, one minute for each target.
//!
//! Code coverage guides the search. libFuzzer's instrumentation comes from passes of the stable compiler. No sanitizer is used:
//! it would need a nightly compiler, and Duet has no unsafe code to check.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::run::{cargo_target, command, output, root, run};

const TARGETS: [&str; 3] = ["body", "answer", "store"];
const MARKS: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";
/// The search continues after each finding, in a new process.
const SEARCH: [&str; 4] = [
    "-fork=1",
    "-ignore_crashes=1",
    "-max_len=20000",
    "-timeout=20",
];
/// Folders of crates that check the store's files with assertions. A panic of such an assertion ends the proxy at its start,
/// before the proxy accepts an event, so the benchmark does not count the panic as a failure of Duet.
const FJALLS: [&str; 2] = ["/fjall-", "/lsm-tree-"];

/// Builds the targets, and runs each target for a minute. If `arguments` contain options of libFuzzer, these replace the
/// minute.
pub(super) fn search(arguments: &[String]) -> Result<()> {
    let build = Build::make()?;
    let mut broken = 0;
    for name in TARGETS {
        println!("fuzz {name}: {}", build.search(name, arguments)?);
        for (place, (words, input)) in build.places(name)? {
            let is_fjalls = FJALLS.iter().any(|folder| place.contains(folder));
            let whose = if is_fjalls { "fjall's" } else { "OURS" };
            println!("  {whose}: {place} {words}\n    {}", input.display());
            broken += u32::from(!is_fjalls);
        }
    }
    ensure!(
        broken == 0,
        "Duet's own code failed in {broken} places; the lines above that begin with OURS name them"
    );
    Ok(())
}

/// The built targets, and the folder for their findings.
struct Build {
    source: PathBuf,
    programs: PathBuf,
    folder: PathBuf,
}

impl Build {
    fn make() -> Result<Self> {
        let source = root().join("bench/fuzz");
        let folder = cargo_target().join("fuzz");
        let said = output(command("rustc", ["-vV"], &source))?;
        let platform = said.lines().find_map(|line| line.strip_prefix("host: "));
        let platform = platform.context("rustc must print its platform")?;
        // If the platform is named, cargo does not instrument build scripts and macros.
        let arguments = ["build", "--release", "--quiet", "--target", platform];
        let mut build = command("cargo", arguments, &source);
        build
            .env("CARGO_TARGET_DIR", &folder)
            .env("RUSTFLAGS", MARKS);
        run(build)?;
        Ok(Self {
            programs: folder.join(platform).join("release"),
            source,
            folder,
        })
    }

    /// Runs a target and reports its progress.
    fn search(&self, name: &str, arguments: &[String]) -> Result<String> {
        let broken = self.emptied("broken", name)?;
        let found = self.folder.join("found").join(name);
        fs::create_dir_all(&found)?;
        let mut program = self.program(name)?;
        program
            .args(SEARCH)
            .arg("-max_total_time=60")
            .arg(format!("-artifact_prefix={}/", broken.display()))
            .args(arguments)
            .arg(&found)
            .arg(self.source.join("seeds").join(name));
        // The exit code is ignored, because it shows only whether the target found something.
        let said = program.output()?.stderr;
        let said = String::from_utf8_lossy(&said);
        let last = said.lines().rfind(|line| line.starts_with('#'));
        Ok(last.context("the search did not begin")?.to_owned())
    }

    /// Returns the places where the target breaks, each with its message and an input.
    fn places(&self, name: &str) -> Result<BTreeMap<String, (String, PathBuf)>> {
        let mut places = BTreeMap::new();
        for input in fs::read_dir(self.folder.join("broken").join(name))? {
            let input = input?.path();
            let said = self.program(name)?.arg(&input).output()?.stderr;
            let (place, words) = last_words(&String::from_utf8_lossy(&said));
            places.entry(place).or_insert((words, input));
        }
        Ok(places)
    }

    /// Prepares a target with its own folder for temporary files, because a broken target does not clean up.
    fn program(&self, name: &str) -> Result<Command> {
        let scratch = self.emptied("scratch", name)?;
        let mut program = Command::new(self.programs.join(name));
        program.current_dir(&scratch).env("TMPDIR", scratch);
        Ok(program)
    }

    fn emptied(&self, what: &str, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(what).join(name);
        if Path::exists(&folder) {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

/// Returns the source position and the message of a panic. If the input has another effect than a panic, returns libFuzzer's
/// message.
fn last_words(said: &str) -> (String, String) {
    let mut lines = said.lines();
    let panic = lines.find_map(|line| Some(line.split_once("panicked at ")?.1));
    let summary = || said.lines().find(|line| line.starts_with("SUMMARY"));
    let (place, words) = match panic {
        Some(place) => (place, lines.next().unwrap_or_default()),
        None => (
            summary().unwrap_or("Duet did not fail when it read this input a second time"),
            "",
        ),
    };
    (place.to_owned(), words.to_owned())
}
