use super::*;

mod starts;

const STEP_MS: i64 = 15_000;

/// A shop in virtual time, and the watch that begins and ends its alarms. `facts` is the state at `facts.now_ms`.
struct Shop {
    watch: Watch,
    facts: Facts,
    changes: Vec<(i64, Change)>,
}

impl Shop {
    /// Returns a shop without a condition that begins an alarm.
    fn open() -> Self {
        Self {
            watch: Watch::default(),
            facts: good(),
            changes: Vec::new(),
        }
    }

    /// Lets `ms` milliseconds pass, in steps of 15 seconds. `each` changes the facts before each step.
    fn pass(&mut self, ms: i64, mut each: impl FnMut(&mut Facts)) {
        let end_ms = self.facts.now_ms + ms;
        while self.facts.now_ms < end_ms {
            self.facts.now_ms += STEP_MS;
            each(&mut self.facts);
            let changes = self.watch.observe(&self.facts);
            let at_ms = self.facts.now_ms;
            self.changes
                .extend(changes.into_iter().map(|change| (at_ms, change)));
        }
    }

    /// Returns the alarms that began (`+kind subject`) or ended (`-kind subject`) since the last call.
    fn told(&mut self) -> Vec<String> {
        let changes = self.changes.drain(..);
        let told = changes.map(|(_, Change { alarm, begins, .. })| {
            let sign = if begins { '+' } else { '-' };
            format!("{sign}{} {}", alarm.kind.name(), alarm.subject)
        });
        told.map(|text| text.trim_end().to_owned()).collect()
    }
}

/// Returns the facts of a shop in which all is well.
fn good() -> Facts {
    let pixel = |id: &str| Pixel {
        id: id.to_owned(),
        is_refused: Some(false),
        is_waiting: Some(false),
        delivered: 0,
    };
    Facts {
        pixels: vec![pixel("P"), pixel("Q")],
        webhooks: vec![Webhook {
            provider: "sepay",
            silent_ms: Some(0),
            longest_gap_ms: 10 * HOUR_MS,
        }],
        disk: Some(disk(10_000)),
        paid: Some(paid(40, 40)),
        legs: Legs {
            fired: 1_000,
            missing: 100,
        },
        paid_unreported: Some(0),
        ..Facts::default()
    }
}

/// Imitates busy hours: events are pending and are delivered, and most pages have a Pixel.
fn busy(facts: &mut Facts) {
    for pixel in &mut facts.pixels {
        pixel.is_waiting = Some(true);
        pixel.delivered += 3;
    }
    facts.legs.fired += 3;
    facts.legs.missing += 1;
}

type Act = fn(&mut Facts);

