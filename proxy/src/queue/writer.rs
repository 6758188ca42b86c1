//! The only thread that writes. It takes the waiting calls, commits them together, and answers each call.

use std::{
    collections::{BTreeMap, HashMap},
    iter, mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    thread,
    time::Instant,
};

use tokio::sync::mpsc;

use super::{
    group::{Failed, LetGo, Uncertain},
    history::Found,
    intake::Bundle,
    space::Space,
    unreported::Unreported,
    withdrawn::Withdrawn,
};
use crate::{
    clock::Clock,
    decide::{Books, Counts, Destination, Enqueued},
    history::End,
    live::{Live, Note},
    metrics::Metrics,
    outcome::Outcome,
    store::{Error, Source, Store},
};

mod calls;
mod lanes;
mod replies;
mod state;

pub(super) use calls::{Answer, Call, Handle, channel};
pub(super) use lanes::{Arrivals, NewLane, Start};
use replies::{Replies, given_up};
pub(super) use state::State;

/// The most calls in one commit.
const GROUP: usize = 512;
/// How long after a failure of a shared store the writer opens the store again, even if only [`Call::Look`] arrives.
const REOPEN_EVERY_MS: i64 = 1_000;

/// What the writer shares with the rest of the process.
pub(super) struct Shared {
    pub(super) waiting: Arc<AtomicI64>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Clock,
    pub(super) space: Space,
    /// The destinations that have their first events since the start.
    pub(super) lanes: mpsc::UnboundedSender<NewLane>,
    /// The answers of one commit. A task of the runtime sends them, so that the writer wakes the runtime only once for
    /// all answers.
    pub(super) enqueued: mpsc::UnboundedSender<Vec<Answered>>,
    /// Events that must not be sent.
    pub(super) withdrawn: Arc<Withdrawn>,
    pub(super) live: Arc<Live>,
}

/// The calls of bundles and the result of each call.
pub(super) type Answered = (Bundle, Vec<Result<Vec<Enqueued>, Error>>);

/// Starts the writer's thread. The thread ends after the last handle was dropped, and first answers the calls that were
/// sent before.
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
        closing.extend(calls.extract_if(.., |call| call.closes()));
        writer.work(&mut calls);
        closing.extend(writer.reject_overdue(&mut waiting));
    }
    let closed = writer.close();
    if let Err(error) = &closed {
        tracing::warn!(error = ?error, "the store could not be closed cleanly; no data is lost");
    }
    for call in closing {
        if let Call::Close(answer) = call {
            // The caller may have stopped waiting.
            let _ = answer.send(Ok(()));
        }
    }
}

/// Executes calls. This type has no thread of its own.
pub(super) struct Writer<S: Source> {
    source: S,
    /// The open store. `None` after a failure of the disk, until the store is open again.
    state: Option<State<S::Store>>,
    /// How often this process has opened the store.
    opened: u64,
    /// When the store failed last, by the clock that counts from the machine's start.
    failed_ms: Option<i64>,
    /// Whether the store has just failed because it did not answer in time.
    timed_out: bool,
    shared: Shared,
    healthy: Arc<AtomicBool>,
    /// The destinations that have a lane in this process. The store's position lists only the destinations that have
    /// pending events.
    lanes: HashMap<Arc<Destination>, Arc<Arrivals>>,
    unreported: Unreported,
    /// The changes of the last failed commit, if the store may contain them.
    uncertain: Option<Box<Uncertain>>,
}

impl<S: Source> Writer<S> {
    /// Returns a writer for an open store.
    pub(super) fn new(
        source: S,
        store: S::Store,
        handle: &Handle,
        shared: Shared,
    ) -> Result<Self, Error> {
        shared.withdrawn.add(store.withdrawn()?);
        let mut writer = Self {
            state: Some(State::load(store, 1)?),
            source,
            opened: 1,
            failed_ms: None,
            timed_out: false,
            shared,
            healthy: Arc::clone(&handle.healthy),
            lanes: HashMap::new(),
            unreported: Unreported::default(),
            uncertain: None,
        };
        writer.announce_everything();
        Ok(writer)
    }

