//! The balance of events. Every answer of `/metrics` fulfils: accepted + found + replayed = ended + pending + held.

use std::sync::{MutexGuard, PoisonError};

use super::{Metrics, OutcomeLabel, PixelLabel};
use crate::decide::Counts;

impl Metrics {
    /// Counts one commit. `pending` and `held` are the numbers of such events after the commit.
    pub fn committed(&self, counts: &Counts, pending: i64, held: i64) {
        let _whole = self.whole();
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
        self.queue_events.set(pending);
        self.events_held.set(held);
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
