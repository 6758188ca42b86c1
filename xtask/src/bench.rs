//! `cargo xtask bench`: prints the sizes of the npm package, and runs the benchmarks in `bench/` with the release binary.
//! `cargo xtask bench NAME` runs one benchmark, and `cargo xtask bench fuzz` runs the fuzz targets. `cargo xtask bench leave`
//! simulates visitors who leave pages, `cargo xtask bench page` measures the SDK on a page's main thread, and `cargo xtask
//! bench live` measures the console in a browser while many events arrive. `cargo xtask bench cluster` kills, stops and
//! measures several proxies on PostgreSQL. `cargo xtask bench plots` draws the plots of `docs/benchmarks.md`.

mod fuzz;
mod leave;
mod live;
mod page;
mod plots;

use std::process;

use anyhow::Result;
use clap::{Arg, ArgAction, Command};

use crate::{
    run::{cargo_target, command, root, run},
    sdk,
};

/// Returns the command with its flags. Benchmarks that are not in `duet-bench` are subcommands.
pub(crate) fn cli() -> Command {
    let words = |name: &'static str| Arg::new(name).num_args(0..).trailing_var_arg(true);
    Command::new("bench")
        .about("Measures sizes, rates and memory, and counts the events that are lost when processes crash or visitors leave pages")
        .args_conflicts_with_subcommands(true)
        .args([
            Arg::new("name").help("The only benchmark to run"),
            Arg::new("long")
                .long("long")
                .action(ArgAction::SetTrue)
                .help("Measures more cases, which takes longer"),
            Arg::new("rounds")
                .long("rounds")
                .value_name("N")
                .help("How many times the benchmark `crash` kills the proxy"),
        ])
        .subcommands([
            Command::new("cluster")
                .about("Kills, stops and measures several proxies on PostgreSQL: runs all parts, or only the named parts, such as primary=3")
                .arg(words("part")),
            Command::new("fuzz")
                .about("Runs the fuzz targets, with these options of libFuzzer")
                .arg(words("option").allow_hyphen_values(true)),
            Command::new("leave")
                .about("Simulates visitors who leave a page in several ways, such as by closing the tab. The first argument is the number of rounds. Each further argument is a word: only the ways whose name contains one of these words are simulated, such as leave 9000 pagehide tab")
                .arg(words("rounds and ways")),
            Command::new("live")
                .about("Measures the console in a browser, for this number of seconds, while this number of events arrive each second")
                .arg(words("seconds and rate")),
            Command::new("page").about("Measures the SDK on a page's main thread"),
            Command::new("plots").about("Draws the plots of docs/benchmarks.md from its tables"),
        ])
}

/// Builds the binaries and runs the benchmarks. Passes `words` on to the benchmarks.
pub(crate) fn measure(words: impl Iterator<Item = String>) -> Result<()> {
    let arguments: Vec<String> = words.collect();
    let named = arguments
        .split_first()
        .map(|(word, rest)| (word.as_str(), rest));
    match named {
        Some(("fuzz", rest)) => return fuzz::search(rest),
        Some(("leave", rest)) => return leave::measure(rest),
        Some(("page", _)) => return page::measure(),
        Some(("plots", _)) => return plots::write(),
        Some(("live", rest)) => return live::measure(rest),
        _ => {}
    }
    let is_named = arguments.first().is_some_and(|word| !word.starts_with('-'));
    if !is_named {
        sdk::build()?;
    }
    for package in ["duet-proxy", "duet-bench"] {
        run(command(
            "cargo",
            ["build", "--release", "--quiet", "-p", package],
            &root(),
        ))?;
    }
    let release = cargo_target().join("release");
    let mut bench = process::Command::new(release.join("duet-bench"));
    bench.arg(release.join("duet-proxy")).args(arguments);
    run(bench)
}
