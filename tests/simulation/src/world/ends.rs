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
                .and_then(|(_, promised)| promised.first_ms);
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

#[cfg(test)]
mod tests {
    use duet_proxy::decide::Enqueued;

    use crate::{
        process::{Answer, Named, Who},
        world::World,
    };

    #[test]
    fn the_age_of_an_event_is_unknown_if_its_first_answer_is_a_repeat() {
        for (first, is_known) in [(Enqueued::Held, true), (Enqueued::Duplicate, false)] {
            let mut world = World::new(0, None, false);
            let named = Named {
                pixel: "P".to_owned(),
                name: "Purchase".to_owned(),
                id: "a".to_owned(),
            };
            for enqueued in [first, Enqueued::Duplicate] {
                let results = vec![Some((named.clone(), enqueued))];
                world.answer(Who::Nobody, Answer::Events(results));
            }
            assert_eq!(world.promised[&named].first_ms.is_some(), is_known);
        }
    }
}
