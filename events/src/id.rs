//! The deduplication key that both legs of an event share.

use alloc::{borrow::ToOwned, string::String};

use uuid::Builder;

use crate::{Invalid, hash::sha256};

/// The longest id TikTok is known to keep apart.
pub const MAX_LENGTH: usize = 64;

/// An event's id: 1 to 64 of `A-Z a-z 0-9 _ . : -`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct EventId(String);

impl EventId {
    /// Takes the caller's own id.
    ///
    /// # Errors
    /// `event_id` when it is empty, too long or holds another character.
    pub fn parse(id: &str) -> Result<Self, Invalid> {
        if is_id(id) {
            return Ok(Self(id.to_owned()));
        }
        Err(Invalid::new(
            "event_id",
            "event_id",
            "an event_id is a string of 1 to 64 characters out of A-Z a-z 0-9 _ . : -",
        ))
    }

    /// The id of `event` for an order, see [`of_order`].
    pub fn derive(event: &str, order_id: &str) -> Self {
        Self::uuid(of_order(event, order_id))
    }

    /// A fresh id out of 16 random bytes, see [`of_chance`].
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self::uuid(of_chance(bytes))
    }

    /// The id as it travels.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn uuid(bytes: [u8; 16]) -> Self {
        let uuid = uuid::Uuid::from_bytes(bytes);
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        Self(uuid.as_hyphenated().encode_lower(&mut text).to_owned())
    }
}

impl From<EventId> for String {
    fn from(id: EventId) -> Self {
        id.0
    }
}

/// Whether a text is an id.
pub fn is_id(id: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
    (1..=MAX_LENGTH).contains(&id.len()) && id.bytes().all(plain)
}

/// The id of `event` for an order, as the bytes of a UUID: the same on every page, in every webhook,
/// after every restart.
///
/// SHA-256 of `duet/1|<event>|<order_id>`, its first 16 bytes as a version-8 UUID (RFC 9562).
pub fn of_order(event: &str, order_id: &str) -> [u8; 16] {
    let [bytes @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] =
        sha256(&[b"duet/1|", event.as_bytes(), b"|", order_id.as_bytes()]);
    Builder::from_custom_bytes(bytes).into_uuid().into_bytes()
}

/// A fresh id, as the bytes of a version-4 UUID, out of 16 random bytes.
pub fn of_chance(bytes: [u8; 16]) -> [u8; 16] {
    Builder::from_random_bytes(bytes).into_uuid().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_gives_the_same_id_everywhere() {
        for (event, order_id, id) in [
            (
                "Subscribe",
                "PHO7K3M9Q2X",
                "8dfcc057-77d8-88a5-b01a-e0d0586f4129",
            ),
            (
                "CompletePayment",
                "PHO7K3M9Q2X",
                "fe42ae63-b5ad-8eb5-b022-89b5eb26d7db",
            ),
            (
                "Purchase",
                "PHO_SUB_1762228747088_NTK3U9",
                "6e106f95-b690-8a06-b52a-c71801371620",
            ),
            (
                "Subscribe",
                "đơn-01",
                "6642a098-f1c4-8b16-b168-8fa3893ea5d9",
            ),
        ] {
            assert_eq!(EventId::derive(event, order_id).as_str(), id);
        }
    }

    #[test]
    fn random_bytes_become_a_version_4_uuid() {
        assert_eq!(
            EventId::from_random([0xff; 16]).as_str(),
            "ffffffff-ffff-4fff-bfff-ffffffffffff"
        );
    }

    #[test]
    fn an_id_is_taken_as_it_is_or_refused() {
        for id in ["a", "pay_92704", "A.b:c-d_1", &"x".repeat(64)] {
            assert_eq!(EventId::parse(id).unwrap().as_str(), id);
        }
        for id in ["", " a", "a b", "đơn", "a/b", &"x".repeat(65)] {
            assert_eq!(EventId::parse(id).unwrap_err().field, "event_id", "{id}");
        }
    }
}
