//! A simulated store that fails on command. It is a folder on a disk, or a database.
//!
//! Each commit is one effect. The effects that can still be lost form the tail: in a folder they are not synced yet, and in
//! a database the standby does not have them yet. After a power failure or a failover, only the first effects of the tail
//! are left: all of them, some or none. As with a page cache, reads return all writes, including the writes in the tail.
//! [`database`] has what only a database can do.

use std::{
    collections::BTreeMap,
    io,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use duet_proxy::{
    decide::{DeadLetter, DedupKey, HeldEvent, HeldId, LetterId, Logged, Lookup, Payment, Records},
    history::{Digest, End, Hour, Salt},
    orders::Order,
    store::{Error, Expired, LaneId, Position, Source},
};

use crate::plant::Plant;

mod content;
mod database;
mod planted;
mod reader;
mod session;
mod slot;
mod writer;

use database::Database;
pub use database::LEASE_MS;
use session::Session;
use slot::Slot;
pub use writer::Writer;

/// Returns the salt, which is the same for each disk.
fn salt() -> Salt {
    Salt::from([7; 16])
}

/// A store: a folder on a disk, or a database. Clones are handles to the same store.
#[derive(Clone, Default)]
pub struct Disk {
    state: Arc<Mutex<State>>,
    /// The number of the process that has this handle. Only a database has several processes.
    process: u64,
    is_database: bool,
}

#[derive(Default)]
struct State {
    /// The data that survives a power failure or a failover.
    synced: Content,
    /// The commits that a power failure or a failover can still lose.
    tail: Vec<Effect>,
    /// The data that reads return: the synced data, changed by the tail.
    present: Content,
    is_open: bool,
    /// Whether a write has failed since the store was opened. Its process then does not know what is stored.
    has_failed: bool,
    /// Counts how often the store was opened. A writer from an earlier opening can no longer write.
    opened: u64,
    /// The faults of the next writes and openings. The last one comes first.
    faults: Vec<Fault>,
    plant: Option<Plant>,
    /// The state that only a database has.
    database: Option<Database>,
}

/// The fault of one write or of one opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The sync fails. The written data stays in the page cache, and the next opening of the store writes it again.
    SyncKeeps,
    /// The sync fails, and all data since the last sync is lost.
    SyncLoses,
    /// The write fails, and a part of it may be written. A checksum shows that the part is not complete.
    Torn,
    /// The store cannot be opened.
    Closed,
    /// The store does not answer in time, although it has written the data.
    Late,
    /// The database aborts the transaction, and keeps none of its changes.
    Aborted,
    /// The connection is lost before the commit reaches the database.
    Unsent,
    /// The connection is lost after the commit and before its answer.
    Unanswered,
    /// The commit reaches the database only after this time. By then the process no longer waits for it.
    Delayed {
        /// The time in milliseconds.
        ms: i64,
    },
}

/// The changes of one commit.
#[derive(Clone, Debug)]
struct Effect {
    rows: Vec<(LaneId, u64, Vec<u8>)>,
    removed: Vec<(LaneId, u64)>,
    marked: Vec<(LaneId, u64, Range<u32>)>,
    records: Records,
    position: Position,
    /// The number and the new content of the process's slot. Only a database has slots. They replace the position.
    slot: Option<(usize, Slot)>,
    /// The times that decide which entries are removed as expired.
    expired: Option<Expired>,
}

/// All stored data.
#[derive(Clone, Debug, Default)]
struct Content {
    lanes: BTreeMap<LaneId, BTreeMap<u64, Stored>>,
    orders: BTreeMap<String, Order>,
    lookups: BTreeMap<Lookup, Vec<String>>,
    payments: BTreeMap<(String, String), Payment>,
    held: BTreeMap<HeldId, HeldEvent>,
    letters: BTreeMap<LetterId, DeadLetter>,
    keys: BTreeMap<DedupKey, i64>,
    ends: BTreeMap<LetterId, End>,
    hours: BTreeMap<i64, Hour>,
    covered: BTreeMap<Digest, i64>,
    log: Logged,
    /// The position of a folder. A database has slots instead.
    position: Position,
    slots: Vec<Slot>,
}

#[derive(Clone, Debug)]
struct Stored {
    row: Vec<u8>,
    marks: Vec<Range<u32>>,
}

