//! The store: keeps what was decided, and nothing more. It knows no money and no time.
//!
//! [`Store`] is the half that the one writer holds: it reads single records, writes whole commits, and hands out what a
//! sweep looks at. [`Reader`] is the half for lanes, operators and pages. [`Source`] opens both; after a failed write
//! the writer opens its half anew, since only what is on disk counts then.
//!
//! # Invariants
//!
//! 1. [`Store::write`] writes all of a [`Commit`] or nothing, also when the process ends in its midst.
//! 2. Commits survive in their order: if one is there after a power cut, so are all before it. One that was written with
//!    `sync`, and all before it, are there.
//! 3. After an error of `write`, nobody knows whether the commit is there. [`Source::open`] says, and whatever it reads
//!    survives the next power cut.
//! 4. A read returns what the last successful write left, or an error; never something older, and never a part.
//! 5. [`Position`] says how many events wait in which lane, and is written with every commit that changes it. A lane
//!    that has events is in it.
//!
//! [`Embedded`] keeps these on fjall; the simulation has a second implementation, whose disk can fail in every way.

use std::{io, ops::Range, path::PathBuf, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    decide::{Books, Class, DeadLetter, Destination, Fault, HeldId, LetterId, Payment, Records},
    orders::Order,
};

pub(crate) mod embedded;
mod row;

pub use embedded::Embedded;
pub use row::{Draft, Row};

/// Where a store is opened.
pub trait Source: Reader + Clone + 'static {
    /// The writer's half.
    type Store: Store + Send + 'static;

    /// Lets go of the store if it is open, and opens it.
    ///
    /// # Errors
    /// When it cannot be read whole.
    fn open(&self) -> Result<Self::Store, Error>;
}

/// The half of those who only read. Every method reads from the disk, and may block for as long as that takes.
pub trait Reader: Send + Sync {
    /// Rows of a lane from number `from` on, until they hold `bytes` or more. Those that cannot be read are left out.
    ///
    /// # Errors
    /// [`Error::Stopped`] while the store is not open, and what the disk says, as in all of these.
    fn rows(&self, lane: &LaneId, from: u64, bytes: usize) -> Result<Vec<Found>, Error>;

    /// The order with this id, expired or not.
    ///
    /// # Errors
    /// As [`Reader::rows`].
    fn order(&self, id: &str) -> Result<Option<Order>, Error>;

    /// Every payment.
    ///
    /// # Errors
    /// As [`Reader::rows`].
    fn payments(&self) -> Result<Vec<Payment>, Error>;

    /// Dead letters, the newest first: those before `before`, or all.
    ///
    /// # Errors
    /// As [`Reader::rows`].
    fn letters(&self, before: Option<LetterId>, most: Most) -> Result<Letters, Error>;

    /// The dead letter with this id.
    ///
    /// # Errors
    /// As [`Reader::rows`].
    fn letter(&self, id: LetterId) -> Result<Option<DeadLetter>, Error>;

    /// The ids of dead letters, the oldest first: those behind `after`, or all.
    ///
    /// # Errors
    /// As [`Reader::rows`].
    fn letter_ids(&self, after: Option<LetterId>, most: Most) -> Result<Vec<LetterId>, Error>;

    /// The number of the next event.
    ///
    /// # Errors
    /// As [`Reader::rows`].
    fn next_number(&self) -> Result<u64, Error>;
}

/// The half of the writer.
pub trait Store: Books<Error = Error> {
    /// Where the queue stood when the store was opened.
    ///
    /// # Errors
    /// When it cannot be read.
    fn position(&self) -> Result<Position, Error>;

    /// Writes a commit; with `sync`, to the disk.
    ///
    /// # Errors
    /// When the disk refuses. Then the store has to be opened anew.
    fn write(&mut self, commit: &mut Commit<'_>) -> Result<(), Error>;

    /// Whether the store still works, as far as that shows without a write.
    ///
    /// # Errors
    /// When it does not.
    fn check(&self) -> Result<(), Error>;

    /// Does what is due now and then, and changes nothing that can be read.
    ///
    /// # Errors
    /// As [`Store::write`].
    fn tidy(&mut self) -> Result<(), Error>;

    /// Removes keys that are remembered until `ms` or less, and dead letters that ended before `letters_ms`; some
    /// thousands at a time.
    ///
    /// # Errors
    /// As [`Store::write`].
    fn expire(&mut self, ms: i64, letters_ms: i64) -> Result<(), Error>;

    /// Has the next opening know that nothing was being written when this one ended.
    ///
    /// # Errors
    /// As [`Store::write`]. The next opening takes it for a crash then.
    fn close(&mut self) -> Result<(), Error>;

    /// At most `most` events that were to be held until before `ms`, and their orders.
    ///
    /// # Errors
    /// When the disk refuses.
    fn held_until(&self, ms: i64, most: usize) -> Result<Vec<(HeldId, String)>, Error>;

    /// The next `most` orders and payments from `cursor` on.
    ///
    /// # Errors
    /// When the disk refuses.
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

/// How much is read at once, whichever is reached first.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// The most of them.
    pub count: usize,
    /// About the most bytes.
    pub bytes: usize,
}

/// A row, and which of its events are settled already.
pub type Found = (Row, Vec<Range<u32>>);

/// Dead letters with their ids.
pub type Letters = Vec<(LetterId, DeadLetter)>;

/// Orders and payments, as a sweep comes across them.
#[derive(Debug, Default)]
pub struct Page {
    /// Orders.
    pub orders: Vec<Order>,
    /// Payments.
    pub payments: Vec<Payment>,
    /// Where to go on; empty after the last page.
    pub next: Vec<u8>,
}

/// What is written together.
#[derive(Debug)]
pub struct Commit<'a> {
    /// New rows.
    pub rows: Vec<NewRow>,
    /// What has been settled.
    pub settled: Vec<Settled>,
    /// Records as they are now.
    pub records: Records,
    /// Where the queue stands.
    pub position: &'a mut Position,
    /// Whether something is written that nobody reads: the time, in Unix milliseconds.
    pub probe_ms: Option<i64>,
    /// Whether it has to be on disk.
    pub sync: bool,
}

