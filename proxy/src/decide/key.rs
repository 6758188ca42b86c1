//! What makes two events the same event.

use duet_events::{EventId, EventName};
use sha2::{Digest, Sha256};

use super::Destination;
use crate::limits;

/// Pixel, canonical event name and `event_id`, as 16 bytes: two different events share a key about as
/// often as two random UUIDs are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DedupKey([u8; 16]);

/// How long a repeat of an event is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remember {
    /// As long as TikTok does.
    Hours48,
    /// An order's: a thank-you page is opened again weeks later.
    Days90,
}

impl Remember {
    /// The period in milliseconds.
    pub fn ms(self) -> i64 {
        match self {
            Self::Hours48 => limits::EVENT_ID_MS,
            Self::Days90 => limits::ORDER_EVENT_ID_MS,
        }
    }
}

impl DedupKey {
    /// The key of an event. A test event code keeps a rehearsal apart from the real thing.
    pub fn of(destination: &Destination, name: &EventName, id: &EventId) -> Self {
        let mut hasher = Sha256::new();
        for part in [
            destination.pixel_id.as_str(),
            name.canonical(),
            id.as_str(),
            destination.test_event_code.as_deref().unwrap_or_default(),
        ] {
            // No part but the last can hold a NUL, so no two lists of parts read the same.
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

    /// The first and the last eight bytes as numbers.
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
