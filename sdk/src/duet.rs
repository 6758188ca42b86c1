//! One page's Duet: what every call makes of it.
//!
//! Before `init` and while consent is pending, calls are held in this page's memory and replayed in
//! order, with the ids they answered with and the page as it was. While consent is denied nothing is
//! held.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use duet_events::{EventId, EventName, Invalid};

use crate::{
    answer::Answer,
    config::Config,
    consent::Consent,
    effect::{Effects, Report, Status},
    facts::Facts,
    host::Host,
    identity::{self, Identity, Keys},
    joined::{Fields, RECORD, push_number},
    json::Object,
    once::{Legs, Mark},
    outbox::{Late, Outbox, Which},
    pixel::{Pixel, Verdict},
    record::{Record, State},
    tracker::Call,
};

const MAX_HELD: usize = 1000;

/// The state of one page.
#[derive(Debug)]
pub struct Duet {
    host: Host,
    config: Option<Config>,
    consent: Option<Consent>,
    identity: Identity,
    pixel: Pixel,
    outbox: Outbox,
    held: Vec<Held>,
}

/// A call that cannot run yet, with its input.
#[derive(Debug)]
enum Held {
    Identify(String),
    Reset,
    Track(String),
}

impl Duet {
    /// A page on which nothing has been called yet.
    pub fn new(host: Host) -> Self {
        Self {
            host,
            config: None,
            consent: None,
            identity: Identity::default(),
            pixel: Pixel::default(),
            outbox: Outbox::default(),
            held: Vec::new(),
        }
    }

    /// Runs a call by the name `index.js` and `host.js` have for it.
    pub fn call(&mut self, name: &str, input: &str) -> Effects {
        let mut fx = Effects::default();
        let mut records = input.split(RECORD);
        let mut fields = Fields::of(records.next().unwrap_or_default());
        match name {
            "track" => self.track(input, &mut fx),
            "pending" => fx.answer(&self.pending()),
            "init" => self.init(&mut fields, &mut fx),
            "consent" => self.set_consent(&mut fields, &mut fx),
            "identify" => self.identify(input, &mut fx),
            "reset" => self.reset(&mut fx),
            "page" if self.is_open() => self.pixel.page(Facts::read(&mut fields).url, &mut fx),
            "pixel" => {
                let verdict = Verdict::parse(fields.text());
                if self.pixel.learn(verdict, &mut fx) {
                    self.wake(&Facts::read(&mut fields), &mut fx);
                }
            }
            "wake" => self.wake(&Facts::read(&mut fields), &mut fx),
            "hurry" => {
                self.outbox.hurry();
                self.wake(&Facts::read(&mut fields), &mut fx);
            }
            "leave" => {
                let now_ms = fields.number();
                while self.send(Which::Leaving, now_ms, &mut fx) {}
            }
            "adopt" => {
                let stored = input.split_once(RECORD).map_or("", |(_, stored)| stored);
                self.adopt(fields.number(), stored, &mut fx);
            }
            "answered" => {
                let answer = Answer {
                    batch: fields.number(),
                    http_status: fields.number(),
                    retry_after_ms: fields.number(),
                    spoken: fields.flag(),
                    results: records.map(Fields::of).collect(),
                };
                let facts = Facts::read(&mut fields);
                self.outbox.answered(&answer, &facts, &mut fx);
                self.wake(&facts, &mut fx);
            }
            _ => {}
        }
        fx
    }

    fn is_open(&self) -> bool {
        self.config.is_some() && self.consent == Some(Consent::Granted)
    }

    fn init(&mut self, fields: &mut Fields<'_>, fx: &mut Effects) {
        let config = Config::read(fields, fx);
        let clicked = fields.text();
        let facts = Facts::read(fields);
        if self.config.is_some() {
            self.pixel.add(&config, fx);
            return;
        }
        self.consent = self.consent.or(Some(config.consent));
        self.pixel.add(&config, fx);
        self.config = Some(config);
        if self.is_open() {
            self.open(clicked, &facts, fx);
        }
        self.replay(&facts, fx);
    }

