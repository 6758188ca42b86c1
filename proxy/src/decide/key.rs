//! The deduplication key, by which the proxy recognises that two events are the same event.

use duet_events::{EventId, EventName};
use sha2::{Digest, Sha256};

use super::Destination;
use crate::limits;

/// The pixel, the test event code, the canonical event name and the `event_id`, as a digest of 16 bytes. Two different
/// events have the same key as rarely as two random UUIDs are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DedupKey([u8; 16]);

/// How long a repeat of an event is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remember {
    /// For 48 hours, as long as TikTok remembers the event.
    Hours48,
    /// For 90 days. This is for an order's event, because customers open a thank-you page again weeks later.
    Days90,
}

impl Remember {
    /// Returns the period in milliseconds.
    pub fn ms(self) -> i64 {
        match self {
            Self::Hours48 => limits::EVENT_ID_MS,
            Self::Days90 => limits::ORDER_EVENT_ID_MS,
        }
    }
}

impl DedupKey {
    /// Returns the key of an event. The key includes the test event code, so that test events and live events have different
    /// keys.
    pub fn of(destination: &Destination, name: &EventName, id: &EventId) -> Self {
        let mut hasher = Sha256::new();
        for part in [
            destination.pixel_id.as_str(),
            name.canonical(),
            id.as_str(),
            destination.test_event_code.as_deref().unwrap_or_default(),
        ] {
            // Only the last part can contain a NUL, so two different lists of parts never give the same text.
            hasher.update(part);
            hasher.update([0]);
        }
        let mut key = [0; 16];
        for (byte, hashed) in key.iter_mut().zip(hasher.finalize()) {
            *byte = hashed;
        }
        Self(key)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the first and the last eight bytes as numbers.
    pub(crate) fn halves(&self) -> [u64; 2] {
        let bits = u128::from_be_bytes(self.0);
        #[allow(clippy::cast_possible_truncation, reason = "each takes its 64 bits")]
        [(bits >> 64) as u64, bits as u64]
    }

    #[cfg(test)]
    pub(crate) fn numbered(number: u64) -> Self {
        let digest = Sha256::digest(number.to_be_bytes());
        Self(std::array::from_fn(|index| digest[index]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(pixel: &str, name: &str, id: &str, test: Option<&str>) -> DedupKey {
        let destination = Destination {
            pixel_id: pixel.to_owned(),
            test_event_code: test.map(str::to_owned),
        };
        DedupKey::of(
            &destination,
            &EventName::parse(name).unwrap(),
            &EventId::parse(id).unwrap(),
        )
    }

    #[test]
    fn a_key_is_pixel_canonical_name_and_id() {
        let purchase = key("P1", "Purchase", "a", None);
        assert_eq!(purchase, key("P1", "CompletePayment", "a", None));
        for other in [
            key("P2", "Purchase", "a", None),
            key("P1", "Subscribe", "a", None),
            key("P1", "Purchase", "b", None),
            key("P1", "Purchase", "a", Some("TEST1")),
        ] {
            assert_ne!(purchase, other);
        }
    }
}
