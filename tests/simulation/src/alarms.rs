//! Watches the alarms of a week, and compares them with the conditions in the simulated world. Once a minute, the real
//! [`Watch`] gets the facts of the process. The comparison does not use these facts: it takes the conditions from TikTok's
//! replies and from the disk.
//!
//! In a calm week, no alarm at all begins. In a planted week, there is one cause each for `webhook_silent`, `pixel_gone`
//! and `disk_nearly_full`, see [`regular`]. In a week with faults, these kinds are compared: `token_refused`,
//! `not_delivering`, `dead_letters` and `paid_unreported`. Such a week has too few orders for `paid_not_delivered`. Calm
//! weeks have enough.

use std::collections::{BTreeMap, BTreeSet};

use duet_proxy::{
    alarms::{
        Alarm, Change, Kind, Watch,
        facts::{Facts, Paid},
    },
    decide::LetterId,
    tiktok::Reply,
};

use crate::{
    clock,
    plan::{HOUR_MS, MINUTE_MS, WEEK_MS},
    store::Disk,
    world::{World, regular},
};

/// How late an alarm may begin or end.
const LATE_MS: i64 = 2 * MINUTE_MS;
/// How long the condition of an alarm must be over before the alarm ends.
const CALM_MS: i64 = 5 * MINUTE_MS;
/// How long nothing must be delivered to a pixel before its alarm begins.
const WITHOUT_DELIVERY_MS: i64 = 5 * MINUTE_MS;
/// How long a dead letter counts as new.
const RECENT_MS: i64 = HOUR_MS;
/// How long a simulated process may have a wrong count of paid orders after the store was opened. The count is right after
/// the next sweep. The real process sweeps every minute.
const SWEEP_MS: i64 = 21 * MINUTE_MS;
/// Until this time, all alarms that the last faults caused have ended.
const END_MS: i64 = WEEK_MS + 3 * HOUR_MS;

/// What can fail in a week whose alarms are watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Week {
    /// Everything can fail.
    #[default]
    Faulty,
    /// Nothing fails.
    Calm,
    /// Nothing fails, except for the planted causes of alarms.
    Planted,
}

/// The alarms of a week.
#[derive(Default)]
pub struct Watched {
    week: Week,
    watch: Watch,
    on: BTreeSet<Alarm>,
    facts: Facts,
    /// The result of the last count of paid orders, and the time of this count.
    paid: Option<(i64, Option<Paid>)>,
    next_ms: i64,
    epoch: u64,
    truths: BTreeMap<Alarm, Truth>,
    /// The pixels whose token TikTok refused in its last verdict about them.
    refused: BTreeSet<String>,
    /// For each pixel, two times since which nothing has been delivered: one that is certain, and one that assumes that
    /// TikTok refused all events of its partial replies.
    quiet_ms: BTreeMap<String, (i64, i64)>,
    /// The newest dead letter.
    letter: Option<LetterId>,
    /// When the newest dead letter was found.
    letter_ms: Option<i64>,
    /// Whether the running process knows of the newest dead letter. A process does not count the dead letters that an earlier
    /// process wrote.
    is_counted: bool,
    /// Whether the process knows what is stored. After a failure of the store, the process does not know this until the
    /// store is open again.
    is_known: bool,
    /// How often the store was opened, and when the watch noticed the last opening.
    opened: (u64, i64),
    /// The alarms that were on at the last start, whose facts the process does not know yet.
    unknown: BTreeSet<Alarm>,
    started_ms: i64,
}

/// What is known in the simulated world about the condition of an alarm.
#[derive(Clone, Copy, Default)]
struct Truth {
    /// The time since which the condition has certainly held.
    since_ms: Option<i64>,
    /// The last time at which the condition may have held.
    held_ms: Option<i64>,
}

impl World {
    /// Watches the alarms of a week in which only this can fail.
    #[must_use]
    pub fn watched(mut self, week: Week) -> Self {
        if week != Week::Faulty {
            self.plan = self.plan.calm();
        }
        self.plan.proxies = None;
        self.disk = Disk::with(self.plant);
        self.watched = Some(Watched {
            week,
            ..Watched::default()
        });
        self
    }

    /// Checks the alarms at every minute until `at_ms`. The caller must ensure that nothing else happens until then.
    pub(crate) fn watch_until(&mut self, at_ms: i64) {
        let end_ms = at_ms.min(END_MS);
        let is_due = |watched: &Watched| watched.next_ms < end_ms;
        let Some(mut watched) = self.watched.take_if(|watched| is_due(watched)) else {
            return;
        };
        let wrong = watched.pass(self, end_ms);
        self.watched = Some(watched);
        if let Err(wrong) = wrong {
            self.fails(wrong);
        }
    }

    /// Returns whether TikTok does not have the sale of a paid order at one of the pixels.
    fn misses_a_sale(&self) -> bool {
        let stored = |pixel: &String, order: &String| {
            self.tiktok.stored.iter().any(|(named, (_, event))| {
                ["Subscribe", "Purchase"].contains(&named.name.as_str())
                    && named.pixel == *pixel
                    && event["properties"]["order_id"].as_str() == Some(order)
            })
        };
        let pixels = self.pixels();
        let mut paid = self.paid.keys();
        paid.any(|order| pixels.iter().any(|pixel| !stored(pixel, order)))
    }
}

