//! `cargo xtask bench`: sizes of the npm package, then what `bench/` measures of the release binary.
//! `cargo xtask bench NAME` measures one thing, `cargo xtask bench fuzz` runs the fuzz targets, `cargo xtask bench leave`
//! has visitors leave pages, `cargo xtask bench page` measures the SDK on a page's main thread.

mod fuzz;
mod leave;
mod page;

use std::process::Command;

use anyhow::Result;

use crate::{
    run::{cargo_target, command, root, run},
    sdk,
};

/// Builds what is measured and measures it. `arguments` are passed on.
pub(crate) fn measure(arguments: impl Iterator<Item = String>) -> Result<()> {
    let arguments: Vec<String> = arguments.collect();
    let named = arguments
        .split_first()
        .map(|(word, rest)| (word.as_str(), rest));
    match named {
        Some(("fuzz", rest)) => return fuzz::search(rest),
        Some(("leave", rest)) => return leave::measure(rest),
        Some(("page", _)) => return page::measure(),
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
    let mut bench = Command::new(release.join("duet-bench"));
    bench.arg(release.join("duet-proxy")).args(arguments);
    run(bench)
}
