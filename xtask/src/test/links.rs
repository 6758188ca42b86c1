//! Checks the links in Markdown files: every link to a file of the repository must lead to an existing file, folder or
//! heading.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Result, ensure};

use crate::run::root;

/// Folders of files that are not part of the repository.
const FOREIGN: [&str; 3] = [".git", "node_modules", "target"];

pub(super) fn check() -> Result<()> {
    let mut broken = missing_decisions()?;
    for file in pages(&root())? {
        let text = fs::read_to_string(&file)?;
        let links = links(&text).filter(|link| !leads_somewhere(&file, link));
        let file = file.strip_prefix(root())?.display();
        broken.extend(links.map(|link| {
            format!("{file}: the link {link} must lead to an existing file, folder or heading")
        }));
    }
    ensure!(broken.is_empty(), "{}", broken.join("\n"));
    Ok(())
}

/// Returns every Markdown file in `folder` and its subfolders.
fn pages(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_foreign = FOREIGN.iter().any(|name| path.ends_with(name));
        if path.is_dir() && !is_foreign {
            pages.extend(self::pages(&path)?);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            pages.push(path);
        }
    }
    Ok(pages)
}

/// Returns a problem for each decision that `docs/decisions/README.md` does not list.
fn missing_decisions() -> Result<Vec<String>> {
    let folder = root().join("docs/decisions");
    let index = fs::read_to_string(folder.join("README.md"))?;
    let listed: BTreeSet<_> = links(&index).collect();
    let mut missing = Vec::new();
    for file in fs::read_dir(folder)? {
        let name = file?.file_name().to_string_lossy().into_owned();
        if name != "README.md" && !listed.contains(name.as_str()) {
            missing.push(format!("docs/decisions/README.md must list {name}"));
        }
    }
    Ok(missing)
}

/// Returns the link targets in a text, without links to other sites.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1);
    let targets = targets.filter_map(|rest| Some(rest.split_once(')')?.0));
    targets.filter(|target| !target.contains("://") && !target.contains(char::is_whitespace))
}

fn leads_somewhere(file: &Path, link: &str) -> bool {
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    let folder = file.parent().unwrap_or(Path::new(""));
    let target = match path {
        "" => file.to_owned(),
        path => folder.join(path),
    };
    if heading.is_empty() {
        return target.exists();
    }
    fs::read_to_string(target).is_ok_and(|text| anchors(&text).any(|anchor| anchor == heading))
}

/// Returns the anchors that GitHub gives to the headings in a text.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|heading| {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words
            .chars()
            .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        kept.map(|letter| if letter == ' ' { '-' } else { letter })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_files_and_headings_are_followed() {
        let text = "[a](README.md#try-it) [b](https://site.example/) [c](docs/none.md) [d](README.md#none) `f](x y)`";
        let found: Vec<_> = links(text).collect();
        assert_eq!(
            found,
            ["README.md#try-it", "docs/none.md", "README.md#none"]
        );
        let lead = found
            .iter()
            .map(|link| leads_somewhere(&root().join("a.md"), link));
        assert_eq!(lead.collect::<Vec<_>>(), [true, false, false]);
        assert!(leads_somewhere(
            &root().join("docs/decisions/a.md"),
            "../../README.md"
        ));
    }

    #[test]
    fn a_heading_has_the_anchor_that_github_gives_it() {
        let anchors: Vec<_> = anchors("# A `code`: it's 2\ntext\n## b").collect();
        assert_eq!(anchors, ["a-code-its-2", "b"]);
    }
}
