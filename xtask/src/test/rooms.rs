//! Checks the imports inside a crate: no cycle between its modules, and no import that a rule forbids. A room is a module of
//! the crate's root together with the folder of the same name. Each script of the page is a room too.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context as _, Result, ensure};
use syn::{
    Attribute, File, Item, ItemMod, Meta, UseTree,
    visit::{self, Visit},
};

use crate::run::root;

/// The modules of the crate that a room of the proxy can import. A room that is not listed here can import any room, if this
/// makes no cycle.
const ONLY: &[(&str, &[&str])] = &[
    ("admit", &[]),
    ("change_log", &["limits"]),
    (
        "decide",
        &[
            "change_log",
            "clock",
            "history",
            "limits",
            "money",
            "orders",
            "outcome",
            "payments",
        ],
    ),
    ("history", &["money"]),
    ("limits", &[]),
    ("live", &["history", "money"]),
    ("money", &[]),
    ("orders", &["limits", "money"]),
    ("outcome", &["tiktok"]),
    ("payments", &["money", "orders", "secret"]),
    ("retry", &["outcome", "tiktok"]),
    ("store", &["decide", "history", "limits", "orders"]),
    ("tiktok", &["secret"]),
    ("why", &["decide", "history", "limits", "orders"]),
];
/// Imports that are forbidden for a room of the proxy.
const NEVER: &[(&str, &[&str])] = &[
    (
        "alarms",
        &[
            "console", "control", "deliver", "http", "router", "store", "tiktok",
        ],
    ),
    (
        "console",
        &["control", "deliver", "retry", "router", "store", "tiktok"],
    ),
    ("http", &["deliver", "retry", "store", "tiktok"]),
    ("deliver", &["app", "http", "identity", "router", "server"]),
    ("queue", &["app", "deliver", "http", "tiktok"]),
];

pub(super) fn check() -> Result<()> {
    let proxy = Imports::read(&root().join("proxy/src"))?;
    let mut sdk = Imports::read(&root().join("sdk/src"))?;
    // In the page's build, `effect` calls an import of `bindings` at once, instead of adding an entry to a list.
    sdk.forget("effect", "bindings");
    let mut events = Imports::read(&root().join("events/src"))?;
    // This cycle is allowed: `nobody` hashes its words with `hash`, and `hash` rejects the digests of these words.
    events.forget("nobody", "hash");
    let page = Imports::of_scripts(&root().join("sdk/page"))?;
    let mut wrong = [
        proxy.circles(),
        sdk.circles(),
        page.circles(),
        events.circles(),
    ]
    .concat();
    for (room, allowed) in ONLY {
        wrong.extend(proxy.wrong(room, |other| !allowed.contains(&other)));
    }
    for (room, excluded) in NEVER {
        wrong.extend(proxy.wrong(room, |other| excluded.contains(&other)));
    }
    wrong.extend(proxy.importers("console"));
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// The rooms that each room imports, and for each imported room the file that imports it. Imports in tests are left out.
#[derive(Default)]
struct Imports(BTreeMap<String, BTreeMap<String, String>>);

impl Imports {
    fn read(crate_folder: &Path) -> Result<Self> {
        let mut imports = Self::default();
        imports.add_folder(crate_folder, &[])?;
        Ok(imports)
    }

    fn add_folder(&mut self, folder: &Path, module: &[String]) -> Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_stem().context("a source file must have a name")?;
            let module = [module, &[name.to_string_lossy().into_owned()]].concat();
            if path.is_dir() {
                self.add_folder(&path, &module)?;
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let file = path.strip_prefix(root())?.display().to_string();
                let code = syn::parse_file(&fs::read_to_string(&path)?);
                self.add_file(&file, &module, &code.with_context(|| file.clone())?);
            }
        }
        Ok(())
    }

    fn add_file(&mut self, file: &str, module: &[String], code: &File) {
        let Some(room) = module.first() else { return };
        // The root and the command line can import all rooms, and `tests.rs` is a test.
        if ["lib", "main", "cli"].contains(&room.as_str())
            || module.iter().any(|name| name == "tests")
        {
            return;
        }
        let mut paths = Paths::default();
        paths.visit_file(code);
        for path in paths.0 {
            let known = self.0.entry(room.clone()).or_default();
            if let Some(other) = resolve(module, &path).filter(|other| other != room) {
                known.entry(other).or_insert_with(|| file.to_owned());
            }
        }
    }

    /// Reads the scripts in a folder; each script is a room.
    fn of_scripts(folder: &Path) -> Result<Self> {
        let mut imports = Self::default();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "js") {
                let room = path.file_stem().context("a source file must have a name")?;
                let file = path.strip_prefix(root())?.display().to_string();
                let code = fs::read_to_string(&path)?;
                imports.add_script(&room.to_string_lossy(), &file, &code);
            }
        }
        Ok(imports)
    }

    fn add_script(&mut self, room: &str, file: &str, code: &str) {
        let known = self.0.entry(room.to_owned()).or_default();
        let imported = code.split("from './").skip(1);
        for (other, _) in imported.filter_map(|rest| rest.split_once(".js'")) {
            known.insert(other.to_owned(), file.to_owned());
        }
    }

    /// Allows an import: removes it from the known imports, so that no check finds it.
    fn forget(&mut self, room: &str, other: &str) {
        self.0.get_mut(room).and_then(|known| known.remove(other));
    }

    /// Returns every import that is part of a cycle of rooms.
    fn circles(&self) -> Vec<String> {
        let imports = self
            .0
            .iter()
            .flat_map(|(room, known)| known.iter().map(move |(other, file)| (room, other, file)));
        imports
            .filter(|(room, other, _)| self.reached(other).contains(*room))
            .map(|(room, other, file)| {
                format!("{room} and {other} must not be in a cycle: {file} imports {other}, and {other} imports {room} directly or through others")
            })
            .collect()
    }

    /// Returns the rooms that `room` imports, directly or through other rooms.
    fn reached(&self, room: &str) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut next = vec![room.to_owned()];
        while let Some(room) = next.pop() {
            for other in self.0.get(&room).into_iter().flat_map(BTreeMap::keys) {
                if reached.insert(other.clone()) {
                    next.push(other.clone());
                }
            }
        }
        reached
    }

    /// Returns a problem for every import of `room`, which only the root of the crate may import.
    fn importers(&self, room: &str) -> Vec<String> {
        let others = self.0.iter();
        others
            .filter_map(|(other, known)| Some((other, known.get(room)?)))
            .map(|(other, file)| format!("{other} must not import {room}, but {file} does"))
            .collect()
    }

    fn wrong(&self, room: &str, is_excluded: impl Fn(&str) -> bool) -> Vec<String> {
        let known = self.0.get(room).into_iter().flatten();
        known
            .filter(|(other, _)| is_excluded(other))
            .map(|(other, file)| format!("{room} must not import {other}, but {file} does"))
            .collect()
    }
}

