//! The one thread that writes: it takes every call that waits, commits them together, and answers each.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use tokio::sync::{Notify, mpsc, oneshot};

use super::{Enqueued, Entry, Error, disk::Store};
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

struct Call {
    entries: Vec<Entry>,
    answer: oneshot::Sender<Result<Vec<Enqueued>, Error>>,
}

impl Handle {
    pub(super) async fn write(&self, entries: Vec<Entry>) -> Result<Vec<Enqueued>, Error> {
        let (answer, answered) = oneshot::channel();
        self.calls
            .try_send(Call { entries, answer })
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
    pub(super) waiting: Arc<AtomicU64>,
    pub(super) metrics: Arc<Metrics>,
}

pub(super) fn start(store: Store, shared: Shared) -> Result<Handle, Error> {
    let (calls, waiting) = mpsc::channel(WAITING_CALLS);
    let healthy = Arc::new(AtomicBool::new(true));
    let handle = Handle {
        calls,
        healthy: Arc::clone(&healthy),
    };
    let sequence = store.next_sequence()?;
    thread::Builder::new()
        .name("queue-writer".to_owned())
        .spawn(move || run(&store, waiting, sequence, &shared, &healthy))
        .map_err(Error::Folder)?;
    Ok(handle)
}

/// Ends when the last handle is dropped; the calls that came before are still answered.
fn run(
    store: &Store,
    mut waiting: mpsc::Receiver<Call>,
    mut sequence: u64,
    shared: &Shared,
    healthy: &AtomicBool,
) {
    let mut commits = 0_usize;
    while let Some(first) = waiting.blocking_recv() {
        let mut entries = vec![first.entries];
        let mut answers = vec![first.answer];
        while let (true, Ok(call)) = (entries.len() < GROUP, waiting.try_recv()) {
            entries.push(call.entries);
            answers.push(call.answer);
        }
        let (first, since) = (sequence, Instant::now());
        let committed = store.admit(&entries, &mut sequence, clock::now_ms());
        healthy.store(committed.is_ok(), Ordering::Relaxed);
        match committed {
            Ok(results) => {
                for (answer, result) in answers.into_iter().zip(results) {
                    // A caller that went away has its event kept all the same.
                    let _ = answer.send(Ok(result));
                }
                shared
                    .waiting
                    .fetch_add(sequence - first, Ordering::Relaxed);
                shared
                    .metrics
                    .commit_seconds
                    .observe(since.elapsed().as_secs_f64());
                shared.arrived.notify_one();
            }
            Err(error) => {
                tracing::error!(error = ?error, calls = answers.len(), "the store refused a write; its callers get a 503");
                for answer in answers {
                    let _ = answer.send(Err(Error::Stopped));
                }
            }
        }
        commits += 1;
        if commits.is_multiple_of(SWEEP_EVERY)
            && let Err(error) = store.sweep(clock::now_ms())
        {
            tracing::warn!(error = ?error, "old deduplication keys could not be cleared");
        }
    }
}
