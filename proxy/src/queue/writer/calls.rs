//! The calls to the writer, and the handle that sends them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};

use crate::{
    change_log::{Entry, Fingerprints},
    decide::{LetterId, Receipt, Registered, Reports, Taken},
    limits,
    queue::{group::Settlement, intake::Bundle},
    store::Error,
};

/// The most messages that can wait for the writer. A bundle counts as one message. `intake.rs` limits how many calls wait
/// in bundles.
const WAITING: usize = 2048;
/// How often the writer of a shared store reads what other processes have written.
const LOOK_EVERY: Duration = Duration::from_millis(200);
pub(in crate::queue) type Answer<T> = oneshot::Sender<Result<T, Error>>;

/// A call to the writer. Most calls change the store. `Probe` asks whether the store accepts writes.
pub(in crate::queue) enum Call {
    Enqueue(Bundle),
    Settle(Box<Settlement>, Answer<()>),
    Replay(Vec<LetterId>, Answer<usize>),
    Remove(Vec<LetterId>, Answer<usize>),
    Register(Box<duet_events::order::Order>, Reports, Answer<Registered>),
    Pay(Box<Receipt>, Answer<Taken>),
    /// The answer is the number of held events of the order, or `None` if no order has this id.
    Withdraw(String, Answer<Option<usize>>),
    /// An entry of the change log, the number in the entry's id, and the fingerprints of the settings if the entry is a
    /// start.
    Log(Box<(Entry, u64, Option<Fingerprints>)>, Answer<()>),
    Probe(Answer<()>),
    /// Removes expired letters, keys and orders after the commit.
    Sweep,
    /// Reads after the commit what other processes have written to a shared store.
    Look,
    /// Ends the writer after the commit.
    Close(Answer<()>),
}

impl Call {
    pub(super) fn closes(&self) -> bool {
        matches!(self, Self::Close(_))
    }
}

#[derive(Clone)]
pub(in crate::queue) struct Handle {
    calls: mpsc::Sender<Call>,
    pub(super) healthy: Arc<AtomicBool>,
}

impl Handle {
    /// Sends a call to the writer and waits for the answer.
    pub(in crate::queue) async fn ask<T>(
        &self,
        call: impl FnOnce(Answer<T>) -> Call,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let sent = self.calls.send(call(answer)).await;
        sent.map_err(|_| Error::Stopped)?;
        answered.await.unwrap_or(Err(Error::Stopped))
    }

    /// Sends a bundle to the writer. If the bundle cannot be sent, its calls get [`Error::Stopped`].
    pub(in crate::queue) fn send(&self, bundle: Bundle) {
        let _ = self.calls.try_send(Call::Enqueue(bundle));
    }

    /// Removes expired entries every minute, even if no call arrives. Returns when all other handles of the writer have
    /// been dropped.
    pub(in crate::queue) async fn sweep_every_minute(self) {
        let minute = Duration::from_millis(limits::SWEEP_EVERY_MS.unsigned_abs());
        self.repeat(minute, || Call::Sweep).await;
    }

    /// Often reads what other processes have written to a shared store, and renews the leases.
    pub(in crate::queue) async fn look_often(self) {
        self.repeat(LOOK_EVERY, || Call::Look).await;
    }

    /// Makes a call again and again. Skips a turn if the channel is at least half full, to leave room for other calls.
    async fn repeat(self, pause: Duration, call: fn() -> Call) {
        let calls = self.calls.downgrade();
        drop(self);
        loop {
            tokio::time::sleep(pause).await;
            let Some(calls) = calls.upgrade() else { return };
            let has_room = calls.capacity() > calls.max_capacity() / 2;
            if has_room && calls.send(call()).await.is_err() {
                return;
            }
        }
    }

    pub(in crate::queue) fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }
}

/// Returns a handle and the receiver of its calls.
pub(in crate::queue) fn channel() -> (Handle, mpsc::Receiver<Call>) {
    let (calls, waiting) = mpsc::channel(WAITING);
    let healthy = Arc::new(AtomicBool::new(true));
    (Handle { calls, healthy }, waiting)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock, queue::over, store::Embedded};

    #[tokio::test(start_paused = true)]
    async fn sweeps_that_wait_leave_room_for_other_calls() {
        let (handle, _waiting) = channel();
        tokio::spawn(handle.clone().sweep_every_minute());
        let minutes = 2 * u64::try_from(WAITING).unwrap();
        tokio::time::sleep(Duration::from_secs(60 * minutes)).await;
        assert!(handle.calls.try_send(Call::Sweep).is_ok());
    }

    #[test]
    fn a_store_that_does_not_answer_in_time_is_still_closed() {
        let folder = tempfile::tempdir().unwrap();
        let source = Embedded::at(folder.path()).unwrap();
        let queue = over(source, clock::reading, Arc::default());
        let (mut core, intake, ..) = queue.unwrap();
        let (close, _closed) = oneshot::channel();
        let (probe, mut probed) = oneshot::channel();
        for call in [Call::Close(close), Call::Probe(probe)] {
            assert!(intake.writer().calls.try_send(call).is_ok());
        }
        core.writer.failed(&Error::Timeout);
        let closing = core.writer.reject_overdue(&mut core.calls);
        assert!(matches!(*closing, [Call::Close(_)]));
        assert_eq!(
            probed.try_recv().unwrap_err(),
            oneshot::error::TryRecvError::Closed
        );
    }
}
