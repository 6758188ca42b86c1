//! Stores accepted events until they are settled, that is, until their final result is recorded. An event is on disk
//! before the proxy answers that the event is accepted.
//!
//! # Invariants
//!
//! 1. **Durable before answered.** When [`Intake::enqueue`] returns `Ok`, every event that it reports as
//!    [`Enqueued::Accepted`](crate::decide::Enqueued::Accepted) has been fsynced.
//! 2. **Decided once.** While a key is remembered, exactly one event with this key is accepted. This also holds for concurrent
//!    events and across restarts. The decision and the write are one atomic commit.
//! 3. **Out when settled.** An event leaves the queue only through [`Lane::settle`], which records one outcome for the
//!    event. An event that was claimed but not settled before the process ended is claimed again.
//! 4. **In order, separate, and bounded.** The events of one destination and [`Class`](crate::decide::Class) are claimed
//!    in the sequence in which they were accepted. No destination waits for another destination. Pending events are on
//!    disk. Only open calls, claimed batches and the latest deduplication keys are in memory.
//! 5. **On disk or rejected.** If a write fails, each caller that waits for this write gets an error. No event is
//!    accepted until the store has been opened again and read from disk. If a database did not answer in time, the calls
//!    that were queued in the meantime get an error too. Otherwise they would have to wait for a second attempt, and so
//!    twice as long.
//! 6. **Money once.** A transfer is counted once, even if its provider sends it again. One commit stores that an order is paid
//!    and that its events are pending. A held event is held until the order is paid or 72 hours have passed. Whether a paid
//!    order was reported is stored with the order (see [`orders`](crate::orders)), not in the deduplication memory.
//! 7. **By a clock that nobody can set.** The [`Clock`] of the store measures all periods. While the clock's time is in
//!    doubt, nothing expires and nothing is forgotten.
//!
//! # Not promised
//!
//! Delivery is at least once, not exactly once. If the power fails just after TikTok accepted an event, the proxy sends the
//! event again under the same `event_id`. TikTok drops the repeat.
//!
//! The parts of the queue are different types. A handler holds [`Intake`] and [`Orders`] and cannot claim. A courier holds
//! [`Lane`] and cannot enqueue. [`DeadLetters`] is for operators.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use tokio::{runtime::Handle, sync::mpsc};

use crate::{
    clock::{self, Clock, Reading},
    decide::Books,
    history::Salt,
    live::Live,
    metrics::Metrics,
    store::{Embedded, Postgres, Reader, Source, Store},
};

mod change_log;
mod dead_letters;
mod ends;
mod group;
mod history;
mod intake;
mod lane;
mod orders;
mod space;
mod unreported;
mod withdrawn;
mod writer;

pub use crate::store::{
    Database, Error, Process,
    embedded::{FORMAT, reads},
    moving::{Moved, to_database, to_folder},
};
pub use change_log::ChangeLog;
pub use dead_letters::{DeadLetters, Interrupted};
pub use ends::Waiter;
pub use history::{Found, History};
pub use intake::{Enqueuing, Entry, Intake};
pub use lane::{Batch, Claimed, Lane, Limits, When};
pub use orders::Orders;

use lane::Ending;
use space::Space;
use withdrawn::Withdrawn;
use writer::{Answered, Call, NewLane, Writer};

/// Opens the store in `folder`, and creates the folder if needed. While less than `reserve_bytes` are free on the disk,
/// the queue accepts no events.
///
/// # Panics
/// Panics outside of a tokio runtime, because a task of the runtime sends the answers.
///
/// # Errors
/// [`Error::Locked`] if another process has the store open, [`Error::Format`] if another version wrote the store,
/// [`Error::Store`] or [`Error::Folder`] if the disk fails.
pub fn open(
    folder: &Path,
    reserve_bytes: u64,
    metrics: Arc<Metrics>,
) -> Result<(Intake, Outlet, DeadLetters), Error> {
    open_by(clock::reading, folder, reserve_bytes, metrics)
}

/// Returns the format of the store in `folder`, without changing the folder. Returns `None` if there is no store yet.
///
/// # Errors
/// [`Error::Locked`] if another process has the store open, [`Error::Store`] or [`Error::Folder`] if the disk fails.
pub fn format_of(folder: &Path) -> Result<Option<u32>, Error> {
    Embedded::at(folder)?.format_of_folder()
}

/// Checks that a database does not lose committed data, and returns the format of its tables. Changes nothing in the
/// database. Returns `None` if there are no tables yet.
///
/// # Errors
/// The same as those of [`open_shared`].
pub fn format_of_shared(database: &Database) -> Result<Option<i32>, Error> {
    Postgres::format_of(database)
}

/// Returns advice: the settings of a database that should be different, and what to do about them.
///
/// # Errors
/// The same as those of [`open_shared`].
pub fn advice_on(database: &Database) -> Result<Vec<String>, Error> {
    Postgres::advice(database, clock::now_ms)
}

/// Does what [`open`] does, but reads the time from `read`.
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
    let (intake, outlet, letters) = start(source, read, space, metrics)?;
    let outlet = Outlet {
        #[cfg(test)]
        embedded: Some(embedded),
        ..outlet
    };
    Ok((intake, outlet, letters))
}

