//! Reports the outcome of events to the callers that wait for it. Usually no caller waits, and then nothing is read or
//! stored.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use duet_events::{EventId, EventName};
use tokio::sync::oneshot;

use super::Claimed;
use crate::{
    decide::{DedupKey, Destination, Named},
    outcome::Outcome,
};

/// The waiting callers, by the key of the event for which they wait.
#[derive(Default)]
pub(super) struct Ends {
    waiting: Mutex<HashMap<DedupKey, Vec<oneshot::Sender<Outcome>>>>,
}

/// A value that waits for the outcome of one event. When the value is dropped, the wait ends.
pub struct Waiter {
    ends: Arc<Ends>,
    key: DedupKey,
    end: oneshot::Receiver<Outcome>,
}

impl Waiter {
    /// Starts to wait. The caller must call this before the event is enqueued, so that no outcome is missed.
    pub(super) fn new(ends: &Arc<Ends>, key: DedupKey) -> Self {
        let (sender, end) = oneshot::channel();
        ends.waiting().entry(key).or_default().push(sender);
        Self {
            ends: Arc::clone(ends),
            key,
            end,
        }
    }

    /// Waits for the outcome of the event. If the outcome never comes, this function never returns.
    pub async fn end(&mut self) -> Outcome {
        match (&mut self.end).await {
            Ok(outcome) => outcome,
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.end.close();
        let mut waiting = self.ends.waiting();
        if let Some(senders) = waiting.get_mut(&self.key) {
            senders.retain(|sender| !sender.is_closed());
            if senders.is_empty() {
                waiting.remove(&self.key);
            }
        }
    }
}

impl Ends {
    /// Sends the outcome of `events` to the callers that wait for it.
    pub(super) fn publish(&self, destination: &Destination, events: &[Claimed], outcome: &Outcome) {
        let mut waiting = self.waiting();
        for event in events {
            if waiting.is_empty() {
                return;
            }
            let senders = key(destination, event).and_then(|key| waiting.remove(&key));
            for sender in senders.into_iter().flatten() {
                // The caller may have stopped waiting and then needs no answer.
                let _ = sender.send(outcome.clone());
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<DedupKey, Vec<oneshot::Sender<Outcome>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(destination: &Destination, event: &Claimed) -> Option<DedupKey> {
    let named = Named::of(std::str::from_utf8(event.event()).ok()?);
    let name = EventName::parse(&named.name).ok()?;
    let id = EventId::parse(&named.event_id).ok()?;
    Some(DedupKey::of(destination, &name, &id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stops_waiting_leaves_nothing_behind() {
        let ends = Arc::new(Ends::default());
        let (key, other) = (DedupKey::numbered(1), DedupKey::numbered(2));
        let waiters = [key, key, other].map(|key| Waiter::new(&ends, key));
        let [first, second, third] = waiters;
        drop(first);
        assert_eq!(ends.waiting().get(&key).map(Vec::len), Some(1));
        drop(second);
        assert!(!ends.waiting().contains_key(&key));
        drop(third);
        assert!(ends.waiting().is_empty());
    }
}
