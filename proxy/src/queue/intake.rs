//! The part of the queue that accepts events. Calls that arrive in the same turn of the runtime go to the writer together.

use std::{
    mem, slice,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
};

use serde::Serialize;
use tokio::{sync::oneshot, task};

use super::{
    ChangeLog, History, Orders, Waiter,
    ends::Ends,
    writer::{Answer, Call, Handle},
};
use crate::{
    clock::Clock,
    decide::{Class, DedupKey, Destination, Enqueued, Event, Note, Remember},
    history::Trace,
    live::Live,
    store::Error,
};

/// The most calls that can wait for the disk, and the most bytes of their events. Further calls are rejected.
const WAITING_CALLS: usize = 1024;
const WAITING_BYTES: usize = 32 * 1024 * 1024;
/// How many calls fill a bundle. The more calls are in a bundle, the less the fsync costs for each call. But the larger
/// the bundles are, the fewer of them the waiting calls fill. At least three bundles are needed at a time: one is
/// filled, one is written, and one is answered. With fewer bundles, the runtime would wait for the disk, and the disk
/// would wait for the runtime.
const BUNDLE_CALLS: usize = 22;
/// How many answered bundles pass their memory on to new bundles, and how many bytes each passes on at most. Two bundles
/// are enough, because one bundle is filled while another is written.
const SPARE: usize = 2;
const SPARE_BYTES: usize = 256 * 1024;

/// The part of the queue that accepts events.
#[derive(Clone)]
pub struct Intake {
    writer: Handle,
    depth: Arc<AtomicI64>,
    open: Arc<Mutex<Bundle>>,
    ends: Arc<Ends>,
    orders: Orders,
    live: Arc<Live>,
    history: History,
    change_log: ChangeLog,
}

/// One event to be enqueued.
#[derive(Debug)]
pub struct Entry<'a, E> {
    /// The deduplication key. Events with the same key are the same event.
    pub key: DedupKey,
    /// How long a repeat of the event is recognised.
    pub remember: Remember,
    /// The destination of the event.
    pub destination: Arc<Destination>,
    /// The class, which decides how early the event is delivered.
    pub class: Class,
    /// How the event arrived.
    pub trace: Trace,
    /// The order that the event names, and what the event means for that order.
    pub note: Option<Note>,
    /// The event that TikTok receives, as JSON.
    pub event: &'a E,
}

/// Calls that wait for the writer or are being written together.
pub(super) struct Bundle {
    waiting: Arc<Waiting>,
    text: Vec<u8>,
    packed: Vec<Packed>,
    calls: Vec<(Answer<Vec<Enqueued>>, usize)>,
}

/// An entry without the JSON of its event. The bundle's text contains the JSON of all events, in the sequence of the
/// entries.
struct Packed {
    key: DedupKey,
    remember: Remember,
    destination: Arc<Destination>,
    class: Class,
    trace: Trace,
    note: Option<Note>,
    bytes: usize,
}

/// The events of one call.
#[derive(Clone)]
pub(super) struct Entries<'a> {
    packed: slice::Iter<'a, Packed>,
    text: &'a [u8],
}

impl<'a> Iterator for Entries<'a> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        let packed = self.packed.next()?;
        let (json, rest) = self.text.split_at_checked(packed.bytes).unwrap_or_default();
        self.text = rest;
        Some(Event {
            key: packed.key,
            remember: packed.remember,
            destination: &packed.destination,
            class: packed.class,
            trace: &packed.trace,
            note: packed.note.as_ref(),
            json,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.packed.size_hint()
    }
}

/// The size of all bundles that the writer has not answered yet.
#[derive(Default)]
struct Waiting {
    calls: AtomicUsize,
    bytes: AtomicUsize,
    /// The memory of answered bundles, which new bundles use again. Allocating this memory again would cost more than
    /// writing to it.
    spare: Mutex<Vec<Room>>,
}

/// A bundle's text and its entries.
type Room = (Vec<u8>, Vec<Packed>);

impl Waiting {
    fn spare(&self) -> MutexGuard<'_, Vec<Room>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intake {
    pub(super) fn new(
        writer: Handle,
        depth: Arc<AtomicI64>,
        ends: Arc<Ends>,
        orders: Orders,
        (live, history, change_log): (Arc<Live>, History, ChangeLog),
    ) -> Self {
        Self {
            writer,
            depth,
            open: Arc::new(Mutex::new(Bundle::new(Arc::default()))),
            ends,
            orders,
            live,
            history,
            change_log,
        }
    }

