//! The notes of a release: its section of the changelog.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use super::facts::Facts;
use crate::run::root;

/// The title of the section with the changes that are in no release yet.
const UNRELEASED: &str = "Unreleased";

/// Writes `NOTES.md`. The notes of a draft contain the changes that are in no release yet.
pub(super) fn write(facts: &Facts, folder: &Path) -> Result<()> {
    let title = if facts.is_tagged() {
        facts.version
    } else {
        UNRELEASED
    };
    let text = of(title)?.with_context(|| format!("CHANGELOG.md must have a section {title}"))?;
    fs::write(folder.join("NOTES.md"), text)?;
    Ok(())
}

/// Returns why the changelog does not fit a release. Returns `None` if it fits.
pub(super) fn obstacle(version: &str) -> Result<Option<String>> {
    let waits = of(UNRELEASED)?.is_some_and(|text| !text.trim().is_empty());
    Ok((waits || of(version)?.is_none()).then(|| {
        format!("the changes under *{UNRELEASED}* in CHANGELOG.md must be in a section `## {version} (DATE)`")
    }))
}

/// Returns the section with this title, without the title.
fn of(version: &str) -> Result<Option<String>> {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md"))?;
    Ok(section(&changelog, version))
}

fn section(changelog: &str, version: &str) -> Option<String> {
    let is_title = |line: &str| {
        let title = line.strip_prefix("## ").unwrap_or_default();
        title.split(' ').next() == Some(version)
    };
    let mut lines = changelog.lines().skip_while(|line| !is_title(line));
    lines.next()?;
    let lines: Vec<_> = lines.take_while(|line| !line.starts_with("## ")).collect();
    Some(format!("{}\n", lines.join("\n").trim()))
}

#[cfg(test)]
mod tests {
    use super::section;

    #[test]
    fn a_section_ends_at_the_next_title() {
        let log = "# Changelog\n\n## Unreleased\n\n- c\n\n## 1.2.0 (2026-12-01)\n\n### Fixed\n\n- b\n\n## 1.1.0 (2026-11-01)\n\n- a\n";
        assert_eq!(section(log, "1.2.0").as_deref(), Some("### Fixed\n\n- b\n"));
        assert_eq!(section(log, "1.1.0").as_deref(), Some("- a\n"));
        assert_eq!(section(log, "1.2"), None);
    }
}
