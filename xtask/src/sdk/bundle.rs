//! Builds the package's files from `sdk/page/`, the glue and the module.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};

use super::{boundary::Names, text};
use crate::run::{command, root, run};

/// The name of the module's text in the minified code. The minifier uses this name for nothing else, because it treats the name
/// as a global variable.
const TEXT: &str = "_";

/// Writes the package's JavaScript and the module into `package`.
pub(crate) fn build(build: &Path, package: &Path, names: &Names) -> Result<()> {
    let bytes = fs::read(build.join("duet_bg.wasm"))?;
    let page = root().join("sdk/page");
    for file in fs::read_dir(page)? {
        let file = file?;
        fs::copy(file.path(), build.join(file.file_name()))?;
    }
    fs::copy(build.join("duet_bg.wasm"), package.join("duet.wasm"))?;
    fs::write(build.join("names.json"), json(names))?;
    let external = ["--external:./fallback.js", "--alias:surroundings=./page.js"];
    let text = format!("--define:TEXT={TEXT}");
    let inline = [&external[..], &["--alias:source=./inline.js", &text]].concat();
    bundle(build, package, ("api.js", "index.js"), &inline, names)?;
    add_text(&package.join("index.js"), &bytes)?;
    let external = [&external[..], &["--alias:source=./external.js"]].concat();
    bundle(build, package, ("api.js", "external.js"), &external, names)?;
    bundle(build, package, ("fallback.js", "fallback.js"), &[], &[])?;
    bundle(
        build,
        package,
        ("debug.js", "debug.js"),
        &["--loader:.gz=binary"],
        &[],
    )?;
    let server = ["--alias:surroundings=./server.js"];
    bundle(build, package, ("api.js", "server.js"), &server, names)?;
    // This file is for Jest and for other programs that use `require`.
    let common_js = ["--alias:surroundings=./server.js", "--format=cjs"];
    bundle(build, package, ("api.js", "server.cjs"), &common_js, names)
}

/// Appends the module's text to the code that reads this text. If the text were in the middle of the code, brotli would
/// compress worse, and the minifier would choose worse short names.
fn add_text(file: &Path, module: &[u8]) -> Result<()> {
    let code = fs::read_to_string(file)?;
    // A bundler may put this code into a script of a page that is not in UTF-8.
    ensure!(code.is_ascii(), "the page's code must contain only ASCII");
    let text = text::encode(module);
    // The code is one line, and the source map counts the columns of this line, so the text must come after the code. The last
    // line has the address of the source map.
    let (code, map) = code
        .trim_end()
        .rsplit_once('\n')
        .context("terser must name a source map")?;
    fs::write(file, format!("{code}var {TEXT}=\"{text}\";\n{map}\n"))?;
    Ok(())
}

/// Returns the names as JSON for `sdk/tests/module.js`, which runs `sdk/page/` together with the module, without a bundler.
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
    names: &[(String, String)],
) -> Result<()> {
    let tools = root().join("sdk/node_modules");
    let mut esbuild = command("node", [tools.join("esbuild/bin/esbuild")], build);
    esbuild.arg(format!("./{entry}"));
    let bundled = build.join(format!("bundled-{file}"));
    esbuild.arg(format!("--outfile={}", bundled.display()));
    esbuild.args(["--bundle", "--minify-syntax", "--minify-identifiers"]);
    esbuild.args(["--format=esm", "--target=es2021"]);
    esbuild.args(["--log-level=warning", "--legal-comments=none"]);
    esbuild.arg("--sourcemap=external");
    esbuild.args(options);
    for (name, value) in names {
        esbuild.arg(format!("--define:{name}=\"{value}\""));
    }
    run(esbuild)?;

    // esbuild renames and joins the code. terser also inlines code that is used only once, which saves a twentieth of the
    // remaining size.
    let mut terser = command("node", [tools.join("terser/bin/terser")], build);
    terser.arg(&bundled).arg("--output").arg(package.join(file));
    terser.args(["--beautify", "beautify=false,ascii_only=true"]);
    // Keep the comments that tell a bundler not to change an import.
    terser.args(["--comments", "/webpackIgnore|@vite-ignore/"]);
    if Path::new(file)
        .extension()
        .is_none_or(|ending| ending != "cjs")
    {
        terser.arg("--module");
    }
    terser.args(["--ecma", "2020", "--mangle", "--source-map"]);
    terser.arg(format!(
        "content='bundled-{file}.map',url='{file}.map',includeSources"
    ));
    terser.args([
        "--compress",
        "passes=4,ecma=2020,unsafe_arrows,hoist_funs,hoist_props,keep_fargs=false,lhs_constants=false,inline=1",
    ]);
    run(terser)
}
