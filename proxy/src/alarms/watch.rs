//! Decides which alarms are on. The decision reads no clock and does no I/O: the facts contain the time.
//!
//! One rule holds for all alarms: an unknown fact neither begins nor ends an alarm. [`Watch::conditions`] returns `None` for
//! each alarm whose facts are not known, for instance because the process has just started.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::{
    Kind,
    facts::{Disk, Facts, Legs, Paid, Pixel, Webhook},
};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// An alarm ends when its condition has not held for this time. So a condition that comes and goes makes only one alarm.
const CALM_MS: i64 = 5 * MINUTE_MS;
/// [`Kind::NotDelivering`] begins when events of a pixel are pending and none was delivered for this time.
const WITHOUT_DELIVERY_MS: i64 = 5 * MINUTE_MS;
/// A share of orders is computed only from at least this many orders.
const FEWEST_ORDERS: u64 = 5;
/// The Pixel's share is computed only from at least this many events of pages.
const FEWEST_EVENTS: u64 = 20;
/// The period in which dead letters and events of pages are counted.
const RECENT_MS: i64 = HOUR_MS;
/// The period between two samples of counters.
const SAMPLE_MS: i64 = MINUTE_MS;

/// One alarm: its kind, and its subject. The subject is a pixel or a provider, and empty for a kind of which there is only one
/// alarm.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Alarm {
    /// The kind.
    pub kind: Kind,
    /// The pixel code, the provider's name, or an empty text.
    pub subject: String,
}

/// An alarm that begins or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The alarm.
    pub alarm: Alarm,
    /// Whether the alarm begins.
    pub begins: bool,
    /// How long the alarm was on, in milliseconds.
    pub lasted_ms: i64,
}

/// The alarms that are on, and the earlier facts that are needed to decide when alarms begin and end. The process stores the
/// alarms that are on, so that they survive a restart.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Watch {
    /// A list of pairs, because JSON has only text as keys.
    on: Vec<(Alarm, On)>,
    /// Whether the Pixel has ever sent an event. A shop that has no Pixel gets no alarm about the Pixel.
    has_pixel: bool,
    #[serde(skip)]
    progress: BTreeMap<String, Progress>,
    #[serde(skip)]
    legs: VecDeque<(i64, Legs)>,
    #[serde(skip)]
    dead_letters: VecDeque<(i64, u64)>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[allow(clippy::struct_field_names, reason = "each name has its unit")]
struct On {
    /// How long the alarm has been on in earlier processes and in this one, up to `seen_ms`.
    lasted_ms: i64,
    /// When the alarm was checked last in this process.
    #[serde(skip)]
    seen_ms: Option<i64>,
    /// Since when the condition has not held.
    #[serde(skip)]
    calm_since_ms: Option<i64>,
}

/// The last progress in the delivery of a pixel's events.
#[derive(Clone, Copy, Debug)]
struct Progress {
    delivered: u64,
    since_ms: i64,
    /// Whether, at some time since the start, an event was delivered, TikTok refused the token, or no event was pending.
    /// Before that, only 5 minutes without a delivery show whether the delivery has stopped.
    is_known: bool,
}

impl Watch {
    /// Returns whether the Pixel has sent events.
    pub(super) fn has_pixel(&self) -> bool {
        self.has_pixel
    }

    /// Returns the alarms that begin and end with these facts.
    pub fn observe(&mut self, facts: &Facts) -> Vec<Change> {
        let conditions = self.conditions(facts);
        let mut changes = Vec::new();
        for (alarm, holds) in &conditions {
            let is_on = self.on.iter().any(|(on, _)| on == alarm);
            if *holds == Some(true) && !is_on {
                changes.push(Change {
                    alarm: alarm.clone(),
                    begins: true,
                    lasted_ms: 0,
                });
                self.on.push((alarm.clone(), On::since(facts.now_ms)));
            }
        }
        self.on.retain_mut(|(alarm, on)| {
            // The alarm of a pixel or provider that was removed from the settings ends.
            let holds = conditions.get(alarm).copied().unwrap_or(Some(false));
            let ends = on.ends(holds, facts.now_ms);
            if ends {
                changes.push(Change {
                    alarm: alarm.clone(),
                    begins: false,
                    lasted_ms: on.lasted_ms,
                });
            }
            !ends
        });
        changes
    }

    /// Returns for each possible alarm whether its condition holds. `None` means that the facts do not decide this, so that
    /// the alarm neither begins nor ends.
    fn conditions(&mut self, facts: &Facts) -> BTreeMap<Alarm, Option<bool>> {
        let one = |kind, holds| (Alarm::of(kind, ""), holds);
        let mut conditions = BTreeMap::from([
            one(Kind::PaidNotDelivered, facts.paid.and_then(is_behind)),
            one(Kind::PixelGone, self.pixel_is_gone(facts)),
            one(Kind::DiskNearlyFull, facts.disk.map(is_nearly_full)),
            one(Kind::DeadLetters, self.has_new_letters(facts)),
            one(
                Kind::PaidUnreported,
                facts.paid_unreported.map(|orders| orders > 0),
            ),
        ]);
        self.progress
            .retain(|id, _| facts.pixels.iter().any(|pixel| pixel.id == *id));
        for pixel in &facts.pixels {
            let is_stopped = self.is_stopped(pixel, facts.now_ms);
            conditions.insert(Alarm::of(Kind::TokenRefused, &pixel.id), pixel.is_refused);
            conditions.insert(Alarm::of(Kind::NotDelivering, &pixel.id), is_stopped);
        }
        for webhook in &facts.webhooks {
            conditions.insert(
                Alarm::of(Kind::WebhookSilent, webhook.provider),
                is_silent(*webhook),
            );
        }
        conditions
    }

