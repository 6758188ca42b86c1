//! The facts on which alarms depend, from the same sources that `alarms/measure.rs` reads.

use duet_proxy::{
    alarms::{
        facts::{Facts, Legs, Paid, Pixel, Webhook},
        paid, silence,
    },
    metrics::{OutcomeLabel, PixelLabel},
};

use super::{Process, all};
use crate::clock;

impl Process {
    /// Returns the facts now, without the disk, the webhooks and the paid orders.
    pub fn facts(&mut self) -> Facts {
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
            let state = delivery.get(id);
            let is_empty = self.metrics.queued_for(id) == 0;
            Pixel {
                id: id.to_owned(),
                is_refused: state.and_then(|state| state.barred),
                is_waiting: state
                    .map(|state| state.oldest_ms.is_some())
                    .or(is_empty.then_some(false)),
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
        Facts {
            now_ms: clock::read().boot_ms,
            pixels: pixels.collect(),
            legs: Legs {
                fired: accepted("fired"),
                missing: accepted("blocked") + accepted("absent"),
            },
            dead_letters: ended("refused") + ended("expired"),
            paid_unreported: self.metrics.known_unreported(),
            ..Facts::default()
        }
    }

    /// Returns the time of a provider's last payment, and the longest gap before this payment. The real process reads both
    /// every 5 minutes.
    pub fn gap(&self, provider: &str) -> Option<(i64, i64)> {
        let payments = self.intake.orders().payments().ok()?;
        let reported = payments.iter().map(|it| (it.provider.as_str(), it.at_ms));
        silence::gaps(reported).remove(provider)
    }

    /// Returns the state of a provider's webhook, whose gap is known.
    pub fn webhook(&self, provider: &'static str, gap: Option<(i64, i64)>) -> Webhook {
        let confirmed_ms = self.intake.clock().times().confirmed_ms;
        silence::webhook(provider, gap.as_ref(), confirmed_ms)
    }

    /// Returns how many of the paid orders are delivered. The real process reads this every 5 minutes.
    pub fn paid(&self) -> Option<Paid> {
        let now_ms = self.intake.clock().times().confirmed_ms?;
        paid::paid(self.intake.orders(), self.intake.history(), now_ms).ok()?
    }
}
