//! The embedded store: one fjall database, one atomic commit for everything a step changes.
//!
//! | Keyspace | Key | Value |
//! |---|---|---|
//! | `waiting` | destination and class, sequence number (see [`row`]) | the events of one commit, and marks on settled ones |
//! | `dead` | [`LetterId`], 16 bytes | [`DeadLetter`] as JSON |
//! | `seen` | index, row number (see [`seen`]) | keys and until when they are remembered; filters of segments |
//! | `runs` | index, segment, part | the sorted keys of that part |
//! | `orders` | see [`records`] | orders, payments, events that wait for a payment |
//! | `about` | `format` | the store's format, 4 bytes big-endian |
//! | `about` | `position` | [`Position`] as JSON: the next sequence number, and how much waits where |
//! | `about` | `probe` | when the store was last asked whether it can be written, ms |

use std::{
    fs::{File, TryLockError},
    io,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    thread,
    time::Duration,
};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, config::BlockSizePolicy};

use super::{Error, Found, LaneId, Letters, Most, Position, Reader, Row, Source, row};
use crate::{
    decide::{DeadLetter, LetterId, Payment},
    orders::Order,
};

mod contents;
mod filter;
mod folder;
mod journal;
pub(crate) mod manifest;
mod records;
mod seen;
mod table;
mod writer;

use contents::Contents;
use table::{Table, sync_names};
use writer::Writer;

/// The format this version writes, with rows of two classes, and the one before, which it reads: an older version would
/// never find the rows of the first class.
const FORMAT: u32 = 5;
const FORMER_FORMAT: u32 = 4;
/// How much written data is held in memory before it goes into a table: of events, and of each of the others.
const EVENTS_IN_MEMORY_BYTES: u64 = 4 * 1024 * 1024;
const OTHERS_IN_MEMORY_BYTES: u64 = 2 * 1024 * 1024;
/// What was read and may be read again: little, since the queue is read once and in order.
const CACHE_BYTES: u64 = 4 * 1024 * 1024;
/// How much of the journal may have to be read at start; the least that fjall takes.
const JOURNAL_BYTES: u64 = 64 * 1024 * 1024;
/// How much of the tables is read before the store is opened, to compare their checksums.
const AT_START_BYTES: u64 = 64 * 1024 * 1024;
/// The file that a process locks while it has the store open.
const LOCK: &str = "lock";
/// How often, and with which pauses, the lock is asked for.
const LOCK_TRIES: usize = 3;
const LOCK_PAUSE: Duration = Duration::from_millis(100);
/// The most letters that one sweep clears.
const SWEEP: usize = 10_000;

/// The store, shared by the writer and those who read. It is empty while the writer opens it anew after the
/// disk has failed.
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
    about: Keyspace,
}

impl Embedded {
    /// The store in `folder`, which is created if it is not there.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process has it open, [`Error::Folder`] and [`Error::Unreadable`] when it cannot
    /// be used.
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

    /// What many events fill would take seconds to read, for which no start waits.
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

    /// A handle on the files, not to be kept.
    ///
    /// # Errors
    /// [`Error::Stopped`] while they cannot be opened.
    fn tables(&self) -> Result<Tables, Error> {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        tables.clone().ok_or(Error::Stopped)
    }
}

#[cfg(test)]
impl Embedded {
    /// A second writer of the open store, beside the first, which has nothing to do from then on.
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

    /// How many orders, payments, held events and entries for finding them there are.
    pub(crate) fn records(&self) -> usize {
        self.tables().unwrap().orders.prefix([]).count()
    }
}

impl Source for Embedded {
    type Store = Writer;

