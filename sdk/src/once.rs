//! An event of an order is fired once on this browser: a reload, a restored tab or a visit next month
//! must not count a sale again.

use alloc::string::String;

use duet_events::{EventId, EventName};

use crate::{
    effect::Effects,
    host::Host,
    joined::{Fields, push_number, put, put_field},
};

const PREFIX: &str = "duet:o:";
/// How long a mark is believed.
const MAX_AGE_MS: u64 = 90 * 86_400_000;

/// The legs on which an event is fired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Legs {
    /// The Pixel's.
    pub pixel: bool,
    /// The proxy's.
    pub server: bool,
}

/// Where the event of an order is marked; empty without an order. The key is a digest, since an order
/// id may be telling, and goes by the canonical name: `CompletePayment` and `Purchase` are one sale.
pub fn mark(name: &EventName, order_id: &str) -> String {
    let mut key = String::new();
    if !order_id.is_empty() {
        put(&mut key, PREFIX);
        put(
            &mut key,
            EventId::derive(name.canonical(), order_id).as_str(),
        );
    }
    key
}

/// Marks the `legs` that are wanted, beside those that were fired before; gives back those that are to
/// be fired now.
pub fn fire(mark: &str, legs: Legs, now_ms: u64, host: &Host, fx: &mut Effects) -> Legs {
    let stored = (host.read)(mark);
    let mut fields = Fields(if is_old(&stored, now_ms) { "" } else { &stored });
    fields.text();
    let (pixel, server) = (fields.flag(), fields.flag());
    let mut text = String::new();
    push_number(&mut text, now_ms);
    for leg in [legs.pixel || pixel, legs.server || server] {
        put_field(&mut text, if leg { "1" } else { "" });
    }
    fx.write(mark, &text);
    Legs {
        pixel: legs.pixel && !pixel,
        server: legs.server && !server,
    }
}

/// Whether a key is that of a mark.
pub fn is_mark(key: &str) -> bool {
    key.starts_with(PREFIX)
}

/// Whether what is stored under a mark no longer counts.
pub fn is_old(stored: &str, now_ms: u64) -> bool {
    Fields(stored).number() + MAX_AGE_MS <= now_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, order_id: &str) -> String {
        mark(&EventName::parse(name).unwrap(), order_id)
    }

    #[test]
    fn a_mark_is_per_event_and_order() {
        assert_eq!(of("Purchase", "A"), of("Purchase", "A"));
        assert_eq!(of("Purchase", "A"), of("CompletePayment", "A"));
        assert_ne!(of("Purchase", "A"), of("Purchase", "B"));
        assert_ne!(of("Purchase", "A"), of("Subscribe", "A"));
        assert!(!of("Purchase", "SECRET").contains("SECRET"));
        assert_eq!(of("Purchase", ""), "");
    }

    #[test]
    fn a_mark_counts_for_90_days() {
        assert!(!is_old("1000\u{1f}1", 999 + MAX_AGE_MS));
        assert!(is_old("1000\u{1f}1", 1000 + MAX_AGE_MS));
    }
}
