//! Checks licences, bans and sources of every crate in the dependency tree against `deny.toml`. The tool cargo-deny reads the
//! same file, but the build of cargo-deny takes three minutes. This check needs only `cargo metadata`, and also checks the
//! dependencies of tests.

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, de::DeserializeOwned};
use spdx::{Expression, ParseMode};
use toml::{Table, Value};

use crate::run::{command, output, root};

/// The expected text of `deny.toml` without its two lists. The check fails if the file has another rule, because this check
/// would not apply the rule.
const APPLIED: &str = "\
[graph]
all-features = true
[licenses]
include-dev = true
private.ignore = false
[bans]
multiple-versions = 'allow'
wildcards = 'deny'
allow-wildcard-paths = true
[sources]
unknown-registry = 'deny'
unknown-git = 'deny'
";

pub(super) fn check() -> Result<()> {
    let policy = Policy::read(&fs::read_to_string(root().join("deny.toml"))?)?;
    let arguments = [
        "metadata",
        "--format-version=1",
        "--all-features",
        "--locked",
    ];
    let metadata = output(command("cargo", arguments, &root()))?;
    let Metadata { packages } = serde_json::from_str(&metadata)?;
    let violations = policy.violations(&packages);
    ensure!(violations.is_empty(), "{}", violations.join("\n"));
    println!("{} crates comply with deny.toml", packages.len());
    Ok(())
}

struct Policy {
    allowed: BTreeSet<String>,
    banned: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    license: Option<String>,
    /// `None` for a crate of this repository.
    source: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    req: String,
    path: Option<String>,
    /// `None` for cargo's default registry.
    registry: Option<String>,
}

impl Policy {
    fn read(text: &str) -> Result<Self> {
        let mut rest: Table = text.parse()?;
        let allowed = take(&mut rest, "licenses", "allow")?;
        let banned = take(&mut rest, "bans", "deny")?;
        ensure!(
            rest == APPLIED.parse()?,
            "deny.toml must hold the rules that xtask/src/test/dependencies.rs applies, got {rest:?}"
        );
        Ok(Self { allowed, banned })
    }

    fn violations(&self, packages: &[Package]) -> Vec<String> {
        let mut used = BTreeSet::new();
        let mut violations = Vec::new();
        for package in packages {
            let violation = self.licence(package, &mut used).err();
            violations.extend(violation.map(|error| format!("{}: {error:#}", package.name)));
            violations.extend(self.ban(package));
            violations.extend(source(package));
            violations.extend(registries(package));
            violations.extend(wildcards(package));
        }
        let unused = self.allowed.difference(&used);
        violations.extend(
            unused.map(|name| format!("{name} is allowed in deny.toml, but no crate uses it")),
        );
        violations
    }

    /// Checks that `package` can be used under licences that are all allowed. Adds the licences of the package to `used`.
    fn licence(&self, package: &Package, used: &mut BTreeSet<String>) -> Result<()> {
        let text = package.license.as_deref().context("states no licence")?;
        let expression = Expression::parse_mode(text, ParseMode::LAX)
            .with_context(|| format!("the licence must be an SPDX expression, got {text}"))?;
        let is_allowed = expression.evaluate(|licence| {
            let name = licence.to_string();
            let is_allowed = self.allowed.contains(&name);
            used.extend(is_allowed.then_some(name));
            is_allowed
        });
        ensure!(
            is_allowed,
            "the licence must be one that deny.toml allows, got {text}"
        );
        Ok(())
    }

    fn ban(&self, package: &Package) -> Option<String> {
        let ban = self.banned.iter().find(|ban| ban.name == package.name)?;
        Some(format!("{} is banned: {}", ban.name, ban.reason))
    }
}

/// Takes a list out of a section.
fn take<T: DeserializeOwned>(file: &mut Table, section: &str, key: &str) -> Result<T> {
    let section_table = file.get_mut(section).and_then(Value::as_table_mut);
    let list = section_table.and_then(|table| table.remove(key));
    let list = list.with_context(|| format!("deny.toml must have {key} in [{section}]"))?;
    Ok(list.try_into()?)
}

fn source(package: &Package) -> Option<String> {
    let source = package
        .source
        .as_ref()
        .filter(|source| !source.starts_with("registry+"))?;
    let name = &package.name;
    Some(format!("{name} must come from a registry, got {source}"))
}

fn registries(package: &Package) -> impl Iterator<Item = String> {
    package.dependencies.iter().filter_map(|dependency| {
        let (of, registry) = (&dependency.name, dependency.registry.as_ref()?);
        Some(format!(
            "{of} must come from cargo's own registry, got {registry}"
        ))
    })
}

