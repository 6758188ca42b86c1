//! The store keeps the decided changes. It knows nothing about money or time.
//!
//! The only writer uses [`Store`]. It reads single records, writes whole commits, and returns the entries that a
//! sweep checks. Lanes, operators and pages use [`Reader`]. [`Source`] opens both. After a failed write the writer
//! opens its part again, because only the data on disk is reliable then.
//!
//! # Invariants
//!
//! 1. [`Store::write`] writes all of a [`Commit`] or nothing, even if the process ends during the write.
//! 2. Commits survive in their order. If a commit survives a power cut, all commits before it survive too. A commit that was
//!    written with `sync` survives.
//! 3. After an error of `write`, it is unknown whether the commit was written. [`Source::open`] finds this out, and everything
//!    that it reads survives the next power cut.
//! 4. A read returns the data of the last successful write, or an error. It never returns older data or a part of the data.
//! 5. [`Position`] lists every lane that has pending events, and how many. It is written with every commit that changes it.
//!
//! [`Embedded`] implements this with fjall. The simulation has a second implementation, whose disk can fail in every way.

use std::{collections::BTreeSet, io, ops::Range, path::PathBuf, sync::Arc, time::Instant};

use serde::{Deserialize, Serialize};

use crate::{
    decide::{
        Books, Class, DeadLetter, Destination, Fault, HeldEvent, HeldId, LetterId, Payment, Reads,
        Records,
    },
    history::{Digest, End, Hour, Wanted},
    orders::Order,
};

pub(crate) mod embedded;
mod end;
mod keys;
pub(crate) mod moving;
pub(crate) mod postgres;
mod process;
mod row;

pub use embedded::Embedded;
pub use postgres::{Options as Database, Postgres};
pub use process::Process;
pub use row::{Draft, Row};

/// A place where a store can be opened.
pub trait Source: Reader + Clone + 'static {
    /// The store as the writer uses it.
    type Store: Store + Send + 'static;

    /// Closes the store if it is open, and opens it again.
    ///
    /// # Errors
    /// An error if the store cannot be read completely.
    fn open(&self) -> Result<Self::Store, Error>;
}

/// A store for callers that only read. Every method reads from the disk and can block.
pub trait Reader: Send + Sync {
    /// Returns rows of a lane from number `from` on, until they have `bytes` or more. Leaves out rows that cannot be read.
    ///
    /// # Errors
    /// [`Error::Stopped`] while the store is not open, and the errors of the disk. The same holds for all methods here.
    fn rows(&self, lane: &LaneId, from: u64, bytes: usize) -> Result<Vec<Found>, Error>;

    /// Returns whether other processes write to the same store. Such a store is on another machine, so every read takes time. It
    /// also gets rows whose numbers are smaller than those of earlier rows.
    fn is_shared(&self) -> bool {
        false
    }

    /// Returns the processes that have written to the same store in the last hour. None if no other process can use it.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn processes(&self) -> Result<Vec<Process>, Error> {
        Ok(Vec::new())
    }

    /// Returns the rows of a lane before number `before` that are not `known`. A store of one process has none.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn late(&self, _lane: &LaneId, _before: u64, _known: &[u64]) -> Result<Vec<Found>, Error> {
        Ok(Vec::new())
    }

    /// Returns the order with this id, even if it has expired.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn order(&self, id: &str) -> Result<Option<Order>, Error>;

    /// Returns every payment.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn payments(&self) -> Result<Vec<Payment>, Error>;

    /// Returns dead letters, the newest first: the letters before `before`, or all letters.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn letters(&self, before: Option<LetterId>, most: Most) -> Result<Letters, Error>;

    /// Returns the dead letter with this id.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn letter(&self, id: LetterId) -> Result<Option<DeadLetter>, Error>;

    /// Returns the ids of dead letters, the oldest first: the ids after `after`, or all ids.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn letter_ids(&self, after: Option<LetterId>, most: Most) -> Result<Vec<LetterId>, Error>;

    /// Returns the position of the queue.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn place(&self) -> Result<Position, Error>;

    /// Returns the payments of the order with this id, and the payments with this bank's reference.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn payments_of(&self, id: &str) -> Result<Vec<Payment>, Error>;

    /// Returns the id of the order with this digest. Reads the ids of all orders.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn order_of(&self, digest: Digest) -> Result<Option<String>, Error>;

    /// Returns the held events whose stored text contains one of `texts`.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn find_held(&self, texts: &[String]) -> Result<Vec<HeldEvent>, Error>;

    /// Returns the payment with this id, also if the provider reports it under another id.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn payment(&self, provider: &str, id: &str) -> Result<Option<Payment>, Error>;

    /// Returns ended events of the history, the newest first: the ends before `before`, or all.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn ends(&self, before: Option<LetterId>, most: Most) -> Result<Ends, Error>;

    /// Returns when the oldest end of the history ended, in Unix milliseconds.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn oldest_end(&self) -> Result<Option<i64>, Error>;

    /// Searches the whole history, the newest first, until `most` events are found. The ends have only the events that were
    /// searched for.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn find_ends(&self, wanted: &Wanted, most: usize) -> Result<Ends, Error>;

    /// Returns the hours that start in this range, in Unix milliseconds.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn hours(&self, starts: Range<i64>) -> Result<Vec<(i64, Hour)>, Error>;

    /// Returns when the history's records of this order were removed, in Unix milliseconds.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn covered(&self, order: Digest) -> Result<Option<i64>, Error>;
}

