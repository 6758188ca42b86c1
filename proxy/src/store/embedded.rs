//! The embedded store: one fjall database. One atomic commit writes all changes of a step. This file opens the store
//! ([`Source`]) and reads from it ([`Reader`]). The module [`writer`] writes to it.
//!
//! | Keyspace | Key | Value |
//! |---|---|---|
//! | `waiting` | destination and class, sequence number (see [`row`]) | the events of one commit, and marks on settled ones |
//! | `dead` | [`LetterId`], 16 bytes | [`DeadLetter`] as JSON |
//! | `seen` | index, row number (see [`seen`]) | keys, each with the time until which it is remembered; filters of segments |
//! | `runs` | index, segment, part | the sorted keys of this part of the segment |
//! | `orders` | see [`records`] | orders, payments, events that wait for a payment |
//! | `history` | see [`history`] | ended events, and counts per hour |
//! | `about` | `format` | the store's format, 4 bytes big-endian |
//! | `about` | `position` | [`Position`] as JSON: the next sequence number, and how many events are pending in each lane |
//! | `about` | `salt` | 16 random bytes, see [`history`](crate::history) |
//! | `about` | `moved` | the name of the database that now has the contents, or an empty value while a move into the folder has not finished |
//! | `about` | `change`, [`LetterId`] | an entry of the change log as JSON |
//! | `about` | `fingerprints` | the fingerprints of the last start's settings as JSON |
//! | `about` | `probe` | when a write last tested the disk, ms |

use std::{
    collections::BTreeMap,
    fs::{File, TryLockError},
    io,
    ops::{Bound, Range},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    thread,
    time::Duration,
};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, config::BlockSizePolicy};

use super::{
    Ends, Error, Found, LaneId, Letters, Most, Position, Reader, Row, Source, log, moving as moves,
    row,
};
use crate::{
    decide::{DeadLetter, HeldEvent, LetterId, Logged, Lookup, Payment},
    history::{Digest, Hour, Salt, Wanted},
    limits,
    orders::Order,
};

mod ahead;
mod contents;
mod filter;
mod folder;
mod history;
mod journal;
pub(crate) mod manifest;
mod moving;
mod records;
mod seen;
mod table;
mod writer;

pub(super) use moving::Folder;

use contents::Contents;
use table::{Table, sync_names};
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
/// The file that a process locks while it has the store open.
const LOCK: &str = "lock";
/// How often the proxy tries to lock the file, and how long it pauses between two tries.
const LOCK_TRIES: usize = 3;
const LOCK_PAUSE: Duration = Duration::from_millis(100);
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

impl Reader for Embedded {
    fn rows(&self, lane: &LaneId, from: u64, bytes: usize) -> Result<Vec<Found>, Error> {
        let prefix = row::prefix(&lane.destination, lane.class);
        self.tables()?.rows(&prefix, from, bytes)
    }

    fn order(&self, id: &str) -> Result<Option<Order>, Error> {
        records::order(&self.tables()?.orders, id)
    }

    fn payments(&self) -> Result<Vec<Payment>, Error> {
        records::payments(&self.tables()?.orders)
    }

    fn letters(&self, before: Option<LetterId>, most: Most) -> Result<Letters, Error> {
        let length = |(_, letter): &(LetterId, DeadLetter)| letter.event.get().len();
        most.of(self.tables()?.letters(before), length)
    }

    fn letter(&self, id: LetterId) -> Result<Option<DeadLetter>, Error> {
        self.tables()?.letter(id)
    }

    fn letter_ids(&self, after: Option<LetterId>, most: Most) -> Result<Vec<LetterId>, Error> {
        let ids = most.of(self.tables()?.letter_ids(after), |(_, length)| *length)?;
        Ok(ids.into_iter().map(|(id, _)| id).collect())
    }

    fn place(&self) -> Result<Position, Error> {
        self.tables()?.position()
    }

    fn payments_of(&self, id: &str) -> Result<Vec<Payment>, Error> {
        records::payments_of(&self.tables()?.orders, id)
    }

    fn orders_like(&self, id: &str) -> Result<Vec<String>, Error> {
        records::found(&self.tables()?.orders, &Lookup::code(id))
    }

    fn order_of(&self, digest: Digest) -> Result<Option<String>, Error> {
        let tables = self.tables()?;
        records::order_of(&tables.orders, digest, tables.salt()?)
    }

    fn find_held(&self, texts: &[String]) -> Result<Vec<HeldEvent>, Error> {
        records::find_held(&self.tables()?.orders, texts)
    }

    fn payment(&self, provider: &str, id: &str) -> Result<Option<Payment>, Error> {
        records::payment_told(&self.tables()?.orders, provider, id)
    }

