//! Compiles, binds, shrinks and translates the Rust module.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use wasm_bindgen_cli_support::Bindgen;

use super::boundary::{self, Names};
use crate::run::{cargo_target, command, output, root, run};

/// The features that wasm-opt and wasm2js can use: the features that rustc uses by default. `sdk/tests/browsers.test.js`
/// checks which of these features the module needs, and which browsers have them.
const FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-reference-types",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
];

/// Writes `duet.js` (glue) and `duet_bg.wasm` to `build`. Returns the module's final names.
pub(crate) fn build(build: &Path) -> Result<Names> {
    // This threshold was found by experiments. With this threshold, inlining makes the module smaller.
    bind(
        build,
        "duet-sdk",
        "duet",
        &["llvm-args=-inline-threshold=60"],
    )?;
    let glue = fs::read_to_string(build.join("duet.js"))?;
    ensure!(
        glue.contains("passStringToWasm0(plain, wasm.__wbindgen_export, wasm.__wbindgen_export2)"),
        "this version of wasm-bindgen passes texts in another way than sdk/page/core.js; change core.js, and then this check"
    );
    let bound = build.join("duet_bg.wasm");
    let needed = build.join("needed.wasm");
    let roots = build.join("roots.json");
    fs::write(&roots, boundary::roots(&bound)?)?;
    let mut reach = tool("wasm-metadce");
    reach.arg(&bound).arg("-o").arg(&needed).args(FEATURES);
    reach.arg("--graph-file").arg(&roots);
    output(reach)?;

    let mut optimise = tool("wasm-opt");
    optimise.arg(&needed).arg("-o").arg(&bound);
    // This order of passes was found by experiments. It gives the smallest `index.js`.
    optimise.args(["--low-memory-unused", "-O3", "-Oz", "--converge"]);
    optimise.args(["--flatten", "--rereloop", "-Oz"]);
    optimise.args(FEATURES);
    optimise.args([
        "--strip-debug",
        "--strip-producers",
        "--strip-target-features",
    ]);
    run(optimise)?;

    let mut shorten = tool("wasm-opt");
    shorten.arg(&bound).arg("-o").arg(&bound).args(FEATURES);
    shorten.arg("--minify-imports-and-exports-and-modules");
    let names = boundary::names(&output(shorten)?)?;
    boundary::check(&names, &root().join("sdk/page"))?;
    Ok(names)
}

/// Writes `debug_glue.js` and `debug_bg.wasm.gz` to `build`.
pub(crate) fn build_debug(build: &Path) -> Result<()> {
    bind(
        build,
        "duet-debug",
        "debug",
        &["llvm-args=-inline-threshold=5"],
    )?;
    fs::rename(build.join("debug.js"), build.join("debug_glue.js"))?;
    let bound = build.join("debug_bg.wasm");
    let mut optimise = tool("wasm-opt");
    optimise.arg(&bound).arg("-o").arg(&bound);
    optimise.arg("-Oz").args(FEATURES);
    run(optimise)?;
    let script = "\
        const { readFileSync, writeFileSync } = require('node:fs');\
        const packed = require('node:zlib').gzipSync(readFileSync(process.argv[1]), { level: 9 });\
        writeFileSync(process.argv[1] + '.gz', packed)";
    let mut pack = command("node", ["-e", script], &root());
    pack.arg(&bound);
    run(pack)
}

/// Compiles a crate and writes `name.js` and `name_bg.wasm` to `build`.
fn bind(build: &Path, package: &str, name: &str, codegen: &[&str]) -> Result<()> {
    let profile = "release-wasm";
    let target = "wasm32-unknown-unknown";
    let arguments = ["rustc", "--quiet", "--package", package, "--lib"];
    let mut cargo = command("cargo", arguments, &root());
    // The crate type is set here and not in the manifest, because cargo skips link-time optimisation for a crate that is also
    // an rlib.
    cargo.args(["--crate-type", "cdylib"]);
    cargo.args(["--profile", profile, "--target", target]);
    // If the stack is small, the addresses of data are small numbers, which take fewer bytes.
    cargo.args(["--", "-C", "link-arg=-zstack-size=65536"]);
    for option in codegen {
        cargo.args(["-C", option]);
    }
    // Incremental builds order functions differently, which changes the size after compression.
    cargo.env("CARGO_INCREMENTAL", "0");
    run(cargo)?;

    let module = cargo_target().join(target).join(profile);
    Bindgen::new()
        .web(true)?
        .input_path(
            module
                .join(package.replace('-', "_"))
                .with_extension("wasm"),
        )
        .out_name(name)
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        // Duet's own entry file sets the source of the module.
        .omit_default_module_path(true)
        .generate(build)?;
    Ok(())
}

/// Writes `duet_bg.js` to `build`. This file has the module as JavaScript, in one function `instantiate`.
pub(crate) fn translate(build: &Path) -> Result<()> {
    let mut translate = tool("wasm2js");
    translate.arg(build.join("duet_bg.wasm"));
    translate.args(["-Oz", "--deterministic"]);
    translate.args(FEATURES);
    let text = output(translate)?;
    fs::write(build.join("duet_bg.js"), as_function(&text)?)?;
    Ok(())
}

/// Turns the result of wasm2js into a function. wasm2js writes a JavaScript module that imports by name and instantiates
/// itself, but the page must pass the imports as an argument.
fn as_function(text: &str) -> Result<String> {
    let start = text.find("function asmFunc(imports)");
    let end = text.find("var retasmFunc");
    let (start, end) = start
        .zip(end)
        .context("wasm2js must write `asmFunc` and `retasmFunc`, but no longer does; change `as_function` in xtask/src/sdk/module.rs")?;
    ensure!(
        start < end,
        "wasm2js must write `asmFunc` before `retasmFunc`, but no longer does; change `as_function` in xtask/src/sdk/module.rs"
    );
    let before = text.get(..start).unwrap_or_default();
    let body = text.get(start..end).unwrap_or_default();
    let own: Vec<_> = before
        .lines()
        .filter(|line| !line.starts_with("import "))
        .collect();
    let own = own.join("\n");
    Ok(format!(
        "{own}\n{body}\nexport {{ asmFunc as instantiate }}\n"
    ))
}

fn tool(name: &str) -> std::process::Command {
    let sdk = root().join("sdk");
    let script = sdk.join("node_modules/binaryen/bin").join(name);
    let mut node = command("node", [script], &sdk);
    node.env("NO_COLOR", "1");
    node
}