    pub(super) fn writer(&self) -> Handle {
        self.writer.clone()
    }

    /// Returns the orders that events name.
    pub fn orders(&self) -> &Orders {
        &self.orders
    }

    /// Returns the channel of the notes for a live view.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// Returns the history of ended events.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Returns the change log.
    pub fn change_log(&self) -> &ChangeLog {
        &self.change_log
    }

    /// Returns the clock that measures periods and returns the time of day.
    pub fn clock(&self) -> &Clock {
        self.orders.clock()
    }

    /// Starts to write the entries in one atomic commit: all of them or none. Calls that arrive together share one fsync.
    /// When this function returns, the caller can free the data that the entries refer to.
    ///
    /// # Errors
    /// [`Error::Full`] if too many calls already wait, [`Error::Unwritable`] if an event cannot be written as JSON.
    pub fn begin<'a, E: Serialize + 'a>(
        &self,
        entries: impl IntoIterator<Item = Entry<'a, E>>,
    ) -> Result<Enqueuing<'_>, Error> {
        let added = self.bundle().add(entries)?;
        let (answered, is_first) = added.unzip();
        Ok(Enqueuing {
            answered,
            // The first call of a bundle sends the bundle to the writer. [`SendOnDrop`] sends the bundle even if the
            // caller drops this first call, because the bundle can contain other calls.
            first: (is_first == Some(true)).then(|| SendOnDrop(self)),
        })
    }

    /// Does what [`Intake::begin`] does, and waits for the result.
    ///
    /// # Errors
    /// The errors of [`Intake::begin`] and [`Enqueuing::done`].
    pub async fn enqueue<'a, E: Serialize + 'a>(
        &self,
        entries: impl IntoIterator<Item = Entry<'a, E>>,
    ) -> Result<Vec<Enqueued>, Error> {
        self.begin(entries)?.done().await
    }

    /// Returns a waiter for the outcome of the event with this key. The caller must call this before [`Intake::begin`],
    /// so that no outcome is missed.
    pub fn waiter(&self, key: DedupKey) -> Waiter {
        Waiter::new(&self.ends, key)
    }

    /// Returns how many events are pending, including claimed events.
    pub fn depth(&self) -> i64 {
        self.depth.load(Ordering::Relaxed)
    }

    /// Returns whether events can be written. If the last write failed, tries another write. Without this attempt, a
    /// proxy that a load balancer has taken out of service, and that so receives no events, could never recover. Also
    /// tries a write if other processes share the store, because the database can fail while no event arrives.
    pub async fn is_writable(&self) -> bool {
        let is_sure = self.writer.is_healthy() && !self.history.is_shared();
        is_sure || self.writer.ask(Call::Probe).await.is_ok()
    }

    /// Stops writing. The caller must call this after the last event was accepted or settled. The next start then knows
    /// that no write was interrupted. If the end of the journal is damaged all the same, the start reports the damage.
    /// Later calls get [`Error::Stopped`].
    pub async fn close(&self) {
        // If the writer has already ended, the store is closed too.
        let _ = self.writer.ask(Call::Close).await;
    }

    /// Waits until a turn of the runtime brings no new call, or until the bundle is full.
    async fn gather(&self) {
        let mut before = 0;
        loop {
            let calls = self.bundle().calls.len();
            if calls == before || calls >= BUNDLE_CALLS {
                return;
            }
            before = calls;
            task::yield_now().await;
        }
    }

    fn bundle(&self) -> MutexGuard<'_, Bundle> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Entries that are being written to disk.
#[must_use]
pub struct Enqueuing<'a> {
    answered: Option<oneshot::Receiver<Result<Vec<Enqueued>, Error>>>,
    first: Option<SendOnDrop<'a>>,
}

impl Enqueuing<'_> {
    /// Waits until the entries are on disk, and returns the result of each entry.
    ///
    /// # Errors
    /// [`Error::DiskFull`] if the disk is nearly full, [`Error::Stopped`] if the disk fails.
    pub async fn done(self) -> Result<Vec<Enqueued>, Error> {
        if let Some(bundle) = self.first {
            bundle.0.gather().await;
        }
        match self.answered {
            Some(answered) => answered.await.unwrap_or(Err(Error::Stopped)),
            None => Ok(Vec::new()),
        }
    }
}

/// When this value is dropped, it sends the open bundle to the writer.
struct SendOnDrop<'a>(&'a Intake);