    fn set_consent(&mut self, fields: &mut Fields<'_>, fx: &mut Effects) {
        let Some(consent) = Consent::parse(fields.text()) else {
            report(
                "config",
                "consent is 'granted', 'denied' or 'pending'",
                "consent",
                "",
                fx,
            );
            return;
        };
        let clicked = fields.text();
        let facts = Facts::read(fields);
        let was_open = self.is_open();
        self.consent = Some(consent);
        if consent == Consent::Denied {
            self.identity = Identity::default();
            self.outbox.clear(fx);
            fx.clear();
        }
        if was_open && !self.is_open() {
            self.pixel.pause(consent, fx);
        } else if !was_open && self.is_open() {
            self.open(clicked, &facts, fx);
        }
        if consent != Consent::Pending {
            self.replay(&facts, fx);
        }
    }

    /// From here on this browser may be read, written to and spoken for.
    fn open(&mut self, clicked: &str, facts: &Facts<'_>, fx: &mut Effects) {
        self.identity
            .recall(clicked, facts.now_ms, &self.host, fx);
        self.outbox.recall_pause(self.host.read, facts.now_ms);
        self.pixel.start(facts.url, fx);
        self.pixel.identify(&self.identity.keys, fx);
        fx.adopt();
    }

    fn replay(&mut self, facts: &Facts<'_>, fx: &mut Effects) {
        for held in core::mem::take(&mut self.held) {
            match held {
                Held::Identify(input) => self.identify(&input, fx),
                Held::Reset => self.reset(fx),
                Held::Track(input) => {
                    let call = Call::read(Fields::of(&input));
                    if let Ok(id) = call.id() {
                        self.fire_or_hold(&call, &id, &input, facts.now_ms, fx);
                    }
                }
            }
        }
        self.set_alarm(facts.now_ms, fx);
    }

    fn hold(&mut self, held: Held, fx: &mut Effects) {
        if self.held.len() >= MAX_HELD
            && let Held::Track(input) = self.held.remove(0)
        {
            let call = Call::read(Fields::of(&input));
            let reason = "too many calls wait for init() or for consent; the oldest is dropped";
            report("full", reason, "", call.given_id, fx);
            fx.settle(call.ticket, call.given_id, Status::DROPPED, "", "");
        }
        self.held.push(held);
    }

    fn pending(&self) -> String {
        let held = self.held.iter().filter(|h| matches!(h, Held::Track(_)));
        let mut count = String::new();
        push_number(&mut count, (self.outbox.len() + held.count()) as u64);
        count
    }

    fn identify(&mut self, input: &str, fx: &mut Effects) {
        let Some(config) = &self.config else {
            // A phone number cannot be read before the country is known.
            return self.hold(Held::Identify(input.to_owned()), fx);
        };
        let mut fields = Fields::of(input);
        let now_ms = fields.number();
        let keys = Keys::read(&mut fields, config.country, &self.host, fx);
        self.identity.identify(keys);
        if self.is_open() {
            self.identity.remember(now_ms, fx);
            self.pixel.identify(&self.identity.keys, fx);
        }
    }

    fn reset(&mut self, fx: &mut Effects) {
        if self.config.is_none() {
            return self.hold(Held::Reset, fx);
        }
        self.identity.reset(fx);
    }

    fn track(&mut self, input: &str, fx: &mut Effects) {
        let call = Call::read(Fields::of(input));
        let id = call.id().unwrap_or_else(|invalid| {
            let own = call.own_id();
            report(
                &invalid.rule,
                &invalid.message,
                "eventId",
                own.as_str(),
                fx,
            );
            own
        });
        fx.answer(id.as_str());
        self.fire_or_hold(&call, &id, input, call.facts.now_ms, fx);
        self.set_alarm(call.facts.now_ms, fx);
    }

    fn fire_or_hold(
        &mut self,
        call: &Call<'_>,
        id: &EventId,
        input: &str,
        now_ms: u64,
        fx: &mut Effects,
    ) {
        match EventName::parse(call.event) {
            Err(invalid) => {
                report(
                    &invalid.rule,
                    &invalid.message,
                    &invalid.field,
                    id.as_str(),
                    fx,
                );
                let errors = errors(&invalid);
                fx.settle(call.ticket, id.as_str(), Status::INVALID, &errors, "");
            }
            Ok(_) if self.consent == Some(Consent::Denied) => {
                fx.settle(call.ticket, id.as_str(), Status::CONSENT, "", "");
            }
            Ok(name) if self.is_open() => self.fire(call, id, &name, now_ms, fx),
            Ok(_) => {
                let mut held = id.as_str().to_owned();
                held.push_str(input.get(call.given_id.len()..).unwrap_or_default());
                self.hold(Held::Track(held), fx);
            }
        }
    }

