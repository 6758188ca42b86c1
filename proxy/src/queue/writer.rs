//! The one thread that writes: it takes every call that waits, commits them together, and answers each.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    thread,
    time::Instant,
};

use tokio::sync::{Notify, mpsc, oneshot};

use super::{Enqueued, Entry, Error, disk::Store, record::LetterId, signed, space::Space};
use crate::{clock, metrics::Metrics};

/// The most calls that may wait for the disk; more are turned away.
const WAITING_CALLS: usize = 1024;
/// The most calls that share one commit.
const GROUP: usize = 512;
/// How many commits pass between two sweeps of forgotten keys.
const SWEEP_EVERY: usize = 256;

#[derive(Clone)]
pub(super) struct Handle {
    calls: mpsc::Sender<Call>,
    healthy: Arc<AtomicBool>,
}

type Answer<T> = oneshot::Sender<Result<T, Error>>;

/// Whatever needs a place in the queue, and the question whether there is one.
enum Call {
    Enqueue(Vec<Entry>, Answer<Vec<Enqueued>>),
    Replay(Vec<LetterId>, Answer<usize>),
    Probe(Answer<()>),
}

impl Handle {
    pub(super) async fn write(&self, entries: Vec<Entry>) -> Result<Vec<Enqueued>, Error> {
        self.call(|answer| Call::Enqueue(entries, answer)).await
    }

    pub(super) async fn replay(&self, letters: Vec<LetterId>) -> Result<usize, Error> {
        self.call(|answer| Call::Replay(letters, answer)).await
    }

    pub(super) async fn probe(&self) -> Result<(), Error> {
        self.call(Call::Probe).await
    }

    async fn call<T>(&self, call: impl FnOnce(Answer<T>) -> Call) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        self.calls
            .try_send(call(answer))
            .map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(_) => Error::Full,
                mpsc::error::TrySendError::Closed(_) => Error::Stopped,
            })?;
        answered.await.unwrap_or(Err(Error::Stopped))
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }
}

/// What the writer tells the rest of the process.
pub(super) struct Shared {
    pub(super) arrived: Arc<Notify>,
    pub(super) waiting: Arc<AtomicI64>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) space: Space,
}

pub(super) fn start(store: Store, shared: Shared) -> Result<Handle, Error> {
    let (calls, waiting) = mpsc::channel(WAITING_CALLS);
    let healthy = Arc::new(AtomicBool::new(true));
    let handle = Handle {
        calls,
        healthy: Arc::clone(&healthy),
    };
    let sequence = store.next_sequence()?;
    let writer = Writer {
        store,
        shared,
        healthy,
        sequence,
        commits: 0,
    };
    thread::Builder::new()
        .name("queue-writer".to_owned())
        .spawn(move || run(writer, waiting))
        .map_err(Error::Folder)?;
    Ok(handle)
}

/// Ends when the last handle is dropped; the calls that came before are still answered.
fn run(mut writer: Writer, mut waiting: mpsc::Receiver<Call>) {
    let mut next = None;
    while let Some(call) = next.take().or_else(|| waiting.blocking_recv()) {
        match call {
            Call::Replay(letters, answer) => writer.replay(&letters, answer),
            Call::Probe(answer) => writer.probe(answer),
            Call::Enqueue(entries, answer) => {
                let mut group = (vec![entries], vec![answer]);
                while group.0.len() < GROUP && next.is_none() {
                    match waiting.try_recv() {
                        Ok(Call::Enqueue(entries, answer)) => {
                            group.0.push(entries);
                            group.1.push(answer);
                        }
                        Ok(other) => next = Some(other),
                        Err(_) => break,
                    }
                }
                writer.admit(&group.0, group.1);
            }
        }
        writer.tidy_up();
    }
}

struct Writer {
    store: Store,
    shared: Shared,
    healthy: Arc<AtomicBool>,
    sequence: u64,
    commits: usize,
}

impl Writer {
    fn admit(&mut self, groups: &[Vec<Entry>], answers: Vec<Answer<Vec<Enqueued>>>) {
        if self.shared.space.is_short() {
            self.healthy.store(false, Ordering::Relaxed);
            tracing::error!(
                calls = answers.len(),
                "the disk is nearly full; no event is taken until there is room"
            );
            for answer in answers {
                let _ = answer.send(Err(Error::DiskFull));
            }
            return;
        }
        let since = Instant::now();
        let committed = self
            .store
            .admit(groups, &mut self.sequence, clock::now_ms());
        self.healthy.store(committed.is_ok(), Ordering::Relaxed);
        match committed {
            Ok(results) => {
                self.shared
                    .metrics
                    .commit_seconds
                    .observe(since.elapsed().as_secs_f64());
                let accepted = results
                    .iter()
                    .flatten()
                    .filter(|result| **result == Enqueued::Accepted);
                self.arrived(accepted.count());
                for (answer, result) in answers.into_iter().zip(results) {
                    // A caller that went away has its event kept all the same.
                    let _ = answer.send(Ok(result));
                }
            }
            Err(error) => {
                tracing::error!(error = ?error, calls = answers.len(), "the store refused a write; its callers get a 503");
                for answer in answers {
                    let _ = answer.send(Err(Error::Stopped));
                }
            }
        }
    }

    fn replay(&mut self, letters: &[LetterId], answer: Answer<usize>) {
        let replayed = self
            .store
            .replay(letters, &mut self.sequence, clock::now_ms());
        self.arrived(replayed.as_ref().copied().unwrap_or_default());
        // The operator may have gone; the letters are back in the queue all the same.
        let _ = answer.send(replayed);
    }

    /// Writes something that nobody reads, as an event would be written.
    fn probe(&mut self, answer: Answer<()>) {
        let written = if self.shared.space.is_short() {
            Err(Error::DiskFull)
        } else {
            self.store.probe(clock::now_ms())
        };
        self.healthy.store(written.is_ok(), Ordering::Relaxed);
        // Whoever asked may have gone.
        let _ = answer.send(written);
    }

    fn arrived(&self, events: usize) {
        self.shared
            .waiting
            .fetch_add(signed(events), Ordering::Relaxed);
        self.shared.arrived.notify_one();
    }

    fn tidy_up(&mut self) {
        self.commits += 1;
        if self.commits.is_multiple_of(SWEEP_EVERY)
            && let Err(error) = self.store.sweep(clock::now_ms())
        {
            tracing::warn!(error = ?error, "old deduplication keys could not be cleared");
        }
    }
}
