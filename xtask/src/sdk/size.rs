//! Checks the SDK's download size. The sizes are deterministic, so the limit is exact to the byte.

use std::path::Path;

use anyhow::{Result, ensure};

use super::Package;
use crate::run::{command, output, root};

/// The limit for the file that every page loads, compressed with brotli. The limit is a little above the current size, so
/// any growth needs a decision.
const MOST_BYTES: usize = 14_000;

struct Size {
    raw: usize,
    gzip: usize,
    brotli: usize,
}

/// Prints the sizes of the module, its glue, and the published files.
pub(crate) fn print(build: &Path, package: &Package) -> Result<()> {
    println!("{:<34}{:>9}{:>9}{:>9}", "bytes", "raw", "gzip", "brotli");
    for (name, path) in [
        ("module (.wasm)", build.join("duet_bg.wasm")),
        ("glue (not minified)", build.join("duet.js")),
        (
            "index.js: all a page loads",
            package.folder.join("index.js"),
        ),
        (
            "fallback.js: without WebAssembly",
            package.folder.join("fallback.js"),
        ),
        (
            "external.js, beside the module",
            package.folder.join("external.js"),
        ),
        (
            "debug.js: with debug: true",
            package.folder.join("debug.js"),
        ),
        ("server.js: Node and edge", package.folder.join("server.js")),
    ] {
        let Size { raw, gzip, brotli } = measure(&path)?;
        println!("{name:<34}{raw:>9}{gzip:>9}{brotli:>9}");
    }
    Ok(())
}

/// Fails if the file that every page loads is larger than the limit.
pub(crate) fn gate(package: &Package) -> Result<()> {
    let brotli = measure(&package.folder.join("index.js"))?.brotli;
    ensure!(
        brotli <= MOST_BYTES,
        "index.js is {brotli} bytes with brotli; at most {MOST_BYTES} are allowed"
    );
    Ok(())
}

fn measure(file: &Path) -> Result<Size> {
    let script = "\
        const { readFileSync } = require('node:fs'), zlib = require('node:zlib');\
        const bytes = readFileSync(process.argv[1]);\
        console.log(bytes.length, zlib.gzipSync(bytes, { level: 9 }).length,\
          zlib.brotliCompressSync(bytes).length)";
    let mut node = command("node", ["-e", script], &root());
    node.arg(file);
    let printed = output(node)?;
    let mut sizes = printed
        .split(' ')
        .map(|size| size.parse().unwrap_or(usize::MAX));
    let mut next = || sizes.next().unwrap_or(usize::MAX);
    Ok(Size {
        raw: next(),
        gzip: next(),
        brotli: next(),
    })
}
