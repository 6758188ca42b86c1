//! `cargo xtask test`: everything that must pass. CI runs exactly this.

mod dependencies;
mod links;
mod vocabulary;

use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::{
    run::{command, root, run},
    sdk,
};

type Check = (&'static str, fn() -> Result<()>);

/// In the order in which a mistake is found soonest.
const CHECKS: &[Check] = &[
    ("format", || cargo(&["fmt", "--all", "--check"])),
    ("links", links::check),
    ("what events depends on", vocabulary::check),
    ("lints", || {
        cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ])
    }),
    ("binaries", || {
        let packages = ["duet-proxy", "duet-sandbox", "duet-faults"];
        let named = packages.iter().flat_map(|package| ["-p", package]);
        let build: Vec<_> = ["build", "--quiet"].into_iter().chain(named).collect();
        cargo(&build)
    }),
    ("tests", || cargo(&["test", "--workspace"])),
    ("documentation", || {
        let mut cargo = command("cargo", DOC, &root());
        // Links to private items are wanted: the documentation is for people who read the code.
        cargo.env(
            "RUSTDOCFLAGS",
            "-D warnings -A rustdoc::private_intra_doc_links",
        );
        run(cargo)
    }),
    ("licences and bans", dependencies::check),
    ("npm package", || sdk::build().map(|_| ())),
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

/// Runs the checks whose names contain one of `parts`, or every check, and stops at the first that fails.
pub(crate) fn run_checks(parts: &[String]) -> Result<()> {
    let is_meant = |name: &str, part: &String| name.contains(part.as_str());
    for part in parts {
        if !CHECKS.iter().any(|(name, _)| is_meant(name, part)) {
            let names: Vec<_> = CHECKS.iter().map(|(name, _)| *name).collect();
            bail!("no check is called {part}; there are: {}", names.join(", "));
        }
    }
    let meant = |name: &str| parts.is_empty() || parts.iter().any(|part| is_meant(name, part));
    let started = Instant::now();
    for (name, check) in CHECKS.iter().filter(|(name, _)| meant(name)) {
        println!("\n=== {name}");
        let since = Instant::now();
        check().with_context(|| format!("`cargo xtask test`: {name}"))?;
        println!("=== {name}: ok, {} s", since.elapsed().as_secs());
    }
    let passed = if parts.is_empty() {
        "everything passed".to_owned()
    } else {
        format!("{} passed", parts.join(", "))
    };
    println!("\n{passed} in {} s", started.elapsed().as_secs());
    Ok(())
}

fn cargo(arguments: &[&str]) -> Result<()> {
    run(command("cargo", arguments, &root()))
}

/// One after the other: together they would share features, and one of them has no standard library.
fn browser_lints() -> Result<()> {
    for package in ["duet-sdk", "duet-debug"] {
        let target = ["--target", "wasm32-unknown-unknown"];
        let lints = ["clippy", "-p", package, "--quiet"];
        cargo(&[&lints[..], &target, &["--", "-D", "warnings"]].concat())?;
    }
    Ok(())
}

/// The types by hand, strictly, in a file of right and wrong uses.
fn types() -> Result<()> {
    let tsc = root()
        .join("sdk/node_modules/.bin/tsc")
        .display()
        .to_string();
    run(command(&tsc, ["--project", "tests"], &root().join("sdk")))
}

/// A suite that runs the binaries and the package that were just built. What every common bundler makes of the
/// package is tried on the browser suite's stack.
fn node_suite(folder: &str) -> Result<()> {
    let folder = root().join(folder);
    let ci = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    run(command("npm", ci, &folder))?;
    let mut npm = command("npm", ["test"], &folder);
    npm.env("DUET_BIN", crate::run::cargo_target().join("debug"));
    run(npm)
}
