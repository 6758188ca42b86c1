//! What this module asks of the page.
//!
//! Nothing here acts: every call returns a list of effects, and `effects.js` carries them out in order
//! once the call is over. So a listener, a patched `fetch` or a `ttq` that calls back into Duet never
//! finds it half-way through something, and every decision can be tested without a page.

use alloc::string::String;

use crate::joined::{push_number, put, put_field};

/// Effects in the order they are to happen, as the text the page reads: one letter, then fields.
#[derive(Debug, Default)]
pub struct Effects(pub(crate) String);

/// How an event ended, or why it has not yet. These words are the page's API.
pub type Status = &'static str;

/// The proxy has it, durably.
pub const ACCEPTED: Status = "accepted";
/// It was reported before.
pub const DUPLICATE: Status = "duplicate";
/// The proxy keeps it until its order is paid.
pub const HELD: Status = "held";
/// A rule is broken; it will not be sent again.
pub const INVALID: Status = "invalid";
/// It waits in the outbox.
pub const QUEUED: Status = "queued";
/// It is given up: too old, no room, or refused whole.
pub const DROPPED: Status = "dropped";
/// Consent is denied.
pub const CONSENT: Status = "consent";
/// There is no server leg to speak of.
pub const OFF: Status = "off";

impl Effects {
    /// The text for the page.
    pub fn into_text(self) -> String {
        self.0
    }

    /// Hands a value back to the caller in JavaScript.
    pub fn answer(&mut self, value: &str) {
        self.effect("\u{1e}i").with(value);
    }

    /// Hands a count back.
    pub fn count(&mut self, count: usize) {
        self.effect("\u{1e}i").number(count as u64);
    }

    /// The call cannot run yet: it is to be made again after the next `init` or change of consent.
    pub fn hold(&mut self) {
        self.effect("\u{1e}h");
    }

    /// Keeps `value` under `key`.
    pub fn write(&mut self, key: &str, value: &str) {
        self.effect("\u{1e}w").with(key).with(value);
    }

    /// Forgets what is under `key`.
    pub fn remove(&mut self, key: &str) {
        self.effect("\u{1e}r").with(key);
    }

    /// Forgets everything Duet has stored on this browser, the click id's cookie included.
    pub fn clear(&mut self) {
        self.effect("\u{1e}c");
    }

    /// Keeps the click id in a cookie of this site.
    pub fn cookie(&mut self, ttclid: &str) {
        self.effect("\u{1e}k").with(ttclid);
    }

    /// Brings the Pixel up, or back, and says who is here: three digests, joined.
    pub fn open(&mut self, keys: &str) {
        self.effect("\u{1e}o").with(keys);
    }

    /// Stops the Pixel, as far as it lets itself be stopped; for good where consent is denied.
    pub fn close(&mut self, denied: bool) {
        self.effect("\u{1e}q").flag(denied);
    }

    /// Tells the Pixel who is here: three digests, joined.
    pub fn identify(&mut self, keys: &str) {
        self.effect("\u{1e}u").with(keys);
    }

    /// Lets the Pixel report this call's event, about the person of three digests.
    pub fn pixel(&mut self, keys: &str) {
        self.effect("\u{1e}x").with(keys);
    }

    /// Sends a request: its number, whether the page is being left; the body is appended.
    pub fn post(&mut self, number: u32, leaving: bool) {
        let post = self.effect("\u{1e}p").number(number.into());
        post.flag(leaving).with("");
    }

    /// Wants to be woken in `ms`, unless it is woken before.
    pub fn wake(&mut self, ms: u64) {
        self.effect("\u{1e}z").number(ms);
    }

    /// Wants the keys of everything stored, under the lock that all tabs of this site share.
    pub fn adopt(&mut self) {
        self.effect("\u{1e}a");
    }

    /// Says how an event fares: to the caller who holds `ticket`, or where that is 0 to whoever
    /// listens for events called `event`. The proxy's errors and warnings, as JSON, are added by
    /// [`with`](Self::with).
    pub fn settle(&mut self, ticket: u32, event: &str, id: &str, status: Status) -> &mut Self {
        let settle = self.effect("\u{1e}s");
        if ticket > 0 {
            settle.number(ticket.into());
        } else {
            settle.with(event);
        }
        settle.with(id).with(status)
    }

    /// Reports a mistake or a loss by a stable name, with the event and the field it is about, either
    /// of which may be empty.
    pub fn report(&mut self, code: &str, event_id: &str, field: &str) {
        self.effect("\u{1e}e").with(code).with(event_id).with(field);
    }

    /// Adds a field to the last effect.
    #[inline(never)]
    pub fn with(&mut self, field: &str) -> &mut Self {
        put_field(&mut self.0, field);
        self
    }

    /// Adds to the last field.
    pub fn append(&mut self, text: &str) -> &mut Self {
        put(&mut self.0, text);
        self
    }

    fn flag(&mut self, flag: bool) -> &mut Self {
        self.with(if flag { "1" } else { "" })
    }

    #[inline(never)]
    fn number(&mut self, number: u64) -> &mut Self {
        push_number(&mut self.with("").0, number);
        self
    }

    /// A record separator and the effect's letter.
    #[inline(never)]
    fn effect(&mut self, kind: &str) -> &mut Self {
        put(&mut self.0, kind);
        self
    }
}
