//! Where accepted events wait: what goes in is on disk before it is answered, and comes out until it
//! is settled.
//!
//! # Invariants
//!
//! 1. **Durable before answered.** When [`Intake::enqueue`] returns `Ok`, every event of that call that
//!    it reports as [`Enqueued::Accepted`] has been fsynced.
//! 2. **Decided once.** Of any number of events with one key, concurrent or not, before or after a
//!    restart, exactly one is accepted while the key is remembered. The decision and the write are one
//!    atomic commit.
//! 3. **Out until settled.** An event leaves the queue only through [`Outlet::settle`], with one
//!    [`Outcome`]. What was claimed and not settled when the process ended is claimed again.
//! 4. **In order, and bounded.** Events are claimed in the order in which they were accepted. What waits
//!    is on disk: the heap holds no more than the calls under way and the batch that was claimed.
//!
//! # What it does not promise
//!
//! Exactly-once. Delivery is at least once: an event that TikTok took just before the power went is sent
//! again, under the same `event_id`, and TikTok drops the repeat.
//!
//! The halves are different types, so that a handler cannot claim and the worker cannot enqueue; what died
//! is a third, for operators.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use tokio::sync::Notify;

use crate::{metrics::Metrics, outcome::Outcome};

mod disk;
mod key;
mod record;
mod space;
mod writer;

pub use key::DedupKey;
pub use record::{DeadLetter, LetterId, Record};

/// Opens the store in `folder`, which is created if it is not there. It takes no more events once less than
/// `reserve_bytes` are free on its disk.
///
/// # Errors
/// [`Error::Locked`] when another process has it open, [`Error::Newer`] when a later version wrote it,
/// [`Error::Store`] when the disk refuses.
pub fn open(
    folder: &Path,
    reserve_bytes: u64,
    metrics: Arc<Metrics>,
) -> Result<(Intake, Outlet, DeadLetters), Error> {
    let store = disk::Store::open(folder)?;
    let waiting = Arc::new(AtomicI64::new(signed(store.count()?)));
    let arrived = Arc::new(Notify::new());
    let outlet = Outlet::new(store.clone(), Arc::clone(&arrived), Arc::clone(&waiting))?;
    let shared = writer::Shared {
        arrived,
        waiting: Arc::clone(&waiting),
        metrics,
        space: space::Space::new(folder.to_owned(), reserve_bytes),
    };
    let writer = writer::start(store.clone(), shared)?;
    let letters = DeadLetters {
        store,
        writer: writer.clone(),
    };
    Ok((Intake { writer, waiting }, outlet, letters))
}

/// The half that takes events in.
#[derive(Clone)]
pub struct Intake {
    writer: writer::Handle,
    waiting: Arc<AtomicI64>,
}

/// One event on its way in.
#[derive(Debug)]
pub struct Entry {
    /// What makes it the same event as another.
    pub key: DedupKey,
    /// Until when a repeat is recognised, in Unix milliseconds.
    pub remember_until_ms: i64,
    /// The event.
    pub record: Record,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// It is on disk.
    Accepted,
    /// Its key was seen before.
    Duplicate,
}

impl Intake {
    /// Writes the entries in one atomic commit, or none of them. Calls that come together share one
    /// fsync.
    ///
    /// # Errors
    /// [`Error::Full`] when too many calls are waiting already; [`Error::DiskFull`] before the disk is;
    /// [`Error::Store`] when it refuses.
    pub async fn enqueue(&self, entries: Vec<Entry>) -> Result<Vec<Enqueued>, Error> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        self.writer.write(entries).await
    }

    /// How many events wait to be delivered, those under way included.
    pub fn depth(&self) -> i64 {
        self.waiting.load(Ordering::Relaxed).max(0)
    }

    /// Whether events can be written. Where the last write failed, another is tried: a proxy that is taken
    /// out of service for it gets no event that could tell.
    pub async fn is_writable(&self) -> bool {
        self.writer.is_healthy() || self.writer.probe().await.is_ok()
    }
}

/// The half that gives events out.
pub struct Outlet {
    store: disk::Store,
    arrived: Arc<Notify>,
    waiting: Arc<AtomicI64>,
    /// The first sequence number that has not been claimed.
    next: u64,
}

/// Events that were claimed together: of one pixel, and all live or all under one test code.
#[derive(Debug)]
pub struct Batch {
    /// The events, oldest first; at least one.
    pub events: Vec<Claimed>,
}

/// One claimed event and its place in the queue.
#[derive(Debug)]
pub struct Claimed {
    sequence: u64,
    /// The event.
    pub record: Record,
}

/// How much travels in one request.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most events, at least 1.
    pub events: usize,
    /// The most bytes of events.
    pub bytes: usize,
}

impl Batch {
    /// The events in order.
    pub fn records(&self) -> Vec<&Record> {
        self.events.iter().map(|claimed| &claimed.record).collect()
    }

