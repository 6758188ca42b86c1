//! The balance of events. Every answer of `/metrics` fulfils: accepted + found + replayed = ended + pending + held.

use std::sync::{MutexGuard, PoisonError};

use super::{Metrics, OutcomeLabel, PixelLabel};
use crate::decide::Counts;

impl Metrics {
    /// Counts one commit. `pending` and `held` are the numbers of such events after the commit.
    pub fn committed(&self, counts: &Counts, pending: i64, held: i64) {
        let _whole = self.whole();
        self.add(counts);
        self.queue_events.set(pending);
        self.events_held.set(held);
    }

    /// Counts a commit that was found in the store when it was opened again. The caller must then call [`Metrics::opened`],
    /// which sets the numbers of pending and held events.
    pub fn found_committed(&self, counts: &Counts) {
        let _whole = self.whole();
        self.add(counts);
        let number = |events: u64| i64::try_from(events).unwrap_or(i64::MAX);
        let sum = |counts: &[(&str, u64)]| counts.iter().map(|(_, events)| events).sum();
        let came = number(sum(&counts.accepted)) + number(counts.replayed);
        self.found.inc_by(number(sum(&counts.ended)) - came);
    }

    fn add(&self, counts: &Counts) {
        for (pixel, events) in &counts.accepted {
            let label = PixelLabel { pixel };
            self.accepted.get_or_create(&label).inc_by(*events);
        }
        self.replayed.inc_by(counts.replayed);
        for (outcome, events) in &counts.ended {
            let label = OutcomeLabel { outcome };
            self.ended.get_or_create(&label).inc_by(*events);
        }
        for (kind, money) in &counts.money {
            let minor = money.minor_units().unsigned_abs();
            self.money_in(*kind, money.currency(), minor);
        }
    }

    /// Counts, when a store is opened, the difference between the events in the store and the events that were already counted.
    pub fn opened(&self, pending: i64, held: i64) {
        let _whole = self.whole();
        let counted = self.queue_events.get() + self.events_held.get();
        self.found.inc_by(pending + held - counted);
        self.queue_events.set(pending);
        self.events_held.set(held);
    }

    /// Locks the counters, so that no answer of `/metrics` contains only a part of a commit's counts.
    pub(super) fn whole(&self) -> MutexGuard<'_, ()> {
        self.balance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_that_is_found_is_counted_like_one_that_was_answered() {
        let [answered, found] = [Metrics::default(), Metrics::default()];
        let mut counts = Counts::default();
        counts.accepted("fired", 2);
        counts.ended("refused", 1);
        counts.replayed = 3;
        for metrics in [&answered, &found] {
            metrics.opened(5, 1);
        }
        answered.committed(&counts, 9, 1);
        found.found_committed(&counts);
        found.opened(9, 1);
        assert_eq!(found.text(), answered.text());
    }

    #[test]
    fn a_store_that_is_opened_again_is_counted_from_its_content() {
        let metrics = Metrics::default();
        // The store contains four events of an earlier process. One of them is held.
        metrics.opened(3, 1);
        let mut counts = Counts::default();
        counts.accepted("fired", 1);
        counts.accepted("fired", 1);
        counts.ended("delivered", 1);
        counts.replayed = 1;
        metrics.committed(&counts, 5, 1);
        assert_eq!(metrics.found.get(), 4);
        // A commit failed. After the reopen there is one more pending event and one held event fewer.
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
