//! Duet's state on one page, and the effect of every call.
//!
//! Before `init` and while consent is pending, calls are held in the page's memory. Held calls are repeated later. A repeated
//! call has the id that the first call returned, and the state of the page at the time of the first call. While consent is
//! denied, calls are not held.

use crate::{
    answer::Answer,
    consent::{Consent, Gate},
    effect::{Effect, Effects, Word},
    facts::Facts,
    outbox::{Outbox, Stored, Which},
    pace::whole,
};

/// The calls of the page.
#[derive(Clone, Debug)]
pub enum Call<'a> {
    /// The first `init`, with its choice of consent.
    Init(Consent),
    /// `setConsent`.
    Consent(Consent),
    /// Consent was denied on another page of this site.
    Forget,
    /// A new event.
    Add(Stored),
    /// A timer has run out, or the page now knows the Pixel's result.
    Wake,
    /// The proxy may be reachable again.
    Hurry,
    /// The page is being left.
    Leave,
    /// A request was answered, or failed.
    Answered(Answer<'a>),
    /// This page has got the lock. The page now passes the stored events with [`Call::Find`].
    Look {
        /// The end of the pause that the proxy asked for, in milliseconds since 1970. 0 if there is no pause.
        pause_until_ms: f64,
    },
    /// Another page has ended an event.
    Ended {
        /// The event.
        event: u32,
        /// How it ended.
        word: Word,
    },
    /// The browser's storage has an event that this page does not know.
    Find(Stored),
    /// The page has passed all stored events.
    Looked,
}

/// The state of one page.
#[derive(Debug)]
pub struct Duet {
    started: bool,
    consent: Option<Consent>,
    outbox: Outbox,
}

impl Duet {
    /// The state of a page before the first call.
    pub const NEW: Self = Self {
        started: false,
        consent: None,
        outbox: Outbox::EMPTY,
    };

    /// Runs a call.
    pub fn call(&mut self, call: &Call<'_>, facts: &Facts, fx: &mut Effects) {
        let before = self.gate();
        match *call {
            Call::Init(consent) => {
                self.started = true;
                self.consent = self.consent.or(Some(consent));
            }
            Call::Consent(consent) => {
                self.consent = Some(consent);
                if consent == Consent::Denied {
                    self.outbox.clear(fx);
                    fx.push(Effect::Clear);
                }
            }
            Call::Forget => self.outbox.clear(fx),
            _ => {}
        }
        let gate = self.gate();
        if gate != before {
            fx.push(Effect::Gate(gate));
        }
        if gate == Gate::Open {
            self.run(call, facts, fx);
        }
    }

    /// Runs a call while consent is given.
    fn run(&mut self, call: &Call<'_>, facts: &Facts, fx: &mut Effects) {
        let outbox = &mut self.outbox;
        let mut may_send = false;
        match call {
            Call::Add(stored) => outbox.add(stored.record(), fx),
            Call::Find(stored) => outbox.find(stored.record(), facts.now_ms, fx),
            Call::Ended { event, word } => outbox.miss(*event, *word, fx),
            Call::Look { pause_until_ms } => outbox.look(*pause_until_ms, facts.now_ms),
            Call::Looked => {
                outbox.next(Which::Waiting, facts, fx);
            }
            Call::Leave => while outbox.next(Which::Leaving, facts, fx) {},
            Call::Wake => may_send = true,
            Call::Hurry => {
                outbox.hurry(facts.now_ms);
                may_send = true;
            }
            Call::Answered(answer) => {
                outbox.answered(answer, facts, fx);
                may_send = true;
            }
            Call::Init(_) | Call::Consent(_) | Call::Forget => {}
        }
        if may_send {
            while outbox.next(Which::Ready, facts, fx) {}
            if outbox.wants_the_lock(facts.now_ms) {
                fx.push(Effect::Adopt);
            }
        }
        if let Some(ms) = outbox.next_due_ms(facts) {
            fx.push(Effect::Wake { ms: whole(ms) });
        }
    }

    fn gate(&self) -> Gate {
        match self.consent {
            Some(Consent::Granted) if self.started => Gate::Open,
            Some(Consent::Denied) => Gate::Denied,
            _ => Gate::Held,
        }
    }
}

#[cfg(test)]
mod tests;
