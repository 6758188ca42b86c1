//! Makes the data directory private to the proxy's user.

use std::{
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt},
    path::Path,
};

use crate::store::Error;

const FOLDER_MODE: u32 = 0o700;
pub(super) const FILE_MODE: u32 = 0o600;

/// Creates the folder, and removes the rights of other users from an existing folder. If the folder belongs to another
/// user, its rights stay unchanged. A volume of Kubernetes, for example, belongs to root, and the proxy can use the
/// volume through its group.
pub(super) fn prepare(folder: &Path) -> Result<(), Error> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(FOLDER_MODE);
    builder.create(folder).map_err(Error::Folder)?;
    let about = fs::metadata(folder).map_err(Error::Folder)?;
    let is_ours = about.uid() == rustix::process::geteuid().as_raw();
    if !is_ours && about.mode() & 0o007 != 0 {
        tracing::warn!(
            folder = %folder.display(),
            mode = format_args!("{:o}", about.mode() & 0o7777),
            "others can read the data directory: the directory belongs to another user, so its mode was not changed; the files in the directory are private"
        );
    }
    // The folder can be a symbolic link. The link is resolved first.
    let folder = fs::canonicalize(folder).map_err(Error::Folder)?;
    close(&folder).map_err(Error::Folder)
}

/// Returns `None` if the file does not exist. A process that is just ending can remove files at any time.
pub(super) fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// Makes the folder and the files in it private, if the folder belongs to this user.
fn close(path: &Path) -> io::Result<()> {
    let Some(about) = if_there(fs::symlink_metadata(path))? else {
        return Ok(());
    };
    let kind = about.file_type();
    let mode = if kind.is_dir() {
        FOLDER_MODE
    } else if kind.is_file() || kind.is_socket() {
        FILE_MODE
    } else {
        return Ok(());
    };
    let is_ours = about.uid() == rustix::process::geteuid().as_raw();
    if is_ours && about.mode() & 0o077 != 0 {
        if_there(fs::set_permissions(path, Permissions::from_mode(mode)))?;
    }
    if kind.is_dir() {
        for entry in if_there(fs::read_dir(path))?.into_iter().flatten() {
            close(&entry?.path())?;
        }
    }
    Ok(())
}
