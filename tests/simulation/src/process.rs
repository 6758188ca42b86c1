//! The proxy's process: the real queue over the simulated disk, run step by step, and one real courier for each lane.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use duet_events::{
    Country, Event, EventName,
    order::Order as Registration,
    wire::{Body, Text},
};
use duet_proxy::{
    admit::{Admitted, Caller, Facts, MoneyEvents, Pixel, Visitor, admit},
    decide::{
        Class, DeadLetter, DedupKey, Destination, Destinations, Enqueued, Receipt, Reports, Taken,
    },
    deliver::{Courier, Do, RequestId, Wait, report},
    health::Health,
    http::track,
    metrics::Metrics,
    orders::{By, Order, Status},
    queue::{self, Claimed, Core, DeadLetters, Entry, Intake, Lane, Limits, Outlet, When},
    store::Error,
    tiktok::{self, Reply},
};
use fastrand::Rng;
use serde_json::Value;

use crate::{clock, plant::Plant, store::Disk, task::Task};

mod facts;

/// How long a courier waits after a failure of the store.
const STORE_PAUSE: Duration = Duration::from_secs(1);
const PARALLEL: usize = 4;

/// One process, from its start to its end.
pub struct Process {
    core: Core<Disk>,
    intake: Intake,
    outlet: Outlet,
    letters: DeadLetters,
    metrics: Arc<Metrics>,
    health: Health,
    /// Whether the paid orders without a report were counted. The real process counts them within a minute.
    has_swept: bool,
    flights: Vec<(Who, Task<Answer>)>,
    lanes: Vec<Run>,
    options: Options,
}

/// The settings of a process.
#[derive(Clone)]
pub struct Options {
    /// The destinations of events.
    pub destinations: Destinations,
    /// The limits of one request.
    pub limits: Limits,
    /// The planted fault.
    pub plant: Option<Plant>,
}

/// A courier on its lane.
struct Run {
    courier: Courier<Claimed>,
    destination: Arc<Destination>,
    metrics: Arc<Metrics>,
    lane: Option<Lane>,
    settling: Option<Task<(Lane, Result<(), Error>)>>,
    /// The time of the next step, even if something arrives.
    until: Option<Instant>,
    /// The time of the next step, if nothing arrives.
    due: Option<Instant>,
}

/// The sender that waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A page, with this request.
    Page {
        /// The browser.
        browser: usize,
        /// The page of the browser.
        page: usize,
        /// The request.
        request: u32,
    },
    /// The bank, with this transfer.
    Bank(usize),
    /// The shop's server, with this order.
    Shop(usize),
    /// A sender that ignores the answer.
    Nobody,
}

/// The name and id of an event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// The pixel it is for.
    pub pixel: String,
    /// The name that TikTok counts.
    pub name: String,
    /// Its id.
    pub id: String,
}

/// The answer to a call.
#[derive(Debug)]
pub enum Answer {
    /// The result of each event; `None` if it was rejected.
    Events(Vec<Option<(Named, Enqueued)>>),
    /// The transfer is recorded.
    Paid(Box<Taken>),
    /// Whether the order is registered.
    Registered(Option<Status>),
    /// The call is done.
    Done,
    /// 503.
    Unavailable,
}

/// A courier's request to TikTok.
pub struct Sent {
    /// The lane.
    pub lane: usize,
    /// The request.
    pub request: RequestId,
    /// The pixel of its events.
    pub pixel: String,
    /// Its body.
    pub body: Vec<u8>,
    /// The class of its events.
    pub class: Class,
}

impl Sent {
    /// Returns its events.
    pub fn events(&self) -> Vec<Value> {
        let mut request: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        match request["data"].take() {
            Value::Array(events) => events,
            _ => Vec::new(),
        }
    }
}

impl Process {
    /// Starts with the data on the disk.
    ///
    /// # Errors
    /// Returns an error if the store cannot be opened.
    pub fn start(disk: &Disk, options: Options) -> Result<Self, Error> {
        let metrics = Arc::new(Metrics::default());
        let parts = queue::over(disk.clone(), clock::read, Arc::clone(&metrics))?;
        let (core, intake, outlet, letters) = parts;
        Ok(Self {
            core,
            intake,
            outlet,
            letters,
            metrics,
            health: Health::default(),
            has_swept: false,
            flights: Vec::new(),
            lanes: Vec::new(),
            options,
        })
    }

