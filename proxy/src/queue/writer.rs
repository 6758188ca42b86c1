//! The one thread that writes: it takes every call that waits, commits them together, and answers each.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    thread,
    time::Instant,
};

use tokio::sync::mpsc;

use super::{intake::Bundle, space::Space, unreported::Unreported};
use crate::{
    clock::Clock,
    decide::{Counts, Destination, Enqueued},
    metrics::Metrics,
    outcome::Outcome,
    store::{Error, Source, Store},
};

mod calls;
mod lanes;
mod replies;
mod state;

pub(super) use calls::{Answer, Call, Handle, channel};
pub(super) use lanes::{Arrivals, NewLane};
use replies::{Replies, given_up};
pub(super) use state::State;

/// The most calls that share one commit.
const GROUP: usize = 512;

/// What the writer tells the rest of the process.
pub(super) struct Shared {
    pub(super) waiting: Arc<AtomicI64>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Clock,
    pub(super) space: Space,
    /// Destinations that have events for the first time since the start.
    pub(super) lanes: mpsc::UnboundedSender<NewLane>,
    /// Answers of one commit, to be given on the runtime's own thread: one wake-up for all of them.
    pub(super) enqueued: mpsc::UnboundedSender<Vec<Answered>>,
}

/// Calls and what became of each.
pub(super) type Answered = (Bundle, Vec<Result<Vec<Enqueued>, Error>>);

/// Starts the thread. It ends when the last handle is dropped; the calls that came before are still
/// answered.
pub(super) fn start<S: Source>(
    writer: Writer<S>,
    waiting: mpsc::Receiver<Call>,
) -> Result<(), Error> {
    thread::Builder::new()
        .name("queue-writer".to_owned())
        .spawn(move || run(writer, waiting))
        .map_err(Error::Folder)?;
    Ok(())
}

fn run<S: Source>(mut writer: Writer<S>, mut waiting: mpsc::Receiver<Call>) {
    let mut calls = Vec::new();
    let mut closing = Vec::new();
    while closing.is_empty() && waiting.blocking_recv_many(&mut calls, GROUP) > 0 {
        let close = calls.extract_if(.., |call| matches!(call, Call::Close(_)));
        closing.extend(close);
        writer.work(&mut calls);
    }
    let closed = writer.close();
    if let Err(error) = &closed {
        tracing::warn!(error = ?error, "the store was closed as if by a crash; nothing is lost by that");
    }
    for call in closing {
        if let Call::Close(answer) = call {
            // Whoever asked may have gone.
            let _ = answer.send(Ok(()));
        }
    }
}

/// Does the work of calls, without a thread of its own.
pub(super) struct Writer<S: Source> {
    source: S,
    /// `None` after the disk failed, until the store is open again.
    state: Option<State<S::Store>>,
    /// How often the store has been opened.
    opened: u64,
    shared: Shared,
    healthy: Arc<AtomicBool>,
    /// The destinations that have a lane. Where events wait, the position says.
    lanes: HashMap<Arc<Destination>, Arc<Arrivals>>,
    unreported: Unreported,
}

impl<S: Source> Writer<S> {
    /// A writer of an open store.
    pub(super) fn new(
        source: S,
        store: S::Store,
        handle: &Handle,
        shared: Shared,
    ) -> Result<Self, Error> {
        let mut writer = Self {
            state: Some(State::load(store, 1)?),
            source,
            opened: 1,
            shared,
            healthy: Arc::clone(&handle.healthy),
            lanes: HashMap::new(),
            unreported: Unreported::default(),
        };
        writer.announce_everything();
        Ok(writer)
    }

    /// Carries out calls in one commit, and answers them.
    pub(super) fn work(&mut self, calls: &mut Vec<Call>) {
        let sweep = calls.iter().any(|call| matches!(call, Call::Sweep));
        self.commit(calls.drain(..));
        self.tidy_up(sweep);
    }

    /// Calls whose commit fails are dropped, and so learn that the store has stopped.
    fn commit(&mut self, calls: impl Iterator<Item = Call>) {
        let since = Instant::now();
        let short = self.shared.space.is_short();
        // Before anybody is turned away: who then asks whether the store is writable is told the truth.
        if short && self.healthy.swap(false, Ordering::Relaxed) {
            tracing::error!("the disk is nearly full; no event is taken until there is room");
        }
        let times = self.shared.clock.times();
        let mut replies = Replies::default();
        let committed = self
            .open_state()
            .and_then(|state| state.commit(calls, short, times, &mut replies));
        match committed {
            Ok(committed) => {
                // One that was not synced, such as an idle sweep's, does not say that the disk takes writes again.
                if committed.synced {
                    self.healthy.store(!short, Ordering::Relaxed);
                    let took = since.elapsed().as_secs_f64();
                    self.shared.metrics.commit_seconds.observe(took);
                }
                self.unreported.changed(committed.counts.unreported);
                // Also where the caller has gone.
                self.count(&committed.counts);
                self.announce(committed.arrivals);
                replies.give(&self.shared);
            }
            Err(error) => self.failed(&error),
        }
    }

    fn open_state(&mut self) -> Result<&mut State<S::Store>, Error> {
        self.check();
        if self.state.is_none() {
            let store = self.source.open()?;
            self.opened += 1;
            self.state = Some(State::load(store, self.opened)?);
            tracing::info!("the store is open again");
            self.announce_everything();
        }
        self.state.as_mut().ok_or(Error::Stopped)
    }

    /// Notices that the store's own threads have failed, before somebody's call does.
    fn check(&mut self) {
        let checked = self.state.as_ref().map(|state| state.store.check());
        if let Some(Err(error)) = checked {
            self.failed(&error);
        }
    }

    /// Nothing that is held in memory can be relied on now; what is on disk is the truth.
    fn failed(&mut self, error: &Error) {
        tracing::error!(error = ?error, "the store failed; its callers get a 503, and it is opened again");
        self.healthy.store(false, Ordering::Relaxed);
        self.state = None;
    }

    /// Returns the numbers of events that are pending and held.
    fn numbers(&self) -> Option<(i64, i64)> {
        let position = &self.state.as_ref()?.position;
        let number = |events| i64::try_from(events).unwrap_or(i64::MAX);
        Some((number(position.waiting()), number(position.held)))
    }

    fn count(&self, counts: &Counts) {
        let Some((pending, held)) = self.numbers() else {
            return;
        };
        self.shared.metrics.committed(counts, pending, held);
        self.shared.waiting.store(pending, Ordering::Relaxed);
        let unreported = self.unreported.orders();
        self.shared.metrics.paid_unreported.set(unreported);
    }

    fn tidy_up(&mut self, sweep: bool) {
        if sweep {
            self.check();
        }
        let Some(state) = &mut self.state else { return };
        let mut counts = Counts::default();
        let mut tidied = state.store.tidy();
        if tidied.is_ok() && sweep {
            tidied = state.sweep(self.shared.clock.times()).map(|swept| {
                counts = swept.counts;
                given_up(&Outcome::Unverified, swept.given_up);
                if self
                    .unreported
                    .found(swept.unreported, state.swept_to.is_empty())
                {
                    tracing::error!(
                        orders = self.unreported.orders(),
                        "paid orders are not reported: TikTok does not have their events"
                    );
                }
            });
        }
        match tidied {
            Ok(()) => self.count(&counts),
            Err(error) => self.failed(&error),
        }
    }

    /// Nothing is committed any more.
    fn close(&mut self) -> Result<(), Error> {
        match &mut self.state {
            Some(state) => state.store.close(),
            None => Err(Error::Stopped),
        }
    }
}
