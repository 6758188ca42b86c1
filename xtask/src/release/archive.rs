//! The archive of a platform: the binary, its manual, and the files for web servers and systemd. Also packs folders so that the
//! same files give the same bytes.

use std::{fs, path::Path};

use anyhow::Result;

use super::{Contents, fresh, install};
use crate::run::{command, root, run};

/// Files of the repository that an operator needs beside the binary.
const FILES: [&str; 7] = [
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "CHANGELOG.md",
    ".env.example",
    "deploy/duet-proxy.service",
    "deploy/nginx.conf",
    "deploy/Caddyfile",
];

/// Packs `duet-proxy-<version>-<platform>.tar.gz`.
pub(super) fn pack(contents: &Contents<'_>) -> Result<()> {
    let name = format!(
        "duet-proxy-{}-{}",
        contents.facts.version, contents.platform.name
    );
    let parent = fresh(&contents.stage.join("archive"))?;
    let folder = parent.join(&name);
    install(&contents.binary(), &folder.join("duet-proxy"), 0o755)?;
    for file in FILES {
        let from = root().join(file);
        let to = folder.join(file.rsplit('/').next().unwrap_or(file));
        install(&from, &to, 0o644)?;
    }
    copy_tree(contents.texts, &folder)?;
    let tar = parent.join(format!("{name}.tar"));
    tarred(&parent, &[&name], &tar, contents.facts.time, 0)?;
    zipped(&tar)?;
    fs::rename(
        tar.with_extension("tar.gz"),
        contents.into.join(format!("{name}.tar.gz")),
    )?;
    Ok(())
}

/// Copies all files of a folder and its subfolders, readable for everybody.
pub(super) fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &to)?;
        } else {
            install(&entry.path(), &to, 0o644)?;
        }
    }
    Ok(())
}

/// Writes the members of a folder to a tar file: sorted, with this owner, and with the time of the commit.
pub(super) fn tarred(
    folder: &Path,
    members: &[&str],
    tar: &Path,
    time: u64,
    owner: u32,
) -> Result<()> {
    let time = format!("--mtime=@{time}");
    let (user, group) = (format!("--owner={owner}"), format!("--group={owner}"));
    let fixed = [
        "--sort=name",
        "--format=gnu",
        &user,
        &group,
        "--numeric-owner",
        "--mode=u+rwX,go+rX,go-w",
        &time,
        "--create",
        "--file",
    ];
    let mut command = command("tar", fixed, folder);
    command.arg(tar).args(members);
    run(command)
}

/// Compresses a file into `<file>.gz`, without its name and its time.
pub(super) fn zipped(file: &Path) -> Result<()> {
    let mut command = command(
        "gzip",
        ["--no-name", "-9", "--force"],
        file.parent().unwrap_or(file),
    );
    command.arg(file);
    run(command)
}
