//! One event that waits to reach the proxy.

use alloc::{borrow::ToOwned, string::String};

use crate::joined::{Fields, number, push_number, push_record};

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
    Sent(u64),
}

/// An event that waits.
#[derive(Debug)]
pub struct Record {
    /// Where it is stored.
    pub key: String,
    /// Under what its caller waits; empty for an event that another page made.
    pub ticket: String,
    /// Its id.
    pub event_id: String,
    /// The mark to take back if it is refused; empty for an event without an order.
    pub mark: String,
    /// Whether the Pixel has no part in it.
    pub pixel_off: bool,
    /// The open body, see [`Call::body`](crate::tracker::Call::body).
    pub body: String,
    /// When it was made.
    pub created_ms: u64,
    /// Where it stands.
    pub state: State,
    /// Whether it must go alone, because it may be what spoilt a request.
    pub alone: bool,
}

impl Record {
    /// Names the place where an event made now is stored. The time stands first, so that keys sort by
    /// it; `random` and `suffix` keep pages and the events of one call apart.
    pub fn key(now_ms: u64, random: &str, suffix: &str) -> String {
        let mut key = PREFIX.to_owned();
        push_number(&mut key, now_ms);
        for part in ["-", random.get(..12).unwrap_or_default(), suffix] {
            key.push_str(part);
        }
        key
    }

    /// What is stored.
    pub fn stored(&self) -> String {
        let mut text = String::new();
        let off = if self.pixel_off { "1" } else { "" };
        push_record(&mut text, &[off, &self.event_id, &self.mark, &self.body]);
        text
    }

    /// Reads what another page stored.
    pub fn read(key: &str, mut stored: Fields<'_>) -> Self {
        let made = key.strip_prefix(PREFIX).unwrap_or_default();
        Self {
            key: key.to_owned(),
            ticket: String::new(),
            pixel_off: stored.flag(),
            event_id: stored.text().to_owned(),
            mark: stored.text().to_owned(),
            body: stored.text().to_owned(),
            created_ms: number(made.split('-').next().unwrap_or_default()),
            state: State::Waiting,
            alone: false,
        }
    }

    /// Whether this page made it.
    pub fn is_own(&self) -> bool {
        !self.ticket.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_reads_back() {
        let key = Record::key(1_767_323_045_123, "00112233445566778899aabbccddeeff", "b");
        assert_eq!(key, "duet:e:1767323045123-001122334455b");
        let record = Record {
            ticket: "7".to_owned(),
            pixel_off: true,
            event_id: "id".to_owned(),
            mark: "duet:o:x".to_owned(),
            body: r#"{"event":"Search","user":{"#.to_owned(),
            ..Record::read(&key, Fields::of(""))
        };
        let stored = record.stored();
        let read = Record::read(&key, Fields::of(&stored));
        assert_eq!(read.stored(), stored);
        assert_eq!(read.created_ms, 1_767_323_045_123);
        assert!(!read.is_own());
    }
}
