//! What the writer is asked, and by whom.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};

use crate::{
    decide::{Destination, LetterId, Receipt, Registered, Taken},
    limits,
    queue::{group::Settlement, intake::Bundle},
    store::Error,
};

/// The most messages that may wait for the writer. A bundle of calls is one, and calls are counted before.
const WAITING: usize = 2048;
pub(in crate::queue) type Answer<T> = oneshot::Sender<Result<T, Error>>;

/// A call to the writer: a change of the store, or `Probe`, which asks whether the store takes writes.
pub(in crate::queue) enum Call {
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
    /// The answer is the number of events that waited, or `None` if no order has this id.
    Withdraw(String, Answer<Option<usize>>),
    Probe(Answer<()>),
    /// Clears old letters, keys and orders, behind the commit.
    Sweep,
    /// Ends the writer, behind the commit.
    Close(Answer<()>),
}

#[derive(Clone)]
pub(in crate::queue) struct Handle {
    calls: mpsc::Sender<Call>,
    pub(super) healthy: Arc<AtomicBool>,
}

impl Handle {
    /// Has the writer do what `call` says.
    pub(in crate::queue) async fn ask<T>(
        &self,
        call: impl FnOnce(Answer<T>) -> Call,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let sent = self.calls.send(call(answer)).await;
        sent.map_err(|_| Error::Stopped)?;
        answered.await.unwrap_or(Err(Error::Stopped))
    }

    /// Hands a bundle to the writer. Where it cannot be taken, its calls learn that the store has stopped.
    pub(in crate::queue) fn send(&self, bundle: Bundle) {
        let _ = self.calls.try_send(Call::Enqueue(bundle));
    }

    /// Has what has had its time cleared every minute, also where nothing else happens. Ends when the writer has no
    /// other handle.
    pub(in crate::queue) async fn sweep_every_minute(self) {
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

    pub(in crate::queue) fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }
}

/// A handle, and where its calls come out.
pub(in crate::queue) fn channel() -> (Handle, mpsc::Receiver<Call>) {
    let (calls, waiting) = mpsc::channel(WAITING);
    let healthy = Arc::new(AtomicBool::new(true));
    (Handle { calls, healthy }, waiting)
}
