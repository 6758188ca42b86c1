//! Collects the facts from the running proxy.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use crate::{
    alarms::{
        facts::{Disk, Facts, Legs, Paid, Pixel, Webhook},
        paid, silence,
    },
    app::Shared,
    config::payments::Payments,
    metrics::{OutcomeLabel, PixelLabel},
    queue::Error,
};

/// How often all payments are read from the disk.
const READ_PAYMENTS_EVERY_MS: i64 = 5 * 60_000;

/// The facts that the stored payments and the history show.
struct Shown {
    /// For each provider the time of its last payment, and the longest time between two payments, as [`silence::gaps`] returns
    /// them.
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
        Facts {
            now_ms,
            pixels: self.pixels(),
            webhooks: self.webhooks(times.confirmed_ms),
            legs: self.legs(),
            disk: self.disk(),
            dead_letters: self.ended("refused") + self.ended("expired"),
            paid_unreported: self.app.metrics.known_unreported(),
            paid: self.payments.as_ref().and_then(|(_, known)| known.paid),
        }
    }

    fn pixels(&self) -> Vec<Pixel> {
        let delivery = self.app.health.pixels();
        let configured = self.app.pixels.now();
        let pixels = configured.iter().map(|pixel| {
            let id = pixel.id.as_str();
            let state = delivery.get(id);
            // Until the pixel's courier has reported to `health`, the metrics decide: if they count no pending event, no event
            // is pending. Otherwise the fact stays unknown.
            let is_empty = self.app.metrics.queued_for(id) == 0;
            Pixel {
                id: id.to_owned(),
                is_refused: state.and_then(|state| state.barred),
                is_waiting: state
                    .map(|state| state.oldest_ms.is_some())
                    .or(is_empty.then_some(false)),
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

    /// Returns the state of the webhooks that are set up. `confirmed_ms` is the time of day, or `None` while the time of day is
    /// in doubt.
    fn webhooks(&self, confirmed_ms: Option<i64>) -> Vec<Webhook> {
        let configured = self.app.payments.iter().flat_map(Payments::providers);
        let gaps = self.payments.as_ref().map(|(_, shown)| &shown.gaps);
        let webhooks = configured.map(|(provider, _)| {
            let gap = gaps.and_then(|gaps| gaps.get(provider));
            silence::webhook(provider, gap, confirmed_ms)
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
                gaps: silence::gaps(reported),
                paid: paid.transpose()?.flatten(),
            })
        });
        // If the payments cannot be read, the facts of the last reading stay, and the next check reads the payments again. The
        // failure begins no alarm of its own. A full disk has the alarm `DiskNearlyFull`.
        if let Ok(Ok(payments)) = read.await {
            self.payments = Some((now_ms, payments));
        }
    }
}
