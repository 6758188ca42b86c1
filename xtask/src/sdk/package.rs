//! Builds the npm package from the built files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::Package;
use crate::{
    release::repository,
    run::{command, output, root},
};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Copies the hand-written files into `target/npm/duet-sdk/`, with cargo's version and repository.
pub(crate) fn stage() -> Result<Package> {
    let npm = root().join("target/npm");
    let folder = npm.join("duet-sdk");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    copy_files(&root().join("sdk/npm"), &folder, |_| true)?;
    copy_files(&root(), &folder, |name| name.starts_with("LICENSE"))?;
    // Programs that use `require` need the same types under another name.
    fs::copy(folder.join("index.d.ts"), folder.join("index.d.cts"))?;

    let manifest = folder.join("package.json");
    let text = fs::read_to_string(&manifest)?;
    fs::write(manifest, filled(&text, &repository()?))?;
    Ok(Package {
        folder,
        archive: archive(),
    })
}

/// Returns the path of the packed package, also if the package is not built yet.
pub(crate) fn archive() -> PathBuf {
    root().join(format!("target/npm/duet-sdk-{VERSION}.tgz"))
}

/// Writes the version and the repository's address into the text of a `package.json`.
pub(crate) fn filled(manifest: &str, repository: &str) -> String {
    let versioned = manifest.replace("\"0.0.0\"", &format!("\"{VERSION}\""));
    versioned.replace("REPOSITORY", repository)
}

fn copy_files(from: &Path, to: &Path, wanted: impl Fn(&str) -> bool) -> Result<()> {
    for file in fs::read_dir(from)? {
        let file = file?;
        let name = file.file_name();
        if file.file_type()?.is_file() && wanted(&name.to_string_lossy()) {
            fs::copy(file.path(), to.join(name))?;
        }
    }
    Ok(())
}

/// Writes the archive. npm sorts the files and gives all files the same time stamp. This function makes the files readable
/// for everyone, on every machine.
pub(crate) fn pack(package: &Package) -> Result<()> {
    #[cfg(unix)]
    for file in fs::read_dir(&package.folder)? {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(file?.path(), fs::Permissions::from_mode(0o644))?;
    }
    let mut npm = command(
        "npm",
        ["pack", "--silent", "--pack-destination"],
        &package.folder,
    );
    npm.arg(package.folder.with_file_name(""));
    output(npm).context("the archive could not be written")?;
    Ok(())
}