    fn ends(&self, before: Option<LetterId>, most: Most) -> Result<Ends, Error> {
        history::ends(&self.tables()?.history, before, most)
    }

    fn oldest_end(&self) -> Result<Option<i64>, Error> {
        history::oldest(&self.tables()?.history)
    }

    fn find_ends(&self, wanted: &Wanted, most: usize) -> Result<Ends, Error> {
        history::find(&self.tables()?.history, wanted, most)
    }

    fn hours(&self, starts: Range<i64>) -> Result<Vec<(i64, Hour)>, Error> {
        history::hours(&self.tables()?.history, starts)
    }

    fn covered(&self, order: Digest) -> Result<Option<i64>, Error> {
        history::covered(&self.tables()?.history, order)
    }

    fn change_log(&self) -> Result<Logged, Error> {
        self.tables()?.change_log()
    }
}

impl Tables {
    fn open(folder: &Path) -> Result<Self, Error> {
        let (tables, whole) = Self::files(folder)?;
        check_moved(&tables.about)?;
        tables.check_format()?;
        tables.salt()?;
        contents::opened(folder, &tables.database, &whole)?;
        Ok(tables)
    }

    /// Opens the files. Also returns how many bytes of each journal are complete.
    fn files(folder: &Path) -> Result<(Self, BTreeMap<u64, u64>), Error> {
        let (database, whole) = database(folder)?;
        let tables = Self {
            about: database.keyspace(ABOUT, others)?,
            waiting: database.keyspace("waiting", events)?,
            seen: database.keyspace("seen", others)?,
            dead: Table::open(&database, "dead", others)?,
            segments: Table::open(&database, "runs", others)?,
            orders: Table::open(&database, "orders", others)?,
            history: Table::open(&database, "history", history::options)?,
            database,
        };
        sync_names(&tables.about)?;
        Ok((tables, whole))
    }

    /// Returns the keyspaces that are created with their first row.
    fn others(&self) -> [&Table; 4] {
        [&self.dead, &self.segments, &self.orders, &self.history]
    }

    fn check_format(&self) -> Result<(), Error> {
        match self.format()? {
            Some(FORMAT) => Ok(()),
            None => self.set_format(FORMAT),
            Some(found) if reads(found) => self.set_format(FORMAT),
            Some(found) => Err(Error::Format {
                found,
                known: FORMAT,
            }),
        }
    }

    fn format(&self) -> Result<Option<u32>, Error> {
        read_format(&self.about)
    }

    /// Writes the format, without a sync. After a power cut, the store cannot contain later writes without the format: the
    /// journal is read in order, up to its first damaged byte, and the format comes before the later writes.
    fn set_format(&self, format: u32) -> Result<(), Error> {
        Ok(self.about.insert("format", format.to_be_bytes())?)
    }