    /// Accepts a request for the track route, as `http/track.rs` does.
    pub fn hear(&mut self, who: Who, body: &[u8], caller: Caller, rng: &mut Rng) -> Option<Answer> {
        let text = Text::read(body);
        let Ok(events) = Body::open(&text) else {
            return Some(Answer::Events(Vec::new()));
        };
        let pixels: Vec<_> = all(&self.options.destinations)
            .map(|destination| Pixel {
                id: &destination.pixel_id,
                test_event_code: None,
                is_open: true,
            })
            .collect();
        let facts = Facts {
            now_ms: self.intake.clock().day_ms(),
            sent_at_ms: events.sent_at_ms,
            caller: match self.options.plant {
                Some(Plant::OpenIds) if who == Who::Nobody => Caller::Server,
                _ => caller,
            },
            visitor: &Visitor::Unknown,
            ip: None,
            user_agent: None,
            referer: None,
            ttclid: Vec::new(),
            ttp: Vec::new(),
            country: Country::parse("VN"),
            pixels: &pixels,
            money: MoneyEvents::Verified,
        };
        let mut admitted = Vec::new();
        let mut names = Vec::new();
        for stated in events.events {
            let random = rng.u128(..).to_be_bytes();
            let judged = admit(stated, &facts, || Some(random)).ok();
            names.push(judged.as_ref().map(named));
            admitted.extend(judged);
        }
        if admitted.is_empty() {
            return Some(Answer::Events(names.iter().map(|_| None).collect()));
        }
        let (intake, options) = (self.intake.clone(), self.options.clone());
        let enqueueing = async move {
            let entries = admitted
                .iter()
                .map(|admitted| entry(admitted, caller, &options));
            let Ok(enqueued) = intake.enqueue(entries).await else {
                return Answer::Unavailable;
            };
            let mut enqueued = enqueued.into_iter();
            let results = names.into_iter();
            Answer::Events(
                results
                    .map(|named| Some((named?, enqueued.next()?)))
                    .collect(),
            )
        };
        self.begin(who, enqueueing)
    }

    /// Accepts a transfer.
    pub fn pay(&mut self, who: Who, receipt: Receipt) -> Option<Answer> {
        let orders = self.intake.orders().clone();
        self.begin(who, async move {
            let taken = orders.pay(receipt).await;
            taken.map_or(Answer::Unavailable, |taken| Answer::Paid(Box::new(taken)))
        })
    }

    /// Accepts a registration.
    pub fn register(
        &mut self,
        who: Who,
        order: Registration,
        renewals: Option<EventName>,
    ) -> Option<Answer> {
        let orders = self.intake.orders().clone();
        let reports = Reports {
            destinations: self.options.destinations.clone(),
            renewals,
        };
        self.begin(who, async move {
            let registered = orders.register(order, reports).await;
            registered.map_or(Answer::Unavailable, |registered| {
                Answer::Registered(registered.ok().map(|order| order.status()))
            })
        })
    }

    /// Removes an order.
    pub fn withdraw(&mut self, order_id: String) -> Option<Answer> {
        let orders = self.intake.orders().clone();
        self.begin(Who::Nobody, async move {
            let withdrawn = orders.withdraw(order_id).await;
            withdrawn.map_or(Answer::Unavailable, |_| Answer::Done)
        })
    }

    /// Sends some dead letters again.
    pub fn replay(&mut self, which: impl Fn(&DeadLetter) -> bool) -> Option<Answer> {
        let letters = self.dead_letters();
        let letters = letters.iter().filter(|(_, letter)| which(letter));
        let ids: Vec<_> = letters.map(|(id, _)| *id).take(100).collect();
        let letters = self.letters.clone();
        self.begin(Who::Nobody, async move {
            let replayed = letters.replay(&ids).await;
            replayed.map_or(Answer::Unavailable, |_| Answer::Done)
        })
    }