    fn open(&self) -> Result<Writer, Error> {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        *tables = None;
        let opened = match Tables::open(&self.folder) {
            // fjall names no file.
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

    fn next_number(&self) -> Result<u64, Error> {
        Ok(self.tables()?.position()?.next)
    }
}

impl Most {
    /// As many of `items` as this allows, each of this length; at least one.
    fn of<T>(
        self,
        items: impl Iterator<Item = Result<T, Error>>,
        length: impl Fn(&T) -> usize,
    ) -> Result<Vec<T>, Error> {
        let mut taken = Vec::new();
        let mut bytes = 0;
        for item in items.take(self.count) {
            let item = item?;
            bytes += length(&item);
            taken.push(item);
            if bytes >= self.bytes {
                break;
            }
        }
        Ok(taken)
    }
}

impl Tables {
    fn open(folder: &Path) -> Result<Self, Error> {
        let whole = alone(folder, || {
            let contents = Contents::read(folder)?;
            journal::mend(folder, contents.as_ref())
        })?;
        let database = Database::builder(folder)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(1)
            .open()?;
        let tables = Self {
            about: database.keyspace("about", others)?,
            waiting: database.keyspace("waiting", events)?,
            seen: database.keyspace("seen", others)?,
            dead: Table::open(&database, "dead", others)?,
            segments: Table::open(&database, "runs", others)?,
            orders: Table::open(&database, "orders", others)?,
            database,
        };
        sync_names(&tables.about)?;
        tables.check_format()?;
        contents::opened(folder, &tables.database, &whole)?;
        Ok(tables)
    }

    fn check_format(&self) -> Result<(), Error> {
        match self.format()? {
            Some(FORMAT) => Ok(()),
            None | Some(FORMER_FORMAT) => self.set_format(FORMAT),
            Some(found) => Err(Error::Format {
                found,
                known: FORMAT,
            }),
        }
    }

    fn format(&self) -> Result<Option<u32>, Error> {
        let Some(found) = self.about.get("format")? else {
            return Ok(None);
        };
        let found = found.first_chunk().ok_or(Error::Corrupt)?;
        Ok(Some(u32::from_be_bytes(*found)))
    }

    /// It is on disk before whatever is written later: the journal is read back in order, and as far as it is whole.
    fn set_format(&self, format: u32) -> Result<(), Error> {
        Ok(self.about.insert("format", format.to_be_bytes())?)
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

    /// Has a commit write something that nobody reads.
    fn probe(&self, batch: &mut OwnedWriteBatch, now_ms: i64) {
        batch.insert(&self.about, "probe", now_ms.to_be_bytes());
    }

    /// Rows of the destination whose keys begin with `prefix`, from row `from` on, until they hold `bytes`
    /// or more.
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
                    // Those behind it have nothing to do with that.
                    Err(error) => tracing::error!(
                        error = ?error,
                        sequence,
                        "events that wait do not read back; they stay where they are"
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

    /// The newest letters first: those before `before`, or all. One that cannot be read is left out.
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
                    "a dead letter cannot be read; `dead-letters drop` removes it"
                );
            }
            Some(Ok((id?, letter?)))
        })
    }

    /// The ids and sizes of letters, the oldest first: those behind `after`, or all.
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

    /// Removes letters that ended before `ms`, some of them at a time.
    fn remove_letters(&self, ms: i64) -> Result<(), Error> {
        let kept = LetterId::new(ms.max(0), 0).to_bytes();
        let mut batch = self.database.batch();
        for row in self.dead.range(..kept).take(SWEEP) {
            self.dead.remove(&mut batch, row.key()?);
        }
        Ok(batch.commit()?)
    }
}

/// Whether the files are as they were written; some tables are still to be read.
fn check(folder: &Path, at_once: u64) -> Result<Vec<manifest::Unread>, Error> {
    let contents = Contents::read(folder)?;
    if contents.is_none() {
        manifest::clear_unfinished(folder)?;
    }
    manifest::check(folder, contents.as_ref(), at_once)
}

/// Does something that no other process may do at the same time: fjall takes the lock only when it opens the files.
fn alone<T>(folder: &Path, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let lock = match File::options()
        .read(true)
        .write(true)
        .open(folder.join(LOCK))
    {
        Ok(lock) => lock,
        // Nothing is there yet.
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
            // A process, or whoever in this one still reads, may be about to let go of it.
            Err(TryLockError::WouldBlock) => thread::park_timeout(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(Error::Folder(error)),
        }
    }
    Err(Error::Locked)
}

fn others() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default().max_memtable_size(OTHERS_IN_MEMORY_BYTES)
}

/// For rows that hold dozens of events.
fn events() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(EVENTS_IN_MEMORY_BYTES)
        .data_block_size_policy(BlockSizePolicy::all(64 * 1024))
}
