//! The facts about a release: its version, its commit, its time, and the repository's address.

use std::fs;

use anyhow::{Context as _, Result};
use toml::Table;

use super::notes;
use crate::run::{git, output, root};

/// The end of a placeholder for an address. RFC 2606 reserves this domain, so no such address exists.
const NOWHERE: &str = ".invalid/";

/// The facts about a release.
pub(super) struct Facts {
    pub(super) version: &'static str,
    pub(super) commit: String,
    /// The commit's time in seconds since 1970. Every file in a download has this time.
    pub(super) time: u64,
    pub(super) repository: String,
    /// Whether the files differ from the commit.
    pub(super) changed: bool,
    /// The tags of the commit.
    tags: Vec<String>,
}

impl Facts {
    /// Reads the facts from git, or, in an archive of the sources, from the file that `git archive` has filled in.
    pub(super) fn read() -> Result<Self> {
        let version = env!("CARGO_PKG_VERSION");
        let repository = repository()?;
        let archived = fs::read_to_string(root().join("proxy/commit"))?;
        if let Some((commit, time)) = archived.trim().split_once(' ')
            && let Ok(time) = time.parse()
        {
            let facts = Self {
                version,
                commit: commit.to_owned(),
                time,
                repository,
                changed: false,
                tags: Vec::new(),
            };
            return Ok(facts);
        }
        let git = |words: &[&str]| output(git(words.iter().copied()));
        let last = git(&["log", "-1", "--format=%H %ct"])?;
        let (commit, time) = last
            .split_once(' ')
            .context("git must print a commit and its time")?;
        let tags = git(&["tag", "--points-at", "HEAD"])?;
        Ok(Self {
            version,
            commit: commit.to_owned(),
            time: time.parse()?,
            repository,
            changed: !git(&["status", "--porcelain"])?.is_empty(),
            tags: tags.lines().map(str::to_owned).collect(),
        })
    }

    /// Returns the commit as the binary states it.
    pub(super) fn built(&self) -> String {
        let mark = if self.changed { "-changed" } else { "" };
        format!("{}{mark}", self.commit)
    }

    /// Returns whether the commit has the tag of the version.
    pub(super) fn is_tagged(&self) -> bool {
        self.tags.contains(&format!("v{}", self.version))
    }

    /// Returns the reasons not to release this commit.
    pub(super) fn obstacles(&self) -> Result<Vec<String>> {
        let mut obstacles = Vec::new();
        if self.repository.contains(NOWHERE) {
            obstacles.push(format!(
                "`repository` in Cargo.toml must be the repository's public address, got the placeholder {}",
                self.repository
            ));
        }
        if self.changed {
            obstacles.push(
                "no file may differ from the commit, but `git status` shows changes".to_owned(),
            );
        }
        if !self.is_tagged() {
            obstacles.push(format!("the commit must have the tag v{}", self.version));
        }
        obstacles.extend(notes::obstacle(self.version)?);
        Ok(obstacles)
    }
}

/// Returns the public address of the repository, which `Cargo.toml` states once for all packages.
pub(crate) fn repository() -> Result<String> {
    let manifest: Table = fs::read_to_string(root().join("Cargo.toml"))?.parse()?;
    let repository = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("package")?.get("repository")?.as_str());
    Ok(repository
        .context("Cargo.toml must state `repository` in [workspace.package]")?
        .to_owned())
}
