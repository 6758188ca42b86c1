//! The answers that are sent after a commit.

use super::{Answer, Answered, Shared};
use crate::{
    decide::{Registered, Taken},
    outcome::Outcome,
    store::Error,
};

/// The callers that wait for a commit, and the answer for each.
#[derive(Default)]
pub(super) struct Replies {
    pub(super) enqueued: Vec<Answered>,
    pub(super) counted: Vec<Reply<usize>>,
    pub(super) registered: Vec<Reply<Registered>>,
    pub(super) paid: Vec<Reply<Taken>>,
    pub(super) withdrawn: Vec<Reply<Option<usize>>>,
    pub(super) done: Vec<Answer<()>>,
}

type Reply<T> = (Answer<T>, Result<T, Error>);

impl Replies {
    /// Sends every answer. A caller that has stopped waiting gets none, but its changes are kept.
    pub(super) fn give(self, shared: &Shared) {
        for (answer, count) in self.counted {
            let _ = answer.send(count);
        }
        for (answer, registered) in self.registered {
            let _ = answer.send(registered);
        }
        for (answer, taken) in self.paid {
            let _ = answer.send(taken);
        }
        for (answer, withdrawn) in self.withdrawn {
            let waited = withdrawn.as_ref().ok().copied().flatten();
            let waited = waited.unwrap_or_default();
            given_up(&Outcome::Withdrawn, waited);
            let _ = answer.send(withdrawn);
        }
        for answer in self.done {
            let _ = answer.send(Ok(()));
        }
        if !self.enqueued.is_empty() {
            let _ = shared.enqueued.send(self.enqueued);
        }
    }
}

/// Logs how many held events ended without a payment, if any.
pub(super) fn given_up(outcome: &Outcome, events: usize) {
    if events > 0 {
        tracing::warn!(
            events,
            outcome = outcome.label(),
            "held events ended before a payment for their order came; the events are kept as dead letters"
        );
    }
}
