//! Lists the files of the store, so that a start detects a missing file.
//!
//! fjall (3.1) cannot tell a missing keyspace or journal from one that never existed. The file `contents` therefore lists
//! the keyspaces and the journals. For each journal it lists the sequence number of the first batch, because no checksum
//! covers this number, and how many bytes were complete and synced. Everything in the list is on disk before the list
//! itself is. The list changes atomically. A folder therefore always has at least the listed files, even if the process
//! was killed. The list is written at these moments:
//!
//! - After the store has been opened, before the first commit.
//! - After a keyspace has been created, before its first row.
//! - Within a minute after fjall has started another journal.
//! - When the store is closed. After that, a damaged end of a journal is not mistaken for an interrupted write.
//!
//! If a folder of an older version has no list, the start writes one. Three kinds of damage are not detected:
//!
//! - A journal was started in the last minute before a crash, and was emptied, or the number of its first batch was
//!   changed.
//! - A part at the end of a journal is lost, and this part was written between the last opening and a crash. The loss looks
//!   like an interrupted write.
//! - An older journal is lost, while newer journals exist. The loss looks as if all data of the older journal had gone into
//!   tables.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use fjall::{Database, PersistMode};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::{folder::FILE_MODE, journal, manifest};
use crate::store::Error;

const NAME: &str = "contents";
const NEW_NAME: &str = "contents.new";

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contents {
    /// The numbers of the keyspaces' folders.
    pub(super) keyspaces: BTreeSet<u64>,
    pub(super) journals: BTreeMap<u64, Journal>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Journal {
    /// The sequence number of the journal's first batch.
    pub(super) first: Option<u64>,
    /// At least this many bytes of the journal are complete batches.
    pub(super) bytes: u64,
}

impl Contents {
    /// Reads the list: its checksum in hexadecimal digits, a space, and JSON. Returns `None` if there is no list.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(NAME);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            found => found.map_err(Error::Folder)?,
        };
        let text = manifest::read(&path)?.and_then(|bytes| String::from_utf8(bytes).ok());
        let list = text.as_deref().and_then(|text| {
            let (sum, list) = text.split_once(' ')?;
            (sum == checksum(list)).then(|| serde_json::from_str(list).ok())?
        });
        match list {
            Some(list) => Ok(Some(list)),
            None => manifest::damaged(folder, path),
        }
    }

    /// Returns the list of the files that are in the folder. `whole` returns how many bytes of a journal are complete.
    fn found(folder: &Path, whole: impl Fn(u64) -> u64) -> Result<Self, Error> {
        let mut found = Self::default();
        for number in journal::numbers(folder)? {
            let path = journal::path(folder, number);
            let journal = Journal {
                first: journal::first_sequence(&path).map_err(Error::Folder)?,
                bytes: whole(number),
            };
            found.journals.insert(number, journal);
        }
        for keyspace in fs::read_dir(folder.join("keyspaces")).map_err(Error::Folder)? {
            let name = keyspace.map_err(Error::Folder)?.file_name();
            found
                .keyspaces
                .extend(name.to_str().and_then(|name| name.parse::<u64>().ok()));
        }
        Ok(found)
    }

    fn write(&self, folder: &Path) -> Result<(), Error> {
        let list = serde_json::to_string(self).map_err(|_| Error::Corrupt)?;
        let write = || {
            let new = folder.join(NEW_NAME);
            let mut options = File::options();
            options.write(true).create(true).truncate(true);
            let mut file = options.mode(FILE_MODE).open(&new)?;
            write!(file, "{} {list}", checksum(&list))?;
            file.sync_all()?;
            fs::rename(new, folder.join(NAME))?;
            File::open(folder)?.sync_all()
        };
        write().map_err(Error::Folder)
    }
}

fn checksum(list: &str) -> String {
    format!("{:032x}", xxh3_128(list.as_bytes()))
}

/// Writes the list after the store has been opened. `whole` has the number of complete bytes of each journal.
pub(super) fn opened(
    folder: &Path,
    database: &Database,
    whole: &BTreeMap<u64, u64>,
) -> Result<(), Error> {
    let whole = |number| whole.get(&number).copied().unwrap_or_default();
    let found = Contents::found(folder, whole)?;
    database.persist(PersistMode::SyncAll)?;
    // If no new list can be written, the old list stays, which names only files that still exist. The start must not fail
    // here, because on a full disk the queue must still be able to get smaller.
    if let Err(error) = found.write(folder) {
        tracing::warn!(error = ?error, "the list of the store's files could not be written; the older list is still used");
    }
    Ok(())
}

/// Writes the list again after a file was added. The caller must allow no commit until this function returns.
pub(super) fn changed(folder: &Path, database: &Database) -> Result<(), Error> {
    let Some(listed) = Contents::read(folder)? else {
        return Ok(());
    };
    let whole = |number| listed.journals.get(&number).map_or(0, |known| known.bytes);
    let found = Contents::found(folder, whole)?;
    if found == listed {
        return Ok(());
    }
    database.persist(PersistMode::SyncAll)?;
    found.write(folder)
}

/// Writes the exact list when the store is closed. No commit may follow.
pub(super) fn closed(folder: &Path, database: &Database) -> Result<(), Error> {
    database.persist(PersistMode::SyncAll)?;
    let whole = journal::whole(folder)?;
    let whole = |number| whole.get(&number).copied().unwrap_or_default();
    Contents::found(folder, whole)?.write(folder)
}

#[cfg(test)]
mod tests {
    use super::{super::Embedded, *};
    use crate::store::Source;

    #[test]
    fn a_journal_that_fjall_began_is_listed_when_it_is_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let store = Embedded::at(folder.path()).unwrap();
        let _writer = store.open().unwrap();
        let database = store.tables().unwrap().database;
        let looked = || {
            changed(folder.path(), &database).unwrap();
            Contents::read(folder.path()).unwrap().unwrap()
        };
        let before = looked();
        assert!(before.journals[&0].first.is_some());
        let mut start = vec![1, 1, 0, 0, 0];
        start.extend(700_u64.to_le_bytes());
        for (begun, first) in [(Vec::new(), None), (start, Some(700))] {
            fs::write(folder.path().join("1.jnl"), begun).unwrap();
            assert_eq!(looked().journals[&1].first, first);
            assert_eq!(looked().journals[&0], before.journals[&0]);
        }
    }
}