impl Disk {
    /// Makes a disk with a planted fault.
    pub fn with(plant: Option<Plant>) -> Self {
        let disk = Self::default();
        disk.state().plant = plant;
        disk
    }

    /// Returns a handle to the same store for a process.
    #[must_use]
    pub fn of_process(&self, process: u64) -> Self {
        Self {
            state: Arc::clone(&self.state),
            process,
            is_database: self.is_database,
        }
    }

    /// Compares the counts of pending and held events with the stored events. Returns a description of the first difference.
    pub fn miscounts(&self) -> Option<String> {
        self.state().present.miscounts()
    }

    /// Adds faults for the next writes and openings, in this order. Faults that were added earlier come first.
    pub fn fails_with(&self, faults: &[Fault]) {
        self.state().faults.extend(faults.iter().rev());
    }

    /// Removes all faults.
    pub fn heals(&self) {
        self.state().faults.clear();
    }

    /// Returns whether events of a pixel are pending.
    pub fn waits(&self, pixel: &str) -> bool {
        let state = self.state();
        let position = state.present.position();
        let mut places = position.places.iter();
        places.any(|place| place.waiting > 0 && place.destination.pixel_id == pixel)
    }

    /// Returns whether a write has failed since the store was opened.
    pub fn has_failed(&self) -> bool {
        self.state().has_failed
    }

    /// Returns how often the store was opened.
    pub fn opened(&self) -> u64 {
        self.state().opened
    }

    /// Returns whether the store has a paid order that is not reported.
    pub fn has_unreported(&self) -> bool {
        let state = self.state();
        state.present.orders.values().any(Order::is_unreported)
    }

    /// Of the dead letters that survive a power failure, returns the newest one whose event TikTok did not accept.
    pub fn newest_letter(&self) -> Option<LetterId> {
        let state = self.state();
        let mut letters = state.synced.letters.iter().rev();
        let newest = letters.find(|(_, letter)| {
            let outcome = letter.outcome.as_str();
            outcome == "refused" || outcome == "expired"
        });
        newest.map(|(id, _)| *id)
    }

    /// Ends the process. What the process has written stays in the page cache.
    pub fn loses_its_process(&self) {
        self.state().is_open = false;
    }

    /// Cuts the power. Of the commits since the last sync, only the first `kept` are left.
    pub fn loses_power(&self, kept: usize) {
        let mut state = self.state();
        state.is_open = false;
        state.tail.truncate(kept);
        state.settle();
    }

    /// Returns the number of commits that can still be lost.
    pub fn tail(&self) -> usize {
        self.state().tail.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, read: impl FnOnce(&Content) -> T) -> Result<T, Error> {
        let state = self.state();
        state
            .is_readable()
            .then(|| read(&state.present))
            .ok_or(Error::Stopped)
    }
}

impl State {
    fn database(&mut self) -> Result<&mut Database, Error> {
        self.database.as_mut().ok_or(Error::Stopped)
    }

    fn is_readable(&self) -> bool {
        let database = self.database.as_ref();
        database.map_or(self.is_open, Database::is_up)
    }

    fn settle(&mut self) {
        self.present = self.synced.clone();
        for effect in &self.tail {
            self.present.take(effect);
        }
    }

    fn sync(&mut self) {
        for effect in self.tail.drain(..) {
            self.synced.take(&effect);
        }
    }

    fn struck(&mut self) -> Option<Fault> {
        let fault = self.faults.pop();
        self.has_failed |= fault.is_some();
        fault
    }
}

impl Source for Disk {
    type Store = Writer;

    fn open(&self) -> Result<Writer, Error> {
        let mut state = self.state();
        if state.database.is_some() {
            let session = Session::open(&mut state, self.process)?;
            return Ok(Writer::over(self.clone(), state.opened, Some(session)));
        }
        state.is_open = false;
        if state.faults.last() == Some(&Fault::Closed) {
            state.faults.pop();
            return Err(refused());
        }
        // The real store first writes and syncs all data that it finds, so that all data that it reads is on the disk.
        if state.plant == Some(Plant::StaleCache) {
            state.tail.clear();
        }
        state.sync();
        state.is_open = true;
        state.has_failed = false;
        state.opened += 1;
        Ok(Writer::over(self.clone(), state.opened, None))
    }
}

fn refused() -> Error {
    Error::Folder(io::Error::other("the disk fails"))
}
