//! Collects the facts from the running proxy.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use crate::{
    alarms::{
        facts::{Disk, Facts, Legs, Paid, Pixel, Webhook},
        paid,
    },
    app::Shared,
    config::payments::Payments,
    metrics::{OutcomeLabel, PixelLabel},
    queue::Error,
};

/// How often all payments are read from the disk.
const READ_PAYMENTS_EVERY_MS: i64 = 5 * 60_000;
/// The period before the last payment in which gaps between payments count.
const GAPS_WITHIN_MS: i64 = 14 * 24 * 60 * 60 * 1000;

/// The facts that the stored payments and the history show.
struct Shown {
    /// For each provider the time of the last payment, and the longest gap.
    gaps: BTreeMap<String, (i64, i64)>,
    paid: Option<Paid>,
}

pub(super) struct Measure {
    app: Arc<Shared>,
    folder: PathBuf,
    reserve_bytes: u64,
    /// When the payments were read, and the facts that they show.
    payments: Option<(i64, Shown)>,
}

impl Measure {
    pub(super) fn new(app: Arc<Shared>, folder: PathBuf, reserve_bytes: u64) -> Self {
        Self {
            app,
            folder,
            reserve_bytes,
            payments: None,
        }
    }

    /// Returns the time of day in Unix milliseconds.
    pub(super) fn day_ms(&self) -> i64 {
        self.app.intake.clock().day_ms()
    }

    pub(super) async fn facts(&mut self) -> Facts {
        let clock = self.app.intake.clock();
        let (times, now_ms) = (clock.times(), clock.reading().boot_ms);
        self.read_payments(now_ms, times.confirmed_ms).await;
        let unreported = self.app.metrics.paid_unreported.get();
        Facts {
            now_ms,
            pixels: self.pixels(),
            webhooks: self.webhooks(times.confirmed_ms),
            legs: self.legs(),
            disk: self.disk(),
            dead_letters: self.ended("refused") + self.ended("expired"),
            paid_unreported: u64::try_from(unreported).unwrap_or_default(),
            paid: self.payments.as_ref().and_then(|(_, known)| known.paid),
        }
    }

    fn pixels(&self) -> Vec<Pixel> {
        let delivery = self.app.health.pixels();
        let configured = self.app.pixels.now();
        let pixels = configured.iter().map(|pixel| {
            let id = pixel.id.as_str();
            let state = delivery.get(id).copied().unwrap_or_default();
            Pixel {
                id: id.to_owned(),
                is_refused: state.barred,
                is_waiting: state.oldest_ms.is_some(),
                delivered: self.app.metrics.delivered_to(id),
            }
        });
        pixels.collect()
    }

    fn legs(&self) -> Legs {
        let accepted = |pixel| {
            let events = self.app.metrics.accepted.get(&PixelLabel { pixel });
            events.map_or(0, |events| events.get())
        };
        Legs {
            fired: accepted("fired"),
            missing: accepted("blocked") + accepted("absent"),
        }
    }

    fn ended(&self, outcome: &'static str) -> u64 {
        let events = self.app.metrics.ended.get(&OutcomeLabel { outcome });
        events.map_or(0, |events| events.get())
    }

    fn disk(&self) -> Option<Disk> {
        let disk = rustix::fs::statvfs(&self.folder).ok()?;
        Some(Disk {
            free_bytes: disk.f_bavail.saturating_mul(disk.f_frsize),
            reserve_bytes: self.reserve_bytes,
        })
    }

    /// Returns the state of the webhooks that are set up. Leaves out a webhook that has never reported a payment.
    /// `confirmed_ms` is the time of day, or `None` while the time of day is in doubt.
    fn webhooks(&self, confirmed_ms: Option<i64>) -> Vec<Webhook> {
        let configured = self.app.payments.iter().flat_map(Payments::providers);
        let webhooks = configured.filter_map(|(provider, _)| {
            let (_, known) = self.payments.as_ref()?;
            let (last_ms, longest_gap_ms) = *known.gaps.get(provider)?;
            Some(Webhook {
                provider,
                silent_ms: confirmed_ms.map(|now_ms| now_ms - last_ms),
                longest_gap_ms,
            })
        });
        webhooks.collect()
    }

    async fn read_payments(&mut self, now_ms: i64, confirmed_ms: Option<i64>) {
        let is_fresh = |at: &i64| now_ms - at < READ_PAYMENTS_EVERY_MS;
        let is_read = self.payments.as_ref().is_some_and(|(at, _)| is_fresh(at));
        if is_read || self.app.payments.is_none() {
            return;
        }
        let orders = self.app.intake.orders().clone();
        let history = self.app.intake.history().clone();
        let read = tokio::task::spawn_blocking(move || {
            let payments = orders.payments()?;
            let reported = payments.iter().map(|it| (it.provider.as_str(), it.at_ms));
            let paid = confirmed_ms.map(|now_ms| paid::paid(&orders, &history, now_ms));
            Ok::<_, Error>(Shown {
                gaps: gaps(reported),
                paid: paid.transpose()?.flatten(),
            })
        });
        // If the payments cannot be read, the next check reads them again. Another alarm reports a full disk.
        if let Ok(Ok(payments)) = read.await {
            self.payments = Some((now_ms, payments));
        }
    }
}

/// Returns for each provider the time of its last payment, and the longest time between two payments in the 14 days before the
/// last payment. If there was only one payment, the longest time is 0. `payments` has the provider and the time of each
/// payment.
fn gaps<'a>(payments: impl Iterator<Item = (&'a str, i64)>) -> BTreeMap<String, (i64, i64)> {
    let mut times: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (provider, at_ms) in payments {
        times.entry(provider).or_default().push(at_ms);
    }
    let gaps = times.into_iter().filter_map(|(provider, mut times)| {
        times.sort_unstable();
        let last_ms = *times.last()?;
        times.retain(|at_ms| last_ms - at_ms <= GAPS_WITHIN_MS);
        let between = times.windows(2).map(|pair| match pair {
            [before, after] => after - before,
            _ => 0,
        });
        Some((provider.to_owned(), (last_ms, between.max().unwrap_or(0))))
    });
    gaps.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_those_of_14_days_before_the_last_payment() {
        const DAY: i64 = 24 * 60 * 60 * 1000;
        let payments = [
            ("sepay", 40 * DAY),
            ("sepay", 2 * DAY),
            ("sepay", 30 * DAY),
            ("sepay", 37 * DAY),
            ("stripe", 5 * DAY),
        ];
        let gaps = gaps(payments.into_iter());
        assert_eq!(gaps["sepay"], (40 * DAY, 7 * DAY));
        assert_eq!(gaps["stripe"], (5 * DAY, 0));
    }
}
