//! Checks the boundary between the WebAssembly module and `sdk/page/`, which `sdk/src/bindings.rs` describes. The page calls
//! each function of the module by the function's name in capitals. This code finds the names in the built module, so that the
//! build can replace them by the short final names. This code also compares the names with the names that the page uses.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context as _, Result, ensure};

use crate::run::{command, output, root};

/// Pairs of names: the page's name for a part of the module, and the built module's name.
pub(crate) type Names = Vec<(String, String)>;

/// Lists the exports that the page needs, in the format of wasm-metadce. wasm-metadce removes the other exports of
/// wasm-bindgen, which Duet does not use.
pub(crate) fn roots(module: &Path) -> Result<String> {
    let script = "\
        const bytes = require('node:fs').readFileSync(process.argv[1]);\
        for (const { name } of WebAssembly.Module.exports(new WebAssembly.Module(bytes))) console.log(name)";
    let mut node = command("node", ["-e", script], &root());
    node.arg(module);
    let exports = output(node)?;
    let needed: Vec<_> = exports
        .lines()
        .filter(|name| part(name).is_some())
        .collect();
    let reached: Vec<_> = needed.iter().map(|name| format!("\"{name}\"")).collect();
    let exports = needed
        .iter()
        .map(|name| format!(",{{\"name\":\"{name}\",\"export\":\"{name}\"}}"));
    Ok(format!(
        "[{{\"name\":\"page\",\"root\":true,\"reaches\":[{}]}}{}]",
        reached.join(","),
        exports.collect::<String>()
    ))
}

/// Returns the page's name for wasm-bindgen's name `bound`, or `None` if the page does not need the part.
fn part(bound: &str) -> Option<String> {
    let name = match bound {
        "__wbindgen_export" => "allocate",
        import if import.starts_with("__wbg_") => {
            // wasm-bindgen appends a hash to the name of an import.
            import.trim_start_matches("__wbg_").rsplit_once('_')?.0
        }
        own if own.starts_with("__") => return None,
        own => own,
    };
    Some(name.to_uppercase())
}

/// Reads wasm-opt's list: `["module", "name", "new name"]` for an import, `["name", "new name"]` for an export.
pub(crate) fn names(list: &str) -> Result<Names> {
    let mut names = vec![("MODULE".to_owned(), "a".to_owned())];
    for line in list.lines() {
        let mut texts: Vec<_> = line.split('"').skip(1).step_by(2).collect();
        let Some((new, old)) = texts.pop().zip(texts.pop()) else {
            continue;
        };
        let part =
            part(old).with_context(|| format!("the module's name {old} must have a known form"))?;
        ensure!(
            names.iter().all(|(known, _)| *known != part),
            "the name {part} must belong to one part of the module, but two parts have it; rename one of them in bindings.rs"
        );
        names.push((part, new.to_owned()));
    }
    Ok(names)
}

/// Fails if the page does not use a part of the module, or uses a part that does not exist.
pub(crate) fn check(names: &Names, page: &Path) -> Result<()> {
    let mut used = BTreeSet::new();
    for file in fs::read_dir(page)? {
        used.extend(uses(&fs::read_to_string(file?.path())?));
    }
    let defined: BTreeSet<_> = names.iter().map(|(name, _)| name.clone()).collect();
    let missing: Vec<_> = defined.difference(&used).collect();
    ensure!(
        missing.is_empty(),
        "sdk/page must use every part of the module, but does not use {missing:?}"
    );
    let unknown: Vec<_> = used.difference(&defined).collect();
    ensure!(
        unknown.is_empty(),
        "sdk/page uses {unknown:?}, but bindings.rs does not have these parts"
    );
    Ok(())
}

/// Returns the names of the module's parts in a file: the first arguments of `core` and of the functions that call it, and
/// names in brackets.
fn uses(text: &str) -> BTreeSet<String> {
    let is_capital = |letter: char| letter.is_ascii_uppercase() || letter == '_';
    let within = |before: &'static str, after: &'static [&str]| {
        text.split(before).skip(1).filter_map(move |rest| {
            let behind = rest.trim_start_matches(is_capital);
            let name = rest.strip_suffix(behind)?;
            let ends = after.iter().any(|after| behind.starts_with(after));
            (ends && name.len() > 1).then(|| name.to_owned())
        })
    };
    let called = ["core(", "step(", "happened(", "tell("];
    let called = called
        .into_iter()
        .flat_map(|call| within(call, &[",", ")"]));
    called
        .chain(within("wasm[", &["]"]))
        .chain(within("[", &["]:"]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_both_sides_are_found() {
        let list = "[\"page\",\"__wbg_wake_in_0123456789abcdef\",\"a\"]\n[\"add\",\"b\"]\n\
            [\"__wbindgen_export\",\"c\"]\n[\"memory\",\"d\"]";
        let pairs = [
            ("MODULE", "a"),
            ("WAKE_IN", "a"),
            ("ADD", "b"),
            ("ALLOCATE", "c"),
            ("MEMORY", "d"),
        ];
        let expected = pairs.map(|(name, new)| (name.to_owned(), new.to_owned()));
        assert_eq!(names(list).unwrap(), expected);
        let page = "core(ADD, 1) step(LOOKED) wasm[MEMORY] { [WAKE_IN]: wake } of[KEY] /[A-Z]/ tell(id, 'x') F(NO)";
        let used: Vec<_> = uses(page).into_iter().collect();
        assert_eq!(used, ["ADD", "LOOKED", "MEMORY", "WAKE_IN"]);
    }

    #[test]
    fn two_things_of_one_name_are_refused() {
        assert!(names("[\"page\",\"__wbg_add_0123456789abcdef\",\"a\"]\n[\"add\",\"b\"]").is_err());
    }
}
