//! The lock of the folder.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
    thread,
    time::Duration,
};

use super::manifest;
use crate::store::Error;

/// The file that a process locks while it has the store open.
const LOCK: &str = "lock";
/// How often the proxy tries to lock the file, and how long it pauses between two tries.
const LOCK_TRIES: usize = 3;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// Does `work` while this process has the lock of the folder. fjall takes the same lock, but only when it opens the
/// files.
pub(super) fn alone<T>(folder: &Path, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let lock = match File::options()
        .read(true)
        .write(true)
        .open(folder.join(LOCK))
    {
        Ok(lock) => lock,
        // The folder is still empty, so there is no lock.
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && !folder.join("version").exists() =>
        {
            return work();
        }
        Err(_) if !folder.join(LOCK).is_file() => return manifest::damaged(folder, LOCK),
        Err(error) => return Err(Error::Folder(error)),
    };
    for _ in 0..LOCK_TRIES {
        match lock.try_lock() {
            Ok(()) => return work(),
            // Another process, or a reader in this process, may release the lock within the pause.
            Err(TryLockError::WouldBlock) => thread::park_timeout(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(Error::Folder(error)),
        }
    }
    Err(Error::Locked)
}