    fn begin(&mut self, who: Who, call: impl Future<Output = Answer> + 'static) -> Option<Answer> {
        match Task::start(call) {
            Ok(task) => {
                self.flights.push((who, task));
                None
            }
            Err(answer) => Some(answer),
        }
    }

    /// Returns whether calls wait for the writer.
    pub fn has_calls(&self) -> bool {
        !self.flights.is_empty() || self.lanes.iter().any(|run| run.settling.is_some())
    }

    /// Carries out some of the waiting calls in one commit. Returns the senders with their answers.
    pub fn turn(&mut self, most: usize, sweep: bool) -> Vec<(Who, Answer)> {
        self.core.turn(most, sweep);
        self.has_swept |= sweep;
        let mut answered = Vec::new();
        self.flights.retain_mut(|(who, task)| match task.reply() {
            Some(answer) => {
                answered.push((who.clone(), answer));
                false
            }
            None => true,
        });
        while let Some(lane) = self.outlet.lane_now() {
            self.lanes.push(Run {
                courier: Courier::new(self.options.limits, PARALLEL),
                destination: Arc::clone(lane.destination()),
                metrics: Arc::clone(&self.metrics),
                lane: Some(lane),
                settling: None,
                until: None,
                due: None,
            });
        }
        answered
    }

    /// Lets every courier work at `now`. Returns their requests.
    pub fn deliver(&mut self, now: Instant) -> Vec<Sent> {
        let mut sent = Vec::new();
        let stretches = self.options.plant == Some(Plant::SharedPauses);
        for (index, run) in self.lanes.iter_mut().enumerate() {
            if run.until.is_none_or(|until| until <= now) {
                run.step(index, now, stretches, &mut sent);
            }
        }
        sent
    }

    /// Returns the time of the next courier's step, if nothing arrives before.
    pub fn next_due(&self) -> Option<Instant> {
        self.lanes.iter().filter_map(|run| run.due).min()
    }

    /// Gives TikTok's reply to a courier.
    pub fn replied(
        &mut self,
        lane: usize,
        request: RequestId,
        reply: Reply,
        now: Instant,
        rng: &mut Rng,
    ) {
        if let Some(run) = self.lanes.get_mut(lane) {
            let way = run.courier.answered(request, reply, now, || rng.f64());
            if let Some(way) = way {
                report::way(&self.health, &run.destination, &way);
            }
            run.until = None;
        }
    }

    /// Returns the pixel of a lane.
    pub fn pixel(&self, lane: usize) -> Option<&str> {
        let run = self.lanes.get(lane)?;
        Some(&run.destination.pixel_id)
    }

    /// Records the time that TikTok states.
    pub fn dated(&self, date_ms: i64) {
        self.intake.clock().dated(date_ms);
    }

    /// Returns the order with this id.
    pub fn order(&self, id: &str) -> Option<Order> {
        self.intake.orders().find(id).ok().flatten()
    }

    /// Returns all dead letters.
    pub fn dead_letters(&self) -> Vec<(duet_proxy::decide::LetterId, DeadLetter)> {
        self.letters.newest(usize::MAX).unwrap_or_default()
    }

    /// Returns the number of events that wait for delivery.
    pub fn depth(&self) -> i64 {
        self.intake.depth()
    }

    /// Returns both sides of the balance of events: the received events, and those that ended or are still stored.
    pub fn balance(&self) -> (i64, i64) {
        let text = self.metrics.text();
        let sum = |name: &str| -> i64 {
            let series = text.lines().filter_map(|line| line.rsplit_once(' '));
            let meant = series.filter(|(series, _)| series.split('{').next() == Some(name));
            meant
                .filter_map(|(_, value)| value.parse::<i64>().ok())
                .sum()
        };
        let came = [
            "duet_events_accepted_total",
            "duet_events_found",
            "duet_events_replayed_total",
        ];
        let went = [
            "duet_events_ended_total",
            "duet_queue_events",
            "duet_events_held",
        ];
        (came.map(sum).iter().sum(), went.map(sum).iter().sum())
    }
}

