//! One event that waits to reach the proxy.

use alloc::{borrow::ToOwned, string::String};

use crate::{
    effect::{Effects, Status},
    facts::Facts,
    joined::{Fields, cut, number, push_number, put, put_field, put_member},
    outbox::Late,
};

/// What the keys of all waiting events begin with.
pub const PREFIX: &str = "duet:e:";
/// How long a new event is left to the page that made it.
pub const LEASE_MS: u64 = 15_000;
/// How long an event waits to learn what became of the Pixel.
pub const VERDICT_MS: u64 = 1500;
/// How long an event is kept: TikTok takes nothing older.
pub const MAX_AGE_MS: u64 = 7 * 86_400_000;

/// Where an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Never tried, and this page's own.
    New,
    /// To be sent under the lock.
    Waiting,
    /// In a request.
    Sent,
    /// Settled, and about to be forgotten.
    Gone,
}

/// An event that waits.
#[derive(Debug)]
pub struct Record {
    /// Where it is stored.
    pub key: String,
    /// What is stored: `1` where the Pixel has no part in it, its id, its order's mark, the pixel it is
    /// for, its open body.
    pub stored: String,
    /// When it was made.
    pub created_ms: u64,
    /// Under what its caller waits; 0 for an event that another page made.
    pub ticket: u32,
    /// The request it was sent in last.
    pub request: u32,
    /// Where it stands.
    pub state: State,
    /// Whether it must go alone, because it may be what spoilt a request.
    pub alone: bool,
}

impl Record {
    /// An event made now. The key begins with the time, so that keys sort by it; chance and `pixel_id`
    /// keep pages and the copies of one call apart.
    pub fn new(facts: &Facts<'_>, pixel_id: &str, ticket: u32) -> Self {
        let mut key = PREFIX.to_owned();
        let [random, _] = facts.random;
        push_number(&mut key, facts.now_ms);
        put(&mut key, "-");
        push_number(&mut key, random);
        put(&mut key, pixel_id);
        Self {
            key,
            stored: String::new(),
            created_ms: facts.now_ms,
            ticket,
            request: 0,
            state: State::New,
            alone: false,
        }
    }

    /// Fills in what is stored.
    pub fn fill(&mut self, [pixel_off, rest @ ..]: [&str; 5]) {
        put(&mut self.stored, pixel_off);
        for field in rest {
            put_field(&mut self.stored, field);
        }
    }

    /// Takes over what another page stored.
    pub fn adopt(key: &str, stored: String) -> Self {
        let mut made = key.get(PREFIX.len()..).unwrap_or_default();
        Self {
            key: key.to_owned(),
            stored,
            created_ms: number(cut(&mut made, b'-')),
            ticket: 0,
            request: 0,
            state: State::Waiting,
            alone: false,
        }
    }

    #[inline(never)]
    fn field(&self, at: usize) -> &str {
        Fields(&self.stored).nth(at)
    }

    /// Whether the Pixel has no part in it.
    pub fn pixel_off(&self) -> bool {
        !self.field(0).is_empty()
    }

    /// Its id.
    pub fn event_id(&self) -> &str {
        self.field(1)
    }

    /// The mark to take back if it is refused; empty for an event without an order.
    pub fn mark(&self) -> &str {
        self.field(2)
    }

    /// The open body, see [`Call::body`](crate::tracker::Call::body).
    pub fn body(&self) -> &str {
        self.field(4)
    }

    /// Whether this page made it.
    pub fn is_own(&self) -> bool {
        self.ticket > 0
    }

    /// Appends the whole body, with the browser id from TikTok's cookie, which the Pixel may set a
    /// second after the call, and with the Pixel's fate; either may be unknown, and then is left out.
    pub fn close(&self, late: Late<'_>, out: &mut String) {
        let pixel = if self.pixel_off() {
            "off"
        } else if self.is_own() {
            late.facts.pixel
        } else {
            // Another page's Pixel; nobody knows any more.
            ""
        };
        put(out, self.body());
        put_member(out, "ttp", late.ttp);
        put(out, "}");
        put_member(out, "event_id", self.event_id());
        put_member(out, "pixel_id", self.field(3));
        put_member(out, "pixel", pixel);
        put(out, "}");
    }

    /// Says how it fares.
    #[inline(never)]
    pub fn settle<'fx>(&self, status: Status, fx: &'fx mut Effects) -> &'fx mut Effects {
        // The page writes the name first.
        let mut name = self.body().get("{\"event\":\"".len()..).unwrap_or_default();
        fx.settle(self.ticket, cut(&mut name, b'"'), self.event_id(), status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(pixel: &str) -> Facts<'_> {
        Facts {
            now_ms: 1_767_323_045_123,
            random: [77, 0],
            pixel,
        }
    }

    #[test]
    fn what_is_stored_reads_back_on_another_page() {
        let body = r#"{"event":"Search","user":{"#;
        let mut record = Record::new(&facts(""), "B", 7);
        record.fill(["1", "id", "mark", "B", body]);
        assert_eq!(record.key, "duet:e:1767323045123-77B");
        let adopted = Record::adopt(&record.key, record.stored.clone());
        assert!(adopted.pixel_off());
        assert_eq!(adopted.event_id(), "id");
        assert_eq!(adopted.mark(), "mark");
        assert_eq!(adopted.body(), body);
        assert_eq!(adopted.created_ms, record.created_ms);
        assert!(record.is_own() && !adopted.is_own());
    }

    #[test]
    fn what_is_known_late_is_added_late() {
        let closed = |body, ttp, pixel| {
            let mut record = Record::new(&facts(""), "", 7);
            record.fill(["", "1", "", "", body]);
            let (mut out, facts) = (String::new(), facts(pixel));
            record.close(Late { facts: &facts, ttp }, &mut out);
            out
        };
        assert_eq!(
            closed(r#"{"user":{"#, "", ""),
            r#"{"user":{},"event_id":"1"}"#
        );
        assert_eq!(
            closed(r#"{"user":{"locale":"vi""#, "TTP", "fired"),
            r#"{"user":{"locale":"vi","ttp":"TTP"},"event_id":"1","pixel":"fired"}"#
        );
    }

    #[test]
    fn an_event_of_another_page_is_settled_under_its_name() {
        let record = Record::adopt(
            "duet:e:1-2",
            "\u{1f}id\u{1f}\u{1f}\u{1f}{\"event\":\"Search\",".to_owned(),
        );
        let mut fx = Effects::default();
        record.settle("accepted", &mut fx);
        assert_eq!(fx.into_text(), "\u{1e}s\u{1f}Search\u{1f}id\u{1f}accepted");
    }
}
