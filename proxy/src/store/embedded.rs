//! The embedded store: one fjall database. One atomic commit writes all changes of a step. This file opens the store
//! ([`Source`]). The module `reader` reads from the store, and the module [`writer`] writes to it.
//!
//! | Keyspace | Key | Value |
//! |---|---|---|
//! | `waiting` | destination and class, sequence number (see [`row`](super::row)) | the events of one commit, and marks on settled ones |
//! | `dead` | [`LetterId`](crate::decide::LetterId), 16 bytes | [`DeadLetter`](crate::decide::DeadLetter) as JSON |
//! | `seen` | index, row number (see [`seen`]) | keys, each with the time until which it is remembered; filters of segments |
//! | `runs` | index, segment, part | the sorted keys of this part of the segment |
//! | `orders` | see [`records`] | orders, payments, events that wait for a payment |
//! | `history` | see [`history`] | ended events, and counts per hour |
//! | `about` | `format` | the store's format, 4 bytes big-endian |
//! | `about` | `position` | [`Position`](super::Position) as JSON: the next sequence number, and how many events are pending in each lane |
//! | `about` | `salt` | 16 random bytes, see [`history`](crate::history) |
//! | `about` | `moved` | the name of the database that now has the contents, or an empty value while a move into the folder has not finished |
//! | `about` | `change`, [`LetterId`](crate::decide::LetterId) | an entry of the change log as JSON |
//! | `about` | `fingerprints` | the fingerprints of the last start's settings as JSON |
//! | `about` | `probe` | when a write last tested the disk, ms |

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    thread,
};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, config::BlockSizePolicy};

use super::{Error, Source, moving as moves};

mod ahead;
mod contents;
mod filter;
mod folder;
mod history;
mod journal;
mod lock;
pub(crate) mod manifest;
mod moving;
mod reader;
mod records;
mod seen;
mod table;
mod tables;
mod writer;

pub(super) use moving::Folder;

use contents::Contents;
use lock::alone;
use table::Table;
use writer::Writer;

/// The format that this version writes. This version also reads the formats 4 to 6.
///
/// Format 7 stores with each event how the event arrived, and has a history. A version that knows only format 6 would send
/// the stored trace to TikTok as a part of the event. Format 6 stores money in minor units of any currency. Format 5 stores
/// only whole dong, so a version that knows only format 5 could not read an order in another currency. Format 4 has rows of
/// one class only.
pub const FORMAT: u32 = 7;
const FORMER_FORMATS: [u32; 3] = [4, 5, 6];
/// How many bytes of written data stay in memory before they go into a table. The first number is for pending events, the
/// second for each other keyspace.
const EVENTS_IN_MEMORY_BYTES: u64 = 4 * 1024 * 1024;
const OTHERS_IN_MEMORY_BYTES: u64 = 2 * 1024 * 1024;
/// The cache of read data. It is small, because the queue is read once and in order.
const CACHE_BYTES: u64 = 4 * 1024 * 1024;
/// How many bytes of the journal the start must read at most. This is the smallest value that fjall accepts.
const JOURNAL_BYTES: u64 = 64 * 1024 * 1024;
/// How many bytes of the tables are read and checked before the store is opened.
const AT_START_BYTES: u64 = 64 * 1024 * 1024;
/// The keyspace of the facts about the folder itself.
const ABOUT: &str = "about";
/// The key of the name of the database to which the contents were moved.
const MOVED: &str = "moved";
/// The prefix of the keys of the change log's entries, and the key of the fingerprints of the last start.
const CHANGE: &[u8] = b"change";
const FINGERPRINTS: &str = "fingerprints";
/// The folder's name in error messages.
const NAME: &str = "the data directory";
/// The most letters that one sweep removes.
const SWEEP: usize = 10_000;

/// The store, shared by the writer and the readers. After a failure of the disk, `tables` is empty until the writer has
/// opened the store again.
#[derive(Clone)]
pub struct Embedded {
    folder: Arc<PathBuf>,
    tables: Arc<RwLock<Option<Tables>>>,
}

#[derive(Clone)]
struct Tables {
    database: Database,
    waiting: Keyspace,
    dead: Table,
    seen: Keyspace,
    segments: Table,
    orders: Table,
    history: Table,
    about: Keyspace,
}

impl Embedded {
    /// Returns the store in `folder`, and creates the folder if needed.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process has the store open, [`Error::Folder`] or [`Error::Unreadable`] if the store
    /// cannot be used.
    pub fn at(folder: &Path) -> Result<Self, Error> {
        folder::prepare(folder)?;
        let unread = alone(folder, || check(folder, AT_START_BYTES))?;
        let store = Self {
            folder: Arc::new(folder.to_owned()),
            tables: Arc::default(),
        };
        store.check_later(unread)?;
        Ok(store)
    }

    /// Returns the format of the folder, without changing the folder. Returns `None` if the folder is still empty.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process has the store open, [`Error::Store`] or [`Error::Folder`] if the disk fails.
    pub fn format_of_folder(&self) -> Result<Option<u32>, Error> {
        if !self.folder.join("version").exists() {
            return Ok(None);
        }
        let (database, _) = database(&self.folder)?;
        if !database.keyspace_exists(ABOUT) {
            return Ok(None);
        }
        let about = database.keyspace(ABOUT, others)?;
        check_moved(&about)?;
        let found = read_format(&about)?;
        contents::closed(&self.folder, &database)?;
        Ok(found)
    }

