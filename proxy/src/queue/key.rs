//! What makes two events the same event.

use duet_events::{EventId, EventName};
use sha2::{Digest, Sha256};

/// Pixel, canonical event name and `event_id`, as 16 bytes: two different events share a key about as
/// often as two random UUIDs are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DedupKey([u8; 16]);

impl DedupKey {
    /// The key of an event. `test_event_code` keeps a rehearsal apart from the real thing.
    pub fn of(
        pixel_id: &str,
        name: &EventName,
        id: &EventId,
        test_event_code: Option<&str>,
    ) -> Self {
        let mut hasher = Sha256::new();
        for part in [
            pixel_id,
            name.canonical(),
            id.as_str(),
            test_event_code.unwrap_or_default(),
        ] {
            // No part holds a NUL, so no two lists of parts read the same.
            hasher.update(part);
            hasher.update([0]);
        }
        let mut key = [0; 16];
        for (byte, hashed) in key.iter_mut().zip(hasher.finalize()) {
            *byte = hashed;
        }
        Self(key)
    }

    pub(super) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(pixel: &str, name: &str, id: &str, test: Option<&str>) -> DedupKey {
        DedupKey::of(
            pixel,
            &EventName::parse(name).unwrap(),
            &EventId::parse(id).unwrap(),
            test,
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