    fn fire(
        &mut self,
        call: &Call<'_>,
        id: &EventId,
        name: &EventName,
        now_ms: u64,
        fx: &mut Effects,
    ) {
        let Some(config) = &self.config else { return };
        let keys = Keys::read(&mut call.user.clone(), config.country, &self.host, fx)
            .or(&self.identity.keys);
        let mark = Mark::of(name, call.order_id);
        let done = mark
            .as_ref()
            .map(|mark| mark.legs(now_ms, &self.host))
            .unwrap_or_default();
        let now = Legs {
            pixel: call.legs.pixel && self.pixel.is_on(),
            server: call.legs.server,
        };
        if now.server && !done.server {
            let key = mark.as_ref().map_or("", |mark| &mark.0);
            for pixel_id in self.pixel.addressees() {
                let body = call.body(name, id, &keys, pixel_id, (config, &self.identity));
                let record = Record {
                    key: Record::key(now_ms, call.facts.random, pixel_id),
                    ticket: call.ticket.to_owned(),
                    event_id: id.as_str().to_owned(),
                    mark: key.to_owned(),
                    pixel_off: !call.legs.pixel,
                    body,
                    created_ms: now_ms,
                    state: State::New,
                    alone: false,
                };
                self.outbox.add(record, fx);
            }
        } else {
            let status = if now.server {
                Status::DUPLICATE
            } else {
                Status::OFF
            };
            fx.settle(call.ticket, id.as_str(), status, "", "");
        }
        if let Some(mark) = mark {
            mark.set(done.and(now), now_ms, fx);
        }
        if now.pixel && !done.pixel {
            self.pixel.identify(&keys, fx);
            let properties = call.properties(config);
            self.pixel.track(name.as_str(), &properties, id.as_str(), fx);
        }
    }

    fn wake(&mut self, facts: &Facts<'_>, fx: &mut Effects) {
        if !self.is_open() {
            return;
        }
        while self.send(Which::Ready, facts.now_ms, fx) {}
        if self.outbox.wants_the_lock(facts.now_ms) {
            fx.adopt();
        }
        self.set_alarm(facts.now_ms, fx);
    }

    fn adopt(&mut self, now_ms: u64, stored: &str, fx: &mut Effects) {
        if !self.is_open() {
            return;
        }
        self.outbox.recall_pause(self.host.read, now_ms);
        self.outbox.merge(stored, now_ms, fx);
        self.send(Which::Waiting, now_ms, fx);
        self.set_alarm(now_ms, fx);
    }

    fn send(&mut self, which: Which, now_ms: u64, fx: &mut Effects) -> bool {
        if !self.is_open() || self.outbox.is_empty() {
            return false;
        }
        let cookies = (self.host.cookies)();
        let late = Late {
            now_ms,
            ttp: identity::cookie(&cookies, "_ttp"),
            pixel: self.pixel.verdict().word(),
        };
        let post = self.outbox.next(which, late);
        if let Some(post) = &post {
            fx.post(post);
        }
        post.is_some()
    }

    fn set_alarm(&self, now_ms: u64, fx: &mut Effects) {
        if !self.is_open() {
            return;
        }
        let late = Late {
            now_ms,
            ttp: "",
            pixel: self.pixel.verdict().word(),
        };
        if let Some(ms) = self.outbox.next_due_ms(late) {
            fx.wake(ms);
        }
    }
}

fn errors(invalid: &Invalid) -> String {
    let mut error = Object::default();
    error.text("field", &invalid.field);
    error.text("rule", &invalid.rule);
    error.text("message", &invalid.message);
    let mut list = String::from("[");
    list.push_str(&error.close());
    list.push(']');
    list
}

fn report(code: &str, message: &str, field: &str, event_id: &str, fx: &mut Effects) {
    fx.report(Report {
        code,
        message,
        field,
        event_id,
    });
}
