//! The balance of events. In every reading of `/metrics`: accepted + found + replayed = ended + pending + held.

use std::sync::{MutexGuard, PoisonError};

use super::{Metrics, OutcomeLabel, PixelLabel};

/// The changes of one commit.
#[derive(Debug, Default)]
pub struct Changes {
    accepted: Vec<(&'static str, u64)>,
    replayed: u64,
    ended: Vec<(&'static str, u64)>,
}

/// The length of [`Changes`] before a call, for going back to it.
#[derive(Debug)]
pub struct Mark {
    accepted: Vec<(&'static str, u64)>,
    replayed: u64,
    ended: usize,
}

impl Changes {
    /// Adds an accepted event by the state of the Pixel's copy.
    pub fn accepted(&mut self, pixel: &'static str) {
        let mut known = self.accepted.iter_mut();
        match known.find(|(label, _)| *label == pixel) {
            Some((_, events)) => *events += 1,
            None => self.accepted.push((pixel, 1)),
        }
    }

    /// Adds a dead letter that is pending or held again.
    pub fn replayed(&mut self) {
        self.replayed += 1;
    }

    /// Adds events that ended with this outcome.
    pub fn ended(&mut self, outcome: &'static str, events: u64) {
        self.ended.push((outcome, events));
    }

    /// Returns the present state, for [`Changes::go_back`].
    pub fn mark(&self) -> Mark {
        Mark {
            accepted: self.accepted.clone(),
            replayed: self.replayed,
            ended: self.ended.len(),
        }
    }

    /// Removes every change since `mark`.
    pub fn go_back(&mut self, mark: Mark) {
        self.accepted = mark.accepted;
        self.replayed = mark.replayed;
        self.ended.truncate(mark.ended);
    }
}

impl Metrics {
    /// Counts one commit, after which so many events are pending and held.
    pub fn committed(&self, changes: &Changes, pending: i64, held: i64) {
        let _whole = self.whole();
        for (pixel, events) in &changes.accepted {
            let label = PixelLabel { pixel };
            self.accepted.get_or_create(&label).inc_by(*events);
        }
        self.replayed.inc_by(changes.replayed);
        for (outcome, events) in &changes.ended {
            let label = OutcomeLabel { outcome };
            self.ended.get_or_create(&label).inc_by(*events);
        }
        self.queue_events.set(pending);
        self.events_held.set(held);
    }

    /// Counts the difference between the events that an opened store contains and those that were counted before.
    pub fn opened(&self, pending: i64, held: i64) {
        let _whole = self.whole();
        let counted = self.queue_events.get() + self.events_held.get();
        self.found.inc_by(pending + held - counted);
        self.queue_events.set(pending);
        self.events_held.set(held);
    }

    /// Keeps readings and commits apart: no reading shows half a commit.
    pub(super) fn whole(&self) -> MutexGuard<'_, ()> {
        self.balance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_opened_again_is_counted_from_its_content() {
        let metrics = Metrics::default();
        // Four events of an earlier process, one of them held.
        metrics.opened(3, 1);
        let mut changes = Changes::default();
        changes.accepted("fired");
        changes.accepted("fired");
        changes.ended("delivered", 1);
        let mark = changes.mark();
        changes.accepted("fired");
        changes.ended("withdrawn", 1);
        changes.replayed();
        changes.go_back(mark);
        changes.replayed();
        metrics.committed(&changes, 5, 1);
        assert_eq!(metrics.found.get(), 4);
        // A failed commit left one event more, and one less is held.
        metrics.opened(6, 0);
        assert_eq!(metrics.found.get(), 4);
        metrics.opened(4, 0);
        assert_eq!(metrics.found.get(), 2);
        let text = metrics.text();
        for line in [
            "duet_events_accepted_total{pixel=\"fired\"} 2",
            "duet_events_replayed_total 1",
            "duet_events_ended_total{outcome=\"delivered\"} 1",
            "duet_queue_events 4",
            "duet_events_found 2",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
