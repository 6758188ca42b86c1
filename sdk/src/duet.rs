//! One page's Duet: what every call makes of it.
//!
//! Before `init` and while consent is pending, calls are held in the page's memory and made again
//! later, with the ids they answered with and the page as it was. While consent is denied nothing is
//! held.

use duet_events::{Country, EventName};

use crate::{
    answer::Answer,
    consent::Consent,
    effect::{CONSENT, DUPLICATE, Effects, INVALID, OFF},
    facts::Facts,
    host::Host,
    identity::{Identity, Keys},
    joined::{Fields, Records, cut},
    once,
    outbox::{Late, Outbox, Which},
    record::Record,
    tracker::Call,
};

/// The calls, by the numbers `effects.js` has for them.
pub mod kind {
    /// A `track…` function.
    pub const TRACK: u32 = 0;
    /// `identify`.
    pub const IDENTIFY: u32 = 1;
    /// `reset`.
    pub const RESET: u32 = 2;
    /// `setConsent`.
    pub const CONSENT: u32 = 3;
    /// The first `init`.
    pub const INIT: u32 = 4;
    /// A timer has gone off, or the page has learnt what became of the Pixel.
    pub const WAKE: u32 = 5;
    /// There is reason to hope that the proxy can be reached again.
    pub const HURRY: u32 = 6;
    /// The page is being left.
    pub const LEAVE: u32 = 7;
    /// A request was answered, or failed.
    pub const ANSWERED: u32 = 8;
    /// The lock is this page's; here is what is stored.
    pub const ADOPT: u32 = 9;
    /// How many events wait.
    pub const PENDING: u32 = 10;
}

/// The state of one page.
#[derive(Debug)]
pub struct Duet {
    host: Host,
    started: bool,
    country: Option<Country>,
    consent: Option<Consent>,
    identity: Identity,
    outbox: Outbox,
}

impl Duet {
    /// A page on which nothing has been called yet.
    pub fn new(host: Host) -> Self {
        Self {
            host,
            started: false,
            country: None,
            consent: None,
            identity: Identity::default(),
            outbox: Outbox::default(),
        }
    }

    /// Runs a call.
    pub fn call(&mut self, kind: u32, input: &str) -> Effects {
        let mut effects = Effects::default();
        let fx = &mut effects;
        let mut records = Records(input);
        let mut fields = records.next().unwrap_or(Fields(""));
        let facts = Facts::read(&mut fields);
        match kind {
            kind::TRACK => self.track(fields, &facts, fx),
            kind::IDENTIFY => self.identify(fields, &facts, fx),
            kind::RESET => self.identity.reset(fx),
            kind::CONSENT => self.set_consent(fields, &facts, fx),
            kind::INIT => self.init(fields, &facts, fx),
            kind::HURRY => self.outbox.hurry(),
            kind::LEAVE => while self.send(Which::Leaving, &facts, fx) {},
            kind::ANSWERED => {
                let answer = Answer::read(fields, records);
                self.outbox.answered(answer, &facts, fx);
            }
            kind::ADOPT if self.is_open() => {
                self.outbox.merge(records, facts.now_ms, &self.host, fx);
                self.send(Which::Waiting, &facts, fx);
            }
            kind::PENDING => fx.count(self.outbox.len()),
            _ => {}
        }
        if !self.is_open() {
            return effects;
        }
        if matches!(kind, kind::WAKE | kind::HURRY | kind::ANSWERED) {
            while self.send(Which::Ready, &facts, fx) {}
            if self.outbox.wants_the_lock(facts.now_ms) {
                fx.adopt();
            }
        }
        if let Some(ms) = self.outbox.next_due_ms(&facts) {
            fx.wake(ms);
        }
        effects
    }

    fn is_open(&self) -> bool {
        self.started && self.consent == Some(Consent::Granted)
    }

