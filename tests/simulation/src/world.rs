//! The week of one seed: all its events, in virtual time and in one thread.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use duet_proxy::{
    admit::Caller,
    decide::{Became, Destination, Destinations, Enqueued, LetterId, Named as NamedText},
    deliver::RequestId,
    queue::Limits,
    tiktok::{self, Reply},
};
use fastrand::Rng;
use serde_json::{Map, Value, json};

use crate::{
    alarms::Watched,
    browser::{Answered, Ask, Browser},
    clock,
    plan::{AFTERMATH_MS, DAY_MS, HOUR_MS, MINUTE_MS, Plan, WEEK_MS},
    plant::Plant,
    process::{Answer, Named, Options, Process, Sent, Who},
    shop::{Paying, ShopOrder},
    store::{Disk, Fault},
    tiktok::TikTok,
};

mod crashes;
mod delivery;
mod ends;
mod harm;
mod lived;
mod money;
mod pages;
mod proxy;
pub(crate) mod regular;
mod what;

pub(crate) use lived::Promised;
pub use lived::{Failure, Lived};
use what::What;

/// The largest number of steps in a week. Without this limit, a week could run forever if a message were sent again and again.
const STEPS: usize = 400_000;
/// How long the event of a paid order may take to TikTok at most, if nothing fails.
const FIRST_CLASS_MS: i64 = 20_000;
/// The longest pause that a courier may make after TikTok has asked for fewer requests.
const LONGEST_PAUSE: Duration = Duration::from_secs(75);
/// How long a page waits for an answer.
const REQUEST_MS: i64 = 10_000;

/// A week and its results.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct World {
    rng: Rng,
    pub(crate) plan: Plan,
    pub(crate) plant: Option<Plant>,
    schedule: BTreeMap<(i64, u64), What>,
    scheduled: u64,
    turn_is_due: bool,
    look_is_due: bool,
    /// When the next late commit arrives.
    arrives_ms: Option<i64>,
    delivers_at: Option<i64>,
    pub(crate) disk: Disk,
    /// The processes that run.
    pub(crate) processes: Vec<Process>,
    /// The processes that are stopped for some time, each with the time at which it continues.
    asleep: Vec<(i64, Process)>,
    /// Whether the next process that sends a request to TikTok then stops for some time.
    falls_asleep: bool,
    /// Whether the server of the database is lost after the next commit that it does not answer.
    fails_over: bool,
    /// Counts the starts and stops of processes.
    pub(crate) epoch: u64,
    /// The last time at which a process got the time from TikTok. `None` if no process has got it.
    dated_ms: Option<i64>,
    started: Instant,
    pub(crate) tiktok: TikTok,
    pub(crate) browsers: Vec<Browser>,
    pub(crate) orders: Vec<ShopOrder>,
    pub(crate) payings: Vec<Paying>,
    requests: BTreeMap<(usize, usize, u32), Vec<String>>,
    /// The events that the proxy called accepted, held or a repeat, and when.
    pub(crate) promised: BTreeMap<Named, Promised>,
    /// The pixel and the id of each event that pages reported. Events whose copies were cleared from the storage are left out.
    pub(crate) reported: BTreeSet<(String, String)>,
    /// The orders for which the proxy answered that they are paid, and when.
    pub(crate) paid: BTreeMap<String, i64>,
    destinations: Destinations,
    is_healed: bool,
    story: Option<Vec<String>>,
    /// The first promise that was broken.
    pub(crate) wrong: Option<String>,
    /// The dead letters that were already checked.
    ended: BTreeSet<LetterId>,
    /// Whether a process has started while the clock was wrong. In this case TikTok may refuse the first events of this
    /// process because of their times.
    pub(crate) started_wrong: bool,
    /// The last time at which a fault happened that concerns all pixels.
    pub(crate) calm_since_ms: i64,
    /// For each pixel, the last time at which TikTok had trouble with a request.
    barred_ms: BTreeMap<String, i64>,
    /// What the watch of the alarms knows, if the alarms are watched.
    pub(crate) watched: Option<Watched>,
}

impl World {
    /// Prepares the week of this seed. If `tells` is true, the week records its story.
    pub fn new(seed: u64, plant: Option<Plant>, tells: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let plan = Plan::draw(seed, &mut rng);
        clock::start();
        clock::plant_one_clock(plant == Some(Plant::WallClock));
        let mut tiktok = TikTok::new();
        tiktok.has_one_pixel = plan.pixels == 1;
        let live = |pixel: &str| {
            Arc::new(Destination {
                pixel_id: pixel.to_owned(),
                test_event_code: None,
            })
        };
        let mut live = tiktok
            .pixels()
            .take(plan.pixels)
            .map(live)
            .collect::<Vec<_>>();
        let destinations = Destinations {
            first: live.remove(0),
            others: live,
        };
        Self {
            rng,
            plant,
            schedule: BTreeMap::new(),
            scheduled: 0,
            turn_is_due: false,
            delivers_at: None,
            disk: match plan.proxies {
                Some(_) => Disk::database(plant),
                None => Disk::with(plant),
            },
            plan,
            processes: Vec::new(),
            asleep: Vec::new(),
            falls_asleep: false,
            fails_over: false,
            epoch: 0,
            dated_ms: None,
            look_is_due: false,
            arrives_ms: None,
            started: Instant::now(),
            tiktok,
            browsers: Vec::new(),
            orders: Vec::new(),
            payings: Vec::new(),
            requests: BTreeMap::new(),
            promised: BTreeMap::new(),
            ended: BTreeSet::new(),
            started_wrong: false,
            reported: BTreeSet::new(),
            paid: BTreeMap::new(),
            destinations,
            barred_ms: BTreeMap::new(),
            is_healed: false,
            story: tells.then(Vec::new),
            wrong: None,
            calm_since_ms: 0,
            watched: None,
        }
    }

