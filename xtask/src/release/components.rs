//! The lists of components (SBOM), in the format `CycloneDX` 1.5: every crate in the binary of a platform, and in the SDK's module.
//! `cargo tree` names the crates, and `Cargo.lock` their checksums.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value, json};
use toml::Table;

use super::{facts::Facts, platform::Platform};
use crate::run::{command, output, root};

/// Writes `duet-proxy-<platform>.cdx.json` for each platform, and `duet-sdk.cdx.json`.
pub(super) fn write(facts: &Facts, platforms: &[&Platform], folder: &Path) -> Result<()> {
    for platform in platforms {
        let tree = Tree::of("duet-proxy", platform.target)?;
        let name = format!("duet-proxy-{}.cdx.json", platform.name);
        save(&folder.join(name), &tree.document("duet-proxy", facts)?)?;
    }
    let tree = Tree::of("duet-sdk", "wasm32-unknown-unknown")?;
    save(
        &folder.join("duet-sdk.cdx.json"),
        &tree.document("duet-sdk", facts)?,
    )
}

fn save(file: &Path, document: &Value) -> Result<()> {
    fs::write(file, format!("{document:#}\n"))?;
    Ok(())
}

/// A crate's name and version.
type Crate = (String, String);

/// The crates in a build, each with the crates that it uses, and its licence.
pub(super) struct Tree {
    uses: BTreeMap<Crate, BTreeSet<Crate>>,
    licences: BTreeMap<Crate, String>,
}

impl Tree {
    /// Reads the tree of a package for a target, without the crates that are used only during the build.
    pub(super) fn of(package: &str, target: &str) -> Result<Self> {
        let words = [
            "tree",
            "--locked",
            "--package",
            package,
            "--target",
            target,
            "--edges",
            "normal,no-proc-macro",
            "--prefix",
            "depth",
            "--format",
            "|{p}|{l}",
        ];
        Self::read(&output(command("cargo", words, &root()))?)
    }

    fn read(printed: &str) -> Result<Self> {
        let mut tree = Self {
            uses: BTreeMap::new(),
            licences: BTreeMap::new(),
        };
        let mut above: Vec<Crate> = Vec::new();
        for line in printed.lines() {
            let [depth, named, licence] = line
                .splitn(3, '|')
                .collect::<Vec<_>>()
                .try_into()
                .map_err(|_| {
                    anyhow::anyhow!("`cargo tree` must print depth, crate and licence, got {line}")
                })?;
            let (depth, mut words) = (depth.parse::<usize>()?, named.split(' '));
            let name = words
                .next()
                .context("`cargo tree` must print the name of each crate")?;
            let version = words
                .next()
                .context("`cargo tree` must print the version of each crate")?;
            let found = (name.to_owned(), version.trim_start_matches('v').to_owned());
            above.truncate(depth);
            if let Some(user) = above.last() {
                tree.uses
                    .entry(user.clone())
                    .or_default()
                    .insert(found.clone());
            }
            tree.uses.entry(found.clone()).or_default();
            let licence = licence.trim_end_matches(" (*)").to_owned();
            tree.licences.insert(found.clone(), licence);
            above.push(found);
        }
        ensure!(
            !tree.uses.is_empty(),
            "`cargo tree` must name crates, got nothing"
        );
        Ok(tree)
    }

    /// Returns the names and versions of all crates.
    pub(super) fn crates(&self) -> impl Iterator<Item = &Crate> {
        self.uses.keys()
    }

    fn document(&self, product: &str, facts: &Facts) -> Result<Value> {
        let sums = checksums()?;
        let own = self
            .uses
            .keys()
            .find(|(name, _)| name == product)
            .context("`cargo tree` must print the product itself, too")?;
        let others = self.uses.keys().filter(|found| *found != own);
        let components: Vec<_> = others
            .map(|found| self.component(found, sums.get(found)))
            .collect();
        let edges = self.uses.iter().map(|(user, used)| {
            json!({ "ref": reference(user), "dependsOn": used.iter().map(reference).collect::<Vec<_>>() })
        });
        let mut product = self.component(own, None);
        product.extend([
            ("type".to_owned(), json!("application")),
            (
                "externalReferences".to_owned(),
                json!([{
                    "type": "vcs",
                    "url": facts.repository,
                    "comment": format!("commit {}", facts.commit),
                }]),
            ),
        ]);
        Ok(json!({
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            "version": 1,
            "metadata": { "component": product },
            "components": components,
            "dependencies": edges.collect::<Vec<_>>(),
        }))
    }

    fn component(&self, found: &Crate, checksum: Option<&String>) -> Map<String, Value> {
        let (name, version) = found;
        let mut component = Map::from_iter([
            ("type".to_owned(), json!("library")),
            ("bom-ref".to_owned(), json!(reference(found))),
            ("name".to_owned(), json!(name)),
            ("version".to_owned(), json!(version)),
            ("purl".to_owned(), json!(reference(found))),
        ]);
        let licence = self.licences.get(found).filter(|text| !text.is_empty());
        // In old manifests, a slash between two licences means OR.
        let licence = licence.map(|text| json!([{ "expression": text.replace('/', " OR ") }]));
        component.extend(licence.map(|licence| ("licenses".to_owned(), licence)));
        let hash = checksum.map(|sum| json!([{ "alg": "SHA-256", "content": sum }]));
        component.extend(hash.map(|hash| ("hashes".to_owned(), hash)));
        component
    }
}

fn reference((name, version): &Crate) -> String {
    format!("pkg:cargo/{name}@{version}")
}

/// Reads the checksum of each crate that comes from the registry.
fn checksums() -> Result<BTreeMap<Crate, String>> {
    let lock: Table = fs::read_to_string(root().join("Cargo.lock"))?.parse()?;
    let packages = lock.get("package").and_then(|packages| packages.as_array());
    let text = |package: &toml::Value, key| Some(package.get(key)?.as_str()?.to_owned());
    let of = |package| {
        Some((
            (text(package, "name")?, text(package, "version")?),
            text(package, "checksum")?,
        ))
    };
    Ok(packages
        .context("Cargo.lock must list packages")?
        .iter()
        .filter_map(of)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::Tree;

    #[test]
    fn a_crate_uses_the_crates_one_level_below_it() {
        let printed = "0|a v1.0.0 (/src/a)|MIT\n1|b v2.0.0|MIT OR Apache-2.0\n2|c v3.0.0|ISC\n1|c v3.0.0|ISC (*)\n";
        let tree = Tree::read(printed).unwrap();
        let named = |name: &str| {
            tree.uses
                .iter()
                .find(|((found, _), _)| found == name)
                .unwrap()
                .1
        };
        assert_eq!(
            (named("a").len(), named("b").len(), named("c").len()),
            (2, 1, 0)
        );
        assert!(tree.licences.values().all(|licence| !licence.contains('*')));
    }
}