impl Watched {
    /// Returns whether the causes of alarms are planted in the week of the regular customers. A week with faults has none of
    /// these customers.
    pub(crate) fn is_planted(&self) -> Option<bool> {
        (self.week != Week::Faulty).then_some(self.week == Week::Planted)
    }

    /// Records a reply that has reached the process.
    pub(crate) fn answered(&mut self, pixel: &str, reply: &Reply) {
        let now_ms = clock::since_start_ms();
        let (certain, perhaps) = self.quiet_ms.entry(pixel.to_owned()).or_default();
        match reply {
            Reply::Barred(_) => {
                self.refused.insert(pixel.to_owned());
                self.unknown.remove(&Alarm::of(Kind::TokenRefused, pixel));
            }
            Reply::Taken(_) | Reply::TakenInPart { .. } | Reply::Refused { .. } => {
                self.refused.remove(pixel);
                self.unknown.remove(&Alarm::of(Kind::TokenRefused, pixel));
            }
            _ => {}
        }
        match reply {
            Reply::Taken(_) => {
                (*certain, *perhaps) = (now_ms, now_ms);
                self.unknown.remove(&Alarm::of(Kind::NotDelivering, pixel));
            }
            // TikTok may have refused every event of the request.
            Reply::TakenInPart { .. } => *certain = now_ms,
            _ => {}
        }
    }

    fn pass(&mut self, world: &mut World, end_ms: i64) -> Result<(), String> {
        let has_restarted = self.epoch != world.epoch;
        if has_restarted {
            self.epoch = world.epoch;
            self.restarts();
        }
        let Some(process) = world.processes.first_mut() else {
            while self.next_ms < end_ms {
                self.next_ms += MINUTE_MS;
            }
            return Ok(());
        };
        self.facts = process.facts();
        let mut gap = None;
        if self.week != Week::Faulty {
            let is_old = |at_ms: i64| clock::since_start_ms() - at_ms >= HOUR_MS;
            if self.paid.is_none_or(|(at_ms, _)| is_old(at_ms)) {
                self.paid = Some((clock::since_start_ms(), process.paid()));
            }
            self.facts.paid = self.paid.and_then(|(_, paid)| paid);
            gap = process.gap(regular::PROVIDER);
        }
        let pixels = world.pixels().into_iter();
        let pixels: Vec<_> = pixels.map(|id| (world.disk.waits(&id), id)).collect();
        self.is_known = !world.disk.has_failed();
        let is_unreported = world.disk.has_unreported();
        let newest = world.disk.newest_letter();
        if newest > self.letter {
            self.letter = newest;
            self.letter_ms = Some(clock::since_start_ms());
            self.is_counted = !has_restarted;
        }
        let opened = world.disk.opened();
        if opened != self.opened.0 {
            self.opened = (opened, clock::since_start_ms());
        }
        while self.next_ms < end_ms {
            clock::pass((self.next_ms - clock::since_start_ms()).max(0));
            self.next_ms += MINUTE_MS;
            self.facts.now_ms = clock::read().boot_ms;
            if let (Some(is_planted), Some(process)) = (self.is_planted(), world.process()) {
                self.facts.disk = Some(regular::disk(is_planted));
                self.facts.webhooks = vec![process.webhook(regular::PROVIDER, gap)];
            }
            self.compare(&pixels, is_unreported);
            for change in self.watch.observe(&self.facts) {
                let line = format!("{change:?}");
                world.tell(|| line);
                self.changes(world, change)?;
            }
            self.check()?;
        }
        Ok(())
    }

    /// The mailbox stores the watch across restarts. A new process knows nothing of earlier replies and dead letters, so an
    /// alarm that is on stays on until the process knows its facts.
    fn restarts(&mut self) {
        let stored = serde_json::to_string(&self.watch).unwrap_or_default();
        self.watch = serde_json::from_str(&stored).unwrap_or_default();
        let now_ms = clock::since_start_ms();
        for (alarm, truth) in &mut self.truths {
            truth.since_ms = None;
            if self.on.contains(alarm) {
                truth.held_ms = Some(now_ms);
            }
        }
        let on = |pixel: &String| self.on.contains(&Alarm::of(Kind::TokenRefused, pixel));
        self.refused.retain(on);
        self.quiet_ms.clear();
        if !self.on.contains(&Alarm::of(Kind::DeadLetters, "")) {
            self.letter_ms = None;
        }
        self.unknown.clone_from(&self.on);
        self.started_ms = now_ms;
    }