/// Events that join a lane together.
#[derive(Debug)]
pub struct NewRow {
    /// The lane.
    pub lane: LaneId,
    /// The number of the first event.
    pub sequence: u64,
    /// The events.
    pub draft: Draft,
}

/// What is settled of a lane's rows.
#[derive(Debug)]
pub struct Settled {
    /// The lane.
    pub lane: LaneId,
    /// Rows in which nothing waits any more, with the marks they have.
    pub removed: Vec<(u64, Vec<Range<u32>>)>,
    /// Rows in which these events are settled and others wait.
    pub marked: Vec<(u64, Range<u32>)>,
}

/// Where the queue stands; written with every commit that moves it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// The number of the next event.
    pub next: u64,
    /// Where events wait.
    pub places: Vec<Place>,
    /// How many events are held.
    #[serde(default)]
    pub held: u64,
    /// When a commit last changed it, as far as the clock was not in doubt: see [`clock`](crate::clock).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_ms: Option<i64>,
}

/// How much waits in one class of one destination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The destination.
    pub destination: Arc<Destination>,
    /// The class.
    #[serde(default, skip_serializing_if = "Class::is_second")]
    pub class: Class,
    /// How many events wait, claimed ones included.
    pub waiting: u64,
    /// No row before this one waits.
    pub head: u64,
}

impl Commit<'_> {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
            && self.settled.is_empty()
            && self.records.is_empty()
            && self.probe_ms.is_none()
    }
}

impl Position {
    /// How many events wait in all lanes.
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

    /// A lane in which events wait.
    pub fn place(&mut self, lane: &LaneId) -> Option<&mut Place> {
        let mut places = self.places.iter_mut();
        places.find(|place| place.class == lane.class && place.destination == lane.destination)
    }
}

/// Why the store, or the queue on top of it, could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the folder open.
    #[error("another process is using the data directory")]
    Locked,
    /// The folder was written by another version.
    #[error(
        "the data directory has format {found}, this version reads format {known}; use the version that wrote it"
    )]
    Format {
        /// The format in the folder.
        found: u32,
        /// The format this version reads.
        known: u32,
    },
    /// Too many calls wait for the disk.
    #[error("too many events are waiting to be written")]
    Full,
    /// An event cannot be written as JSON.
    #[error("the event cannot be written as JSON")]
    Unwritable,
    /// The disk has less room than is kept free.
    #[error("the disk is nearly full")]
    DiskFull,
    /// The disk has refused a write, and the store could not be opened again yet.
    #[error("the store has stopped taking events")]
    Stopped,
    /// The disk or the store refused.
    #[error("the store failed")]
    Store(#[source] fjall::Error),
    /// The file system refused.
    #[error("the data directory cannot be used")]
    Folder(#[source] io::Error),
    /// A journal is damaged before its end.
    #[error(
        "the data directory is damaged: {} does not read back from byte {at} on, where more had been stored; restore the folder from a copy, or, to give up what was stored there and behind, cut that file there and remove the file contents", file.display()
    )]
    Damaged {
        /// The journal's name.
        file: PathBuf,
        /// How much of it is intact, in bytes.
        at: u64,
    },
    /// A file is not as it was written.
    #[error(
        "the data directory is damaged: {} is missing or not as it was written; restore the folder from a copy", file.display()
    )]
    Unreadable {
        /// Where it is in the folder.
        file: PathBuf,
    },
    /// Something that is stored does not read back.
    #[error("the data directory is damaged")]
    Corrupt,
}

impl Error {
    /// Whether the disk is at fault, and with it everything that was to be written; not one call, nor one row.
    pub(crate) fn is_of_the_disk(&self) -> bool {
        match self {
            Self::Unwritable | Self::Corrupt => false,
            // A block that does not read back has no cause in the file system.
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
