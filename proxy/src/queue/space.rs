//! Keeps a part of the disk free. If the disk is full, the store may even be unable to become smaller.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// How often the proxy asks the file system for its free space, as long as there is enough.
const ASK_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Space {
    folder: PathBuf,
    reserve_bytes: u64,
    asked: Option<Instant>,
}

impl Space {
    pub(super) fn new(folder: PathBuf, reserve_bytes: u64) -> Self {
        Self {
            folder,
            reserve_bytes,
            asked: None,
        }
    }

    /// Returns a limit that is never reached.
    pub(super) fn boundless() -> Self {
        Self::new(PathBuf::new(), 0)
    }

    /// Returns whether less space is free than must be kept free.
    pub(super) fn is_short(&mut self) -> bool {
        if self.reserve_bytes == 0 || self.asked.is_some_and(|asked| asked.elapsed() < ASK_EVERY) {
            return false;
        }
        // If the file system does not report its free space, this check passes. A write on a full disk then fails with an
        // error of its own.
        let short = rustix::fs::statvfs(&self.folder)
            .is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < self.reserve_bytes);
        self.asked = (!short).then(Instant::now);
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_what_is_left_beyond_the_reserve() {
        let folder = tempfile::tempdir().unwrap();
        let short = |reserve| Space::new(folder.path().to_owned(), reserve).is_short();
        assert!(!short(0));
        assert!(short(u64::MAX));
    }
}