    /// Records which conditions hold in the world now. `pixels` lists each pixel, and whether it has pending events.
    fn compare(&mut self, pixels: &[(bool, String)], is_unreported: bool) {
        let now_ms = clock::since_start_ms();
        for (waits, id) in pixels {
            let is_refused = self.refused.contains(id);
            let quiet = self.quiet_ms.entry(id.clone());
            let quiet = quiet.or_insert((now_ms, now_ms));
            if !waits || is_refused {
                *quiet = (now_ms, now_ms);
                self.unknown.remove(&Alarm::of(Kind::NotDelivering, id));
            }
            if !self.is_known {
                quiet.0 = now_ms;
            }
            let certain = now_ms - quiet.0 >= WITHOUT_DELIVERY_MS;
            let perhaps = now_ms - quiet.1 >= WITHOUT_DELIVERY_MS - LATE_MS;
            self.holds(Alarm::of(Kind::TokenRefused, id), is_refused, is_refused);
            self.holds(Alarm::of(Kind::NotDelivering, id), certain, perhaps);
        }
        let age_ms = self.letter_ms.map(|at_ms| now_ms - at_ms);
        let is_new = |within_ms: i64| age_ms.is_some_and(|age_ms| age_ms < within_ms);
        let certain = self.is_counted && is_new(RECENT_MS - MINUTE_MS);
        let alarm = Alarm::of(Kind::DeadLetters, "");
        if now_ms - self.started_ms > RECENT_MS {
            self.unknown.remove(&alarm);
        }
        self.holds(alarm, certain, is_new(RECENT_MS));
        let opened_ms = now_ms - self.opened.1;
        let alarm = Alarm::of(Kind::PaidUnreported, "");
        self.unknown.remove(&alarm);
        if self.facts.paid_unreported.is_none() && opened_ms < HOUR_MS + SWEEP_MS {
            self.unknown.insert(alarm.clone());
        }
        let certain = is_unreported && opened_ms > SWEEP_MS;
        self.holds(alarm, certain, is_unreported);
        self.compare_causes();
    }

    /// Records the planted causes of alarms.
    fn compare_causes(&mut self) {
        let now_ms = clock::since_start_ms();
        if self.week != Week::Planted {
            return;
        }
        for cause in regular::causes() {
            let certain = cause.certain_ms.contains(&now_ms);
            let perhaps = cause.perhaps_ms.contains(&now_ms);
            self.unknown.remove(&cause.alarm);
            self.holds(cause.alarm, certain, perhaps);
        }
    }

    fn holds(&mut self, alarm: Alarm, certain: bool, perhaps: bool) {
        let now_ms = clock::since_start_ms();
        let is_unknown = self.on.contains(&alarm) && self.unknown.contains(&alarm);
        let truth = self.truths.entry(alarm).or_default();
        truth.since_ms = certain.then(|| truth.since_ms.unwrap_or(now_ms));
        if perhaps || is_unknown {
            truth.held_ms = Some(now_ms);
        }
    }

    /// Checks whether an alarm may begin or end now.
    fn changes(&mut self, world: &World, change: Change) -> Result<(), String> {
        let Change { alarm, begins, .. } = change;
        let named = format!("{} {}", alarm.kind.name(), alarm.subject);
        let mut causes = regular::causes().into_iter();
        let is_planted = self.week == Week::Planted && causes.any(|cause| cause.alarm == alarm);
        if begins && self.week != Week::Faulty && !is_planted {
            return Err(format!("the alarm {named} begins in a calm week"));
        }
        if let Some(truth) = self.truths.get(&alarm) {
            let is_sold = alarm.kind == Kind::PaidUnreported && !world.misses_a_sale();
            if begins && (truth.is_over(LATE_MS) || is_sold) {
                return Err(format!(
                    "the alarm {named} begins, but its condition does not hold"
                ));
            }
            if !begins && truth.is_certain() {
                return Err(format!(
                    "the alarm {named} ends, but its condition still holds"
                ));
            }
        }
        if begins {
            self.on.insert(alarm);
        } else {
            self.on.remove(&alarm);
        }
        Ok(())
    }

    /// Checks that every alarm that must be on is on, and that no alarm stays on long after its condition is over.
    fn check(&self) -> Result<(), String> {
        for (alarm, truth) in &self.truths {
            let named = || format!("{} {}", alarm.kind.name(), alarm.subject);
            let is_on = self.on.contains(alarm);
            if truth.is_certain() && !is_on {
                return Err(format!(
                    "the condition of the alarm {} holds, but the alarm has not begun",
                    named()
                ));
            }
            if truth.is_over(CALM_MS + LATE_MS) && is_on {
                return Err(format!(
                    "the condition of the alarm {} is over, but the alarm has not ended",
                    named()
                ));
            }
        }
        Ok(())
    }
}

impl Truth {
    /// Returns whether the condition has held for so long that the alarm must be on.
    fn is_certain(self) -> bool {
        let now_ms = clock::since_start_ms();
        self.since_ms
            .is_some_and(|since_ms| now_ms - since_ms > LATE_MS)
    }

    /// Returns whether the condition has been over for `ms` milliseconds.
    fn is_over(self, ms: i64) -> bool {
        let now_ms = clock::since_start_ms();
        self.held_ms.is_none_or(|held_ms| now_ms - held_ms > ms)
    }
}