/// Returns for each alarm: its name and subject, a function that makes its condition hold, a function that ends the
/// condition, and how long the condition must hold before the alarm begins.
fn causes() -> [(&'static str, Act, Act, i64); Kind::ALL.len()] {
    [
        (
            "token_refused Q",
            |facts| facts.pixels[1].is_refused = Some(true),
            |facts| facts.pixels[1].is_refused = Some(false),
            0,
        ),
        (
            "not_delivering P",
            |facts| facts.pixels[0].delivered -= 3,
            |facts| facts.pixels[0].delivered += 1,
            WITHOUT_DELIVERY_MS,
        ),
        (
            "paid_not_delivered",
            |facts| facts.paid = Some(paid(10, 7)),
            |facts| facts.paid = Some(paid(10, 8)),
            0,
        ),
        (
            "webhook_silent sepay",
            |facts| facts.webhooks[0].silent_ms = Some(30 * HOUR_MS + 1),
            |facts| facts.webhooks[0].silent_ms = Some(0),
            0,
        ),
        (
            "pixel_gone",
            |facts| facts.legs.fired -= 3,
            |facts| facts.legs.fired += 5,
            RECENT_MS,
        ),
        (
            "disk_nearly_full",
            |facts| facts.disk = Some(disk(1_999)),
            |facts| facts.disk = Some(disk(2_000)),
            0,
        ),
        ("dead_letters", |facts| facts.dead_letters = 1, |_| {}, 0),
        (
            "paid_unreported",
            |facts| facts.paid_unreported = Some(1),
            |facts| facts.paid_unreported = Some(0),
            0,
        ),
    ]
}

#[test]
fn every_fault_begins_its_alarm_within_two_minutes_and_its_end_ends_it() {
    for (alarm, fault, mend, holds_ms) in causes() {
        let mut shop = Shop::open();
        shop.pass(2 * HOUR_MS, busy);
        assert_eq!(shop.told(), [""; 0], "{alarm}");
        shop.pass(holds_ms + 2 * MINUTE_MS, |facts| {
            busy(facts);
            fault(facts);
        });
        assert_eq!(shop.told(), [format!("+{alarm}")]);
        // While the condition lasts, the alarm is not reported a second time.
        shop.pass(HOUR_MS / 2, |facts| {
            busy(facts);
            fault(facts);
        });
        assert_eq!(shop.told(), [""; 0], "{alarm}");
        shop.pass(RECENT_MS + CALM_MS + 2 * MINUTE_MS, |facts| {
            busy(facts);
            mend(facts);
        });
        assert_eq!(shop.told(), [format!("-{alarm}")]);
    }
}

fn paid(orders: u64, delivered: u64) -> Paid {
    Paid { orders, delivered }
}

fn disk(free_bytes: u64) -> Disk {
    Disk {
        free_bytes,
        reserve_bytes: 1_000,
    }
}

#[test]
fn an_ordinary_week_has_no_alarm() {
    let mut shop = Shop::open();
    for day in 0..7_u64 {
        // At night no events arrive, and the bank sends no notification for ten hours.
        for hour in 0..10 {
            shop.pass(HOUR_MS, |facts| {
                facts.webhooks[0].silent_ms = Some(hour * HOUR_MS);
                for pixel in &mut facts.pixels {
                    pixel.is_waiting = Some(false);
                }
            });
        }
        shop.pass(13 * HOUR_MS, |facts| {
            busy(facts);
            facts.webhooks[0].silent_ms = Some(0);
            // With only a few orders, the share of delivered orders means nothing.
            let (orders, delivered) = if day % 2 == 0 { (4, 0) } else { (50, 41) };
            facts.paid = Some(paid(orders, delivered));
        });
        // TikTok is unreachable a few times, each time for less than 5 minutes.
        for _ in 0..6 {
            shop.pass(4 * MINUTE_MS, |facts| {
                facts.pixels[0].is_waiting = Some(true);
            });
            shop.pass(6 * MINUTE_MS, busy);
        }
    }
    assert_eq!(shop.told(), [""; 0]);
}

#[test]
fn a_condition_that_comes_and_goes_is_one_alarm() {
    let mut shop = Shop::open();
    for _ in 0..20 {
        shop.pass(MINUTE_MS, |facts| facts.paid_unreported = Some(1));
        shop.pass(4 * MINUTE_MS, |facts| facts.paid_unreported = Some(0));
    }
    assert_eq!(shop.told(), ["+paid_unreported"]);
    shop.pass(2 * MINUTE_MS, |_| {});
    let (_, change) = shop.changes.first().unwrap();
    assert_eq!((change.begins, change.lasted_ms), (false, 101 * MINUTE_MS));
}

#[test]
fn a_refused_token_is_not_also_a_stopped_delivery() {
    let mut shop = Shop::open();
    shop.pass(HOUR_MS, |facts| {
        facts.pixels[0].is_waiting = Some(true);
        facts.pixels[0].is_refused = Some(true);
    });
    assert_eq!(shop.told(), ["+token_refused P"]);
}

#[test]
fn a_shop_without_a_pixel_misses_none() {
    let mut shop = Shop::open();
    shop.facts.legs = Legs::default();
    shop.pass(5 * HOUR_MS, |facts| facts.legs.missing += 10);
    assert_eq!(shop.told(), [""; 0]);
}

#[test]
fn an_unknown_fact_begins_and_ends_nothing() {
    let mut shop = Shop::open();
    shop.pass(MINUTE_MS, |facts| {
        facts.webhooks[0].silent_ms = Some(90 * HOUR_MS);
        facts.disk = Some(disk(0));
        facts.paid = Some(paid(10, 0));
    });
    assert_eq!(shop.told().len(), 3);
    shop.pass(HOUR_MS, |facts| {
        facts.webhooks[0].silent_ms = None;
        facts.disk = None;
        facts.paid = None;
    });
    assert_eq!(shop.told(), [""; 0]);
}

#[test]
fn an_alarm_of_a_removed_pixel_ends() {
    let mut shop = Shop::open();
    shop.pass(MINUTE_MS, |facts| facts.pixels[1].is_refused = Some(true));
    shop.pass(CALM_MS + MINUTE_MS, |facts| facts.pixels.truncate(1));
    assert_eq!(shop.told(), ["+token_refused Q", "-token_refused Q"]);
}
