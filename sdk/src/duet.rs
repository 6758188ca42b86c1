//! One page's Duet: what every call makes of it.
//!
//! Before `init` and while consent is pending, calls are held in this page's memory and replayed in
//! order, with the ids they answered with and the page as it was. While consent is denied nothing is
//! held.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use duet_events::{EventId, EventName};

use crate::{
    answer::Answer,
    config::Config,
    consent::Consent,
    effect::{CONSENT, DROPPED, DUPLICATE, Effects, INVALID, OFF},
    facts::Facts,
    host::Host,
    identity::{Identity, Keys},
    joined::{FIELD, Fields, Records, push_number, put},
    json::Object,
    once::{self, Legs},
    outbox::{Late, Outbox, Which},
    pixel::Pixel,
    record::Record,
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

    /// Runs a call by the name `browser.js` and `effects.js` have for it.
    pub fn call(&mut self, name: &str, input: &str) -> Effects {
        let mut fx = Effects::default();
        let mut records = Records(input);
        let mut fields = records.next().unwrap_or(Fields(""));
        match name {
            "track" => self.track(input, &mut fx),
            "wake" => self.wake(&Facts::read(&mut fields), &mut fx),
            "answered" => {
                let answer = Answer {
                    request: u32::try_from(fields.number()).unwrap_or(u32::MAX),
                    http_status: fields.number(),
                    retry_after_ms: fields.number(),
                    spoken: fields.flag(),
                    results: records,
                };
                let facts = Facts::read(&mut fields);
                self.outbox.answered(answer, &facts, &mut fx);
                self.wake(&facts, &mut fx);
            }
            "adopt" => self.adopt(fields.number(), records, &mut fx),
            "leave" => {
                let now_ms = fields.number();
                while self.send(Which::Leaving, now_ms, &mut fx) {}
            }
            "pixel" if self.pixel.learn(fields.text(), &mut fx) => {
                self.wake(&Facts::read(&mut fields), &mut fx);
            }
            "hurry" => {
                self.outbox.hurry();
                self.wake(&Facts::read(&mut fields), &mut fx);
            }
            "page" if self.is_open() => self.pixel.page(fields.text(), &mut fx),
            "identify" => self.identify(input, &mut fx),
            "reset" => {
                // An identity nobody has looked at yet is not worth keeping.
                self.held.retain(|held| matches!(held, Held::Track(_)));
                self.identity.reset(&mut fx);
            }
            "consent" => self.set_consent(fields, &mut fx),
            "init" => self.init(fields, &mut fx),
            "pending" => {
                let mut count = String::new();
                push_number(&mut count, (self.outbox.len() + self.held.len()) as u64);
                fx.answer(&count);
            }
            _ => {}
        }
        fx
    }

    fn is_open(&self) -> bool {
        self.config.is_some() && self.consent == Some(Consent::Granted)
    }

    fn init(&mut self, mut fields: Fields<'_>, fx: &mut Effects) {
        let (config, pixel) = Config::read(&mut fields, fx);
        if let Some(pixel) = pixel {
            self.pixel.add(&pixel, config.limited_data_use, fx);
        }
        if self.config.is_none() {
            self.consent = self.consent.or(Some(config.consent));
            self.config = Some(config);
            self.go_on(fields, fx);
        }
    }

    fn set_consent(&mut self, mut fields: Fields<'_>, fx: &mut Effects) {
        let consent = Consent::read(fields.text());
        let was_open = self.is_open();
        self.consent = Some(consent);
        if consent == Consent::Denied {
            self.identity = Identity::default();
            self.outbox.clear(fx);
            fx.clear();
        }
        if !was_open {
            self.go_on(fields, fx);
        } else if !self.is_open() {
            self.pixel.stop(consent, fx);
        }
    }

    /// Runs what was held, as far as it may run now. Where consent is given, this browser may from
    /// here on be read, written to and spoken for.
    fn go_on(&mut self, mut fields: Fields<'_>, fx: &mut Effects) {
        let clicked = fields.text();
        let facts = Facts::read(&mut fields);
        if self.is_open() {
            self.identity.recall(clicked, facts.now_ms, &self.host, fx);
            self.pixel.start(facts.url, fx);
            self.pixel.identify(&self.identity.keys, fx);
            fx.adopt();
        }
        for held in core::mem::take(&mut self.held) {
            match held {
                Held::Identify(input) => self.identify(&input, fx),
                Held::Track(input) => {
                    let call = Call::read(&input);
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
            let call = Call::read(&input);
            let reason = "too many calls wait for init() or for consent; the oldest is dropped";
            fx.report("full", reason, call.given_id, "");
            fx.settle(call.ticket, call.given_id, DROPPED);
        }
        self.held.push(held);
    }

    fn identify(&mut self, input: &str, fx: &mut Effects) {
        let Some(config) = &self.config else {
            // A phone number cannot be read before the country is known.
            return self.hold(Held::Identify(input.to_owned()), fx);
        };
        let mut fields = Fields(input);
        let now_ms = fields.number();
        self.identity
            .identify(fields, config.country, &self.host, fx);
        if self.is_open() {
            self.identity.remember(now_ms, fx);
            self.pixel.identify(&self.identity.keys, fx);
        }
    }

    fn track(&mut self, input: &str, fx: &mut Effects) {
        let call = Call::read(input);
        let id = call.id().unwrap_or_else(|invalid| {
            let id = call.duets_id();
            fx.report(&invalid.rule, &invalid.message, id.as_str(), "eventId");
            id
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
                fx.report(&invalid.rule, &invalid.message, id.as_str(), &invalid.field);
                let mut error = Object::resume("[{\"field\":\"event\"".to_owned());
                error.text("rule", &invalid.rule);
                error.text("message", &invalid.message);
                let mut errors = error.close();
                put(&mut errors, "]");
                fx.settle(call.ticket, id.as_str(), INVALID).with(&errors);
            }
            Ok(_) if self.consent == Some(Consent::Denied) => {
                fx.settle(call.ticket, id.as_str(), CONSENT);
            }
            Ok(name) if self.is_open() => self.fire(call, id, &name, now_ms, fx),
            Ok(_) => {
                let mut held = id.as_str().to_owned();
                let given = input.bytes().position(|byte| char::from(byte) == FIELD);
                put(
                    &mut held,
                    input.get(given.unwrap_or(0)..).unwrap_or_default(),
                );
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
        let keys = Keys::read(
            call.user,
            &self.identity.keys,
            config.country,
            &self.host,
            fx,
        );
        let mark = once::mark(name, call.order_id);
        let mut before = Legs::default();
        let now = Legs {
            pixel: call.legs.pixel && self.pixel.is_on(),
            server: call.legs.server,
        };
        if !mark.is_empty() {
            before = once::fired(&mark, now_ms, &self.host);
            let legs = Legs {
                pixel: before.pixel || now.pixel,
                server: before.server || now.server,
            };
            once::set(&mark, legs, now_ms, fx);
        }
        if now.server && !before.server {
            for pixel_id in self.pixel.addressees() {
                let body = call.body(name, id, &keys, pixel_id, (config, &self.identity));
                let record = Record::new(now_ms, call.facts.random, pixel_id, call.ticket);
                let record = record.with(!call.legs.pixel, id.as_str(), &mark, &body);
                self.outbox.add(record, fx);
            }
        } else {
            let status = if now.server { DUPLICATE } else { OFF };
            fx.settle(call.ticket, id.as_str(), status);
        }
        if now.pixel && !before.pixel {
            self.pixel.identify(&keys, fx);
            let properties = call.properties(config);
            self.pixel
                .track(name.as_str(), &properties, id.as_str(), fx);
        }
    }

    fn wake(&mut self, facts: &Facts<'_>, fx: &mut Effects) {
        while self.send(Which::Ready, facts.now_ms, fx) {}
        if self.is_open() && self.outbox.wants_the_lock(facts.now_ms) {
            fx.adopt();
        }
        self.set_alarm(facts.now_ms, fx);
    }

    fn adopt(&mut self, now_ms: u64, keys: Records<'_>, fx: &mut Effects) {
        if self.is_open() {
            self.outbox.merge(keys, now_ms, &self.host, fx);
            self.send(Which::Waiting, now_ms, fx);
            self.set_alarm(now_ms, fx);
        }
    }

    fn send(&mut self, which: Which, now_ms: u64, fx: &mut Effects) -> bool {
        if !self.is_open() || self.outbox.is_empty() {
            return false;
        }
        let ttp = (self.host.cookie)("_ttp");
        let late = Late {
            now_ms,
            ttp: &ttp,
            pixel: self.pixel.verdict(),
        };
        let post = self.outbox.next(which, late);
        if let Some(post) = &post {
            fx.post(post);
        }
        post.is_some()
    }

    fn set_alarm(&self, now_ms: u64, fx: &mut Effects) {
        let late = Late {
            now_ms,
            ttp: "",
            pixel: self.pixel.verdict(),
        };
        if self.is_open()
            && let Some(ms) = self.outbox.next_due_ms(late)
        {
            fx.wake(ms);
        }
    }
}

#[cfg(test)]
mod tests;
