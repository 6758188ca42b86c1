//! One event that waits to reach the proxy.

use alloc::{borrow::ToOwned, string::String};

use crate::joined::{Fields, number, push_number, put, put_field};

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
    /// In the request of this number.
    Sent(u32),
}

/// An event that waits.
#[derive(Debug)]
pub struct Record {
    /// Where it is stored.
    pub key: String,
    /// What is stored: whether the Pixel has no part in it, its id, its order's mark, its open body.
    pub stored: String,
    /// Under what its caller waits; 0 for an event that another page made.
    pub ticket: u32,
    /// When it was made.
    pub created_ms: u64,
    /// Where it stands.
    pub state: State,
    /// Whether it must go alone, because it may be what spoilt a request.
    pub alone: bool,
}

impl Record {
    /// An event made now. The key begins with the time, so that keys sort by it; `random` and
    /// `pixel_id` keep pages and the copies of one call apart.
    pub fn new(now_ms: u64, random: &str, pixel_id: &str, ticket: u32) -> Self {
        let mut key = PREFIX.to_owned();
        push_number(&mut key, now_ms);
        put(&mut key, "-");
        put(&mut key, random.get(..12).unwrap_or_default());
        put(&mut key, pixel_id);
        Self {
            key,
            stored: String::new(),
            ticket,
            created_ms: now_ms,
            state: State::New,
            alone: false,
        }
    }

    /// Fills in the event. `mark` is empty for one without an order.
    #[must_use]
    pub fn with(mut self, pixel_off: bool, event_id: &str, mark: &str, body: &str) -> Self {
        if pixel_off {
            self.stored.push('1');
        }
        for field in [event_id, mark, body] {
            put_field(&mut self.stored, field);
        }
        self
    }

    /// Takes over what another page stored.
    pub fn adopt(key: &str, stored: String) -> Self {
        let made = key.get(PREFIX.len()..).unwrap_or_default();
        let digits = made.bytes().take_while(u8::is_ascii_digit).count();
        Self {
            key: key.to_owned(),
            stored,
            ticket: 0,
            created_ms: number(made.get(..digits).unwrap_or_default()),
            state: State::Waiting,
            alone: false,
        }
    }

    /// Whether the Pixel has no part in it.
    pub fn pixel_off(&self) -> bool {
        Fields(&self.stored).flag()
    }

    /// Its id.
    pub fn event_id(&self) -> &str {
        Fields(&self.stored).nth(1)
    }

    /// The mark to take back if it is refused; empty for an event without an order.
    pub fn mark(&self) -> &str {
        Fields(&self.stored).nth(2)
    }

    /// The open body, see [`Call::body`](crate::tracker::Call::body).
    pub fn body(&self) -> &str {
        Fields(&self.stored).nth(3)
    }

    /// Whether this page made it.
    pub fn is_own(&self) -> bool {
        self.ticket > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_reads_back_on_another_page() {
        let random = "00112233445566778899aabbccddeeff";
        let body = r#"{"event":"Search","user":{"#;
        let record = Record::new(1_767_323_045_123, random, "B", 7).with(true, "id", "mark", body);
        assert_eq!(record.key, "duet:e:1767323045123-001122334455B");
        let adopted = Record::adopt(&record.key, record.stored.clone());
        assert!(adopted.pixel_off());
        assert_eq!(adopted.event_id(), "id");
        assert_eq!(adopted.mark(), "mark");
        assert_eq!(adopted.body(), body);
        assert_eq!(adopted.created_ms, record.created_ms);
        assert!(record.is_own() && !adopted.is_own());
    }
}