    fn init(&mut self, mut fields: Fields<'_>, facts: &Facts<'_>, fx: &mut Effects) {
        self.started = true;
        let country = fields.text();
        self.country = Country::parse(country);
        if self.country.is_none() && !country.is_empty() {
            fx.report("config", "", "country");
        }
        let consent = Consent::read(fields.text());
        self.consent = self.consent.or(Some(consent));
        self.open(fields, facts, fx);
    }

    fn set_consent(&mut self, mut fields: Fields<'_>, facts: &Facts<'_>, fx: &mut Effects) {
        let consent = Consent::read(fields.text());
        let was_open = self.is_open();
        self.consent = Some(consent);
        let denied = consent == Consent::Denied;
        if denied {
            self.identity = Identity::default();
            self.outbox.clear(fx);
            fx.clear();
        }
        if !was_open {
            self.open(fields, facts, fx);
        } else if !self.is_open() {
            fx.close(denied);
        }
    }

    /// Where consent is given, this browser may from here on be read, written to and spoken for.
    fn open(&mut self, mut fields: Fields<'_>, facts: &Facts<'_>, fx: &mut Effects) {
        if self.is_open() {
            let clicked = fields.text();
            self.identity.recall(clicked, facts.now_ms, &self.host, fx);
            fx.open(self.identity.keys.joined());
            fx.adopt();
        }
    }

    fn identify(&mut self, fields: Fields<'_>, facts: &Facts<'_>, fx: &mut Effects) {
        if !self.started {
            // A phone number cannot be read before the country is known.
            return fx.hold();
        }
        self.identity.identify(fields, self.country, &self.host, fx);
        if self.is_open() {
            self.identity.remember(facts.now_ms, fx);
            fx.identify(self.identity.keys.joined());
        }
    }

    fn track(&mut self, fields: Fields<'_>, facts: &Facts<'_>, fx: &mut Effects) {
        let call = Call::read(fields);
        let id = call.id(facts, fx);
        let id = id.as_str();
        fx.answer(id);
        let name = match EventName::parse(call.event) {
            Ok(name) => name,
            Err(invalid) => {
                let rule = invalid.rule();
                fx.report(rule, id, "event");
                let settled = fx.settle(call.ticket, "", id, INVALID);
                settled.with("[{\"field\":\"event\",\"rule\":\"");
                settled.append(rule).append("\"}]");
                return;
            }
        };
        if self.consent == Some(Consent::Denied) {
            fx.settle(call.ticket, "", id, CONSENT);
        } else if self.is_open() {
            self.fire(&call, &name, id, facts, fx);
        } else {
            fx.hold();
        }
    }

    fn fire(
        &mut self,
        call: &Call<'_>,
        name: &EventName,
        id: &str,
        facts: &Facts<'_>,
        fx: &mut Effects,
    ) {
        let keys = Keys::read(call.user, &self.identity.keys, self.country, &self.host, fx);
        let mark = once::mark(name, call.order_id);
        let mut now = call.legs;
        if !mark.is_empty() {
            now = once::fire(&mark, now, facts.now_ms, &self.host, fx);
        }
        if now.server {
            let body = call.body(&keys, &self.identity.ttclid);
            let mut pixel_ids = call.pixel_ids;
            loop {
                let pixel_id = cut(&mut pixel_ids, b' ');
                let mut record = Record::new(facts, pixel_id, call.ticket);
                record.fill([call.pixel_off, id, &mark, pixel_id, &body]);
                self.outbox.add(record, fx);
                if pixel_ids.is_empty() {
                    break;
                }
            }
        } else {
            let status = if call.legs.server { DUPLICATE } else { OFF };
            fx.settle(call.ticket, "", id, status);
        }
        if now.pixel {
            fx.pixel(keys.joined());
        }
    }

    fn send(&mut self, which: Which, facts: &Facts<'_>, fx: &mut Effects) -> bool {
        if !self.is_open() || self.outbox.is_empty() {
            return false;
        }
        let ttp = (self.host.cookie)("_ttp");
        self.outbox.next(which, Late { facts, ttp: &ttp }, fx)
    }
}

#[cfg(test)]
mod tests;
