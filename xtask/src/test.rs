//! `cargo xtask test`: runs every check. CI runs the same command. `cargo xtask check`: runs the quick checks.

mod dependencies;
mod downloads;
mod events_dependencies;
mod links;
mod rooms;

use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Arg, ArgMatches, Command};

use crate::{
    release,
    run::{command, root, run},
    sdk,
};

type Check = (&'static str, fn() -> Result<()>);

/// `cargo xtask check`: checks that take about a minute if everything else is already built.
const QUICK: &[Check] = &[
    ("format", format),
    ("links", links::check),
    ("rooms", rooms::check),
    ("lints", lints),
    ("unit tests", || {
        // The simulation's tests are left out, because they simulate thousands of weeks.
        let selection = ["--workspace", "--exclude", "duet-simulation"];
        cargo(&[&["test", "--quiet"], &selection[..], &["--lib", "--bins"]].concat())
    }),
];

/// `cargo xtask test`, in an order that finds mistakes early.
const CHECKS: &[Check] = &[
    ("format", format),
    ("links", links::check),
    ("what events depends on", events_dependencies::check),
    ("rooms", rooms::check),
    ("lints", lints),
    ("binaries", || {
        let packages = ["duet-proxy", "duet-sandbox", "duet-faults"];
        let named = packages.iter().flat_map(|package| ["-p", package]);
        let build: Vec<_> = ["build", "--quiet"].into_iter().chain(named).collect();
        cargo(&build)
    }),
    ("tests", || cargo(&["test", "--workspace"])),
    ("upgrades", release::check_upgrades),
    ("queue on PostgreSQL", || {
        // The tests of damaged files are left out, because a database has no such files.
        let tests = ["test", "-p", "duet-proxy", "--lib", "queue::tests"];
        let but = ["--", "--skip", "crashes", "--skip", "damage"];
        let mut cargo = command("cargo", [&tests[..], &but].concat(), &root());
        cargo.env("DUET_TEST_QUEUE", "postgres");
        run(cargo)
    }),
    ("documentation", || {
        let mut cargo = command("cargo", DOC, &root());
        // Allow links to private items, because developers of Duet read this documentation.
        cargo.env(
            "RUSTDOCFLAGS",
            "-D warnings -A rustdoc::private_intra_doc_links",
        );
        run(cargo)
    }),
    ("licences and bans", dependencies::check),
    ("workflows", || node_suite("tests/workflows")),
    ("payment providers", || node_suite("tests/providers")),
    ("npm package", || sdk::build().map(|_| ())),
    ("downloads", downloads::check),
    ("lints of the browser modules", browser_lints),
    ("the page's side of the SDK", || {
        run(command("node", ["--test", "tests/"], &root().join("sdk")))
    }),
    ("types", types),
    ("browsers", || node_suite("tests/browser")),
    ("bundlers", || node_suite("tests/bundlers")),
];

const DOC: [&str; 6] = [
    "doc",
    "--workspace",
    "--no-deps",
    "--document-private-items",
    "--quiet",
    "--locked",
];

/// Returns the command and its argument.
pub(crate) fn cli() -> Command {
    Command::new("test")
        .about("Runs everything that must pass, browsers included")
        .arg(
            Arg::new("part")
                .num_args(0..)
                .help("Runs only the checks whose names contain one of these texts; a wrong text lists all names"),
        )
}

/// Runs the quick checks and stops at the first failure.
pub(crate) fn run_quick() -> Result<()> {
    run_all(QUICK.iter())
}

/// Runs the checks whose names contain one of `parts`, or all checks. Stops at the first failure.
pub(crate) fn run_checks(matches: &ArgMatches) -> Result<()> {
    let parts: Vec<&String> = matches.get_many("part").into_iter().flatten().collect();
    let is_meant = |name: &str, part: &String| name.contains(part.as_str());
    for part in &parts {
        if !CHECKS.iter().any(|(name, _)| is_meant(name, part)) {
            let names: Vec<_> = CHECKS.iter().map(|(name, _)| *name).collect();
            bail!(
                "the text must be in the name of a check ({}), got {part}",
                names.join(", ")
            );
        }
    }
    let meant = |name: &str| parts.is_empty() || parts.iter().any(|part| is_meant(name, part));
    run_all(CHECKS.iter().filter(|(name, _)| meant(name)))
}

/// Runs `checks` in order, and prints the time of each check as a table for CONTRIBUTING.md.
fn run_all<'a>(checks: impl Iterator<Item = &'a Check>) -> Result<()> {
    let started = Instant::now();
    let mut times = Vec::new();
    for (name, check) in checks {
        println!("\n=== {name}");
        let since = Instant::now();
        check().with_context(|| format!("{name} failed"))?;
        times.push((*name, since.elapsed()));
    }
    times.push(("together", started.elapsed()));
    println!("\n| Check | Minutes |\n|---|---|");
    for (name, time) in times {
        println!("| {name} | {:.1} |", time.as_secs_f64() / 60.0);
    }
    Ok(())
}

fn format() -> Result<()> {
    cargo(&["fmt", "--all", "--check"])
}

fn lints() -> Result<()> {
    let all = ["clippy", "--workspace", "--all-targets", "--quiet"];
    cargo(&[&all[..], &["--", "-D", "warnings"]].concat())
}

fn cargo(arguments: &[&str]) -> Result<()> {
    run(command("cargo", arguments, &root()))
}

/// Lints the crates of the browser one by one. In one run, cargo would unite the crates' features, but one of the crates must
/// compile without the standard library.
fn browser_lints() -> Result<()> {
    for package in ["duet-sdk", "duet-debug"] {
        let target = ["--target", "wasm32-unknown-unknown"];
        let lints = ["clippy", "-p", package, "--quiet"];
        cargo(&[&lints[..], &target, &["--", "-D", "warnings"]].concat())?;
    }
    Ok(())
}

/// Compiles a file of correct and wrong uses of the hand-written types, in strict mode.
fn types() -> Result<()> {
    let tsc = root()
        .join("sdk/node_modules/.bin/tsc")
        .display()
        .to_string();
    run(command(&tsc, ["--project", "tests"], &root().join("sdk")))
}

/// Runs a folder's tests in Node. Earlier checks have built the binaries and the package that the tests of browsers and
/// bundlers use.
fn node_suite(folder: &str) -> Result<()> {
    let folder = root().join(folder);
    let ci = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    run(command("npm", ci, &folder))?;
    let mut npm = command("npm", ["test"], &folder);
    npm.env("DUET_BIN", crate::run::cargo_target().join("debug"));
    run(npm)
}
