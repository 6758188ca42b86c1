//! The npm package around the built files.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use super::Package;
use crate::run::{command, output, root};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Puts what is written by hand into `target/npm/duet-sdk/`, under cargo's version.
pub(crate) fn stage() -> Result<Package> {
    let npm = root().join("target/npm");
    let folder = npm.join("duet-sdk");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    copy_files(&root().join("sdk/npm"), &folder, |_| true)?;
    copy_files(&root(), &folder, |name| name.starts_with("LICENSE"))?;
    // The same types once more, for those who call `require`.
    fs::copy(folder.join("index.d.ts"), folder.join("index.d.cts"))?;

    let manifest = folder.join("package.json");
    let text = fs::read_to_string(&manifest)?;
    let versioned = text.replace("\"0.0.0\"", &format!("\"{VERSION}\""));
    fs::write(manifest, versioned)?;
    Ok(Package {
        folder,
        archive: npm.join(format!("duet-sdk-{VERSION}.tgz")),
    })
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

/// Writes the archive. npm sorts the files and gives them all one time; that they are readable to
/// all, whatever this machine makes of new files, is seen to here.
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
