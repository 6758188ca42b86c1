//! Regular customers of a shop, who make the causes of three alarms visible. A payment every five hours makes a silent webhook
//! stand out. Many pages in half a day make a missing Pixel stand out. The disk has room.
//!
//! In a planted week, the webhook falls silent, the Pixel is blocked and the disk fills, one after another. The proxy restarts in
//! the middle of each.

use std::ops::Range;

use duet_proxy::{
    alarms::{Alarm, Kind, facts::Disk},
    decide::Receipt,
    payments::{OrderHint, Transfer, memo::Memo},
};
use serde_json::json;

use super::{Caller, DAY_MS, HOUR_MS, MINUTE_MS, WEEK_MS, What, Who, World, clock};
use crate::shop::dong;

/// The payment provider of the regular customers.
pub(crate) const PROVIDER: &str = "regular";
const PAYS_EVERY_MS: i64 = 5 * HOUR_MS;
/// In a planted week, the payments of this time are missing. The last payment before this time comes in hour 70 of the
/// week, and the first payment after this time in hour 120.
const SILENCE_MS: Range<i64> = 3 * DAY_MS..5 * DAY_MS - HOUR_MS;
/// From this time on, the silence is unusually long.
const UNUSUAL_MS: Range<i64> = 94 * HOUR_MS..120 * HOUR_MS;
const VISITS_EVERY_MS: i64 = 2 * MINUTE_MS;
/// When the regular customers visit pages, on the last day of the week. The other visitors do not come on this day, because
/// they would change the share of events that also came from the Pixel.
const VISITS_MS: Range<i64> = WEEK_MS - 20 * HOUR_MS..WEEK_MS - 8 * HOUR_MS;
const BLOCKED_MS: Range<i64> = WEEK_MS - 16 * HOUR_MS..WEEK_MS - 13 * HOUR_MS;
const FULL_MS: Range<i64> = 2 * DAY_MS..2 * DAY_MS + 3 * HOUR_MS;
const RESERVE_BYTES: u64 = 1_000;
/// How long the proxy stays stopped.
const STOP_MS: i64 = MINUTE_MS;

/// What regular customers do, or what happens to their shop.
#[derive(Clone, Copy)]
pub(super) enum Regular {
    Visits { number: i64, pixel: &'static str },
    Pays(i64),
    Restarts,
}

/// The cause of an alarm.
pub(crate) struct Cause {
    pub(crate) alarm: Alarm,
    /// When the condition of the alarm holds for certain.
    pub(crate) certain_ms: Range<i64>,
    /// When the condition of the alarm may hold.
    pub(crate) perhaps_ms: Range<i64>,
}

/// Returns the causes of a planted week.
pub(crate) fn causes() -> [Cause; 3] {
    let blocked = &BLOCKED_MS;
    // The alarm compares the events of the last hour. It ends when the Pixel has sent a fifth of these events.
    let gone_ms = blocked.start + HOUR_MS..blocked.end;
    let cause = |kind, subject, certain_ms, perhaps_ms| Cause {
        alarm: Alarm::of(kind, subject),
        certain_ms,
        perhaps_ms,
    };
    [
        cause(Kind::DiskNearlyFull, "", FULL_MS, FULL_MS),
        cause(Kind::WebhookSilent, PROVIDER, UNUSUAL_MS, UNUSUAL_MS),
        cause(
            Kind::PixelGone,
            "",
            gone_ms,
            blocked.start..blocked.end + HOUR_MS / 3,
        ),
    ]
}

/// Returns the state of the disk now.
pub(crate) fn disk(is_planted: bool) -> Disk {
    let is_full = is_planted && FULL_MS.contains(&clock::since_start_ms());
    Disk {
        free_bytes: RESERVE_BYTES * if is_full { 1 } else { 10 },
        reserve_bytes: RESERVE_BYTES,
    }
}

impl World {
    /// Lets regular customers come in this week.
    pub(super) fn plan_regulars(&mut self, is_planted: bool) {
        let happens = |range: &Range<i64>, at_ms: i64| is_planted && range.contains(&at_ms);
        for number in 0..WEEK_MS / PAYS_EVERY_MS {
            let at_ms = number * PAYS_EVERY_MS;
            if !happens(&SILENCE_MS, at_ms) {
                self.at(at_ms, What::Regular(Regular::Pays(number)));
            }
        }
        for number in 0..(VISITS_MS.end - VISITS_MS.start) / VISITS_EVERY_MS {
            let at_ms = VISITS_MS.start + number * VISITS_EVERY_MS;
            let pixel = if happens(&BLOCKED_MS, at_ms) {
                "blocked"
            } else {
                "fired"
            };
            self.at(at_ms, What::Regular(Regular::Visits { number, pixel }));
        }
        for Cause { certain_ms, .. } in causes().into_iter().filter(|_| is_planted) {
            let middle_ms = i64::midpoint(certain_ms.start, certain_ms.end);
            self.at(middle_ms, What::Regular(Regular::Restarts));
        }
    }

    pub(super) fn regular(&mut self, regular: Regular) {
        match regular {
            Regular::Visits { number, pixel } => {
                let body = json!({ "event": "ViewContent", "event_id": format!("regular-{number}"), "pixel": pixel,
                    "user": { "external_id": "regular" }, "page": { "url": "https://shop.example/" } });
                self.hears(Who::Nobody, body.to_string().as_bytes(), Caller::Page);
            }
            Regular::Pays(number) => {
                let memo = Memo {
                    code: None,
                    content: "tien nha".to_owned(),
                    description: String::new(),
                };
                let hint = OrderHint::Memo(memo);
                let receipt = Receipt {
                    transfer: Transfer::new(PROVIDER, format!("R{number}"), dong(1_000), hint),
                    parked: None,
                    pattern: None,
                    renewals: None,
                    destinations: self.destinations.clone(),
                };
                if let Some(process) = self.any_process() {
                    process.pay(Who::Nobody, receipt);
                }
                self.turn_soon();
            }
            Regular::Restarts => {
                self.tell(|| "the proxy is restarted".to_owned());
                self.is_in_trouble();
                self.kill();
                self.after(STOP_MS, What::Restart);
            }
        }
    }
}