    /// Runs the week and the time after it.
    ///
    /// Returns the broken promise, and the story up to this moment.
    pub fn live(mut self) -> Result<Lived, Failure> {
        self.plan_the_week();
        let mut steps = 0;
        while let Some(((at_ms, _), what)) = self.schedule.pop_first() {
            self.watch_until(at_ms);
            clock::pass((at_ms - clock::since_start_ms()).max(0));
            self.tiktok.is_now(clock::true_ms());
            self.step(what);
            steps += 1;
            if steps % 256 == 0 {
                self.check_balance();
            }
            if steps > STEPS {
                self.fails(format!("the week must end within {steps} steps"));
            }
            if self.wrong.is_some() {
                break;
            }
        }
        if self.wrong.is_none() {
            self.check_balance();
            self.check_the_end();
        }
        let Some(wrong) = self.wrong.take() else {
            return Ok(Lived {
                steps,
                events: self.promised.len(),
                paid: self.paid.len(),
                story: self.story.unwrap_or_default(),
            });
        };
        Err(Failure {
            wrong,
            story: self.story.unwrap_or_default(),
        })
    }

    /// Returns the pixels to which the shop reports.
    pub(crate) fn pixels(&self) -> Vec<String> {
        let all = std::iter::once(&self.destinations.first).chain(&self.destinations.others);
        all.map(|destination| destination.pixel_id.clone())
            .collect()
    }

    pub(crate) fn process(&self) -> Option<&Process> {
        self.processes.first()
    }

    pub(crate) fn fails(&mut self, wrong: String) {
        self.tell(|| wrong.clone());
        self.wrong.get_or_insert(wrong);
    }

    pub(crate) fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            let ms = clock::since_start_ms();
            let (day, hour, minute) = (ms / DAY_MS, ms / HOUR_MS % 24, ms / MINUTE_MS % 60);
            let second = ms / 1000 % 60;
            story.push(format!(
                "day {day} {hour:02}:{minute:02}:{second:02}  {}",
                line()
            ));
        }
    }

    fn at(&mut self, at_ms: i64, what: What) {
        self.scheduled += 1;
        let at_ms = at_ms.max(clock::since_start_ms());
        self.schedule.insert((at_ms, self.scheduled), what);
    }

    fn after(&mut self, ms: i64, what: What) {
        self.at(clock::since_start_ms() + ms, what);
    }

    fn now(&self) -> Instant {
        self.started + Duration::from_millis(clock::since_start_ms().unsigned_abs())
    }

    fn plan_the_week(&mut self) {
        let plan = self.plan.clone();
        self.tell(|| format!("{plan:?}"));
        for _ in 0..plan.proxies.unwrap_or(1) {
            self.restart();
        }
        let some = |count: u32, what: fn() -> What, world: &mut Self| {
            for _ in 0..count {
                let at_ms = world.rng.i64(0..WEEK_MS - DAY_MS);
                world.at(at_ms, what());
            }
        };
        some(plan.visits, || What::Visit, self);
        some(plan.crashes, || What::Crash, self);
        some(plan.clock_steps, || What::ClockIsSet, self);
        some(plan.spells, || What::Spell, self);
        some(plan.strangers, || What::Stranger, self);
        some(u32::from(plan.flood), || What::Flood, self);
        some(3, || What::Operator, self);
        some(1, || What::ClearsStorage, self);
        let mut at_ms = 0;
        while at_ms < WEEK_MS + AFTERMATH_MS {
            // After the week, little changes within an hour, so one sweep an hour is enough.
            let calm = at_ms >= WEEK_MS;
            at_ms += if calm { HOUR_MS } else { 20 * MINUTE_MS };
            self.at(at_ms, What::Sweep);
        }
        self.at(WEEK_MS, What::Heals);
        if let Some(is_planted) = self.watched.as_ref().and_then(Watched::is_planted) {
            self.plan_regulars(is_planted);
        }
    }

    fn is_lost(&mut self) -> bool {
        self.rng.u8(..100) < self.plan.loss
    }

    fn is_in_trouble(&mut self) {
        self.calm_since_ms = clock::since_start_ms();
    }
}

/// Describes a reply in a few words.
fn told(reply: &Reply) -> String {
    match reply {
        Reply::Taken(_) => "OK".to_owned(),
        other => format!("{other:?}"),
    }
}

fn event(name: &str, event_id: &str, order_id: &str, click: &str) -> Vec<u8> {
    let mut properties = Map::new();
    properties.insert("value".to_owned(), 1.into());
    properties.insert("currency".to_owned(), "VND".into());
    if !order_id.is_empty() {
        properties.insert("order_id".to_owned(), order_id.into());
    }
    let event = json!({
        "event": name, "event_id": event_id, "properties": properties,
        "user": { "ttclid": click }, "page": { "url": "https://shop.example/" },
    });
    event.to_string().into_bytes()
}
