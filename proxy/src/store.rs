//! The store keeps the changes that decisions have made. The store knows nothing about money or time.
//!
//! A process has only one writer. The writer uses [`Store`] to read single records, to write whole commits, and to visit
//! the records that a sweep checks. Lanes, operators and pages use [`Reader`]. [`Source`] opens a [`Store`], and is
//! itself a [`Reader`]. After a failed write the writer opens its [`Store`] again, because only the data on disk is
//! reliable then.
//!
//! # Invariants
//!
//! 1. [`Store::write`] writes all of a [`Commit`] or nothing, even if the process ends during the write.
//! 2. Commits survive in the sequence in which they were written. If a commit survives a power cut, all commits before it
//!    survive too. A commit that was written with `sync` survives.
//! 3. After an error of `write`, it is unknown whether the commit was written. [`Source::open`] finds this out. Everything
//!    that the opened store reads survives the next power cut.
//! 4. A read returns the data of the last successful write, or an error. A read never returns older data or only a part of
//!    the data.
//! 5. [`Position`] lists every lane that has pending events, with the number of these events. A commit that changes the
//!    position also writes it.
//!
//! [`Embedded`] implements this with fjall, and [`Postgres`] with a PostgreSQL database. The simulation has a third
//! implementation, whose disk can fail in every way.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use crate::{
    decide::{Books, Destination, HeldId, Payment, Reads},
    orders::Order,
};

mod commit;
pub(crate) mod embedded;
mod end;
mod error;
mod keys;
mod log;
pub(crate) mod moving;
pub(crate) mod postgres;
mod process;
mod reader;
mod row;

pub use commit::{Commit, LaneId, NewRow, Place, Position, Settled};
pub use embedded::Embedded;
pub use error::Error;
pub use postgres::{Options as Database, Postgres};
pub use process::Process;
pub use reader::{Ends, Found, Letters, Most, Reader};
pub use row::{Draft, Row};

/// A folder, a database or a simulated disk in which a store can be opened.
pub trait Source: Reader + Clone + 'static {
    /// The store as the writer uses it.
    type Store: Store + Send + 'static;

    /// Closes the store if it is open, and opens it again.
    ///
    /// # Errors
    /// An error if the store cannot be read completely.
    fn open(&self) -> Result<Self::Store, Error>;
}

/// A store for the writer.
pub trait Store: Books<Error = Error> {
    /// Returns the position of the queue as it was when the store was opened.
    ///
    /// # Errors
    /// An error if the position cannot be read.
    fn position(&self) -> Result<Position, Error>;

    /// Begins a commit. A shared store locks and reads everything that `ahead` names, and gives the commit its own block of
    /// event numbers in `position`. `now` has two times in Unix milliseconds. The period of a new key starts at the first
    /// time. A stored key has expired if its period ends at or before the second time. The caller must end the commit with
    /// [`Store::write`] or [`Store::finish`].
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

    /// Ends a commit that changes nothing. With `sync`, everything that the commit has read is on disk when this function
    /// returns.
    ///
    /// # Errors
    /// The same as those of [`Store::write`].
    fn finish(&mut self, _sync: bool) -> Result<(), Error> {
        Ok(())
    }

    /// Returns the lease by which this process delivers the events of a destination, or `None` if this process has no
    /// lease for this destination. Only one process at a time has the lease of a destination.
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

    /// Returns whether this process is the one that removes expired entries. Only one process at a time removes expired
    /// entries.
    ///
    /// # Errors
    /// The same as those of [`Store::write`].
    fn may_sweep(&mut self) -> Result<bool, Error> {
        Ok(true)
    }

    /// Renews the leases of this process, and takes over leases of other processes that have ended. Returns the position
    /// and the withdrawn events as all processes have written them, or `None` if the store is not shared.
    ///
    /// # Errors
    /// The same as those of [`Store::write`].
    fn look(&mut self) -> Result<Option<Sight>, Error> {
        Ok(None)
    }

    /// Writes a commit. With `sync`, the commit is on disk when this function returns.
    ///
    /// # Errors
    /// An error if the disk fails. The store must then be opened again.
    fn write(&mut self, commit: &mut Commit<'_>) -> Result<(), Error>;

    /// Checks that the store still works, without writing.
    ///
    /// # Errors
    /// An error if the store does not work.
    fn check(&self) -> Result<(), Error>;

    /// Does the maintenance that is due after each commit. If the history has too many events, this can remove the
    /// oldest records of ended events. All other data that can be read stays unchanged.
    ///
    /// # Errors
    /// The same as those of [`Store::write`].
    fn tidy(&mut self) -> Result<(), Error>;

    /// Removes expired entries, some thousands in one call. The store also removes the oldest records of ended events if
    /// the history has too many events.
    ///
    /// # Errors
    /// The same as those of [`Store::write`].
    fn expire(&mut self, expired: Expired) -> Result<(), Error>;

    /// Closes the store, so that the next opening knows that no write was interrupted.
    ///
    /// # Errors
    /// The same as those of [`Store::write`]. After an error, the next opening assumes a crash.
    fn close(&mut self) -> Result<(), Error>;

    /// Returns the ids of all withdrawn events.
    ///
    /// # Errors
    /// An error if the disk fails.
    fn withdrawn(&self) -> Result<Vec<String>, Error>;

    /// Returns at most `most` held events that were to be held until a time before `ms`, each with the id of its order.
    ///
    /// # Errors
    /// An error if the disk fails.
    fn held_until(&self, ms: i64, most: usize) -> Result<Vec<(HeldId, String)>, Error>;

    /// Visits the orders and payments among the next `most` entries from `cursor` on. Returns the cursor at which the next
    /// page starts, or an empty one after the last page.
    ///
    /// # Errors
    /// An error if the disk fails.
    fn scan(
        &self,
        cursor: &[u8],
        most: usize,
        visit: &mut dyn FnMut(Scanned<'_>),
    ) -> Result<Vec<u8>, Error>;
}

/// The records that the calls of a commit can read, and the destinations whose events the calls settle. The calls name
/// both before they are decided.
#[derive(Debug, Default)]
pub struct Ahead {
    /// The records that the calls can read.
    pub reads: Reads,
    /// The destinations whose events the calls settle.
    pub settled: BTreeSet<Arc<Destination>>,
}

impl Ahead {
    /// Returns whether the calls read nothing.
    pub fn is_empty(&self) -> bool {
        self.settled.is_empty() && self.reads == Reads::default()
    }
}

/// The right to deliver the events of one destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// How many owners the lease has had so far.
    pub epoch: u64,
    /// When the lease ends if its owner does not renew it.
    pub until: Option<Instant>,
}

/// The position and the withdrawn events, as all processes have written them to a shared store.
#[derive(Debug)]
pub struct Sight {
    /// The position of the queue.
    pub position: Position,
    /// The ids of all withdrawn events. `None` if this look did not read the ids: a store does not need to read them
    /// each time.
    pub withdrawn: Option<Vec<String>>,
}

/// Which entries have expired. All times are in Unix milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Expired {
    /// Keys that are remembered until this time or earlier.
    pub keys_ms: i64,
    /// Dead letters that ended before this time.
    pub letters_ms: i64,
    /// Records in the history whose events ended before this time.
    pub history_ms: i64,
    /// Hours in the history that started before this time.
    pub hours_ms: i64,
}

/// A record that a sweep checks.
#[derive(Clone, Copy, Debug)]
pub enum Scanned<'a> {
    /// An order.
    Order(&'a Order),
    /// A payment.
    Payment(&'a Payment),
}