/// Returns a problem for each dependency without a version, because its version could change. Crates of this repository may
/// depend on each other by path, without a version.
fn wildcards(package: &Package) -> impl Iterator<Item = String> {
    let is_own = |dependency: &Dependency| package.source.is_none() && dependency.path.is_some();
    let wildcards = package.dependencies.iter();
    wildcards
        .filter(move |dependency| dependency.req == "*" && !is_own(dependency))
        .map(|dependency| {
            let (name, of) = (&package.name, &dependency.name);
            format!("{name} must state a version of {of}, got *")
        })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    fn policy() -> Policy {
        let lists = [
            ("[licenses]\n", "allow = ['Apache-2.0', 'MIT']\n"),
            (
                "[bans]\n",
                "deny = [{ crate = 'openssl-sys', reason = 'TLS is rustls' }]\n",
            ),
        ];
        let text = lists
            .iter()
            .fold(APPLIED.to_owned(), |text, (section, list)| {
                text.replace(section, &format!("{section}{list}"))
            });
        Policy::read(&text).unwrap()
    }

    fn package(changed: &Value) -> Package {
        let mut package = json!({
            "name": "a", "license": "MIT AND Apache-2.0", "source": "registry+https://registry.example/a",
            "dependencies": [{ "name": "b", "req": "^1", "path": null }],
        });
        let changed = changed.as_object().unwrap().clone();
        package.as_object_mut().unwrap().extend(changed);
        from_value(package).unwrap()
    }

    #[test]
    fn only_allowed_licences_crates_sources_and_versions_pass() {
        let wildcard = |path| json!([{ "name": "b", "req": "*", "path": path }]);
        let cases = [
            (json!({}), None),
            (json!({ "license": "MIT/Apache-2.0" }), None),
            (
                json!({ "license": "(MIT OR GPL-2.0-only) AND Apache-2.0" }),
                None,
            ),
            (
                json!({ "license": "MIT AND GPL-2.0-only" }),
                Some("got MIT AND GPL-2.0-only"),
            ),
            (
                json!({ "license": "MIT WITH LLVM-exception" }),
                Some("got MIT WITH"),
            ),
            (json!({ "license": null }), Some("a: states no licence")),
            (
                json!({ "license": "ask us" }),
                Some("must be an SPDX expression"),
            ),
            (
                json!({ "name": "openssl-sys" }),
                Some("openssl-sys is banned: TLS is rustls"),
            ),
            (
                json!({ "source": "git+https://git.example/a" }),
                Some("must come from a registry"),
            ),
            (
                json!({ "dependencies": [{ "name": "b", "req": "^1", "registry": "https://other.example" }] }),
                Some("b must come from cargo's own registry"),
            ),
            (
                json!({ "source": null, "dependencies": wildcard(Some("b")) }),
                None,
            ),
            (
                json!({ "source": null, "dependencies": wildcard(None) }),
                Some("version of b, got *"),
            ),
            (
                json!({ "dependencies": wildcard(Some("b")) }),
                Some("version of b, got *"),
            ),
        ];
        for (changed, expected) in cases {
            let packages = [package(&json!({})), package(&changed)];
            let violations = policy().violations(&packages);
            let expected: Vec<_> = expected.into_iter().collect();
            assert_eq!(
                violations.len(),
                expected.len(),
                "{changed}: {violations:?}"
            );
            for (violation, part) in violations.iter().zip(expected) {
                assert!(violation.contains(part), "{changed}: {violation}");
            }
        }
    }

    #[test]
    fn an_allowed_licence_that_no_crate_has_is_a_violation() {
        let violations = policy().violations(&[package(&json!({ "license": "MIT" }))]);
        assert_eq!(
            violations,
            ["Apache-2.0 is allowed in deny.toml, but no crate uses it"]
        );
    }

    #[test]
    fn a_rule_that_is_not_applied_is_an_error() {
        let (licences, bans) = ("[licenses]\nallow = []\n", "[bans]\ndeny = []\n");
        let text = APPLIED
            .replace("[licenses]\n", licences)
            .replace("[bans]\n", bans);
        assert!(Policy::read(&text).is_ok());
        assert!(Policy::read(&text.replace("wildcards = 'deny'", "wildcards = 'warn'")).is_err());
        assert!(Policy::read(&format!("{text}allow-git = ['https://git.example']\n")).is_err());
    }
}