    /// When the oldest was accepted, in Unix milliseconds.
    pub fn oldest_ms(&self) -> Option<i64> {
        self.events
            .iter()
            .map(|claimed| claimed.record.accepted_at_ms)
            .min()
    }

    /// The same events as two batches.
    pub fn halves(mut self) -> (Self, Self) {
        let events = self.events.split_off(self.events.len() / 2);
        (self, Self { events })
    }
}

impl Outlet {
    fn new(
        store: disk::Store,
        arrived: Arc<Notify>,
        waiting: Arc<AtomicI64>,
    ) -> Result<Self, Error> {
        let next = store.first_sequence()?.unwrap_or_default();
        Ok(Self {
            store,
            arrived,
            waiting,
            next,
        })
    }

    /// The next events in order, within `limits`, that may travel in one request; `None` when nothing
    /// waits. An event that is larger than the limit on its own comes alone.
    ///
    /// # Errors
    /// [`Error::Store`] when the disk refuses.
    pub fn claim(&mut self, limits: Limits) -> Result<Option<Batch>, Error> {
        let mut events: Vec<Claimed> = Vec::new();
        let mut bytes = 0;
        for row in self.store.waiting_from(self.next) {
            let (sequence, record) = row?;
            let fits = events
                .first()
                .is_none_or(|first| first.record.travels_with(&record));
            bytes += record.event.get().len();
            let full =
                events.len() == limits.events || (bytes > limits.bytes && !events.is_empty());
            if full || !fits {
                break;
            }
            events.push(Claimed { sequence, record });
        }
        let Some(last) = events.last() else {
            return Ok(None);
        };
        self.next = last.sequence + 1;
        Ok(Some(Batch { events }))
    }

    /// Gives up every claim: what was claimed and not settled is claimed again.
    pub fn rewind(&mut self) {
        self.next = 0;
    }

    /// Ends claimed events. Dead letters are on disk when this returns.
    ///
    /// # Errors
    /// [`Error::Store`] when the disk refuses.
    pub fn settle(&self, events: &[Claimed], outcome: &Outcome, at_ms: i64) -> Result<(), Error> {
        self.store.settle(events, outcome, at_ms)?;
        self.waiting
            .fetch_sub(signed(events.len()), Ordering::Relaxed);
        Ok(())
    }

    /// How many events wait, claimed ones included.
    pub fn depth(&self) -> i64 {
        self.waiting.load(Ordering::Relaxed).max(0)
    }

    /// Returns when something may have arrived since the last call.
    pub async fn arrival(&self) {
        self.arrived.notified().await;
    }
}

/// What was accepted and not delivered, for an operator to look at.
#[derive(Clone)]
pub struct DeadLetters {
    store: disk::Store,
    writer: writer::Handle,
}

impl DeadLetters {
    /// The newest letters first, at most `most` of them.
    ///
    /// # Errors
    /// [`Error::Store`] when the disk refuses.
    pub fn newest(&self, most: usize) -> Result<Vec<(LetterId, DeadLetter)>, Error> {
        self.store.dead_letters().take(most).collect()
    }

    /// Puts letters back into the queue, with another 7 days to be delivered; how many of them there were.
    ///
    /// # Errors
    /// As [`Intake::enqueue`].
    pub async fn replay(&self, letters: Vec<LetterId>) -> Result<usize, Error> {
        self.writer.replay(letters).await
    }

    /// Removes letters for good; how many of them there were.
    ///
    /// # Errors
    /// [`Error::Store`] when the disk refuses.
    pub fn remove(&self, letters: &[LetterId]) -> Result<usize, Error> {
        self.store.drop_letters(letters)
    }
}

/// Why the queue could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the folder open.
    #[error("another process is using the data directory")]
    Locked,
    /// The folder was written by a later version.
    #[error(
        "the data directory has format {found}, this version reads up to {known}; use the version that wrote it"
    )]
    Newer {
        /// The format in the folder.
        found: u32,
        /// The latest format this version reads.
        known: u32,
    },
    /// Too many calls wait for the disk.
    #[error("too many events are waiting to be written")]
    Full,
    /// The disk has less room than is kept free.
    #[error("the disk is nearly full")]
    DiskFull,
    /// The thread that writes has ended after an error.
    #[error("the store has stopped taking events")]
    Stopped,
    /// The disk or the store refused.
    #[error("the store failed")]
    Store(#[source] fjall::Error),
    /// The file system refused.
    #[error("the data directory cannot be used")]
    Folder(#[source] io::Error),
    /// A stored record does not read back.
    #[error("a stored event cannot be read")]
    Corrupt(#[source] serde_json::Error),
}

impl From<fjall::Error> for Error {
    fn from(error: fjall::Error) -> Self {
        match error {
            fjall::Error::Locked => Self::Locked,
            other => Self::Store(other),
        }
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
