//! Where accepted events wait: what goes in is on disk before it is answered, and comes out until it
//! is settled.
//!
//! # Invariants
//!
//! 1. **Durable before answered.** When [`Intake::enqueue`] returns `Ok`, every event of that call that
//!    it reports as [`Enqueued::Accepted`](crate::decide::Enqueued::Accepted) has been fsynced.
//! 2. **Decided once.** Of any number of events with one key, concurrent or not, before or after a
//!    restart, exactly one is accepted while the key is remembered. The decision and the write are one
//!    atomic commit.
//! 3. **Out when settled.** An event leaves the queue only through [`Lane::settle`], with one outcome. What
//!    was claimed and not settled when the process ended is claimed again.
//! 4. **In order, apart, and bounded.** The events of one destination and [`Class`](crate::decide::Class) are claimed
//!    in the order in which they were accepted, and no destination waits for another. What waits is on disk: the heap holds the
//!    calls under way, the batches that were claimed, and the latest deduplication keys.
//! 5. **On disk or refused.** When a write fails, whoever waits for it is told so, and nothing is taken until
//!    the store has been opened again and what is on disk has been read anew.
//! 6. **Money once.** A transfer is counted once, whatever its provider repeats. That an order is paid and that its
//!    events wait to be delivered is one commit; an event that waits for a payment leaves that state only when the order
//!    is paid or 72 hours have passed. Whether a paid order is reported is for the order to say (see [`orders`](crate::orders)),
//!    never for the deduplication memory.
//! 7. **By a clock that nobody sets.** Periods are counted and ended by the [`Clock`] of the store; while that is in
//!    doubt, nothing expires and nothing is forgotten.
//!
//! # What it does not promise
//!
//! Exactly-once. Delivery is at least once: an event that TikTok took just before the power went is sent
//! again, under the same `event_id`, and TikTok drops the repeat.
//!
//! The halves are different types, so that a handler cannot claim and a courier cannot enqueue. [`Orders`] belongs to
//! the first half; what died is a third, for operators.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use tokio::sync::mpsc;

use crate::{
    clock::{self, Clock, Reading},
    metrics::Metrics,
    store::{Embedded, Reader, Source, Store},
};

mod dead_letters;
mod ends;
mod group;
mod intake;
mod lane;
mod orders;
mod space;
mod unreported;
mod writer;

pub use crate::store::Error;
pub use dead_letters::{DeadLetters, Interrupted};
pub use ends::Waiter;
pub use intake::{Enqueuing, Entry, Intake};
pub use lane::{Batch, Claimed, Lane, Limits};
pub use orders::Orders;

use space::Space;
use writer::{Answered, Call, NewLane, Writer};

/// Opens the store in `folder`, which is created if it is not there. It takes no more events once less than
/// `reserve_bytes` are free on its disk.
///
/// # Panics
/// Outside of a tokio runtime: a task on it hands out the answers.
///
/// # Errors
/// [`Error::Locked`] when another process has it open, [`Error::Format`] when another version wrote it,
/// [`Error::Store`] and [`Error::Folder`] when the disk refuses.
pub fn open(
    folder: &Path,
    reserve_bytes: u64,
    metrics: Arc<Metrics>,
) -> Result<(Intake, Outlet, DeadLetters), Error> {
    open_by(clock::reading, folder, reserve_bytes, metrics)
}

/// As [`open`], by the clocks that `read` reads.
pub(crate) fn open_by(
    read: fn() -> Reading,
    folder: &Path,
    reserve_bytes: u64,
    metrics: Arc<Metrics>,
) -> Result<(Intake, Outlet, DeadLetters), Error> {
    let source = Embedded::at(folder)?;
    #[cfg(test)]
    let embedded = source.clone();
    let space = Space::new(folder.to_owned(), reserve_bytes);
    let (core, intake, outlet, letters) = assemble(source, read, space, metrics)?;
    writer::start(core.writer, core.calls)?;
    tokio::spawn(hand_out(core.answers));
    tokio::spawn(intake.writer().sweep_every_minute());
    let outlet = Outlet {
        #[cfg(test)]
        embedded: Some(embedded),
        ..outlet
    };
    Ok((intake, outlet, letters))
}

/// The queue over any store, by any clocks, without a thread or a task of its own: [`Core`] has to be turned.
///
/// # Errors
/// When the store cannot be opened.
pub fn over<S: Source>(
    source: S,
    read: fn() -> Reading,
    metrics: Arc<Metrics>,
) -> Result<(Core<S>, Intake, Outlet, DeadLetters), Error> {
    assemble(source, read, Space::boundless(), metrics)
}

