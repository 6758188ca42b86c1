//! The licence texts of all crates in the binary. The licences require that a copy of the binary comes with these texts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use serde::Deserialize;

use super::{components::Tree, platform::PLATFORMS};
use crate::run::{command, output, root};

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    manifest_path: PathBuf,
    /// `None` for a crate of this repository.
    source: Option<String>,
}

/// Writes `THIRD-PARTY-LICENSES.txt`: each text once, after the names of the crates that have it.
pub(super) fn write(folder: &Path) -> Result<()> {
    let arguments = ["metadata", "--format-version=1", "--locked"];
    let metadata = output(command("cargo", arguments, &root()))?;
    let Metadata { packages } = serde_json::from_str(&metadata)?;
    let mut used = BTreeSet::new();
    for platform in &PLATFORMS {
        used.extend(Tree::of("duet-proxy", platform.target)?.crates().cloned());
    }
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in packages {
        let is_used = used.contains(&(package.name.clone(), package.version.clone()));
        if package.source.is_none() || !is_used {
            continue;
        }
        let name = format!("{} {}", package.name, package.version);
        let mut found = of(&package)?;
        if found.is_empty() {
            found.push(format!("{}\n", package.license.unwrap_or_default()));
        }
        for text in found {
            texts.entry(text).or_default().insert(name.clone());
        }
    }
    let mut parts: Vec<_> = texts
        .into_iter()
        .map(|(text, names)| {
            let names: Vec<_> = names.into_iter().collect();
            format!("{}\n\n{}\n", names.join(", "), text.trim())
        })
        .collect();
    parts.sort();
    let line = "-".repeat(80);
    fs::write(
        folder.join("THIRD-PARTY-LICENSES.txt"),
        parts.join(&format!("\n{line}\n\n")),
    )?;
    Ok(())
}

/// Returns the licence texts in a crate's folder.
fn of(package: &Package) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    let folder = package.manifest_path.with_file_name("");
    let mut files: Vec<_> = fs::read_dir(folder)?.collect::<std::io::Result<_>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    for file in files {
        let name = file.file_name().to_string_lossy().to_uppercase();
        let is_licence = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE"]
            .iter()
            .any(|word| name.starts_with(word));
        if is_licence && file.file_type()?.is_file() {
            texts.push(String::from_utf8_lossy(&fs::read(file.path())?).replace('\r', ""));
        }
    }
    Ok(texts)
}
