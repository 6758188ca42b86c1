//! One page's Duet: what every call makes of it.
//!
//! Before `init` and while consent is pending, calls are held in the page's memory and made again
//! later, with the ids they answered with and the page as it was. While consent is denied nothing is
//! held.

use crate::{
    answer::{self, Answer},
    consent::Consent,
    effect::{Effect, Effects},
    facts::Facts,
    outbox::{Outbox, Record, Which},
    pace::whole,
};

/// The calls, by the numbers `effects.js` has for them.
pub mod kind {
    /// The first `init`: the choice of consent.
    pub const INIT: u32 = 0;
    /// `setConsent`: the choice.
    pub const CONSENT: u32 = 1;
    /// A new event: its number, when it was made, its bytes, 1 where the Pixel has no part in it and 2
    /// where it is an order's.
    pub const ADD: u32 = 2;
    /// A timer has gone off, or the page has learnt what became of the Pixel.
    pub const WAKE: u32 = 3;
    /// There is reason to hope that the proxy can be reached again.
    pub const HURRY: u32 = 4;
    /// The page is being left.
    pub const LEAVE: u32 = 5;
    /// A request was answered, or failed: its number, what `Retry-After` says, the HTTP status, and the results.
    pub const ANSWERED: u32 = 6;
    /// The lock is this page's: until when the proxy wants to be left alone.
    pub const LOOK: u32 = 7;
    /// Another page has ended an event: its number, and as its bytes what the proxy said of it, see
    /// [`Answer::results`]; 0 where it was given up.
    pub const MISS: u32 = 8;
    /// An event is stored: as with [`ADD`].
    pub const FIND: u32 = 9;
    /// All that is stored was told.
    pub const LOOKED: u32 = 10;
    /// Consent was denied on another page of this site.
    pub const FORGET: u32 = 11;
}

/// What may become of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It may go out.
    Open,
    /// It is to be made again after the next `init` or change of consent.
    Held,
    /// Nothing goes out and nothing is kept.
    Denied,
}

/// What is said with a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said<'a> {
    /// The event, the request or the choice.
    pub number: u32,
    /// When, or how long.
    pub ms: f64,
    /// How many bytes, or the HTTP status.
    pub size: u32,
    /// What else there is to know.
    pub flags: u32,
    /// What the proxy said of each event of a request, see [`Answer::results`].
    pub results: &'a str,
}

/// The state of one page.
#[derive(Debug)]
pub struct Duet {
    started: bool,
    consent: Option<Consent>,
    outbox: Outbox,
}

impl Duet {
    /// A page on which nothing has been called yet.
    pub const NEW: Self = Self {
        started: false,
        consent: None,
        outbox: Outbox::EMPTY,
    };

    /// Runs a call; says what may become of calls from now on.
    pub fn call(&mut self, kind: u32, said: &Said<'_>, facts: &Facts, fx: &mut Effects) -> Gate {
        let was_open = self.is_open();
        let consent = Consent::read(said.number);
        match kind {
            kind::INIT => {
                self.started = true;
                self.consent = self.consent.or(Some(consent));
            }
            kind::CONSENT => {
                self.consent = Some(consent);
                if consent == Consent::Denied {
                    self.outbox.clear(fx);
                    fx.push(Effect::Clear, 0, 0);
                }
            }
            kind::FORGET => self.outbox.clear(fx),
            _ => {}
        }
        let is_open = self.is_open();
        if was_open != is_open {
            if is_open {
                fx.push(Effect::Open, 0, 0);
            } else {
                fx.push(Effect::Close, (consent == Consent::Denied).into(), 0);
            }
        }
        if is_open {
            self.run(kind, said, facts, fx);
            Gate::Open
        } else if self.consent == Some(Consent::Denied) {
            Gate::Denied
        } else {
            Gate::Held
        }
    }

    /// A call while consent is given.
    fn run(&mut self, kind: u32, said: &Said<'_>, facts: &Facts, fx: &mut Effects) {
        let record = Record {
            event: said.number,
            created_ms: said.ms,
            bytes: said.size,
            own: kind == kind::ADD,
            pixel_off: said.flags & 1 > 0,
            ordered: said.flags & 2 > 0,
            ..Record::default()
        };
        let outbox = &mut self.outbox;
        match kind {
            kind::ADD => outbox.add(record, fx),
            kind::FIND => outbox.find(record, facts.now_ms, fx),
            kind::MISS => outbox.miss(said.number, answer::ended(said.size), fx),
            kind::LOOK => outbox.look(said.ms, facts.now_ms),
            kind::LOOKED => {
                outbox.next(Which::Waiting, facts, fx);
            }
            kind::LEAVE => while outbox.next(Which::Leaving, facts, fx) {},
            kind::HURRY => outbox.hurry(facts.now_ms),
            kind::ANSWERED => {
                let answer = Answer {
                    request: said.number,
                    http_status: said.size,
                    retry_after_ms: said.ms,
                    results: said.results,
                };
                outbox.answered(&answer, facts, fx);
            }
            _ => {}
        }
        if matches!(kind, kind::WAKE | kind::HURRY | kind::ANSWERED) {
            while outbox.next(Which::Ready, facts, fx) {}
            if outbox.wants_the_lock(facts.now_ms) {
                fx.push(Effect::Adopt, 0, 0);
            }
        }
        if let Some(ms) = outbox.next_due_ms(facts) {
            fx.push(Effect::Wake, whole(ms), 0);
        }
    }

    fn is_open(&self) -> bool {
        self.started && self.consent == Some(Consent::Granted)
    }
}

#[cfg(test)]
mod tests;
