//! The npm packages of the proxy. Each platform has a package with its binary. The package `duet-proxy` starts the binary of
//! the platform on which it is installed. npm installs only the package that fits the platform.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

use super::{Contents, facts::Facts, fresh, install, platform::Platform};
use crate::run::{command, output, root};

/// Packs `duet-proxy-<platform>-<version>.tgz`.
pub(super) fn pack_platform(contents: &Contents<'_>) -> Result<()> {
    let Contents {
        facts, platform, ..
    } = contents;
    let folder = fresh(&contents.stage.join("npm"))?;
    install(&contents.binary(), &folder.join("duet-proxy"), 0o755)?;
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        install(&root().join(licence), &folder.join(licence), 0o644)?;
    }
    let third = "THIRD-PARTY-LICENSES.txt";
    install(&contents.texts.join(third), &folder.join(third), 0o644)?;
    let name = format!("duet-proxy-{}", platform.name);
    let text = format!(
        "# {name}\n\nThe binary of duet-proxy for {}. Install `duet-proxy` instead, which needs this package.\n",
        platform.name
    );
    fs::write(folder.join("README.md"), text)?;
    let mut manifest = manifest(facts)?;
    for script in ["bin", "optionalDependencies", "keywords"] {
        manifest.remove(script);
    }
    manifest.extend([
        ("name".to_owned(), json!(name)),
        (
            "description".to_owned(),
            json!(format!("The binary of duet-proxy for {}", platform.name)),
        ),
        ("os".to_owned(), json!([platform.os])),
        ("cpu".to_owned(), json!([platform.cpu])),
        // Yarn must unpack this package, because a binary inside an archive cannot be run.
        ("preferUnplugged".to_owned(), json!(true)),
    ]);
    save(&folder, manifest)?;
    pack(&folder, contents.into)
}

/// Packs `duet-proxy-<version>.tgz`.
pub(super) fn pack_launcher(
    facts: &Facts,
    platforms: &[&Platform],
    stage: &Path,
    into: &Path,
) -> Result<()> {
    let folder = fresh(&stage.join("npm"))?;
    let launcher = "proxy/npm/duet-proxy.cjs";
    let files = ["proxy/npm/README.md", "LICENSE-APACHE", "LICENSE-MIT"];
    let others = files.iter().map(|file| (*file, 0o644));
    for (file, mode) in others.chain([(launcher, 0o755)]) {
        let name = file.rsplit('/').next().unwrap_or(file);
        install(&root().join(file), &folder.join(name), mode)?;
    }
    let mut manifest = manifest(facts)?;
    let binaries = platforms.iter().map(|platform| {
        (
            format!("duet-proxy-{}", platform.name),
            json!(facts.version),
        )
    });
    manifest.insert(
        "optionalDependencies".to_owned(),
        Value::Object(binaries.collect()),
    );
    save(&folder, manifest)?;
    pack(&folder, into)
}

/// Reads `proxy/npm/package.json`, with the version and the repository of the release.
fn manifest(facts: &Facts) -> Result<Map<String, Value>> {
    let text = fs::read_to_string(root().join("proxy/npm/package.json"))?;
    let text = crate::sdk::filled(&text, &facts.repository);
    serde_json::from_str(&text).context("proxy/npm/package.json must be an object")
}

fn save(folder: &Path, manifest: Map<String, Value>) -> Result<()> {
    let manifest = Value::Object(manifest);
    fs::write(folder.join("package.json"), format!("{manifest:#}\n"))?;
    Ok(())
}

/// Packs a folder with npm, which sorts the files and gives all files the same time.
fn pack(folder: &Path, into: &Path) -> Result<()> {
    let mut npm = command("npm", ["pack", "--silent", "--pack-destination"], folder);
    npm.arg(into);
    output(npm)?;
    Ok(())
}