/// A store for the writer.
pub trait Store: Books<Error = Error> {
    /// Returns the position of the queue as it was when the store was opened.
    ///
    /// # Errors
    /// An error if the position cannot be read.
    fn position(&self) -> Result<Position, Error>;

    /// Begins a commit. A shared store locks and reads everything that `ahead` names, and gives the commit its own numbers in
    /// `position`. `now` is the time by which keys are remembered and the time by which they expire, in Unix milliseconds. The
    /// commit ends with [`Store::write`] or [`Store::finish`].
    ///
    /// # Errors
    /// The same as those of [`Store::write`].
    fn begin(
        &mut self,
        _ahead: impl FnOnce() -> Ahead,
        _position: &mut Position,
        _now: (i64, i64),
    ) -> Result<(), Error> {
        Ok(())
    }

    /// Ends a commit that changes nothing. With `sync`, everything that the commit has read is on disk when this returns.
    ///
    /// # Errors
    /// The same as those of [`Store::write`].
    fn finish(&mut self, _sync: bool) -> Result<(), Error> {
        Ok(())
    }

    /// Returns the lease by which this process delivers the events of a destination. Only one process has a lease.
    fn lease(&self, _destination: &Destination) -> Option<Lease> {
        Some(Lease::default())
    }

    /// Returns whether this process may settle events that it claimed under the lease of this epoch.
    ///
    /// # Errors
    /// The same as those of [`Store::write`].
    fn may_settle(&self, _destination: &Destination, _epoch: u64) -> Result<bool, Error> {
        Ok(true)
    }

    /// Returns whether this process removes expired entries. Only one process does.
    ///
    /// # Errors
    /// The same as those of [`Store::write`].
    fn may_sweep(&mut self) -> Result<bool, Error> {
        Ok(true)
    }

    /// Renews the leases of this process, and takes over those that have ended. Returns what all processes have written, or `None`
    /// if the store is not shared.
    ///
    /// # Errors
    /// The same as those of [`Store::write`].
    fn look(&mut self) -> Result<Option<Sight>, Error> {
        Ok(None)
    }

    /// Writes a commit. With `sync`, it is on disk when this returns.
    ///
    /// # Errors
    /// An error if the disk fails. The store must then be opened again.
    fn write(&mut self, commit: &mut Commit<'_>) -> Result<(), Error>;

    /// Checks that the store still works, without writing.
    ///
    /// # Errors
    /// An error if the store does not work.
    fn check(&self) -> Result<(), Error>;

    /// Does regular maintenance. This changes no data that can be read.
    ///
    /// # Errors
    /// The same as those of [`Store::write`].
    fn tidy(&mut self) -> Result<(), Error>;

    /// Removes expired entries, some thousands in one call. The store also removes the oldest ends if the history has too many
    /// events.
    ///
    /// # Errors
    /// The same as those of [`Store::write`].
    fn expire(&mut self, expired: Expired) -> Result<(), Error>;

    /// Closes the store. The next opening can then tell that no write was interrupted.
    ///
    /// # Errors
    /// The same as those of [`Store::write`]. After an error, the next opening assumes a crash.
    fn close(&mut self) -> Result<(), Error>;

    /// Returns the ids of all withdrawn events.
    ///
    /// # Errors
    /// An error if the disk fails.
    fn withdrawn(&self) -> Result<Vec<String>, Error>;

    /// Returns at most `most` events that were held until a time before `ms`, and their orders.
    ///
    /// # Errors
    /// An error if the disk fails.
    fn held_until(&self, ms: i64, most: usize) -> Result<Vec<(HeldId, String)>, Error>;

    /// Returns the next `most` orders and payments from `cursor` on.
    ///
    /// # Errors
    /// An error if the disk fails.
    fn page(&self, cursor: &[u8], most: usize) -> Result<Page, Error>;
}

/// One class of one destination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId {
    /// The destination.
    pub destination: Arc<Destination>,
    /// The class.
    pub class: Class,
}

