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

mod delivery;
mod harm;
mod money;
mod pages;
mod proxy;

/// The largest number of steps in a week. Without this limit, a week could run forever if something were sent again and
/// again.
const STEPS: usize = 400_000;
/// The longest time for the event of a paid order on a calm day.
const FIRST_CLASS_MS: i64 = 20_000;
/// The longest pause of a courier, after TikTok has asked for fewer requests.
const LONGEST_PAUSE: Duration = Duration::from_secs(75);
/// How long a page waits for an answer.
const REQUEST_MS: i64 = 10_000;

/// Something that happens at a time.
enum What {
    Turn,
    Sweep,
    Visit,
    Order(usize),
    Thanks {
        order: usize,
        page: usize,
    },
    Leave {
        browser: usize,
        page: usize,
    },
    Wake {
        browser: usize,
        page: usize,
    },
    Hears {
        who: Who,
        body: Vec<u8>,
        caller: Caller,
    },
    Answers {
        who: Who,
        answered: Answered,
    },
    Registers(usize),
    BankTells(usize),
    TikTokHears {
        epoch: u64,
        sent: Sent,
    },
    TikTokAnswers {
        epoch: u64,
        lane: usize,
        request: RequestId,
        reply: Reply,
        is_dated: bool,
    },
    Delivers,
    Crash,
    Restart,
    ClockIsSet,
    ClockStays {
        set_ms: i64,
    },
    Spell,
    Stranger,
    Flood,
    Operator,
    ClearsStorage,
    Returns(usize),
    Heals,
}

/// A week and its results.
pub struct World {
    rng: Rng,
    pub(crate) plan: Plan,
    plant: Option<Plant>,
    schedule: BTreeMap<(i64, u64), What>,
    scheduled: u64,
    turn_is_due: bool,
    delivers_at: Option<i64>,
    pub(crate) disk: Disk,
    pub(crate) process: Option<Process>,
    /// Counts processes. The second number belongs to the last process that got the time from TikTok.
    pub(crate) epoch: u64,
    dated: u64,
    dated_ms: i64,
    started: Instant,
    pub(crate) tiktok: TikTok,
    pub(crate) browsers: Vec<Browser>,
    pub(crate) orders: Vec<ShopOrder>,
    pub(crate) payings: Vec<Paying>,
    requests: BTreeMap<(usize, usize, u32), Vec<String>>,
    /// Events that the proxy called accepted, held or a repeat, and the times.
    pub(crate) promised: BTreeMap<Named, Promised>,
    /// The pixels and ids of events that pages reported and that were not cleared.
    pub(crate) reported: BTreeSet<(String, String)>,
    /// Orders whose payment was answered as paid.
    pub(crate) paid: BTreeMap<String, i64>,
    destinations: Destinations,
    is_healed: bool,
    story: Option<Vec<String>>,
    /// The first failure.
    pub(crate) wrong: Option<String>,
    /// The dead letters that were checked.
    ended: BTreeSet<LetterId>,
    /// Whether a process has started while the clock was wrong. In that case TikTok may refuse the times of the process's
    /// first events.
    pub(crate) started_wrong: bool,
    /// The start of the period without trouble.
    pub(crate) calm_since_ms: i64,
    /// The last time that TikTok did not accept a request of each pixel.
    barred_ms: BTreeMap<String, i64>,
    /// The alarms, if they are watched.
    pub(crate) watched: Option<Watched>,
}

impl World {
    /// Prepares the week of this seed. With `tells`, it records its story.
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
            plan,
            plant,
            schedule: BTreeMap::new(),
            scheduled: 0,
            turn_is_due: false,
            delivers_at: None,
            disk: Disk::with(plant),
            process: None,
            epoch: 0,
            dated: 0,
            dated_ms: -1,
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

    /// Runs the week and its aftermath.
    ///
    /// # Errors
    /// Returns what was lost, doubled or changed, and the story until then.
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

    /// Returns the pixels that the shop reports to.
    pub(crate) fn pixels(&self) -> Vec<String> {
        let all = std::iter::once(&self.destinations.first).chain(&self.destinations.others);
        all.map(|destination| destination.pixel_id.clone())
            .collect()
    }

