//! The half that takes events in: calls that come in one turn of the runtime go to the writer together.

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
    Orders, Waiter,
    ends::Ends,
    writer::{Answer, Call, Handle},
};
use crate::{
    clock::Clock,
    decide::{Class, DedupKey, Destination, Enqueued, Event, Note, Remember},
    store::Error,
};

/// The most calls that may wait for the disk, and the most bytes of their events; more are turned away.
const WAITING_CALLS: usize = 1024;
const WAITING_BYTES: usize = 32 * 1024 * 1024;
/// How many calls are enough for a bundle. The more share an fsync the less it costs each, but while one bundle is
/// written, the next shall come: with all calls in one, the runtime would wait for the disk and the disk for it.
const BUNDLE_CALLS: usize = 32;
/// How many answered bundles leave their memory to the next ones, and how much each: one is filled while one is
/// written.
const SPARE: usize = 2;
const SPARE_BYTES: usize = 256 * 1024;

/// The half that takes events in.
#[derive(Clone)]
pub struct Intake {
    writer: Handle,
    depth: Arc<AtomicI64>,
    open: Arc<Mutex<Bundle>>,
    ends: Arc<Ends>,
    orders: Orders,
}

/// One event on its way in.
#[derive(Debug)]
pub struct Entry<'a, E> {
    /// What makes it the same event as another.
    pub key: DedupKey,
    /// How long a repeat is recognised.
    pub remember: Remember,
    /// Where it goes.
    pub destination: Arc<Destination>,
    /// How urgent it is.
    pub class: Class,
    /// The state of the Pixel's copy, by which it is counted.
    pub pixel: &'static str,
    /// The order it names, and what it means for it.
    pub note: Option<Note>,
    /// What TikTok gets, as JSON.
    pub event: &'a E,
}

/// Calls on their way to the writer.
pub(super) struct Bundle {
    waiting: Arc<Waiting>,
    text: Vec<u8>,
    packed: Vec<Packed>,
    calls: Vec<(Answer<Vec<Enqueued>>, usize)>,
}

/// An entry whose event lies in the bundle's text, behind the one before it.
struct Packed {
    key: DedupKey,
    remember: Remember,
    destination: Arc<Destination>,
    class: Class,
    pixel: &'static str,
    note: Option<Note>,
    bytes: usize,
}

/// What came in one call.
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
            pixel: packed.pixel,
            note: packed.note.as_ref(),
            json,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.packed.size_hint()
    }
}

/// What all bundles hold that the writer has not answered.
#[derive(Default)]
struct Waiting {
    calls: AtomicUsize,
    bytes: AtomicUsize,
    /// Answered bundles' memory, for the next ones: to free and to find that much again costs more than
    /// to write it.
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
    ) -> Self {
        Self {
            writer,
            depth,
            open: Arc::new(Mutex::new(Bundle::new(Arc::default()))),
            ends,
            orders,
        }
    }

    pub(super) fn writer(&self) -> Handle {
        self.writer.clone()
    }

    /// The orders that events name.
    pub fn orders(&self) -> &Orders {
        &self.orders
    }

    /// What periods are counted by, and the time of day.
    pub fn clock(&self) -> &Clock {
        self.orders.clock()
    }

    /// Has the entries written in one atomic commit, or none of them. Calls that come together share one
    /// fsync. What the entries refer to is not needed any more once this returns.
    ///
    /// # Errors
    /// [`Error::Full`] when too much is waiting already; [`Error::Unwritable`] when an event is no JSON.
    pub fn begin<'a, E: Serialize + 'a>(
        &self,
        entries: impl IntoIterator<Item = Entry<'a, E>>,
    ) -> Result<Enqueuing<'_>, Error> {
        let added = self.bundle().add(entries)?;
        let (answered, is_first) = added.unzip();
        Ok(Enqueuing {
            answered,
            // Whatever becomes of this call, the others in its bundle rely on it.
            first: (is_first == Some(true)).then(|| SendOnDrop(self)),
        })
    }

    /// As [`Intake::begin`], and waits.
    ///
    /// # Errors
    /// As [`Intake::begin`] and [`Enqueuing::done`].
    pub async fn enqueue<'a, E: Serialize + 'a>(
        &self,
        entries: impl IntoIterator<Item = Entry<'a, E>>,
    ) -> Result<Vec<Enqueued>, Error> {
        self.begin(entries)?.done().await
    }

    /// Waits for the end of the event with this key. To miss nothing, this comes before [`Intake::begin`].
    pub fn waiter(&self, key: DedupKey) -> Waiter {
        Waiter::new(&self.ends, key)
    }

    /// How many events wait to be delivered, those under way included.
    pub fn depth(&self) -> i64 {
        self.depth.load(Ordering::Relaxed)
    }

    /// Whether events can be written. Where the last write failed, another is tried: a proxy that is taken
    /// out of service for it gets no event that could tell.
    pub async fn is_writable(&self) -> bool {
        self.writer.is_healthy() || self.writer.ask(Call::Probe).await.is_ok()
    }

    /// Ends the writing, once nothing more is to be accepted or settled: the next start can then tell damage from a write
    /// that was under way. Calls that come later learn that the store has stopped.
    pub async fn close(&self) {
        // A writer that has ended is closed too.
        let _ = self.writer.ask(Call::Close).await;
    }

    /// Returns when a turn of the runtime has brought no further call, or there are enough.
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

/// Entries on their way to the disk.
#[must_use]
pub struct Enqueuing<'a> {
    answered: Option<oneshot::Receiver<Result<Vec<Enqueued>, Error>>>,
    first: Option<SendOnDrop<'a>>,
}

impl Enqueuing<'_> {
    /// What became of each entry, once it is on disk.
    ///
    /// # Errors
    /// [`Error::DiskFull`] before the disk is; [`Error::Stopped`] when it refuses.
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

/// Sends the open bundle to the writer.
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

    /// Adds a call, and says whether it is the first; `None` for one without entries.
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
            pixel: entry.pixel,
            note: entry.note.clone(),
            bytes: self.text.len() - start,
        });
        Ok(())
    }

    /// The entries of each call, each with its event's JSON.
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

    /// Answers every call; `results` has one for each.
    pub(super) fn answer(mut self, results: Vec<Result<Vec<Enqueued>, Error>>) {
        for ((answer, _), result) in self.release().into_iter().zip(results) {
            // A caller that went away has its events kept all the same.
            let _ = answer.send(result);
        }
    }

    /// Tells every call that the disk is nearly full.
    pub(super) fn refuse(mut self) {
        for (answer, _) in self.release() {
            let _ = answer.send(Err(Error::DiskFull));
        }
    }

    /// Makes room for others, and gives its calls away. Does nothing the second time.
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
    /// Calls that nobody answered learn that the store has stopped.
    fn drop(&mut self) {
        self.release();
    }
}
