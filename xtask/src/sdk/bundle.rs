//! `sdk/page/`, the glue and the module -> the three files of the package.

use std::{fs, path::Path};

use anyhow::Result;

use super::text;
use crate::run::{command, root, run};

/// Writes `index.js`, `fallback.js` and `server.js` into `package`.
pub(crate) fn build(build: &Path, package: &Path) -> Result<()> {
    let bytes = fs::read(build.join("duet_bg.wasm"))?;
    fs::write(build.join("duet_bg.txt"), text::encode(&bytes))?;
    let page = root().join("sdk/page");
    for file in fs::read_dir(page)? {
        let file = file?;
        fs::copy(file.path(), build.join(file.file_name()))?;
    }
    bundle(build, package, "index.js", &["--external:./fallback.js"])?;
    bundle(build, package, "fallback.js", &[])?;
    bundle(build, package, "server.js", &[])
}

fn bundle(build: &Path, package: &Path, entry: &str, options: &[&str]) -> Result<()> {
    let script = root().join("sdk/node_modules/esbuild/bin/esbuild");
    let mut esbuild = command("node", [script], build);
    esbuild.arg(format!("./{entry}"));
    esbuild.arg(format!("--outfile={}", package.join(entry).display()));
    esbuild.args(["--bundle", "--minify", "--format=esm", "--target=es2021"]);
    esbuild.args(["--log-level=warning", "--legal-comments=none"]);
    esbuild.args(options);
    run(esbuild)
}