    /// Executes calls in one commit, and answers them.
    pub(super) fn work(&mut self, calls: &mut Vec<Call>) {
        let sweep = calls.iter().any(|call| matches!(call, Call::Sweep));
        let look = calls.iter().any(|call| matches!(call, Call::Look));
        if self.state.is_none()
            && calls.iter().all(|call| matches!(call, Call::Look))
            && self.is_too_early()
        {
            calls.clear();
            return;
        }
        self.commit(calls);
        // A call that was not executed is dropped here, so its caller gets an error.
        calls.clear();
        self.tidy_up(sweep);
        if look {
            self.look();
        }
    }

    /// If the store has just failed because it did not answer in time, rejects the queued calls. These calls have already
    /// waited for the store as long as the calls that failed, and would otherwise wait as long again. Returns the calls
    /// that close the store.
    pub(super) fn reject_overdue(&mut self, waiting: &mut mpsc::Receiver<Call>) -> Vec<Call> {
        if !mem::take(&mut self.timed_out) {
            return Vec::new();
        }
        // The caller of a dropped call gets an error.
        iter::from_fn(|| waiting.try_recv().ok())
            .filter(Call::closes)
            .collect()
    }

    /// Commits calls. If the commit fails, its calls are dropped and get [`Error::Stopped`].
    fn commit(&mut self, calls: &mut Vec<Call>) {
        let since = Instant::now();
        let short = self.shared.space.is_short();
        // `healthy` changes before any call is rejected. A caller that then asks whether the store is writable gets the
        // right answer.
        if short && self.healthy.swap(false, Ordering::Relaxed) {
            tracing::error!("the disk is nearly full; no event is accepted until space is free");
        }
        let times = self.shared.clock.times();
        let mut replies = Replies::default();
        let committed = self
            .open_state()
            .map_err(Failed::from)
            .and_then(|state| state.commit(calls, short, times, &mut replies));
        match committed {
            Ok(committed) => {
                // Only a synced commit proves that the disk accepts writes again. The commit of an idle sweep, for
                // example, is not synced.
                if committed.synced {
                    self.healthy.store(!short, Ordering::Relaxed);
                    let took = since.elapsed().as_secs_f64();
                    self.shared.metrics.commit_seconds.observe(took);
                }
                self.unreported.changed(committed.counts.unreported);
                // The metrics are updated before the answers, and also if the caller has stopped waiting.
                self.count(&committed.counts);
                self.shared.withdrawn.remove(&committed.restored);
                self.shared.withdrawn.add(committed.withdrawn);
                self.note(committed.let_go, times.day_ms);
                self.publish(committed.ends.into_values());
                self.announce(committed.arrivals);
                replies.give(&self.shared);
            }
            Err(failed) => self.commit_failed(failed),
        }
    }

    /// Tells the live view that these events are accepted.
    fn note(&self, let_go: Vec<LetGo>, at_ms: i64) {
        let Some(salt) = self.state.as_ref().map(|state| state.store.salt()) else {
            return;
        };
        for event in let_go {
            let found = || Found::of(&event.event, event.trace, at_ms, event.destination);
            let note = || Note::Answered(Box::new(found().note(&salt)));
            self.shared.live.publish(note);
        }
    }

    /// Tells the live view that these events have ended.
    fn publish(&self, ends: impl Iterator<Item = End>) {
        for end in ends {
            self.shared.live.publish(|| Note::Ended(Box::new(end)));
        }
    }

    fn open_state(&mut self) -> Result<&mut State<S::Store>, Error> {
        self.check();
        if self.state.is_none() {
            let store = self.source.open()?;
            // The failed commit may be in the store, and may have removed the withdrawal of events.
            self.shared.withdrawn.replace(store.withdrawn()?);
            self.opened += 1;
            let state = State::load(store, self.opened)?;
            self.find_uncertain()?;
            self.state = Some(state);
            tracing::info!("the store is open again");
            self.announce_everything();
        }
        self.state.as_mut().ok_or(Error::Stopped)
    }

