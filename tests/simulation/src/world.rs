//! One seed's week: everything that happens, in virtual time and in one thread.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use duet_proxy::{
    admit::Caller,
    decide::{Became, Destination, Enqueued, LetterId, Named as NamedText},
    deliver::RequestId,
    queue::Limits,
    tiktok::{self, Reply},
};
use fastrand::Rng;
use serde_json::{Map, Value, json};

use crate::{
    browser::{Answered, Ask, Browser},
    clock,
    plan::{AFTERMATH_MS, DAY_MS, HOUR_MS, MINUTE_MS, Plan, WEEK_MS},
    plant::Plant,
    process::{Answer, Named, Options, Process, Sent, Who},
    shop::{Paying, ShopOrder},
    store::{Disk, Fault},
    tiktok::TikTok,
};

/// The most steps of a week: it would run on for ever otherwise if something sent the same again and again.
const STEPS: usize = 400_000;
/// The longest pause of a courier: after TikTok has asked for fewer requests.
const LONGEST_PAUSE: Duration = Duration::from_secs(75);
/// How long a page waits for an answer.
const REQUEST_MS: i64 = 10_000;

/// What happens at some time.
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

/// A week and what came of it.
pub struct World {
    rng: Rng,
    plan: Plan,
    plant: Option<Plant>,
    schedule: BTreeMap<(i64, u64), What>,
    scheduled: u64,
    turn_is_due: bool,
    delivers_at: Option<i64>,
    disk: Disk,
    process: Option<Process>,
    /// Counts processes, and the last one that TikTok has told the time.
    epoch: u64,
    dated: u64,
    dated_ms: i64,
    started: Instant,
    pub(crate) tiktok: TikTok,
    pub(crate) browsers: Vec<Browser>,
    pub(crate) orders: Vec<ShopOrder>,
    pub(crate) payings: Vec<Paying>,
    requests: BTreeMap<(usize, usize, u32), Vec<String>>,
    /// Events that the proxy called accepted, held or a repeat, and when it first did.
    pub(crate) promised: BTreeMap<Named, i64>,
    /// Ids of events that pages reported and nobody cleared away.
    pub(crate) reported: BTreeSet<String>,
    /// Orders that a payment was answered for as paid.
    pub(crate) paid: BTreeMap<String, i64>,
    destination: Arc<Destination>,
    is_healed: bool,
    story: Option<Vec<String>>,
    /// The first thing that went wrong.
    pub(crate) wrong: Option<String>,
    /// Dead letters that were looked at.
    ended: BTreeSet<LetterId>,
    /// Whether a process has started while the clock was wrong: then TikTok may refuse the times of its first events.
    pub(crate) started_wrong: bool,
    /// Since when nothing has been in trouble.
    pub(crate) calm_since_ms: i64,
}