/// What the calls of a commit can read. This is known before they are decided.
#[derive(Debug, Default)]
pub struct Ahead {
    /// Records.
    pub reads: Reads,
    /// The destinations whose events are settled.
    pub settled: BTreeSet<Arc<Destination>>,
}

impl Ahead {
    /// Whether the calls read nothing.
    pub fn is_empty(&self) -> bool {
        self.settled.is_empty() && self.reads == Reads::default()
    }
}

/// The right to deliver the events of one destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// Counts the owners of the lease.
    pub epoch: u64,
    /// When the lease ends if it is not renewed.
    pub until: Option<Instant>,
}

/// What all processes have written to a shared store.
#[derive(Debug)]
pub struct Sight {
    /// The position of the queue.
    pub position: Position,
    /// The ids of all withdrawn events, if they were read.
    pub withdrawn: Option<Vec<String>>,
}

/// How much is read at once. The limit that is reached first counts.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// The largest number of entries.
    pub count: usize,
    /// The largest number of bytes, approximately.
    pub bytes: usize,
}

/// A row, and the ranges of its settled events.
pub type Found = (Row, Vec<Range<u32>>);

/// Ended events with the ids of their first events.
pub type Ends = Vec<(LetterId, End)>;

/// Which entries have expired. All times are in Unix milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Expired {
    /// Keys that are remembered until this time or earlier.
    pub keys_ms: i64,
    /// Dead letters that ended before this time.
    pub letters_ms: i64,
    /// Ends in the history before this time.
    pub history_ms: i64,
    /// Hours in the history that started before this time.
    pub hours_ms: i64,
}

/// Dead letters with their ids.
pub type Letters = Vec<(LetterId, DeadLetter)>;

/// Orders and payments, as a sweep checks them.
#[derive(Debug, Default)]
pub struct Page {
    /// Orders.
    pub orders: Vec<Order>,
    /// Payments.
    pub payments: Vec<Payment>,
    /// Where the next page starts. Empty after the last page.
    pub next: Vec<u8>,
}

/// The changes that are written together.
#[derive(Debug)]
pub struct Commit<'a> {
    /// New rows.
    pub rows: Vec<NewRow>,
    /// The settled events.
    pub settled: Vec<Settled>,
    /// The new state of changed records.
    pub records: Records,
    /// The position of the queue.
    pub position: &'a mut Position,
    /// A time in Unix milliseconds that is written only to test the disk. Nobody reads it.
    pub probe_ms: Option<i64>,
    /// Whether the commit must be on disk when the write returns.
    pub sync: bool,
}

/// Events that are added to a lane together.
#[derive(Debug)]
pub struct NewRow {
    /// The lane.
    pub lane: LaneId,
    /// The number of the first event.
    pub sequence: u64,
    /// The events.
    pub draft: Draft,
}

/// The settled events of a lane's rows.
#[derive(Debug)]
pub struct Settled {
    /// The lane.
    pub lane: LaneId,
    /// How many events are settled.
    pub events: u64,
    /// Rows without pending events, with their marks.
    pub removed: Vec<(u64, Vec<Range<u32>>)>,
    /// Rows with other pending events, and the range that is settled now.
    pub marked: Vec<(u64, Range<u32>)>,
}

/// The position of the queue. It is written with every commit that changes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// The number of the next event.
    pub next: u64,
    /// The lanes that have pending events.
    pub places: Vec<Place>,
    /// How many events are held.
    #[serde(default)]
    pub held: u64,
    /// The time of the last commit that changed the position. Left unchanged while the clock was in doubt, see
    /// [`clock`](crate::clock).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_ms: Option<i64>,
}