    /// Counts the failed commit if the store that was opened again contains it. The events of this commit have ended, so
    /// nothing else will count them. A commit without a dead letter cannot be found in the store. For such a commit, the
    /// metric `duet_events_found` corrects the counts when the store is opened.
    fn find_uncertain(&mut self) -> Result<(), Error> {
        self.unreported.opened();
        let Some(uncertain) = &self.uncertain else {
            return Ok(());
        };
        let is_written = self.source.letter(uncertain.letter)?.is_some();
        if let Some(uncertain) = self.uncertain.take().filter(|_| is_written) {
            let metrics = &self.shared.metrics;
            metrics.found_committed(&uncertain.counts);
            for (destination, outcome, events) in &uncertain.settled {
                metrics.settled(&destination.pixel_id, outcome, *events);
            }
            self.unreported.changed(uncertain.counts.unreported);
            uncertain.log();
            self.publish(uncertain.ends.into_values());
        }
        Ok(())
    }

    /// Checks the store's own threads, so that their failure is detected before a call fails.
    fn check(&mut self) {
        let checked = self.state.as_ref().map(|state| state.store.check());
        if let Some(Err(error)) = checked {
            self.failed(&error);
        }
    }

    fn commit_failed(&mut self, failed: Failed) {
        self.uncertain = failed.uncertain.or(self.uncertain.take());
        self.failed(&failed.error);
    }

    /// Closes the store after a failure. The data in memory is not reliable after a failure, so it is read again from
    /// disk when the store is opened.
    fn failed(&mut self, error: &Error) {
        tracing::error!(error = ?error, "the store failed; requests get a 503 until it is open again");
        self.healthy.store(false, Ordering::Relaxed);
        self.state = None;
        self.failed_ms = Some(self.shared.clock.boot_ms());
        self.timed_out = matches!(error, Error::Timeout);
    }

    /// Returns whether the store failed so recently that the writer opens it again only for a call other than
    /// [`Call::Look`].
    fn is_too_early(&self) -> bool {
        let now_ms = self.shared.clock.boot_ms();
        self.failed_ms
            .is_some_and(|failed_ms| now_ms - failed_ms < REOPEN_EVERY_MS)
    }

    /// Returns how many events are pending, and how many are held.
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
        self.count_pixels();
        self.shared.waiting.store(pending, Ordering::Relaxed);
        let (orders, is_known) = (self.unreported.orders(), self.unreported.is_known());
        self.shared.metrics.unreported(orders, is_known);
    }

    fn count_pixels(&self) {
        let lanes = self.lanes.keys().map(|lane| lane.pixel_id.as_str());
        let mut waiting: BTreeMap<_, _> = lanes.map(|pixel_id| (pixel_id, 0)).collect();
        let places = self.state.iter().flat_map(|state| &state.position.places);
        for place in places {
            let pixel_id = place.destination.pixel_id.as_str();
            *waiting.entry(pixel_id).or_default() += place.waiting;
        }
        self.shared.metrics.pixels_queue(&waiting);
    }

    fn tidy_up(&mut self, sweep: bool) {
        if sweep {
            self.check();
        }
        let Some(state) = &mut self.state else { return };
        let swept = match state.store.tidy() {
            Ok(()) if sweep => state.sweep(self.shared.clock.times()),
            Ok(()) => return,
            Err(error) => Err(error.into()),
        };
        match swept {
            Ok(swept) => {
                given_up(&Outcome::Unverified, swept.given_up);
                if self
                    .unreported
                    .found(swept.unreported, state.swept_to.is_empty())
                {
                    tracing::error!(
                        orders = self.unreported.orders(),
                        "paid orders are not reported: TikTok does not have the events of these orders"
                    );
                }
                self.count(&swept.counts);
                self.publish(swept.ends.into_values());
            }
            Err(failed) => self.commit_failed(failed),
        }
    }

    /// Closes the store. No commit is possible after that.
    fn close(&mut self) -> Result<(), Error> {
        match &mut self.state {
            Some(state) => state.store.close(),
            None => Err(Error::Stopped),
        }
    }
}
