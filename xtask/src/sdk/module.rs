//! The Rust module: compiled, bound, made small, and translated.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use wasm_bindgen_cli_support::Bindgen;

use super::boundary::{self, Names};
use crate::run::{cargo_target, command, output, root, run};

/// What wasm-opt and wasm2js may take for granted: the features rustc uses by default. Which of them the module has need of in the
/// end, and which browsers have those, `sdk/tests/browsers.test.js` checks.
const FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-reference-types",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
];

/// Leaves `duet.js` (glue) and `duet_bg.wasm` in `build`; gives back the names the module ends up with.
pub(crate) fn build(build: &Path) -> Result<Names> {
    // At this threshold, which was found by trying, what the compiler joins is smaller than what it leaves apart.
    bind(
        build,
        "duet-sdk",
        "duet",
        &["llvm-args=-inline-threshold=60"],
    )?;
    let glue = fs::read_to_string(build.join("duet.js"))?;
    ensure!(
        glue.contains("passStringToWasm0(plain, wasm.__wbindgen_export, wasm.__wbindgen_export2)"),
        "wasm-bindgen hands texts over in another way; sdk/page/core.js must follow"
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
    optimise.args([
        "--low-memory-unused",
        "-Oz",
        "--converge",
        "--flatten",
        "--rereloop",
        "-Oz",
        "-Oz",
    ]);
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

/// Leaves `debug_glue.js` and `debug_bg.wasm.gz` in `build`.
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

/// Compiles a crate and leaves `name.js` and `name_bg.wasm` in `build`.
fn bind(build: &Path, package: &str, name: &str, codegen: &[&str]) -> Result<()> {
    let profile = "release-wasm";
    let target = "wasm32-unknown-unknown";
    let arguments = ["rustc", "--quiet", "--package", package, "--lib"];
    let mut cargo = command("cargo", arguments, &root());
    // Named here and not in the manifest: beside an rlib, cargo leaves link-time optimisation out.
    cargo.args(["--crate-type", "cdylib"]);
    cargo.args(["--profile", profile, "--target", target]);
    // With a small stack the addresses of data are shorter.
    cargo.args(["--", "-C", "link-arg=-zstack-size=65536"]);
    for option in codegen {
        cargo.args(["-C", option]);
    }
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
        // Our own entry says where the module comes from.
        .omit_default_module_path(true)
        .generate(build)?;
    Ok(())
}

/// Leaves `duet_bg.js` in `build`: the module as JavaScript, behind one function `instantiate`.
pub(crate) fn translate(build: &Path) -> Result<()> {
    let mut translate = tool("wasm2js");
    translate.arg(build.join("duet_bg.wasm"));
    translate.args(["-Oz", "--deterministic"]);
    translate.args(FEATURES);
    let text = output(translate)?;
    fs::write(build.join("duet_bg.js"), as_function(&text)?)?;
    Ok(())
}

/// wasm2js writes a module that imports by name and instantiates itself; the page wants to hand the
/// imports in.
fn as_function(text: &str) -> Result<String> {
    let start = text.find("function asmFunc(imports)");
    let end = text.find("var retasmFunc");
    let (start, end) = start
        .zip(end)
        .context("wasm2js no longer writes `asmFunc` and `retasmFunc`")?;
    ensure!(start < end, "wasm2js writes its parts in another order");
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