    pub(crate) fn process(&self) -> Option<&Process> {
        self.process.as_ref()
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
        self.restart();
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
            // In the aftermath, nothing changes for hours.
            let calm = at_ms >= WEEK_MS;
            at_ms += if calm { HOUR_MS } else { 20 * MINUTE_MS };
            self.at(at_ms, What::Sweep);
        }
        self.at(WEEK_MS, What::Heals);
    }

    fn step(&mut self, what: What) {
        match what {
            What::Turn => {
                self.turn_is_due = false;
                let most = self.rng.usize(1..8);
                self.turn(most, false);
            }
            What::Sweep => {
                self.turn(usize::MAX, true);
                self.check_ends();
            }
            What::Visit => self.visit(),
            What::Order(browser) => self.order(browser),
            What::Thanks { order, page } => self.thanks(order, page),
            What::Leave { browser, page } => self.leave(browser, page),
            What::Wake { browser, page } => {
                let asks = self.browsers[browser].wake(page, &mut self.rng);
                self.ask(browser, asks);
            }
            What::Hears { who, body, caller } => self.hears(who, &body, caller),
            What::Answers { who, answered } => self.answers(&who, &answered),
            What::Registers(order) => self.registers(order),
            What::BankTells(paying) => self.bank_tells(paying),
            What::TikTokHears { epoch, sent } => self.tiktok_hears(epoch, &sent),
            What::TikTokAnswers {
                epoch,
                lane,
                request,
                reply,
                is_dated,
            } => self.tiktok_answers(epoch, lane, request, reply, is_dated),
            What::Delivers => {
                self.delivers_at = None;
                self.deliver();
            }
            What::Crash => self.crash(),
            What::Restart => self.restart(),
            What::ClockIsSet => self.set_clock(),
            // After a day without an answer from TikTok, the new time counts as right.
            What::ClockStays { set_ms } => self.started_wrong |= self.dated_ms < set_ms,
            What::Spell => self.spell(),
            What::Stranger => self.stranger(),
            What::Flood => self.flood(),
            What::Operator => self.operator(),
            What::ClearsStorage => self.clear_storage(),
            What::Returns(browser) => self.returns(browser),
            What::Heals => self.heal(),
        }
    }

    fn is_lost(&mut self) -> bool {
        self.rng.u8(..100) < self.plan.loss
    }

    fn is_in_trouble(&mut self) {
        self.calm_since_ms = clock::since_start_ms();
    }

    /// Checks that nothing was given up too early, even with a wrong clock.
    fn check_ends(&mut self) {
        let Some(process) = &self.process else {
            return;
        };
        let now_ms = clock::since_start_ms();
        let mut early = None;
        for (id, letter) in process.dead_letters() {
            let least_ms = match letter.outcome.as_str() {
                "expired" => 7 * DAY_MS,
                "unverified" => 3 * DAY_MS,
                _ => continue,
            };
            if !self.ended.insert(id) {
                continue;
            }
            let event_id = NamedText::of(letter.event.get()).event_id.into_owned();
            let mut promised = self.promised.iter();
            let at_ms = promised
                .find(|(named, _)| named.id == event_id)
                .map(|(_, promised)| promised.first_ms);
            let is_sold = self.paid.keys().any(|id| letter.event.get().contains(id));
            if at_ms.is_some_and(|at_ms| now_ms - at_ms < least_ms - HOUR_MS) && !is_sold {
                early = Some(format!("{event_id} is {} too early", letter.outcome));
            }
        }
        // After an hour of uptime, the proxy treats its clock as right, even if the clock was wrong at the start.
        if let Some(early) = early.filter(|_| !self.started_wrong) {
            self.fails(early);
        }
    }

    fn check_balance(&mut self) {
        let Some(process) = &self.process else {
            return;
        };
        let (came, went) = process.balance();
        if came != went {
            self.fails(format!(
                "{came} events were accepted, found or replayed, and {went} ended, wait or are held"
            ));
        }
    }
}

/// When the proxy called an event accepted, held or a repeat for the first and the last time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Promised {
    first_ms: i64,
    last_ms: i64,
}

/// A week without a failure.
#[derive(Debug)]
pub struct Lived {
    /// The number of steps.
    pub steps: usize,
    /// The number of accepted events.
    pub events: usize,
    /// The number of paid orders.
    pub paid: usize,
    /// The story, if it was recorded.
    pub story: Vec<String>,
}

/// A failure in a week.
#[derive(Debug)]
pub struct Failure {
    /// The failure.
    pub wrong: String,
    /// The story before the failure.
    pub story: Vec<String>,
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