/// The pending events of one class of one destination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The destination.
    pub destination: Arc<Destination>,
    /// The class.
    #[serde(default, skip_serializing_if = "Class::is_second")]
    pub class: Class,
    /// How many events are pending, including claimed events.
    pub waiting: u64,
    /// The first row that can have pending events.
    pub head: u64,
}

impl Most {
    /// Returns as many of `items` as the limits allow, and at least one. `length` returns the size of an item.
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

impl Commit<'_> {
    /// Returns whether the commit changes nothing.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
            && self.settled.is_empty()
            && self.records.is_empty()
            && self.probe_ms.is_none()
    }
}

impl Position {
    /// Returns how many events are pending in all lanes.
    pub fn waiting(&self) -> u64 {
        self.places.iter().map(|place| place.waiting).sum()
    }

    /// Adds events to a lane.
    pub fn arrived(&mut self, lane: &LaneId, sequence: u64, events: u64) {
        match self.place(lane) {
            Some(place) => place.waiting += events,
            None => self.places.push(Place {
                destination: Arc::clone(&lane.destination),
                class: lane.class,
                waiting: events,
                head: sequence,
            }),
        }
    }

    /// Returns the entry of a lane that has pending events.
    pub fn place(&mut self, lane: &LaneId) -> Option<&mut Place> {
        let mut places = self.places.iter_mut();
        places.find(|place| place.class == lane.class && place.destination == lane.destination)
    }
}

/// An error of the store, or of the queue on top of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the folder open.
    #[error("another process is using the data directory")]
    Locked,
    /// Another version of the proxy has written the folder.
    #[error(
        "the data directory has format {found}, this version reads format {known}; use the version that wrote it"
    )]
    Format {
        /// The format in the folder.
        found: u32,
        /// The format that this version reads.
        known: u32,
    },
    /// Too many calls wait for the disk.
    #[error("too many events are waiting to be written")]
    Full,
    /// An event cannot be written as JSON.
    #[error("the event cannot be written as JSON")]
    Unwritable,
    /// Less space is free on the disk than must be kept free.
    #[error("the disk is nearly full")]
    DiskFull,
    /// A write has failed, and the store could not be opened again yet.
    #[error("the store accepts no writes at the moment")]
    Stopped,
    /// The disk or the store failed.
    #[error("the store failed")]
    Store(#[source] fjall::Error),
    /// The file system failed.
    #[error("the data directory cannot be used")]
    Folder(#[source] io::Error),
    /// A journal is damaged before its end.
    #[error(
        "the data directory is damaged: {} does not read back from byte {at} on; restore the data directory from a copy, or give up the data from that byte on: truncate that file to {at} bytes and remove the file contents", file.display()
    )]
    Damaged {
        /// The file name of the journal.
        file: PathBuf,
        /// How many bytes at the start of the journal are intact.
        at: u64,
    },
    /// A file is missing or damaged.
    #[error(
        "the data directory is damaged: {} is missing or not as it was written; restore the data directory from a copy", file.display()
    )]
    Unreadable {
        /// The path of the file in the folder.
        file: PathBuf,
    },
    /// The database failed, or cannot be reached.
    #[error("the database failed: {0}")]
    Database(String),
    /// The database does not promise what the proxy promises, or another version wrote it.
    #[error("the database cannot be used: {0}")]
    Unsuitable(String),
    /// The contents were moved elsewhere, or are being moved, or cannot be moved.
    #[error("{0}")]
    Move(String),
    /// The roots for TLS cannot be read.
    #[error("the certificates for the database cannot be read")]
    Certificates(#[source] io::Error),
    /// A stored entry cannot be read.
    #[error("the data directory is damaged")]
    Corrupt,
}

impl Error {
    /// Returns whether the disk failed, so that nothing could be written. Returns false if only one call or one row is faulty.
    pub(crate) fn is_of_the_disk(&self) -> bool {
        match self {
            Self::Unwritable | Self::Corrupt => false,
            // A block that cannot be read is damaged, but the file system did not fail.
            Self::Store(fjall::Error::Storage(error)) => matches!(error, fjall::LsmError::Io(_)),
            _ => true,
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unwritable => Self::Unwritable,
            Fault::Corrupt => Self::Corrupt,
        }
    }
}

impl From<fjall::Error> for Error {
    fn from(error: fjall::Error) -> Self {
        match error {
            fjall::Error::Locked => Self::Locked,
            fjall::Error::Io(error) => Self::Folder(error),
            other => Self::Store(other),
        }
    }
}
