//! What this module asks of the page.
//!
//! Nothing here acts: every call returns a list of effects, and `host.js` carries them out in order
//! once the call is over. So a listener, a patched `fetch` or a `ttq` that calls back into Duet never
//! finds it half-way through something, and every decision can be tested without a page.

use alloc::string::String;

use crate::joined::{RECORD, push_number, push_record};

/// Effects in the order they are to happen, as the text the page reads.
#[derive(Debug, Default)]
pub struct Effects(String);

/// How an event ended, or why it has not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub &'static str);

impl Status {
    /// The proxy has it, durably.
    pub const ACCEPTED: Self = Self("accepted");
    /// It was reported before.
    pub const DUPLICATE: Self = Self("duplicate");
    /// The proxy keeps it until its order is paid.
    pub const HELD: Self = Self("held");
    /// A rule is broken; it will not be sent again.
    pub const INVALID: Self = Self("invalid");
    /// It waits in the outbox.
    pub const QUEUED: Self = Self("queued");
    /// It is given up: too old, no room, or refused whole.
    pub const DROPPED: Self = Self("dropped");
    /// Consent is denied.
    pub const CONSENT: Self = Self("consent");
    /// There is no server leg to speak of.
    pub const OFF: Self = Self("off");
}

/// A request with events in it.
#[derive(Debug)]
pub struct Post {
    /// What the page names when it reports the answer.
    pub batch: u64,
    /// The body.
    pub body: String,
    /// Whether the request may outlive the page.
    pub keepalive: bool,
    /// Whether the page is being left, so that nothing can be waited for.
    pub leaving: bool,
}

/// A mistake or a loss the page's author should know of.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// A stable name for programs.
    pub code: &'a str,
    /// A sentence for people.
    pub message: &'a str,
    /// The field that was wrong, or nothing.
    pub field: &'a str,
    /// The event it was about, or nothing.
    pub event_id: &'a str,
}

impl Effects {
    /// The text for the page.
    pub fn into_text(self) -> String {
        self.0
    }

    /// Hands a value back to the caller in JavaScript.
    pub fn answer(&mut self, value: &str) {
        self.push(&["answer", value]);
    }

    /// Keeps `value` under `key`.
    pub fn write(&mut self, key: &str, value: &str) {
        self.push(&["write", key, value]);
    }

    /// Forgets what is under `key`.
    pub fn remove(&mut self, key: &str) {
        self.push(&["remove", key]);
    }

    /// Forgets everything Duet has stored on this browser, the click id's cookie included.
    pub fn clear(&mut self) {
        self.push(&["clear"]);
    }

    /// Keeps the click id in a cookie of this site.
    pub fn cookie(&mut self, ttclid: &str) {
        self.push(&["cookie", ttclid]);
    }

    /// Has the Pixel's base code in place for `pixel_id`; `script` overrides where it comes from.
    pub fn load(&mut self, pixel_id: &str, script: &str, options: &str) {
        self.push(&["load", pixel_id, script, options]);
    }

    /// Watches the page's own Pixel.
    pub fn watch(&mut self) {
        self.push(&["watch"]);
    }

    /// Calls a method of the Pixel; the arguments are JSON.
    pub fn pixel(&mut self, pixel_id: &str, method: &str, arguments: &[&str]) {
        self.push(&["ttq", pixel_id, method]);
        for argument in arguments {
            self.0.push(crate::joined::FIELD);
            self.0.push_str(argument);
        }
    }

    /// Sends a request.
    pub fn post(&mut self, post: &Post) {
        let mut batch = String::new();
        push_number(&mut batch, post.batch);
        let flag = |on: bool| if on { "1" } else { "" };
        self.push(&[
            "post",
            &batch,
            flag(post.keepalive),
            flag(post.leaving),
            &post.body,
        ]);
    }

    /// Wants to be woken in `ms`, unless it is woken before.
    pub fn wake(&mut self, ms: u64) {
        let mut text = String::new();
        push_number(&mut text, ms);
        self.push(&["wake", &text]);
    }

    /// Wants everything stored, under the lock that all tabs of this site share.
    pub fn adopt(&mut self) {
        self.push(&["adopt"]);
    }

    /// Tells the caller who holds `ticket` how its event fares; `errors` and `warnings` are JSON.
    pub fn settle(
        &mut self,
        ticket: &str,
        event_id: &str,
        status: Status,
        errors: &str,
        warnings: &str,
    ) {
        self.push(&["settle", ticket, event_id, status.0, errors, warnings]);
    }

    /// Reports a mistake or a loss.
    pub fn report(&mut self, report: Report<'_>) {
        self.push(&[
            "error",
            report.code,
            report.message,
            report.field,
            report.event_id,
        ]);
    }

    /// Says what became of the Pixel.
    pub fn verdict(&mut self, verdict: &str) {
        self.push(&["verdict", verdict]);
    }

    fn push(&mut self, fields: &[&str]) {
        if !self.0.is_empty() {
            self.0.push(RECORD);
        }
        push_record(&mut self.0, fields);
    }
}
