//! The calls to a process, as its HTTP handlers make them.

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

impl Process {
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