fn assemble<S: Source>(
    source: S,
    read: fn() -> Reading,
    space: Space,
    metrics: Arc<Metrics>,
) -> Result<(Core<S>, Intake, Outlet, DeadLetters), Error> {
    let store = source.open()?;
    let clock = Clock::start(read, store.position()?.written_ms);
    let waiting = Arc::new(AtomicI64::new(0));
    let (lanes, new_lanes) = mpsc::unbounded_channel();
    let (enqueued, answers) = mpsc::unbounded_channel();
    let shared = writer::Shared {
        waiting: Arc::clone(&waiting),
        metrics,
        clock: clock.clone(),
        space,
        lanes,
        enqueued,
    };
    let (handle, calls) = writer::channel();
    let reader: Arc<dyn Reader> = Arc::new(source.clone());
    let writer = Writer::new(source, store, &handle, shared)?;
    let ends = Arc::default();
    let outlet = Outlet {
        #[cfg(test)]
        embedded: None,
        store: Arc::clone(&reader),
        writer: handle.clone(),
        waiting: Arc::clone(&waiting),
        new_lanes,
        ends: Arc::clone(&ends),
        clock: clock.clone(),
    };
    let letters = DeadLetters::new(Arc::clone(&reader), handle.clone());
    let orders = Orders::new(reader, handle.clone(), clock);
    let intake = Intake::new(handle, waiting, ends, orders);
    let core = Core {
        writer,
        calls,
        answers,
    };
    Ok((core, intake, outlet, letters))
}

/// The part of the queue that writes, for whoever turns it by hand.
pub struct Core<S: Source> {
    writer: Writer<S>,
    calls: mpsc::Receiver<Call>,
    answers: mpsc::UnboundedReceiver<Vec<Answered>>,
}

impl<S: Source> Core<S> {
    /// Carries out at most `most` of the calls that wait, in one commit, and answers them. With `sweep`, also removes
    /// what has expired. Whether there was anything to do.
    pub fn turn(&mut self, most: usize, sweep: bool) -> bool {
        let mut calls = Vec::new();
        while calls.len() < most
            && let Ok(call) = self.calls.try_recv()
        {
            calls.push(call);
        }
        if sweep {
            calls.push(Call::Sweep);
        }
        if calls.is_empty() {
            return false;
        }
        self.writer.work(&mut calls);
        while let Ok(answers) = self.answers.try_recv() {
            for (bundle, results) in answers {
                bundle.answer(results);
            }
        }
        true
    }
}

/// Does on a thread of its own what reads from the disk: the runtime's thread has others to serve.
///
/// # Errors
/// Those of `work`; [`Error::Stopped`] when it panics.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or(Err(Error::Stopped))
}

/// Ends when the writer does.
async fn hand_out(mut commits: mpsc::UnboundedReceiver<Vec<Answered>>) {
    while let Some(answers) = commits.recv().await {
        for (bundle, results) in answers {
            bundle.answer(results);
        }
    }
}

/// The half that gives events out: one lane for each destination.
pub struct Outlet {
    #[cfg(test)]
    embedded: Option<Embedded>,
    store: Arc<dyn Reader>,
    writer: writer::Handle,
    waiting: Arc<AtomicI64>,
    new_lanes: mpsc::UnboundedReceiver<NewLane>,
    ends: Arc<ends::Ends>,
    clock: Clock,
}

impl Outlet {
    /// The lane of a destination that has events for the first time since the start. Returns when there is
    /// one; never again once the store is closed.
    pub async fn lane(&mut self) -> Lane {
        match self.new_lanes.recv().await {
            Some(new) => self.lane_of(new),
            None => std::future::pending().await,
        }
    }

    /// As [`Outlet::lane`], if there is one already.
    pub fn lane_now(&mut self) -> Option<Lane> {
        let new = self.new_lanes.try_recv().ok()?;
        Some(self.lane_of(new))
    }

    fn lane_of(&self, new: NewLane) -> Lane {
        Lane::new(
            new,
            Arc::clone(&self.store),
            self.writer.clone(),
            Arc::clone(&self.ends),
            self.clock.clone(),
        )
    }

    /// How many events wait, claimed ones included.
    pub fn depth(&self) -> i64 {
        self.waiting.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