/// Returns the room to which a path in `module` leads. Returns `None` for a path into another crate.
fn resolve(module: &[String], path: &[String]) -> Option<String> {
    let up = path.iter().take_while(|name| *name == "super").count();
    let base = match path.first()?.as_str() {
        "crate" => return path.get(1).cloned(),
        "super" => module.len().checked_sub(up)?,
        _ => return None,
    };
    let mut names = module.iter().take(base).chain(path.iter().skip(up));
    names.next().cloned()
}

/// Collects every path that begins with `crate` or `super` in a file's imports and code. Parts for tests only are skipped.
#[derive(Default)]
struct Paths(Vec<Vec<String>>);

impl Paths {
    fn add_tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.add_tree(&with(&path.ident), &path.tree),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_tree(before, tree);
                }
            }
            UseTree::Name(name) => self.0.push(with(&name.ident)),
            UseTree::Rename(rename) => self.0.push(with(&rename.ident)),
            UseTree::Glob(_) => self.0.push(before.to_vec()),
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names = path.segments.iter();
        self.0
            .push(names.map(|name| name.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(ItemMod { attrs, .. }) => attrs.as_slice(),
            Item::Fn(function) => &function.attrs,
            _ => &[],
        };
        if !attributes.iter().any(is_test) {
            visit::visit_item(self, item);
        }
    }
}

fn is_test(attribute: &Attribute) -> bool {
    let list = match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => list.tokens.to_string(),
        _ => return false,
    };
    list == "test"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(files: &[(&str, &str)]) -> Imports {
        let mut imports = Imports::default();
        for (module, code) in files {
            let path: Vec<_> = module.split("::").map(str::to_owned).collect();
            imports.add_file(module, &path, &syn::parse_file(code).unwrap());
        }
        imports
    }

    #[test]
    fn a_circle_between_rooms_is_found_through_others_and_through_code() {
        let circle = imports(&[
            (
                "app",
                "use crate::{config::Config, http::{rate::Rates, wait}};",
            ),
            ("config", "fn read() { crate::identity::key(); }"),
            (
                "identity::clerk",
                "use super::super::http; use super::bearer;",
            ),
            ("http::track", "use crate::admit; use super::rejection;"),
            ("http::client", "use crate::app::App;"),
        ]);
        let found = circle.circles();
        assert_eq!(found.len(), 5, "{found:?}");
        assert!(found[0].starts_with("app and config"));
        let straight = imports(&[
            ("app", "use crate::config;"),
            (
                "config",
                "#[cfg(test)] mod tests { use crate::app; } use std::app;",
            ),
            ("config::tests", "use crate::app;"),
        ]);
        assert!(straight.circles().is_empty());
    }

    #[test]
    fn a_circle_between_scripts_is_found() {
        let mut scripts = Imports::default();
        scripts.add_script(
            "core",
            "core.js",
            "import { imports } from './effects.js'\n",
        );
        scripts.add_script(
            "effects",
            "effects.js",
            "import { PREFIX } from './host.js'\nimport {\n  core,\n} from './core.js'\n",
        );
        scripts.add_script("host", "host.js", "");
        assert_eq!(
            scripts.circles(),
            [
                "core and effects must not be in a cycle: core.js imports effects, and effects imports core directly or through others",
                "effects and core must not be in a cycle: effects.js imports core, and core imports effects directly or through others",
            ]
        );
    }

    #[test]
    fn an_import_that_a_rule_excludes_is_found() {
        let imports = imports(&[("http::track", "pub use crate::tiktok::Client as Sender;")]);
        let wrong = imports.wrong("http", |other| other == "tiktok");
        assert_eq!(wrong, ["http must not import tiktok, but http::track does"]);
        assert!(imports.wrong("http", |other| other == "queue").is_empty());
    }
}
