//! Tests that a fact that is not known yet after a start neither begins nor ends an alarm.

use super::*;

impl Shop {
    /// Starts the process again. It has the stored alarms, and knows only its settings.
    fn restarts(&mut self) {
        let stored = serde_json::to_string(&self.watch).unwrap();
        self.watch = serde_json::from_str(&stored).unwrap();
        self.facts = unknown(self.facts.now_ms);
    }

    /// Lets the process find out that all is well.
    fn learns(&mut self) {
        self.facts = Facts {
            now_ms: self.facts.now_ms,
            legs: self.facts.legs,
            ..good()
        };
    }
}

/// Returns the facts right after a start.
fn unknown(now_ms: i64) -> Facts {
    let pixels = good().pixels.into_iter().map(|pixel| Pixel {
        id: pixel.id,
        ..Pixel::default()
    });
    Facts {
        now_ms,
        pixels: pixels.collect(),
        webhooks: vec![Webhook {
            provider: "sepay",
            ..Webhook::default()
        }],
        ..Facts::default()
    }
}

#[test]
fn no_alarm_begins_or_ends_by_what_is_not_known_yet() {
    let names = causes().map(|(alarm, ..)| alarm.split(' ').next().unwrap());
    let mut all = Kind::ALL.map(Kind::name);
    all.sort_by_key(|name| names.iter().position(|named| named == name));
    assert_eq!(names, all);
    for (alarm, fault, mend, holds_ms) in causes() {
        let mut shop = Shop::open();
        shop.restarts();
        shop.pass(HOUR_MS / 2, |_| {});
        assert_eq!(shop.told(), [""; 0], "{alarm}");
        shop.learns();
        shop.pass(HOUR_MS, busy);
        shop.pass(holds_ms + 2 * MINUTE_MS, |facts| {
            busy(facts);
            fault(facts);
        });
        assert_eq!(shop.told(), [format!("+{alarm}")]);
        shop.restarts();
        shop.pass(HOUR_MS / 2, |_| {});
        assert_eq!(shop.told(), [""; 0], "{alarm} with nothing known");
        shop.learns();
        shop.pass(RECENT_MS + CALM_MS + 2 * MINUTE_MS, |facts| {
            busy(facts);
            mend(facts);
        });
        assert_eq!(shop.told(), [format!("-{alarm}")]);
    }
}

#[test]
fn an_alarm_whose_cause_goes_on_is_told_once_across_starts() {
    for (alarm, fault, _, holds_ms) in causes() {
        let mut shop = Shop::open();
        shop.pass(2 * HOUR_MS, busy);
        for _ in 0..3 {
            shop.pass(holds_ms + 2 * MINUTE_MS, |facts| {
                busy(facts);
                fault(facts);
            });
            shop.restarts();
            shop.pass(7 * MINUTE_MS, |_| {});
            shop.learns();
        }
        assert_eq!(shop.told(), [format!("+{alarm}")]);
    }
}

#[test]
fn events_that_wait_since_the_start_are_not_delivered_events() {
    let mut shop = Shop::open();
    shop.pass(2 * HOUR_MS, |facts| facts.pixels[0].is_waiting = Some(true));
    for _ in 0..5 {
        shop.restarts();
        shop.pass(4 * MINUTE_MS, |facts| {
            facts.pixels[0].is_waiting = Some(true);
        });
    }
    assert_eq!(shop.told(), ["+not_delivering P"]);
    shop.pass(CALM_MS + MINUTE_MS, busy);
    assert_eq!(shop.told(), ["-not_delivering P"]);
}
