//! The facts on which alarms depend, from the same sources that `alarms/measure.rs` reads.

use duet_proxy::{
    alarms::{
        facts::{Facts, Legs, Paid, Pixel},
        paid,
    },
    metrics::{OutcomeLabel, PixelLabel},
};

use super::{Process, all};
use crate::clock;

impl Process {
    /// Returns the facts at this moment. The facts about the disk and the webhooks are left out. `before` are the facts of
    /// the last check.
    pub fn facts(&mut self, before: &Facts) -> Facts {
        for run in &mut self.lanes {
            let Some(lane) = &mut run.lane else { continue };
            if let Ok(oldest_ms) = lane.oldest_ms(self.options.limits) {
                self.health.waiting_since(&run.destination, oldest_ms);
            } else {
                // The store was opened again. The real driver of a courier notices this at the same place.
                run.courier.rewind();
                lane.rewind();
            }
        }
        let delivery = self.health.pixels();
        let pixel = |id: &str| {
            let state = delivery.get(id).copied().unwrap_or_default();
            Pixel {
                id: id.to_owned(),
                is_refused: state.barred,
                is_waiting: state.oldest_ms.is_some(),
                delivered: self.metrics.delivered_to(id),
            }
        };
        let pixels = all(&self.options.destinations).map(|it| pixel(&it.pixel_id));
        let accepted = |pixel| {
            let events = self.metrics.accepted.get(&PixelLabel { pixel });
            events.map_or(0, |events| events.get())
        };
        let ended = |outcome| {
            let events = self.metrics.ended.get(&OutcomeLabel { outcome });
            events.map_or(0, |events| events.get())
        };
        let unreported = self.metrics.paid_unreported.get();
        Facts {
            now_ms: clock::read().boot_ms,
            pixels: pixels.collect(),
            legs: Legs {
                fired: accepted("fired"),
                missing: accepted("blocked") + accepted("absent"),
            },
            dead_letters: ended("refused") + ended("expired"),
            paid_unreported: if self.has_swept {
                u64::try_from(unreported).unwrap_or_default()
            } else {
                before.paid_unreported
            },
            ..Facts::default()
        }
    }

    /// Returns how many of the paid orders are delivered. The real process reads this number every 5 minutes.
    pub fn paid(&self) -> Option<Paid> {
        let now_ms = self.intake.clock().times().confirmed_ms?;
        paid::paid(self.intake.orders(), self.intake.history(), now_ms).ok()?
    }
}