impl World {
    /// A week as this seed has it. With `tells`, it remembers its story.
    pub fn new(seed: u64, plant: Option<Plant>, tells: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let plan = Plan::draw(&mut rng);
        clock::start();
        clock::plant_one_clock(plant == Some(Plant::WallClock));
        let tiktok = TikTok::new();
        let destination = Arc::new(Destination {
            pixel_id: tiktok.pixel().to_owned(),
            test_event_code: None,
        });
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
            destination,
            is_healed: false,
            story: tells.then(Vec::new),
            wrong: None,
            calm_since_ms: 0,
        }
    }

    /// Lives the week and its aftermath.
    ///
    /// # Errors
    /// What was lost, doubled or changed, and the story so far.
    pub fn live(mut self) -> Result<Lived, Failure> {
        self.plan_the_week();
        let mut steps = 0;
        while let Some(((at_ms, _), what)) = self.schedule.pop_first() {
            clock::pass((at_ms - clock::since_start_ms()).max(0));
            self.tiktok.is_now(clock::true_ms());
            self.step(what);
            steps += 1;
            if steps % 256 == 0 {
                self.check_balance();
            }
            if steps > STEPS {
                self.fails(format!("after {steps} steps it is not over"));
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
            });
        };
        Err(Failure {
            wrong,
            story: self.story.unwrap_or_default(),
        })
    }

    pub(crate) fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    pub(crate) fn fails(&mut self, wrong: String) {
        self.tell(|| wrong.clone());
        self.wrong.get_or_insert(wrong);
    }

    fn tell(&mut self, line: impl FnOnce() -> String) {
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
            at_ms += 20 * MINUTE_MS;
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
            // A day in which TikTok says nothing makes the new time the right one.
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

    // The proxy.

    fn turn(&mut self, most: usize, sweep: bool) {
        let Some(process) = &mut self.process else {
            return;
        };
        let answered = process.turn(most, sweep);
        for (who, answer) in answered {
            self.answer(who, answer);
        }
        self.deliver();
        self.turn_soon();
    }

    /// The writer carries out what waits, a moment after it came.
    fn turn_soon(&mut self) {
        let waits = self.process.as_ref().is_some_and(Process::has_calls);
        if waits && !self.turn_is_due {
            self.turn_is_due = true;
            let ms = self.rng.i64(0..20);
            self.after(ms, What::Turn);
        }
    }

    fn deliver(&mut self) {
        let now = self.now();
        let Some(process) = &mut self.process else {
            return;
        };
        let sent = process.deliver(now);
        let due = process.next_due();
        let waits = due.filter(|due| due.saturating_duration_since(now) > LONGEST_PAUSE);
        if waits.is_some() {
            self.fails("a courier waits for longer than any pause may be".to_owned());
        }
        for sent in sent {
            let (epoch, ms) = (self.epoch, self.rng.i64(5..300));
            if self.is_lost() {
                self.tell(|| "a request to TikTok is lost".to_owned());
                self.is_in_trouble();
                let reply = Reply::Unreachable(tiktok::Trouble::TimedOut);
                let (lane, request) = (sent.lane, sent.request);
                let is_dated = false;
                self.after(
                    15_000,
                    What::TikTokAnswers {
                        epoch,
                        lane,
                        request,
                        reply,
                        is_dated,
                    },
                );
            } else {
                self.after(ms, What::TikTokHears { epoch, sent });
            }
        }
        if let Some(due) = due {
            let in_ms =
                i64::try_from(due.saturating_duration_since(now).as_millis()).unwrap_or(i64::MAX);
            let at_ms = clock::since_start_ms() + in_ms + 1;
            if self.delivers_at.is_none_or(|planned| at_ms < planned) {
                self.delivers_at = Some(at_ms);
                self.at(at_ms, What::Delivers);
            }
        }
        self.turn_soon();
    }

    fn crash(&mut self) {
        if self.is_healed {
            return;
        }
        self.is_in_trouble();
        match self.rng.u8(..6) {
            0..=1 => {
                self.tell(|| "the proxy is killed".to_owned());
                self.stop();
                self.disk.loses_its_process();
            }
            2..=3 => {
                let tail = self.disk.tail();
                let kept = self.rng.usize(..=tail);
                self.tell(|| format!("the power goes; {kept} of {tail} unsynced commits are left"));
                self.stop();
                self.disk.loses_power(kept);
                clock::boot();
            }
            _ => {
                let some = [
                    Fault::SyncKeeps,
                    Fault::SyncLoses,
                    Fault::Torn,
                    Fault::Closed,
                ];
                let count = self.rng.usize(1..4);
                let faults: Vec<_> = (0..count).map(|_| some[self.rng.usize(..4)]).collect();
                self.tell(|| format!("the disk is about to fail: {faults:?}"));
                self.disk.fails_with(&faults);
                return;
            }
        }
        let ms = if self.rng.u8(..4) == 0 {
            self.rng.i64(HOUR_MS..10 * HOUR_MS)
        } else {
            self.rng.i64(1_000..10 * MINUTE_MS)
        };
        self.after(ms, What::Restart);
    }

    /// Everybody who waits for an answer sees that the connection is gone.
    fn stop(&mut self) {
        self.process = None;
        self.epoch += 1;
        let unanswered = std::mem::take(&mut self.requests);
        for ((browser, page, request), ids) in unanswered {
            let who = Who::Page {
                browser,
                page,
                request,
            };
            self.requests.insert((browser, page, request), ids);
            self.gives_up(who);
        }
    }

    fn restart(&mut self) {
        if self.process.is_some() {
            return;
        }
        self.epoch += 1;
        let limits = Limits {
            events: if self.plan.flood { 20 } else { 1000 },
            bytes: 1_000_000,
        };
        let options = Options {
            destination: Arc::clone(&self.destination),
            limits,
            plant: self.plant,
        };
        self.is_in_trouble();
        if !self.plan.starts_wrong {
            clock::set_ahead(0);
        }
        let ahead_ms = clock::read().wall_ms - clock::true_ms();
        self.started_wrong |= ahead_ms.abs() > MINUTE_MS;
        match Process::start(&self.disk, options) {
            Ok(process) => {
                self.tell(|| "the proxy starts".to_owned());
                self.process = Some(process);
                self.turn(0, false);
            }
            Err(error) => {
                self.tell(|| format!("the proxy cannot start: {error}"));
                self.after(5_000, What::Restart);
            }
        }
    }

    fn hears(&mut self, who: Who, body: &[u8], caller: Caller) {
        let Some(process) = &mut self.process else {
            return self.gives_up(who);
        };
        if let Some(answer) = process.hear(who.clone(), body, caller, &mut self.rng) {
            self.answer(who, answer);
        }
        self.turn_soon();
    }

    fn answer(&mut self, who: Who, answer: Answer) {
        if matches!(answer, Answer::Unavailable) {
            self.is_in_trouble();
        }
        if let Answer::Events(results) = &answer {
            for (named, enqueued) in results.iter().flatten() {
                let line = format!("{enqueued:?}: {} {}", named.name, named.id);
                self.tell(|| line);
                let promised = self.promised.entry(named.clone());
                promised.or_insert_with(clock::since_start_ms);
            }
        }
        match (who, answer) {
            (who @ Who::Page { .. }, Answer::Events(results)) => self.answer_page(who, &results),
            (who @ Who::Page { .. }, _) => {
                let answered = Answered {
                    status: 503,
                    results: String::new(),
                };
                self.after(20, What::Answers { who, answered });
            }
            (Who::Bank(paying), Answer::Paid(taken)) => {
                let became = taken.payment.became;
                let order_id = taken.payment.order_id.clone().unwrap_or_default();
                self.tell(|| format!("transfer {paying} is {} for {order_id}", became.label()));
                if matches!(became, Became::Paid | Became::Overpaid) {
                    self.paid.insert(order_id, clock::true_ms());
                }
                if self.is_lost() {
                    self.tell(|| "the bank does not hear of it".to_owned());
                    self.after(5 * MINUTE_MS, What::BankTells(paying));
                } else {
                    self.payings[paying].is_answered = true;
                }
            }
            (Who::Bank(paying), _) => self.after(MINUTE_MS, What::BankTells(paying)),
            (Who::Shop(order), Answer::Registered(true)) => {
                self.orders[order].is_registered = true;
            }
            (Who::Shop(order), Answer::Unavailable) => {
                self.after(MINUTE_MS, What::Registers(order))
            }
            (Who::Shop(_) | Who::Nobody, _) => {}
        }
    }

    // Pages.

    fn visit(&mut self) {
        let click = format!("E.C.P.{:016x}", self.rng.u64(..));
        let is_pixel_blocked = self.rng.u8(..10) < 3;
        self.browsers.push(Browser::new(click, is_pixel_blocked));
        let browser = self.browsers.len() - 1;
        let page = self.open(browser);
        self.track(browser, page, "ViewContent", None);
        let stays_ms = self.rng.i64(1_000..MINUTE_MS);
        self.after(stays_ms, What::Leave { browser, page });
        if self.rng.u8(..10) < 8 {
            let ms = self.rng.i64(2_000..2 * HOUR_MS);
            self.after(ms, What::Order(browser));
        }
        if self.rng.bool() {
            let ms = self.rng.i64(HOUR_MS..3 * DAY_MS);
            self.after(ms, What::Returns(browser));
        }
    }

    fn open(&mut self, browser: usize) -> usize {
        let (page, asks) = self.browsers[browser].open(&mut self.rng);
        self.ask(browser, asks);
        page
    }

    fn track(&mut self, browser: usize, page: usize, name: &str, order_id: Option<&str>) {
        let (id, asks) = self.browsers[browser].track(page, name, order_id, &mut self.rng);
        self.tell(|| {
            format!(
                "browser {browser} reports {name} {id} {}",
                order_id.unwrap_or_default()
            )
        });
        self.reported.insert(id.clone());
        if !self.browsers[browser].is_pixel_blocked {
            self.tiktok.hears_the_pixel(name, &id);
        }
        self.ask(browser, asks);
    }

    fn ask(&mut self, browser: usize, asks: Vec<Ask>) {
        for ask in asks {
            match ask {
                Ask::Wake { page, ms } => {
                    self.after(i64::from(ms).max(1), What::Wake { browser, page })
                }
                Ask::Post {
                    page,
                    request,
                    body,
                    ids,
                } => {
                    self.requests.insert((browser, page, request), ids);
                    let who = Who::Page {
                        browser,
                        page,
                        request,
                    };
                    if self.is_lost() {
                        self.tell(|| format!("a request of browser {browser} is lost"));
                        self.gives_up(who);
                    } else {
                        let (ms, body) = (self.rng.i64(10..2_000), body.into_bytes());
                        let caller = Caller::Page;
                        self.after(ms, What::Hears { who, body, caller });
                    }
                }
            }
        }
    }

    fn gives_up(&mut self, who: Who) {
        match who {
            Who::Page { .. } => {
                let answered = Answered {
                    status: 0,
                    results: String::new(),
                };
                self.after(REQUEST_MS, What::Answers { who, answered });
            }
            Who::Bank(paying) => self.after(2 * MINUTE_MS, What::BankTells(paying)),
            Who::Shop(order) => self.after(MINUTE_MS, What::Registers(order)),
            Who::Nobody => {}
        }
    }

    fn answer_page(&mut self, who: Who, results: &[Option<(Named, Enqueued)>]) {
        let digit = |result: &Option<(Named, Enqueued)>| match result {
            Some((_, Enqueued::Accepted)) => '1',
            Some((_, Enqueued::Duplicate)) => '2',
            Some((_, Enqueued::Held)) => '3',
            None => '4',
        };
        if self.is_lost() {
            self.tell(|| format!("the answer to {who:?} is lost"));
            return self.gives_up(who);
        }
        for (named, _) in results.iter().flatten() {
            for order in &mut self.orders {
                let begins = duet_events::EventId::derive("InitiateCheckout", &order.id);
                order.is_begun |= named.id == begins.as_str();
            }
        }
        let answered = Answered {
            status: 202,
            results: results.iter().map(digit).collect(),
        };
        let ms = self.rng.i64(10..1_000);
        self.after(ms, What::Answers { who, answered });
    }

    fn answers(&mut self, who: &Who, answered: &Answered) {
        let Who::Page {
            browser,
            page,
            request,
        } = *who
        else {
            return;
        };
        if self.requests.remove(&(browser, page, request)).is_none() {
            return;
        }
        let asks = self.browsers[browser].answered(page, request, answered, &mut self.rng);
        self.ask(browser, asks);
    }

    fn leave(&mut self, browser: usize, page: usize) {
        if !self.browsers[browser].is_open(page) {
            return;
        }
        if self.rng.u8(..4) == 0 {
            self.tell(|| format!("browser {browser}'s page {page} is killed"));
            self.browsers[browser].end(page);
        } else {
            let asks = self.browsers[browser].leave(page, &mut self.rng);
            self.ask(browser, asks);
        }
    }

    fn returns(&mut self, browser: usize) {
        let page = self.open(browser);
        self.track(browser, page, "ViewContent", None);
        let stays_ms = self.rng.i64(MINUTE_MS..HOUR_MS);
        if !self.is_healed {
            self.after(stays_ms, What::Leave { browser, page });
        }
    }

    // The shop, its bank and its customers.

    fn order(&mut self, browser: usize) {
        let click = self.browsers[browser].click.clone();
        let order = ShopOrder::new(browser, click, &mut self.rng);
        let payments = order.payments(&mut self.rng);
        let id = order.id.clone();
        self.tell(|| format!("browser {browser} orders {id}, to be paid: {payments:?}"));
        self.orders.push(order);
        let number = self.orders.len() - 1;
        let page = self.open(browser);
        self.track(browser, page, "InitiateCheckout", Some(&id));
        if self.orders[number].registers {
            let ms = self.rng.i64(0..5_000);
            self.after(ms, What::Registers(number));
        }
        for (ms, amount) in payments {
            let memo = self.orders[number].memo(&mut self.rng);
            self.payings.push(Paying {
                order: number,
                amount,
                id: format!("T{}", self.payings.len()),
                memo,
                told: 0,
                was_known: false,
                was_begun: false,
                is_answered: false,
            });
            let paying = self.payings.len() - 1;
            self.orders[number].transfers.push(paying);
            self.after(ms, What::BankTells(paying));
        }
        let stays_ms = self.rng.i64(10_000..HOUR_MS);
        if self.rng.u8(..10) < 7 {
            let ms = self.rng.i64(5_000..2 * HOUR_MS);
            self.after(
                ms,
                What::Thanks {
                    order: number,
                    page,
                },
            );
            self.after(ms + stays_ms, What::Leave { browser, page });
        } else {
            self.after(stays_ms, What::Leave { browser, page });
        }
        if self.rng.u8(..30) == 0 {
            self.orders[number].is_withdrawn = true;
            let ms = self.rng.i64(0..DAY_MS);
            self.after(ms, What::Operator);
        }
    }

    fn thanks(&mut self, order: usize, page: usize) {
        let (browser, id) = (self.orders[order].browser, self.orders[order].id.clone());
        if !self.browsers[browser].is_open(page) {
            return;
        }
        let names = ["CompletePayment", "Subscribe"];
        let count = self.rng.usize(1..3);
        for name in &names[..count] {
            self.track(browser, page, name, Some(&id));
        }
    }

    fn registers(&mut self, order: usize) {
        if self.is_lost() {
            return self.gives_up(Who::Shop(order));
        }
        let Some(registration) = self.orders[order].registration() else {
            return;
        };
        let Some(process) = &mut self.process else {
            return self.gives_up(Who::Shop(order));
        };
        if let Some(answer) = process.register(Who::Shop(order), registration) {
            self.answer(Who::Shop(order), answer);
        }
        self.turn_soon();
    }

    fn bank_tells(&mut self, paying: usize) {
        if self.payings[paying].is_answered && self.payings[paying].told > 3 {
            return;
        }
        let order = &self.orders[self.payings[paying].order];
        let is_known = order.is_registered || order.is_begun && !order.registers;
        let is_begun = order.is_begun;
        let told = &mut self.payings[paying].told;
        *told += 1;
        if *told == 1 {
            self.payings[paying].was_known = is_known;
            self.payings[paying].was_begun = is_begun;
        }
        let receipt = self.payings[paying].receipt(&self.destination);
        let memo = self.payings[paying].memo.clone();
        self.tell(|| format!("the bank tells of transfer {paying}: {memo}"));
        if self.is_lost() {
            return self.gives_up(Who::Bank(paying));
        }
        let Some(process) = &mut self.process else {
            return self.gives_up(Who::Bank(paying));
        };
        if let Some(answer) = process.pay(Who::Bank(paying), receipt) {
            self.answer(Who::Bank(paying), answer);
        }
        // Banks tell twice, also where they were answered.
        if self.rng.u8(..5) == 0 && self.payings[paying].told < 3 {
            let ms = self.rng.i64(0..HOUR_MS);
            self.after(ms, What::BankTells(paying));
        }
        self.turn_soon();
    }

    // TikTok.

    fn tiktok_hears(&mut self, epoch: u64, sent: &Sent) {
        let (reply, is_calm) = self.tiktok.hears(&sent.body, &mut self.rng);
        if !is_calm {
            self.is_in_trouble();
        }
        self.tell(|| {
            let ids = sent.ids().join(" ");
            format!("TikTok hears {:?} {ids}: {}", sent.class, told(&reply))
        });
        if let Some(wrong) = self.tiktok.is_late(sent, self.calm_since_ms) {
            self.fails(wrong);
        }
        let is_dated = reply.code().is_some();
        let (mut ms, mut reply) = (self.rng.i64(5..2_000), reply);
        if self.is_lost() {
            self.tell(|| "the answer is lost".to_owned());
            self.is_in_trouble();
            reply = Reply::Unreachable(tiktok::Trouble::TimedOut);
            ms = 15_000;
        }
        let (lane, request) = (sent.lane, sent.request);
        self.after(
            ms,
            What::TikTokAnswers {
                epoch,
                lane,
                request,
                reply,
                is_dated,
            },
        );
    }

    fn tiktok_answers(
        &mut self,
        epoch: u64,
        lane: usize,
        request: RequestId,
        reply: Reply,
        is_dated: bool,
    ) {
        let now = self.now();
        if epoch != self.epoch {
            return;
        }
        let Some(process) = &mut self.process else {
            return;
        };
        if is_dated && reply.code().is_some() {
            process.dated(clock::true_ms());
            self.dated = self.epoch;
            self.dated_ms = clock::since_start_ms();
        }
        process.replied(lane, request, reply, now, &mut self.rng);
        self.deliver();
    }

    fn spell(&mut self) {
        if !self.is_healed {
            let line = self.tiktok.falls_ill(&mut self.rng);
            self.tell(|| line);
            self.is_in_trouble();
        }
    }

    // Those who mean harm, and those who do it.

    fn stranger(&mut self) {
        let Some(order) = self.rng.choice(0..self.orders.len()) else {
            return;
        };
        let victim = self.orders[order].id.clone();
        let own = format!("MINE{:08X}", self.rng.u32(..));
        let derived = |name: &str| {
            duet_events::EventId::derive(name, &victim)
                .as_str()
                .to_owned()
        };
        let (name, order_id, event_id) = match self.rng.u8(..5) {
            // The victim's id, on an event of their own.
            0 => ("Subscribe", own, derived("Subscribe")),
            1 => ("InitiateCheckout", own, derived("InitiateCheckout")),
            // An order that reads like the victim's.
            2 => (
                "InitiateCheckout",
                format!("{}-{}", &victim[..4], &victim[4..]),
                own,
            ),
            3 => ("InitiateCheckout", victim.to_lowercase(), own),
            // An order around the victim's.
            _ => ("InitiateCheckout", format!("{victim}CHUYENTIEN"), own),
        };
        self.tell(|| format!("a stranger sends {name} of {order_id} as {event_id}"));
        let body = event(name, &event_id, &order_id, "E.C.P.stranger");
        self.hears(Who::Nobody, &body, Caller::Page);
    }

    fn flood(&mut self) {
        self.tell(|| "a stranger sends 2,000 events".to_owned());
        for _ in 0..20 {
            let events: Vec<Value> = (0..100)
                .map(|_| {
                    let id = format!("{:016x}", self.rng.u64(..));
                    let body = event("ViewContent", &id, "", "E.C.P.stranger");
                    serde_json::from_slice(&body).unwrap_or_default()
                })
                .collect();
            let body = json!({ "events": events }).to_string().into_bytes();
            self.hears(Who::Nobody, &body, Caller::Page);
        }
        // Somebody pays just now.
        let unpaid = self.payings.iter().position(|paying| paying.told == 0);
        if let Some(paying) = unpaid {
            self.after(1_000, What::BankTells(paying));
        }
    }

    fn set_clock(&mut self) {
        let ahead_ms = match self.rng.u8(..5) {
            0 => -self.rng.i64(0..100 * DAY_MS),
            1 => self.rng.i64(0..100 * DAY_MS),
            2 => self.rng.i64(-5 * HOUR_MS..5 * HOUR_MS),
            _ => 0,
        };
        self.tell(|| format!("somebody sets the clock, {} h ahead", ahead_ms / HOUR_MS));
        // Before TikTok has stated the time, a few hours may be NTP's work, and a new store knows no time at all.
        let may_be_right = ahead_ms.abs() <= DAY_MS || self.dated == 0;
        self.started_wrong |= self.dated != self.epoch && may_be_right && ahead_ms != 0;
        clock::set_ahead(ahead_ms);
        if ahead_ms != 0 {
            let set_ms = clock::since_start_ms();
            self.after(23 * HOUR_MS, What::ClockStays { set_ms });
        }
    }

    fn operator(&mut self) {
        let Some(process) = &mut self.process else {
            return;
        };
        let refused = |outcome: &str| outcome == "refused" || outcome == "expired";
        let replayed = process.replay(|letter| refused(&letter.outcome));
        if replayed.is_none() {
            self.tell(|| "an operator replays dead letters".to_owned());
        }
        let withdrawn = self.orders.iter().filter(|order| order.is_withdrawn);
        let withdrawn: Vec<String> = withdrawn.map(|order| order.id.clone()).collect();
        for id in withdrawn {
            self.tell(|| format!("an operator withdraws {id}"));
            if let Some(process) = &mut self.process {
                process.withdraw(id);
            }
        }
        self.turn_soon();
    }

    fn clear_storage(&mut self) {
        if let Some(browser) = self.rng.choice(0..self.browsers.len()) {
            let lost = self.browsers[browser].clear();
            self.tell(|| format!("browser {browser} loses its storage, and with it {lost:?}"));
            for id in lost {
                self.reported.remove(&id);
            }
        }
    }

    /// From here on nothing goes wrong any more, and everybody comes back.
    fn heal(&mut self) {
        self.tell(|| "all is well from here on".to_owned());
        self.is_healed = true;
        self.plan.loss = 0;
        self.tiktok.heals();
        self.disk.heals();
        clock::set_ahead(0);
        self.restart();
        for browser in 0..self.browsers.len() {
            let ms = self.rng.i64(0..HOUR_MS);
            self.after(ms, What::Returns(browser));
        }
        for day in 1..AFTERMATH_MS / DAY_MS - 1 {
            self.after(day * DAY_MS, What::Operator);
        }
    }

    fn is_lost(&mut self) -> bool {
        self.rng.u8(..100) < self.plan.loss
    }

    fn is_in_trouble(&mut self) {
        self.calm_since_ms = clock::since_start_ms();
    }

    /// Nothing was given up before its time, whatever the clock says.
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
                .map(|(_, at_ms)| *at_ms);
            let is_sold = self.paid.keys().any(|id| letter.event.get().contains(id));
            if at_ms.is_some_and(|at_ms| now_ms - at_ms < least_ms - HOUR_MS) && !is_sold {
                early = Some(format!("{event_id} is {} too early", letter.outcome));
            }
        }
        // An hour of uptime confirms the clock that a process started with, however wrong.
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

/// What a week was like.
#[derive(Debug)]
pub struct Lived {
    /// How much happened.
    pub steps: usize,
    /// How many events were accepted.
    pub events: usize,
    /// How many orders were paid.
    pub paid: usize,
}

/// What went wrong in a week.
#[derive(Debug)]
pub struct Failure {
    /// What.
    pub wrong: String,
    /// What happened before.
    pub story: Vec<String>,
}

/// A reply in a few words.
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