impl Run {
    fn step(&mut self, index: usize, now: Instant, stretches: bool, sent: &mut Vec<Sent>) {
        loop {
            if let Some(settling) = &mut self.settling {
                let Some((lane, settled)) = settling.reply() else {
                    return;
                };
                self.settling = None;
                self.lane = Some(lane);
                match settled {
                    Ok(()) => self.courier.settled(),
                    Err(_) => return self.rewind(now),
                }
            }
            let Some(mut lane) = self.lane.take() else {
                return;
            };
            let expiry_ms = lane.clock().times().expiry_ms;
            let done = self.courier.next(now, expiry_ms, &mut lane, || Ok(()));
            match done {
                Ok(Do::Send { request, events }) => {
                    let destination = lane.destination();
                    let events_text = events.iter().map(Claimed::event);
                    sent.push(Sent {
                        lane: index,
                        request,
                        pixel: destination.pixel_id.clone(),
                        body: tiktok::body(&destination.pixel_id, None, events_text),
                        class: events.first().map_or(Class::Second, Claimed::class),
                    });
                }
                Ok(Do::Settle {
                    events,
                    outcome,
                    sent,
                }) => {
                    let (events, outcome) = (events.to_vec(), outcome.clone());
                    let at_ms = lane.clock().stamp_ms();
                    let when = When { at_ms, sent };
                    let metrics = Arc::clone(&self.metrics);
                    let settling = async move {
                        let settled = lane.settle(&events, &outcome, when).await;
                        if settled.is_ok() {
                            let pixel_id = &lane.destination().pixel_id;
                            metrics.settled(pixel_id, outcome.label(), events.len() as u64);
                        }
                        (lane, settled)
                    };
                    match Task::start(settling) {
                        Ok(task) => self.settling = Some(task),
                        Err((lane, _)) => {
                            self.lane = Some(lane);
                            return self.rewind(now);
                        }
                    }
                    continue;
                }
                Ok(Do::Wait(wait)) => {
                    self.lane = Some(lane);
                    (self.until, self.due) = match wait {
                        Wait::Until(until) => {
                            let until = if stretches {
                                now + (until - now) * 8
                            } else {
                                until
                            };
                            (Some(until), Some(until))
                        }
                        Wait::Arrival(due) => (None, due),
                        Wait::Reply => (None, None),
                    };
                    return;
                }
                Err(_) => {
                    self.lane = Some(lane);
                    return self.rewind(now);
                }
            }
            self.lane = Some(lane);
        }
    }

    fn rewind(&mut self, now: Instant) {
        self.courier.rewind();
        if let Some(lane) = &mut self.lane {
            lane.rewind();
        }
        self.until = Some(now + STORE_PAUSE);
        self.due = self.until;
    }
}

fn entry<'a>(admitted: &'a Admitted, caller: Caller, options: &Options) -> Entry<'a, Event> {
    let event = &admitted.event;
    let is_first = event.name.is_money() && caller == Caller::Server;
    let note = track::note(admitted, caller, MoneyEvents::Verified);
    let destination = options.destinations.of(&admitted.pixel_id);
    let destination = Arc::clone(destination.unwrap_or(&options.destinations.first));
    Entry {
        key: DedupKey::of(&destination, &event.name, &event.id),
        remember: track::remembered(event),
        destination,
        class: if is_first {
            Class::First
        } else {
            Class::Second
        },
        trace: track::trace(admitted, caller),
        note: note.map(|mut note| {
            if options.plant == Some(Plant::Lookalikes) {
                note.by = By::Server;
            }
            note
        }),
        event,
    }
}

fn all(destinations: &Destinations) -> impl Iterator<Item = &Arc<Destination>> {
    std::iter::once(&destinations.first).chain(&destinations.others)
}

fn named(admitted: &Admitted) -> Named {
    let event = &admitted.event;
    Named {
        pixel: admitted.pixel_id.clone(),
        name: event.name.canonical().to_owned(),
        id: event.id.as_str().to_owned(),
    }
}
