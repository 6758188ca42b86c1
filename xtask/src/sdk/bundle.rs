//! `sdk/page/`, the glue and the module -> the files of the package.

use std::{fs, path::Path};

use anyhow::Result;

use super::{module::Names, text};
use crate::run::{command, root, run};

/// Writes the package's JavaScript and the module itself into `package`.
pub(crate) fn build(build: &Path, package: &Path, names: &Names) -> Result<()> {
    let bytes = fs::read(build.join("duet_bg.wasm"))?;
    fs::write(build.join("duet_bg.txt"), text::encode(&bytes))?;
    let page = root().join("sdk/page");
    for file in fs::read_dir(page)? {
        let file = file?;
        fs::copy(file.path(), build.join(file.file_name()))?;
    }
    fs::copy(build.join("duet_bg.wasm"), package.join("duet.wasm"))?;
    fs::write(build.join("names.json"), json(names))?;
    let external = [
        "--external:./fallback.js",
        "--external:./debug.js",
        "--alias:surroundings=./page.js",
    ];
    for (file, source) in [("index.js", "inline"), ("external.js", "external")] {
        let source = format!("--alias:source=./{source}.js");
        let options = [&external[..], &[&source]].concat();
        bundle(build, package, ("api.js", file), &options, names)?;
    }
    bundle(build, package, ("fallback.js", "fallback.js"), &[], &[])?;
    bundle(
        build,
        package,
        ("debug.js", "debug.js"),
        &["--loader:.wasm=binary"],
        &[],
    )?;
    let server = ["--alias:surroundings=./server.js"];
    bundle(build, package, ("api.js", "server.js"), &server, &[])
}

/// The names for `sdk/tests/module.js`, which runs `sdk/page/` over the module without a bundler.
fn json(names: &Names) -> String {
    let members: Vec<_> = names
        .iter()
        .map(|(part, name)| format!("\"{part}\":\"{name}\""))
        .collect();
    format!("{{{}}}\n", members.join(","))
}

fn bundle(
    build: &Path,
    package: &Path,
    (entry, file): (&str, &str),
    options: &[&str],
    names: &[(&str, String)],
) -> Result<()> {
    let tools = root().join("sdk/node_modules");
    let mut esbuild = command("node", [tools.join("esbuild/bin/esbuild")], build);
    esbuild.arg(format!("./{entry}"));
    let bundled = build.join(format!("bundled-{file}"));
    esbuild.arg(format!("--outfile={}", bundled.display()));
    esbuild.args(["--bundle", "--minify", "--format=esm", "--target=es2021"]);
    esbuild.args(["--log-level=warning", "--legal-comments=none"]);
    esbuild.args(options);
    for (name, value) in names {
        esbuild.arg(format!("--define:{name}=\"{value}\""));
    }
    run(esbuild)?;

    // esbuild renames and joins; terser also folds what is used once, a twentieth of what is left.
    let mut terser = command("node", [tools.join("terser/bin/terser")], build);
    terser.arg(&bundled).arg("--output").arg(package.join(file));
    terser.args(["--module", "--ecma", "2020", "--mangle"]);
    terser.args([
        "--compress",
        "passes=4,ecma=2020,unsafe_arrows,hoist_props,keep_fargs=false",
    ]);
    run(terser)
}
