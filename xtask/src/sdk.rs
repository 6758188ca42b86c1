//! `cargo xtask sdk`: Rust -> WebAssembly -> one JavaScript file -> an npm package.
//!
//! 1. cargo builds the module, wasm-bindgen writes the JavaScript that calls the module (the glue), and wasm-opt makes the
//!    module smaller.
//! 2. wasm2js translates the same module to JavaScript, for pages that forbid WebAssembly.
//! 3. esbuild joins glue, module and `sdk/page/` into the package's files.
//! 4. `npm pack` packs these files and `sdk/npm/` into `target/npm/duet-sdk-<version>.tgz`.
//!
//! The same sources give the same bytes. Lock files pin every tool, and the results contain no times and no paths.

mod boundary;
mod bundle;
mod module;
mod names;
mod package;
mod size;
mod text;
mod tools;

use std::path::PathBuf;

use anyhow::Result;

use crate::run::root;

pub(crate) use package::{archive, filled};

/// A built package.
pub(crate) struct Package {
    /// The folder with the package's files: `target/npm/duet-sdk/`.
    pub(crate) folder: PathBuf,
    /// The archive: `target/npm/duet-sdk-<version>.tgz`.
    pub(crate) archive: PathBuf,
}

/// Builds the package, prints its sizes, and fails if the package is too large.
pub(crate) fn build() -> Result<Package> {
    tools::check()?;
    tools::install()?;

    let build = root().join("target/npm/build");
    if build.exists() {
        std::fs::remove_dir_all(&build)?;
    }
    std::fs::create_dir_all(&build)?;
    let mut names = module::build(&build)?;
    names.extend(names::lists());
    module::translate(&build)?;
    module::build_debug(&build)?;

    let package = package::stage()?;
    bundle::build(&build, &package.folder, &names)?;
    package::pack(&package)?;

    size::print(&build, &package)?;
    size::gate(&package)?;
    println!("\n{}", package.archive.display());
    Ok(package)
}
