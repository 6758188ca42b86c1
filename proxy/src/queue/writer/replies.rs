//! What is answered once a commit is done.

use super::{Answer, Answered, Registered, Shared};
use crate::{outcome::Outcome, queue::Taken};

/// Whom to tell that a commit is done, and what.
#[derive(Default)]
pub(super) struct Replies {
    pub(super) enqueued: Vec<Answered>,
    pub(super) counted: Vec<(Answer<usize>, usize)>,
    pub(super) registered: Vec<(Answer<Registered>, Registered)>,
    pub(super) paid: Vec<(Answer<Taken>, Taken)>,
    pub(super) withdrawn: Vec<(Answer<Option<usize>>, Option<usize>)>,
    pub(super) done: Vec<Answer<()>>,
}

impl Replies {
    /// Gives every answer. Whoever asked may have gone; what was done is done all the same.
    pub(super) fn give(self, shared: &Shared) {
        for (answer, count) in self.counted {
            let _ = answer.send(Ok(count));
        }
        for (answer, registered) in self.registered {
            let _ = answer.send(Ok(registered));
        }
        for (answer, taken) in self.paid {
            let _ = answer.send(Ok(taken));
        }
        for (answer, withdrawn) in self.withdrawn {
            let waited = withdrawn.unwrap_or_default();
            shared.metrics.given_up(&Outcome::Withdrawn, waited);
            let _ = answer.send(Ok(withdrawn));
        }
        for answer in self.done {
            let _ = answer.send(Ok(()));
        }
        if !self.enqueued.is_empty() {
            let _ = shared.enqueued.send(self.enqueued);
        }
    }
}