impl Drop for SendOnDrop<'_> {
    fn drop(&mut self) {
        let mut open = self.0.bundle();
        let next = Bundle::new(Arc::clone(&open.waiting));
        self.0.writer.send(mem::replace(&mut *open, next));
    }
}

type Added = (oneshot::Receiver<Result<Vec<Enqueued>, Error>>, bool);

impl Bundle {
    fn new(waiting: Arc<Waiting>) -> Self {
        let (text, packed) = waiting.spare().pop().unwrap_or_default();
        Self {
            waiting,
            text,
            packed,
            calls: Vec::new(),
        }
    }

    /// Adds a call. Returns whether the call is the first in the bundle, or `None` if the call has no entries.
    fn add<'a, E: Serialize + 'a>(
        &mut self,
        entries: impl IntoIterator<Item = Entry<'a, E>>,
    ) -> Result<Option<Added>, Error> {
        let waiting = &self.waiting;
        if waiting.calls.load(Ordering::Relaxed) >= WAITING_CALLS
            || waiting.bytes.load(Ordering::Relaxed) >= WAITING_BYTES
        {
            return Err(Error::Full);
        }
        let (text, packed) = (self.text.len(), self.packed.len());
        for entry in entries {
            if let Err(error) = self.pack(&entry) {
                self.text.truncate(text);
                self.packed.truncate(packed);
                return Err(error);
            }
        }
        let count = self.packed.len() - packed;
        if count == 0 {
            return Ok(None);
        }
        let bytes = self.text.len() - text;
        self.waiting.calls.fetch_add(1, Ordering::Relaxed);
        self.waiting.bytes.fetch_add(bytes, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.calls.push((answer, count));
        Ok(Some((answered, self.calls.len() == 1)))
    }

    fn pack<E: Serialize>(&mut self, entry: &Entry<'_, E>) -> Result<(), Error> {
        let start = self.text.len();
        serde_json::to_writer(&mut self.text, entry.event).map_err(|_| Error::Unwritable)?;
        self.packed.push(Packed {
            key: entry.key,
            remember: entry.remember,
            destination: Arc::clone(&entry.destination),
            class: entry.class,
            trace: entry.trace.clone(),
            note: entry.note.clone(),
            bytes: self.text.len() - start,
        });
        Ok(())
    }

    /// Returns the entries of each call, each with its event as JSON.
    pub(super) fn calls(&self) -> impl Iterator<Item = Entries<'_>> {
        let (mut packed, mut text) = (self.packed.as_slice(), self.text.as_slice());
        self.calls.iter().map(move |(_, count)| {
            let (entries, behind) = packed.split_at_checked(*count).unwrap_or_default();
            packed = behind;
            let bytes = entries.iter().map(|entry| entry.bytes).sum();
            let (events, behind) = text.split_at_checked(bytes).unwrap_or_default();
            text = behind;
            Entries {
                packed: entries.iter(),
                text: events,
            }
        })
    }

    /// Answers every call. `results` must have one result for each call.
    pub(super) fn answer(mut self, results: Vec<Result<Vec<Enqueued>, Error>>) {
        for ((answer, _), result) in self.release().into_iter().zip(results) {
            // The caller may have stopped waiting. Its events are stored even so.
            let _ = answer.send(result);
        }
    }

    /// Answers every call with the error that the disk is nearly full.
    pub(super) fn refuse(mut self) {
        for (answer, _) in self.release() {
            let _ = answer.send(Err(Error::DiskFull));
        }
    }

    /// Subtracts this bundle from the size of the waiting bundles, and returns the bundle's calls. A second call of this
    /// function changes nothing and returns no calls.
    fn release(&mut self) -> Vec<(Answer<Vec<Enqueued>>, usize)> {
        let waiting = &self.waiting;
        let calls = mem::take(&mut self.calls);
        waiting.calls.fetch_sub(calls.len(), Ordering::Relaxed);
        waiting.bytes.fetch_sub(self.text.len(), Ordering::Relaxed);
        self.text.clear();
        self.packed.clear();
        let mut spare = waiting.spare();
        if self.text.capacity() <= SPARE_BYTES && spare.len() < SPARE {
            spare.push((mem::take(&mut self.text), mem::take(&mut self.packed)));
        }
        drop(spare);
        calls
    }
}

impl Drop for Bundle {
    /// The calls that were not answered get [`Error::Stopped`], because their senders are dropped.
    fn drop(&mut self) {
        self.release();
    }
}
