//! An event of an order is fired once on this browser: a reload, a restored tab or a visit next month
//! must not count a sale again.

use alloc::string::String;

use duet_events::{EventId, EventName};

use crate::{
    effect::Effects,
    host::Host,
    joined::{FIELD, Fields, push_number},
};

/// What the keys of all marks begin with.
pub const PREFIX: &str = "duet:o:";
/// How long a mark is believed.
pub const MAX_AGE_MS: u64 = 90 * 86_400_000;

/// The legs on which an event was fired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Legs {
    /// The Pixel's.
    pub pixel: bool,
    /// The proxy's.
    pub server: bool,
}

impl Legs {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            pixel: self.pixel || other.pixel,
            server: self.server || other.server,
        }
    }
}

/// Where one event of one order is marked. The key is a digest: an order id may be telling.
#[derive(Clone, Debug)]
pub struct Mark(pub String);

impl Mark {
    /// The mark of an event; none without an order. It goes by the canonical name: `CompletePayment`
    /// and `Purchase` are one sale.
    pub fn of(name: &EventName, order_id: &str) -> Option<Self> {
        if order_id.is_empty() {
            return None;
        }
        let mut key = String::from(PREFIX);
        key.push_str(EventId::derive(name.canonical(), order_id).as_str());
        Some(Self(key))
    }

    /// The legs fired so far.
    pub fn legs(&self, now_ms: u64, host: &Host) -> Legs {
        let stored = (host.read)(&self.0);
        let mut fields = Fields::of(&stored);
        if is_old(fields.number(), now_ms) {
            return Legs::default();
        }
        Legs {
            pixel: fields.flag(),
            server: fields.flag(),
        }
    }

    /// Marks the legs that are fired now.
    pub fn set(&self, legs: Legs, now_ms: u64, fx: &mut Effects) {
        let mut text = String::new();
        push_number(&mut text, now_ms);
        for leg in [legs.pixel, legs.server] {
            text.push(FIELD);
            if leg {
                text.push('1');
            }
        }
        fx.write(&self.0, &text);
    }
}

/// Whether a mark of `at` no longer counts.
pub fn is_old(at: u64, now_ms: u64) -> bool {
    at + MAX_AGE_MS <= now_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, order_id: &str) -> String {
        Mark::of(&EventName::parse(name).unwrap(), order_id).unwrap().0
    }

    #[test]
    fn a_mark_is_per_event_and_order() {
        assert_eq!(key("Purchase", "A"), key("Purchase", "A"));
        assert_eq!(key("Purchase", "A"), key("CompletePayment", "A"));
        assert_ne!(key("Purchase", "A"), key("Purchase", "B"));
        assert_ne!(key("Purchase", "A"), key("Subscribe", "A"));
        assert!(!key("Purchase", "SECRET").contains("SECRET"));
        assert!(Mark::of(&EventName::parse("Purchase").unwrap(), "").is_none());
    }

    #[test]
    fn a_mark_counts_for_90_days() {
        assert!(!is_old(1000, 1000 + MAX_AGE_MS - 1));
        assert!(is_old(1000, 1000 + MAX_AGE_MS));
    }
}
