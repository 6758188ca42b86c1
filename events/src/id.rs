//! The deduplication key that both legs of an event share.

use alloc::{borrow::ToOwned, string::String};

use uuid::Builder;

use crate::{
    Invalid,
    hash::{push_hex, sha256},
};

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
        let fits = (1..=MAX_LENGTH).contains(&id.len());
        let plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
        if fits && id.bytes().all(plain) {
            return Ok(Self(id.to_owned()));
        }
        Err(Invalid::new(
            "event_id",
            "event_id",
            "an event_id is a string of 1 to 64 characters out of A-Z a-z 0-9 _ . : -",
        ))
    }

    /// The id of `event` for an order: the same on every page, in every webhook, after every restart.
    ///
    /// SHA-256 of `duet/1|<event>|<order_id>`, its first 16 bytes as a version-8 UUID (RFC 9562).
    pub fn derive(event: &str, order_id: &str) -> Self {
        let mut text = "duet/1|".to_owned();
        for part in [event, "|", order_id] {
            text.push_str(part);
        }
        let mut bytes = [0; 16];
        for (byte, hashed) in bytes.iter_mut().zip(sha256(&text)) {
            *byte = hashed;
        }
        Self::uuid(&Builder::from_custom_bytes(bytes))
    }

    /// A fresh id (a version-4 UUID) out of 16 random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self::uuid(&Builder::from_random_bytes(bytes))
    }

    /// The id as it travels.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The crate's own way to write an id is four times this size on a page.
    fn uuid(builder: &Builder) -> Self {
        let mut text = String::new();
        for (at, &byte) in builder.as_uuid().as_bytes().iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            push_hex(&mut text, byte);
        }
        Self(text)
    }
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
