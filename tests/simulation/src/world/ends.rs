//! Checks during the week: nothing ends too early, and no event is lost between two counts.

use super::{DAY_MS, HOUR_MS, NamedText, World, clock};

impl World {
    /// Checks that nothing was given up too early, even with a wrong clock.
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
        // After an hour of uptime, the proxy treats its clock as right, even if the clock was wrong at the start.
        if let Some(early) = early.filter(|_| !self.started_wrong) {
            self.fails(early);
        }
    }

    pub(super) fn check_balance(&mut self) {
        // What one process counts leaves out what others do.
        if self.plan.proxies.is_some() {
            return;
        }
        let Some(process) = self.process() else {
            return;
        };
        let (came, went) = process.balance();
        if came != went {
            self.fails(format!(
                "{came} events were accepted, found or replayed, and {went} ended, wait or are held"
            ));
        }
    }
}