    /// Checks large tables on a thread. Reading these tables takes seconds, and the start must not wait so long.
    fn check_later(&self, unread: Vec<manifest::Unread>) -> Result<(), Error> {
        if unread.is_empty() {
            return Ok(());
        }
        let folder = Arc::clone(&self.folder);
        let store = Arc::downgrade(&self.tables);
        thread::Builder::new()
            .name("check-tables".to_owned())
            .spawn(move || {
                for table in manifest::damaged_of(&unread, || store.strong_count() > 0) {
                    if let Err(error) = manifest::damaged::<()>(&folder, table) {
                        tracing::error!("{error}");
                    }
                }
            })
            .map_err(Error::Folder)?;
        Ok(())
    }

    /// Returns a handle on the files. The caller must drop the handle after its read.
    ///
    /// # Errors
    /// [`Error::Stopped`] while the files cannot be opened.
    fn tables(&self) -> Result<Tables, Error> {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        tables.clone().ok_or(Error::Stopped)
    }
}

#[cfg(test)]
impl Embedded {
    /// Returns a second writer of the open store. After this call, the caller must not use the first writer.
    pub(crate) fn writer(&self) -> Writer {
        Writer::load(self.tables().unwrap(), Arc::clone(&self.folder)).unwrap()
    }

    pub(crate) fn format(&self) -> Option<u32> {
        self.tables().unwrap().format().unwrap()
    }

    pub(crate) fn set_format(&self, format: u32) {
        self.tables().unwrap().set_format(format).unwrap();
    }

    pub(crate) fn has_keyspace(&self, name: &str) -> bool {
        self.tables().unwrap().database.keyspace_exists(name)
    }

    pub(crate) fn rows_and_marks(&self) -> usize {
        self.tables().unwrap().waiting.len().unwrap()
    }

    /// Returns how many orders, payments, held events and lookup entries there are.
    pub(crate) fn records(&self) -> usize {
        self.tables().unwrap().orders.prefix([]).count()
    }

    /// Returns how many entries the change log has.
    pub(crate) fn changes(&self) -> usize {
        self.tables().unwrap().about.prefix(CHANGE).count()
    }
}

impl Source for Embedded {
    type Store = Writer;

    fn open(&self) -> Result<Writer, Error> {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        *tables = None;
        let opened = match Tables::open(&self.folder) {
            // fjall's error does not name the damaged file. This check reads all files completely, and its error names
            // the file.
            Err(Error::Store(error)) => {
                alone(&self.folder, || check(&self.folder, u64::MAX))?;
                return Err(Error::Store(error));
            }
            opened => opened?,
        };
        *tables = Some(opened.clone());
        drop(tables);
        Writer::load(opened, Arc::clone(&self.folder))
    }
}

/// Returns whether this version can read a folder of this format.
pub fn reads(format: u32) -> bool {
    format == FORMAT || FORMER_FORMATS.contains(&format)
}

/// Checks that the contents were not moved elsewhere, and that a move into the folder has finished.
fn check_moved(about: &Keyspace) -> Result<(), Error> {
    match about.get(MOVED)? {
        None => Ok(()),
        Some(place) if place.is_empty() => Err(Error::Move(moves::unfinished(NAME))),
        Some(place) => Err(Error::Move(moves::left(
            NAME,
            &String::from_utf8_lossy(&place),
        ))),
    }
}

fn read_format(about: &Keyspace) -> Result<Option<u32>, Error> {
    let Some(found) = about.get("format")? else {
        return Ok(None);
    };
    let found = found.first_chunk().ok_or(Error::Corrupt)?;
    Ok(Some(u32::from_be_bytes(*found)))
}

/// Repairs the journals and opens the files. Also returns how many bytes of each journal are complete.
fn database(folder: &Path) -> Result<(Database, BTreeMap<u64, u64>), Error> {
    let whole = alone(folder, || {
        let contents = Contents::read(folder)?;
        journal::mend(folder, contents.as_ref())
    })?;
    let database = Database::builder(folder)
        .cache_size(CACHE_BYTES)
        .max_journaling_size(JOURNAL_BYTES)
        .worker_threads(1)
        .open()?;
    Ok((database, whole))
}

/// Checks the store's files. Reads the smallest tables completely, up to `at_once` bytes in total. Returns the larger
/// tables, of which this function has read only a part.
fn check(folder: &Path, at_once: u64) -> Result<Vec<manifest::Unread>, Error> {
    let contents = Contents::read(folder)?;
    if contents.is_none() {
        manifest::clear_unfinished(folder)?;
    }
    manifest::check(folder, contents.as_ref(), at_once)
}

fn others() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default().max_memtable_size(OTHERS_IN_MEMORY_BYTES)
}

/// Returns the options for the keyspace of pending events, whose rows have dozens of events.
fn events() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(EVENTS_IN_MEMORY_BYTES)
        .data_block_size_policy(BlockSizePolicy::all(64 * 1024))
}