    /// Returns whether events of the pixel have been pending for 5 minutes without a delivery. While TikTok refuses the token,
    /// returns false, because [`Kind::TokenRefused`] is the alarm for this. If events were pending at the start, returns
    /// `None` until one of them is delivered, or 5 minutes have passed.
    fn is_stopped(&mut self, pixel: &Pixel, now_ms: i64) -> Option<bool> {
        let progress = self.progress.entry(pixel.id.clone()).or_insert(Progress {
            delivered: pixel.delivered,
            since_ms: now_ms,
            is_known: false,
        });
        let is_refused = pixel.is_refused == Some(true);
        let moves = is_refused || pixel.delivered != progress.delivered;
        if moves || pixel.is_waiting != Some(true) {
            *progress = Progress {
                delivered: pixel.delivered,
                since_ms: now_ms,
                is_known: progress.is_known || moves || pixel.is_waiting.is_some(),
            };
        }
        let is_stopped = now_ms - progress.since_ms >= WITHOUT_DELIVERY_MS;
        (is_stopped || progress.is_known).then_some(is_stopped)
    }

    fn pixel_is_gone(&mut self, facts: &Facts) -> Option<bool> {
        self.has_pixel |= facts.legs.fired > 0;
        let before = sample(&mut self.legs, facts.now_ms, facts.legs);
        let fired = facts.legs.fired.saturating_sub(before.fired);
        let all = fired + facts.legs.missing.saturating_sub(before.missing);
        if !self.has_pixel || all < FEWEST_EVENTS {
            return None;
        }
        // If the share is between 1 and 2 in 10, an alarm that is on stays on, and no alarm begins.
        match fired * 10 {
            few if few < all => Some(true),
            some if some < 2 * all => None,
            _ => Some(false),
        }
    }

    /// Returns whether events became dead letters in the last hour. What happened before the start is not known. So in the
    /// first hour after the start, returns true if there is a new dead letter, and otherwise `None`.
    fn has_new_letters(&mut self, facts: &Facts) -> Option<bool> {
        let letters = &mut self.dead_letters;
        let before = sample(letters, facts.now_ms, facts.dead_letters);
        let has_new = facts.dead_letters > before;
        let oldest = letters.front();
        let is_known = oldest.is_some_and(|(at_ms, _)| facts.now_ms - at_ms >= RECENT_MS);
        (has_new || is_known).then_some(has_new)
    }
}

impl Alarm {
    /// Returns the alarm of this kind about a pixel or provider.
    pub fn of(kind: Kind, subject: &str) -> Self {
        Self {
            kind,
            subject: subject.to_owned(),
        }
    }
}

impl On {
    fn since(now_ms: i64) -> Self {
        Self {
            lasted_ms: 0,
            seen_ms: Some(now_ms),
            calm_since_ms: None,
        }
    }

    /// Stores whether the condition holds now. Returns whether the alarm ends.
    fn ends(&mut self, holds: Option<bool>, now_ms: i64) -> bool {
        self.lasted_ms += now_ms - self.seen_ms.unwrap_or(now_ms);
        self.seen_ms = Some(now_ms);
        match holds {
            Some(false) => now_ms - *self.calm_since_ms.get_or_insert(now_ms) >= CALM_MS,
            Some(true) => {
                self.calm_since_ms = None;
                false
            }
            None => false,
        }
    }
}

/// Stores a counter's value, at most once a minute. Returns the counter's value at the beginning of the period. At the start of
/// the process, the counter was zero.
fn sample<T: Copy + Default>(samples: &mut VecDeque<(i64, T)>, now_ms: i64, value: T) -> T {
    match samples.back() {
        None => samples.push_back((now_ms, T::default())),
        Some((at_ms, _)) if now_ms - at_ms >= SAMPLE_MS => samples.push_back((now_ms, value)),
        Some(_) => {}
    }
    // The last sample before the period has the counter's value at the beginning of the period.
    while samples
        .get(1)
        .is_some_and(|(at_ms, _)| now_ms - at_ms >= RECENT_MS)
    {
        samples.pop_front();
    }
    samples.front().map_or_else(T::default, |(_, value)| *value)
}

fn is_behind(paid: Paid) -> Option<bool> {
    (paid.orders >= FEWEST_ORDERS).then_some(paid.delivered * 5 < paid.orders * 4)
}

fn is_nearly_full(disk: Disk) -> bool {
    disk.free_bytes < disk.reserve_bytes.saturating_mul(2)
}

fn is_silent(webhook: Webhook) -> Option<bool> {
    let silent_ms = webhook.silent_ms?;
    if silent_ms <= DAY_MS {
        return Some(false);
    }
    // A webhook with a single payment has no gap to compare with.
    (webhook.longest_gap_ms > 0).then_some(silent_ms > webhook.longest_gap_ms.saturating_mul(3))
}

#[cfg(test)]
mod tests;
