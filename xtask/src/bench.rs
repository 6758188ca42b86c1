//! `cargo xtask bench`: sizes of the npm package, then what `bench/` measures of the release binary.

use anyhow::Result;

use crate::{
    run::{cargo_target, command, root, run},
    sdk,
};

/// Builds what is measured and measures it.
pub(crate) fn everything() -> Result<()> {
    sdk::build()?;
    run(command(
        "cargo",
        ["build", "--release", "--quiet", "-p", "duet-proxy"],
        &root(),
    ))?;
    let mut bench = command(
        "cargo",
        ["run", "--release", "--quiet", "-p", "duet-bench", "--"],
        &root(),
    );
    bench.arg(cargo_target().join("release/duet-proxy"));
    run(bench)
}