    /// Returns the salt of the history's digests. A new store gets a random salt. As for the format, later writes
    /// cannot survive a power cut without the salt.
    fn salt(&self) -> Result<Salt, Error> {
        if let Some(salt) = self.about.get("salt")? {
            let salt = <[u8; 16]>::try_from(&*salt).map_err(|_| Error::Corrupt)?;
            return Ok(Salt::from(salt));
        }
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|error| Error::Folder(io::Error::other(error)))?;
        self.about.insert("salt", salt)?;
        Ok(Salt::from(salt))
    }

    fn position(&self) -> Result<Position, Error> {
        let Some(position) = self.about.get("position")? else {
            return Ok(Position::default());
        };
        serde_json::from_slice(&position).map_err(|_| Error::Corrupt)
    }

    fn set_position(&self, batch: &mut OwnedWriteBatch, position: &Position) -> Result<(), Error> {
        let position = serde_json::to_vec(position).map_err(|_| Error::Corrupt)?;
        batch.insert(&self.about, "position", position);
        Ok(())
    }

    fn change_log(&self) -> Result<Logged, Error> {
        let mut logged = Logged::default();
        for row in self.about.prefix(CHANGE).rev().take(limits::CHANGES) {
            let (key, value) = row.into_inner()?;
            log::add(&mut logged, &key, CHANGE, &value);
        }
        let fingerprints = self.about.get(FINGERPRINTS)?;
        logged.fingerprints = fingerprints.and_then(|json| serde_json::from_slice(&json).ok());
        Ok(logged)
    }

    /// Adds new entries of the change log to a commit.
    fn log(&self, batch: &mut OwnedWriteBatch, logged: &Logged) -> Result<(), Error> {
        for entry in log::entries(logged, CHANGE) {
            let (key, value) = entry?;
            batch.insert(&self.about, key, value);
        }
        if let Some(fingerprints) = &logged.fingerprints {
            batch.insert(&self.about, FINGERPRINTS, log::value(fingerprints)?);
        }
        Ok(())
    }

    /// Removes the oldest entries of the change log if it has too many.
    fn trim_log(&self) -> Result<(), Error> {
        let mut batch = self.database.batch();
        for row in self.about.prefix(CHANGE).rev().skip(limits::CHANGES) {
            batch.remove(&self.about, row.key()?);
        }
        Ok(batch.commit()?)
    }

    /// Adds a value that nobody reads to a commit, to test the disk.
    fn probe(&self, batch: &mut OwnedWriteBatch, now_ms: i64) {
        batch.insert(&self.about, "probe", now_ms.to_be_bytes());
    }

    /// Returns rows of one destination and class, whose keys begin with `prefix`. Starts at row `from` and stops after
    /// `bytes` or more.
    fn rows(&self, prefix: &[u8], from: u64, bytes: usize) -> Result<Vec<Found>, Error> {
        let mut found: Vec<Found> = Vec::new();
        let mut held = 0;
        for entry in self.waiting.range(row::key(prefix, from)..) {
            let (key, value) = entry.into_inner()?;
            if !key.starts_with(prefix) {
                break;
            }
            let (sequence, mark) = row::read_key(&key, prefix)?;
            match mark {
                None if held >= bytes => break,
                None => match Row::read(sequence, &value) {
                    Ok(row) => {
                        held += row.bytes();
                        found.push((row, Vec::new()));
                    }
                    // One row that cannot be read must not hide the rows after it.
                    Err(error) => tracing::error!(
                        error = ?error,
                        sequence,
                        "a row of pending events cannot be read; the row stays in the store, and its events are not sent"
                    ),
                },
                Some(start) => {
                    let end = value.first_chunk().ok_or(Error::Corrupt)?;
                    if let Some((row, settled)) = found.last_mut()
                        && row.sequence == sequence
                    {
                        settled.push(start..u32::from_be_bytes(*end));
                    }
                }
            }
        }
        Ok(found)
    }

    /// Returns dead letters, the newest first. With `before`, returns only letters before this one. Leaves out letters that
    /// cannot be read.
    fn letters(
        &self,
        before: Option<LetterId>,
    ) -> impl Iterator<Item = Result<(LetterId, DeadLetter), Error>> + use<> {
        let end = before.map_or(Bound::Unbounded, |id| Bound::Excluded(id.to_bytes()));
        let rows = self.dead.range((Bound::Unbounded, end)).rev();
        rows.filter_map(|row| {
            let (key, value) = match row.into_inner() {
                Ok(row) => row,
                Err(error) => return Some(Err(error.into())),
            };
            let id = LetterId::from_bytes(&key);
            let letter = serde_json::from_slice(&value).ok();
            if letter.is_none() {
                let id = id.map(|id| id.to_string());
                tracing::error!(
                    id,
                    "dead letter cannot be read; remove it with `dead-letters drop`"
                );
            }
            Some(Ok((id?, letter?)))
        })
    }

    /// Returns the ids and sizes of dead letters, the oldest first. With `after`, returns only letters after this one.
    fn letter_ids(
        &self,
        after: Option<LetterId>,
    ) -> impl Iterator<Item = Result<(LetterId, usize), Error>> + use<> {
        let start = after.map_or(Bound::Unbounded, |id| Bound::Excluded(id.to_bytes()));
        self.dead.range((start, Bound::Unbounded)).map(|row| {
            let (key, value) = row.into_inner()?;
            let id = LetterId::from_bytes(&key).ok_or(Error::Corrupt)?;
            Ok((id, value.len()))
        })
    }

    fn letter(&self, id: LetterId) -> Result<Option<DeadLetter>, Error> {
        let Some(letter) = self.dead.get(id.to_bytes())? else {
            return Ok(None);
        };
        serde_json::from_slice(&letter).map_err(|_| Error::Corrupt)
    }

    /// Removes some of the dead letters that ended before `ms`.
    fn remove_letters(&self, ms: i64) -> Result<(), Error> {
        let kept = LetterId::new(ms.max(0), 0).to_bytes();
        let mut batch = self.database.batch();
        for row in self.dead.range(..kept).take(SWEEP) {
            self.dead.remove(&mut batch, row.key()?);
        }
        Ok(batch.commit()?)
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

/// Does `work` while this process has the lock of the folder. fjall takes the same lock, but only when it opens the
/// files.
fn alone<T>(folder: &Path, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
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

fn others() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default().max_memtable_size(OTHERS_IN_MEMORY_BYTES)
}

/// Returns the options for the keyspace of pending events, whose rows have dozens of events.
fn events() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(EVENTS_IN_MEMORY_BYTES)
        .data_block_size_policy(BlockSizePolicy::all(64 * 1024))
}
