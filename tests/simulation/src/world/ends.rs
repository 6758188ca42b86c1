//! Checks during the week: no event ends too early, and the counts of events balance.

use super::{DAY_MS, HOUR_MS, NamedText, World, clock};

impl World {
    /// Checks that no event was given up too early, even if the clock was wrong.
    pub(super) fn check_ends(&mut self) {
        let Some(process) = self.processes.first() else {
            return;
        };
        let now_ms = clock::since_start_ms();
        let mut early = None;
        for (id, letter) in process.dead_letters() {
            let least_ms = match letter.outcome.as_str() {
                "expired" => 7 * DAY_MS,
                "unverified" => 3 * DAY_MS,
                _ => continue,
            };
            if !self.ended.insert(id) {
                continue;
            }
            let event_id = NamedText::of(letter.event.get()).event_id.into_owned();
            let mut promised = self.promised.iter();
            let at_ms = promised
                .find(|(named, _)| named.id == event_id)
                .map(|(_, promised)| promised.first_ms);
            let is_sold = self.paid.keys().any(|id| letter.event.get().contains(id));
            if at_ms.is_some_and(|at_ms| now_ms - at_ms < least_ms - HOUR_MS) && !is_sold {
                early = Some(format!("{event_id} is {} too early", letter.outcome));
            }
        }
        // If the clock was wrong at a start, the proxy takes the clock for right after an hour of uptime. Then events may
        // really expire too early.
        if let Some(early) = early.filter(|_| !self.started_wrong) {
            self.fails(early);
        }
    }

    pub(super) fn check_balance(&mut self) {
        // The counts of one process do not include what other processes do, so they do not balance.
        if self.plan.proxies.is_some() {
            return;
        }
        let Some(process) = self.process() else {
            return;
        };
        let (came, went) = process.balance();
        if came != went {
            self.fails(format!(
                "both sums must be equal: {came} events were accepted, found or replayed, and {went} have ended, are pending or are held"
            ));
        }
    }
}