/// Opens the store in a database. Other processes can have the store open at the same time. Only a process that
/// `delivers` claims events.
///
/// # Panics
/// Panics outside of a tokio runtime, because a task of the runtime sends the answers.
///
/// # Errors
/// [`Error::Unsuitable`] if the database could lose committed data, or if another version wrote its tables,
/// [`Error::Database`] if the database cannot be used.
pub fn open_shared(
    database: &Database,
    delivers: bool,
    metrics: Arc<Metrics>,
) -> Result<(Intake, Outlet, DeadLetters), Error> {
    let source = Postgres::at(database)?;
    if delivers {
        for advice in advice_on(database)? {
            tracing::warn!("the database: {advice}");
        }
    }
    let parts = start(source, clock::reading, Space::boundless(), metrics)?;
    if delivers {
        tokio::spawn(parts.0.writer().look_often());
    }
    Ok(parts)
}

/// Opens a store, and starts its thread and tasks.
fn start<S: Source>(
    source: S,
    read: fn() -> Reading,
    space: Space,
    metrics: Arc<Metrics>,
) -> Result<(Intake, Outlet, DeadLetters), Error> {
    let (core, intake, outlet, letters) = assemble(source, read, space, metrics)?;
    writer::start(core.writer, core.calls)?;
    tokio::spawn(hand_out(core.answers));
    tokio::spawn(intake.writer().sweep_every_minute());
    Ok((intake, outlet, letters))
}

/// Returns a queue over any store, with any clock. The queue has no thread and no task of its own, so the caller must
/// call [`Core::turn`].
///
/// # Errors
/// An error if the store cannot be opened.
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
    let (live, salt) = (Arc::<Live>::default(), store.salt());
    let waiting = Arc::new(AtomicI64::new(0));
    let (lanes, new_lanes) = mpsc::unbounded_channel();
    let (enqueued, answers) = mpsc::unbounded_channel();
    let withdrawn = Arc::<Withdrawn>::default();
    let shared = writer::Shared {
        waiting: Arc::clone(&waiting),
        metrics,
        clock: clock.clone(),
        space,
        lanes,
        enqueued,
        withdrawn: Arc::clone(&withdrawn),
        live: Arc::clone(&live),
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
        withdrawn,
        salt,
        clock: clock.clone(),
    };
    let letters = DeadLetters::new(Arc::clone(&reader), handle.clone());
    let history = History::new(Arc::clone(&reader), salt);
    let change_log = ChangeLog::new(Arc::clone(&reader), handle.clone());
    let orders = Orders::new(reader, handle.clone(), clock);
    let intake = Intake::new(handle, waiting, ends, orders, (live, history, change_log));
    let core = Core {
        writer,
        calls,
        answers,
    };
    Ok((core, intake, outlet, letters))
}

/// The writer of a queue without a thread. The caller runs it with [`Core::turn`].
pub struct Core<S: Source> {
    writer: Writer<S>,
    calls: mpsc::Receiver<Call>,
    answers: mpsc::UnboundedReceiver<Vec<Answered>>,
}

impl<S: Source> Core<S> {
    /// Reads what other processes have written to a shared store, and renews the leases.
    pub fn look(&mut self) {
        self.writer.work(&mut vec![Call::Look]);
    }

    /// Executes at most `most` waiting calls in one commit, and answers them. With `sweep`, also removes expired entries.
    /// Returns whether there was anything to do.
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
        self.writer.reject_overdue(&mut self.calls);
        while let Ok(answers) = self.answers.try_recv() {
            for (bundle, results) in answers {
                bundle.answer(results);
            }
        }
        true
    }
}

/// Runs `work`, which reads from the disk, on a separate thread, so that the runtime's thread stays free for other
/// requests. Without a runtime, runs `work` at once.
///
/// # Errors
/// The errors of `work`, and [`Error::Stopped`] if `work` panics.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let Ok(runtime) = Handle::try_current() else {
        return work();
    };
    let done = runtime.spawn_blocking(work).await;
    done.unwrap_or(Err(Error::Stopped))
}

/// Sends the answers of each commit. The task ends when the writer ends.
async fn hand_out(mut commits: mpsc::UnboundedReceiver<Vec<Answered>>) {
    while let Some(answers) = commits.recv().await {
        for (bundle, results) in answers {
            bundle.answer(results);
        }
    }
}

/// The part of the queue that delivers: one lane for each destination.
pub struct Outlet {
    #[cfg(test)]
    embedded: Option<Embedded>,
    store: Arc<dyn Reader>,
    writer: writer::Handle,
    waiting: Arc<AtomicI64>,
    new_lanes: mpsc::UnboundedReceiver<NewLane>,
    ends: Arc<ends::Ends>,
    withdrawn: Arc<Withdrawn>,
    salt: Salt,
    clock: Clock,
}

impl Outlet {
    /// Waits until a destination has its first events since the start, and returns the lane of this destination. After
    /// the store was closed, this function never returns.
    pub async fn lane(&mut self) -> Lane {
        match self.new_lanes.recv().await {
            Some(new) => self.lane_of(new),
            None => std::future::pending().await,
        }
    }

    /// Does what [`Outlet::lane`] does, but returns `None` instead of waiting.
    pub fn lane_now(&mut self) -> Option<Lane> {
        let new = self.new_lanes.try_recv().ok()?;
        Some(self.lane_of(new))
    }

    fn lane_of(&self, new: NewLane) -> Lane {
        Lane::new(
            new,
            Arc::clone(&self.store),
            self.writer.clone(),
            Ending {
                ends: Arc::clone(&self.ends),
                withdrawn: Arc::clone(&self.withdrawn),
                salt: self.salt,
            },
            self.clock.clone(),
        )
    }

    /// Returns how many events are pending, including claimed events.
    pub fn depth(&self) -> i64 {
        self.waiting.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
