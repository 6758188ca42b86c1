//! The one thread that writes: it takes every call that waits, commits them together, and answers each.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::{Notify, mpsc, oneshot};

use super::{
    group::{Committed, Group, Settlement},
    intake::Bundle,
    space::Space,
    unreported::Unreported,
};
use crate::{
    clock::{Clock, Times},
    decide::{
        Admit, Counts, Destination, Enqueued, Forget, GiveUp, LetterId, Pay, Receipt, Register,
        Registered, Remove, Replay, Taken, Withdraw,
    },
    limits,
    metrics::Metrics,
    orders::Order,
    outcome::Outcome,
    store::{Error, Position, Source, Store},
};

mod replies;

use replies::{Replies, given_up};

/// The most messages that may wait for the writer. A bundle of calls is one, and calls are counted before.
const WAITING: usize = 2048;
/// The most calls that share one commit.
const GROUP: usize = 512;
/// The most events that one sweep gives up, and the most orders and payments it looks at.
const SWEEP: usize = 1_000;

pub(super) type Answer<T> = oneshot::Sender<Result<T, Error>>;

/// Whatever changes the store, and the question whether it can be changed.
pub(super) enum Call {
    Enqueue(Bundle),
    Settle(Settlement, Answer<()>),
    Replay(Vec<LetterId>, Answer<usize>),
    Remove(Vec<LetterId>, Answer<usize>),
    Register(
        Box<duet_events::order::Order>,
        Arc<Destination>,
        Answer<Registered>,
    ),
    Pay(Box<Receipt>, Answer<Taken>),
    /// Answered with the number of events that waited; `None` where there is no such order.
    Withdraw(String, Answer<Option<usize>>),
    Probe(Answer<()>),
    /// Clears old letters, keys and orders, behind the commit.
    Sweep,
    /// Ends the writer, behind the commit.
    Close(Answer<()>),
}

#[derive(Clone)]
pub(super) struct Handle {
    calls: mpsc::Sender<Call>,
    healthy: Arc<AtomicBool>,
}

impl Handle {
    /// Has the writer do what `call` says.
    pub(super) async fn ask<T>(&self, call: impl FnOnce(Answer<T>) -> Call) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let sent = self.calls.send(call(answer)).await;
        sent.map_err(|_| Error::Stopped)?;
        answered.await.unwrap_or(Err(Error::Stopped))
    }

    /// Hands a bundle to the writer. Where it cannot be taken, its calls learn that the store has stopped.
    pub(super) fn send(&self, bundle: Bundle) {
        let _ = self.calls.try_send(Call::Enqueue(bundle));
    }

    /// Has what has had its time cleared every minute, also where nothing else happens. Ends when the writer has no
    /// other handle.
    pub(super) async fn sweep_every_minute(self) {
        let calls = self.calls.downgrade();
        drop(self);
        loop {
            tokio::time::sleep(Duration::from_millis(limits::SWEEP_EVERY_MS.unsigned_abs())).await;
            let Some(calls) = calls.upgrade() else { return };
            if calls.send(Call::Sweep).await.is_err() {
                return;
            }
        }
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }
}

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

/// A destination to be served from now on.
pub(super) struct NewLane {
    pub(super) destination: Arc<Destination>,
    pub(super) arrivals: Arc<Arrivals>,
}

/// What the writer tells a lane.
pub(super) struct Arrivals {
    /// Something may have arrived.
    pub(super) notify: Notify,
    start: Mutex<Start>,
}

/// Where a lane begins to read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    /// How often the store has been opened: what was claimed before is claimed again.
    pub(super) opened: u64,
    /// The first row of either class that may wait.
    pub(super) head: u64,
}

impl Arrivals {
    pub(super) fn start(&self) -> Start {
        *self.start.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_at(&self, start: Start) {
        *self.start.lock().unwrap_or_else(PoisonError::into_inner) = start;
        self.notify.notify_one();
    }
}

/// Calls and what became of each.
pub(super) type Answered = (Bundle, Vec<Result<Vec<Enqueued>, Error>>);

/// A handle, and where its calls come out.
pub(super) fn channel() -> (Handle, mpsc::Receiver<Call>) {
    let (calls, waiting) = mpsc::channel(WAITING);
    let healthy = Arc::new(AtomicBool::new(true));
    (Handle { calls, healthy }, waiting)
}

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

/// What the writer knows of what is on disk.
pub(super) struct State<S> {
    /// How often the store had been opened when this was read.
    opened: u64,
    pub(super) store: S,
    pub(super) position: Position,
    /// How far the last sweep of orders came.
    swept_to: Vec<u8>,
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

    /// Tells those who deliver that there is something to deliver.
    fn announce(&mut self, arrivals: Vec<Arc<Destination>>) {
        for destination in arrivals {
            match self.lanes.get(&destination) {
                Some(lane) => lane.notify.notify_one(),
                None => self.begin_lane(destination),
            }
        }
    }

    /// Has every lane read from the store what waits there, after it was opened: commits that no lane knows of may be in
    /// it, and others that a lane relied on may not.
    fn announce_everything(&mut self) {
        if let Some((pending, held)) = self.numbers() {
            self.shared.metrics.opened(pending, held);
            self.shared.waiting.store(pending, Ordering::Relaxed);
        }
        for (destination, lane) in &self.lanes {
            lane.start_at(self.start_of(destination));
        }
        let state = self.state.as_ref();
        let places = state.map_or([].as_slice(), |state| &state.position.places);
        let all: Vec<_> = places
            .iter()
            .map(|place| Arc::clone(&place.destination))
            .collect();
        self.announce(all);
    }

