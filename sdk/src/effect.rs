//! What this module asks of the page.
//!
//! Nothing here acts: every call returns a list of effects, and `effects.js` carries them out in order
//! once the call is over. So a listener, a patched `fetch` or a `ttq` that calls back into Duet never
//! finds it half-way through something, and every decision can be tested without a page.

use alloc::string::String;

use crate::joined::{RECORD, push_number, put, put_field};

/// Effects in the order they are to happen, as the text the page reads.
#[derive(Debug, Default)]
pub struct Effects(String);

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

/// A request with events in it.
#[derive(Debug)]
pub struct Post {
    /// What the page names when it reports the answer.
    pub number: u32,
    /// The body.
    pub body: String,
    /// Whether the page is being left, so that nothing can be waited for.
    pub leaving: bool,
}

impl Effects {
    /// The text for the page.
    pub fn into_text(self) -> String {
        self.0
    }

    /// Hands a value back to the caller in JavaScript.
    pub fn answer(&mut self, value: &str) {
        self.effect("answer").with(value);
    }

    /// Keeps `value` under `key`.
    pub fn write(&mut self, key: &str, value: &str) {
        self.effect("write").with(key).with(value);
    }

    /// Forgets what is under `key`.
    pub fn remove(&mut self, key: &str) {
        self.effect("remove").with(key);
    }

    /// Forgets everything Duet has stored on this browser, the click id's cookie included.
    pub fn clear(&mut self) {
        self.effect("clear");
    }

    /// Keeps the click id in a cookie of this site.
    pub fn cookie(&mut self, ttclid: &str) {
        self.effect("cookie").with(ttclid);
    }

    /// Has the Pixel's base code in place for `pixel_id`; `script` overrides where it comes from.
    pub fn load(&mut self, pixel_id: &str, script: &str, options: &str) {
        self.effect("load")
            .with(pixel_id)
            .with(script)
            .with(options);
    }

    /// Watches the page's own Pixel.
    pub fn watch(&mut self, pixel_id: &str) {
        self.effect("watch").with(pixel_id);
    }

    /// Calls a method of the Pixel. Arguments, as JSON, are added by [`with`](Self::with).
    pub fn pixel(&mut self, pixel_id: &str, method: &str) -> &mut Self {
        self.effect("ttq").with(pixel_id).with(method)
    }

    /// Sends a request.
    pub fn post(&mut self, post: &Post) {
        self.effect("post")
            .with_number(post.number.into())
            .with(if post.leaving { "1" } else { "" })
            .with(&post.body);
    }

    /// Wants to be woken in `ms`, unless it is woken before.
    pub fn wake(&mut self, ms: u64) {
        self.effect("wake").with_number(ms);
    }

    /// Wants the keys of everything stored, under the lock that all tabs of this site share.
    pub fn adopt(&mut self) {
        self.effect("adopt");
    }

    /// Tells the caller who holds `ticket` how its event fares. The proxy's errors and warnings, as
    /// JSON, are added by [`with`](Self::with).
    pub fn settle(&mut self, ticket: u32, event_id: &str, status: Status) -> &mut Self {
        self.effect("settle")
            .with_number(ticket.into())
            .with(event_id)
            .with(status)
    }

    /// Reports a mistake or a loss: a stable name, a sentence, the event and the field it is about,
    /// either of which may be empty.
    pub fn report(&mut self, code: &str, message: &str, event_id: &str, field: &str) {
        self.effect("error")
            .with(code)
            .with(message)
            .with(event_id)
            .with(field);
    }

    /// Says what became of the Pixel.
    pub fn verdict(&mut self, verdict: &str) {
        self.effect("verdict").with(verdict);
    }

    /// Adds a field to the last effect.
    #[inline(never)]
    pub fn with(&mut self, field: &str) -> &mut Self {
        put_field(&mut self.0, field);
        self
    }

    fn with_number(&mut self, number: u64) -> &mut Self {
        push_number(&mut self.with("").0, number);
        self
    }

    #[inline(never)]
    fn effect(&mut self, kind: &str) -> &mut Self {
        if !self.0.is_empty() {
            self.0.push(RECORD);
        }
        put(&mut self.0, kind);
        self
    }
}
