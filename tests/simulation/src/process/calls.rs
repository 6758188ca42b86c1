//! The calls that a process gets, in the way in which the HTTP handlers make them.

use std::sync::Arc;

use duet_events::{
    Country, Event, EventName,
    order::Order as Registration,
    wire::{Body, Text},
};
use duet_proxy::{
    admit::{Admitted, Caller, Facts, MoneyEvents, Pixel, Visitor, admit},
    decide::{Class, DeadLetter, DedupKey, Enqueued, Receipt, Reports, Taken},
    http::track,
    orders::{By, Status},
    queue::Entry,
};
use fastrand::Rng;

use super::{Options, Process, all};
use crate::{plant::Plant, task::Task};

/// Who sent a call and waits for the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A page, with one of its requests.
    Page {
        /// The browser.
        browser: usize,
        /// The page of the browser.
        page: usize,
        /// The number by which the page knows the request.
        request: u32,
    },
    /// The bank, with this transfer.
    Bank(usize),
    /// The shop's server, with this order.
    Shop(usize),
    /// A sender that does not wait for an answer.
    Nobody,
}

/// What identifies an event: its pixel, name and id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// The pixel of the event.
    pub pixel: String,
    /// The name under which TikTok counts the event.
    pub name: String,
    /// The id of the event.
    pub id: String,
}

/// The answer to a call.
#[derive(Debug)]
pub enum Answer {
    /// The result of each event. `None` if the event was rejected.
    Events(Vec<Option<(Named, Enqueued)>>),
    /// The transfer is recorded.
    Paid(Box<Taken>),
    /// The status of the registered order. `None` if the order was not registered.
    Registered(Option<Status>),
    /// The call is done.
    Done,
    /// The proxy answers 503.
    Unavailable,
}

impl Process {
    /// Handles a request to the track route, as `http/track.rs` does. Returns the answer, or `None` if the answer comes later.
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

    /// Handles a notification about a transfer. Returns the answer, or `None` if the answer comes later.
    pub fn pay(&mut self, who: Who, receipt: Receipt) -> Option<Answer> {
        let orders = self.intake.orders().clone();
        self.begin(who, async move {
            let taken = orders.pay(receipt).await;
            taken.map_or(Answer::Unavailable, |taken| Answer::Paid(Box::new(taken)))
        })
    }

    /// Handles the registration of an order. Returns the answer, or `None` if the answer comes later.
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

    /// Withdraws an order. Returns the answer, or `None` if the answer comes later.
    pub fn withdraw(&mut self, order_id: String) -> Option<Answer> {
        let orders = self.intake.orders().clone();
        self.begin(Who::Nobody, async move {
            let withdrawn = orders.withdraw(order_id).await;
            withdrawn.map_or(Answer::Unavailable, |_| Answer::Done)
        })
    }

    /// Sends the dead letters again that `which` accepts. Returns the answer, or `None` if it comes later.
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

fn named(admitted: &Admitted) -> Named {
    let event = &admitted.event;
    Named {
        pixel: admitted.pixel_id.clone(),
        name: event.name.canonical().to_owned(),
        id: event.id.as_str().to_owned(),
    }
}