    fn begin_lane(&mut self, destination: Arc<Destination>) {
        let arrivals = Arc::new(Arrivals {
            notify: Notify::new(),
            start: Mutex::new(self.start_of(&destination)),
        });
        let lane = NewLane {
            destination: Arc::clone(&destination),
            arrivals: Arc::clone(&arrivals),
        };
        self.lanes.insert(destination, arrivals);
        // A command that replays letters into a store delivers nothing.
        let _ = self.shared.lanes.send(lane);
    }

    fn start_of(&self, destination: &Destination) -> Start {
        let head = self.state.as_ref().map(|state| {
            let places = state.position.places.iter();
            let places = places.filter(|place| *place.destination == *destination);
            let head = places.map(|place| place.head).min();
            head.unwrap_or(state.position.next)
        });
        Start {
            opened: self.opened,
            head: head.unwrap_or_default(),
        }
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

/// What a sweep came across.
pub(super) struct Swept {
    /// Events that no payment came for.
    pub(super) given_up: usize,
    /// Paid orders that report nothing.
    unreported: usize,
    /// What is to be counted.
    counts: Counts,
}

impl<S: Store> State<S> {
    pub(super) fn load(store: S, opened: u64) -> Result<Self, Error> {
        Ok(Self {
            opened,
            position: store.position()?,
            swept_to: Vec::new(),
            store,
        })
    }

    fn commit(
        &mut self,
        calls: impl Iterator<Item = Call>,
        short: bool,
        times: Times,
        replies: &mut Replies,
    ) -> Result<Committed, Error> {
        let mut group = Group::new(&mut self.store, &mut self.position, times);
        for call in calls {
            match call {
                Call::Enqueue(bundle) if short => bundle.refuse(),
                Call::Replay(_, answer) if short => refuse(answer),
                Call::Register(_, _, answer) if short => refuse(answer),
                Call::Pay(_, answer) if short => refuse(answer),
                Call::Probe(answer) if short => refuse(answer),
                Call::Enqueue(bundle) => {
                    let results = bundle
                        .calls()
                        .map(|events| group.carry_out_durably(&Admit(events)))
                        .collect::<Result<_, _>>()?;
                    replies.enqueued.push((bundle, results));
                }
                // Its events were claimed from a store that has been opened again since.
                Call::Settle(settlement, answer) if settlement.opened != self.opened => {
                    let _ = answer.send(Err(Error::Stopped));
                }
                Call::Settle(settlement, answer) => {
                    group.settle(settlement)?;
                    replies.done.push(answer);
                }
                Call::Replay(ids, answer) => {
                    let letters = group.letters(&ids)?;
                    let replayed = group.carry_out_durably(&Replay(&letters))?;
                    replies.counted.push((answer, replayed));
                }
                Call::Remove(ids, answer) => {
                    let removed = group.carry_out_durably(&Remove(&ids))?;
                    replies.counted.push((answer, removed));
                }
                Call::Register(order, destination, answer) => {
                    let registered = group.carry_out_durably(&Register {
                        order: &order,
                        destination: &destination,
                    })?;
                    replies.registered.push((answer, registered));
                }
                Call::Pay(receipt, answer) => {
                    let taken = group.carry_out_durably(&Pay(&receipt))?;
                    replies.paid.push((answer, taken));
                }
                Call::Withdraw(order_id, answer) => {
                    let withdrawn = group.carry_out_durably(&Withdraw(&order_id))?;
                    replies.withdrawn.push((answer, withdrawn));
                }
                Call::Probe(answer) => {
                    group.probe();
                    replies.done.push(answer);
                }
                Call::Sweep | Call::Close(_) => {}
            }
        }
        group.commit()
    }

    /// Clears what has had its time.
    pub(super) fn sweep(&mut self, times: Times) -> Result<Swept, Error> {
        let letters_ms = times.expiry_ms.saturating_sub(limits::DEAD_LETTER_MS);
        self.store.expire(times.expiry_ms, letters_ms)?;
        let held = self.store.held_until(times.expiry_ms, SWEEP)?;
        let page = self.store.page(&self.swept_to, SWEEP)?;
        let mut group = Group::new(&mut self.store, &mut self.position, times);
        let mut given_up = 0;
        for (id, order_id) in &held {
            let id = *id;
            let done = group.carry_out_durably(&GiveUp { id, order_id })?;
            given_up += usize::from(done.is_ok_and(|is_given_up| is_given_up));
        }
        let (over, live): (Vec<Order>, Vec<Order>) = page
            .orders
            .into_iter()
            .partition(|order| order.is_over(times.expiry_ms));
        let orders: Vec<_> = over.iter().map(|order| order.id().to_owned()).collect();
        let payments: Vec<_> = page
            .payments
            .into_iter()
            .filter(|payment| payment.is_over(times.expiry_ms))
            .map(|payment| (payment.provider, payment.id))
            .collect();
        // If one of them is refused, none is forgotten, and the next sweep tries again.
        let _ = group.carry_out(&Forget {
            orders: &orders,
            payments: &payments,
        })?;
        group.note_time();
        let counts = group.commit()?.counts;
        self.swept_to = page.next;
        Ok(Swept {
            given_up,
            unreported: live.iter().filter(|order| order.is_unreported()).count(),
            counts,
        })
    }
}

fn refuse<T>(answer: Answer<T>) {
    // Whoever asked may have gone.
    let _ = answer.send(Err(Error::DiskFull));
}
