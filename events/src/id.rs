//! The deduplication key of an event. Both legs send the same key.

use alloc::{borrow::ToOwned, format, string::String};

use uuid::Builder;

use crate::{Invalid, hash::sha256, name::aliases, rule::reject};

/// The longest id that TikTok is known to compare in full.
pub const MAX_LENGTH: usize = 64;

/// An event's id: 1 to 64 characters of `A-Z a-z 0-9 _ . : -`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct EventId(String);

impl EventId {
    /// Checks the caller's own id.
    ///
    /// # Errors
    /// Returns the rule `event_id` if the id is empty, is too long, or contains other characters than these.
    pub fn parse(id: &str) -> Result<Self, Invalid> {
        if is_id(id) {
            return Ok(Self(id.to_owned()));
        }
        Err(Invalid::of(&reject::EVENT_ID, "event_id"))
    }

    /// Derives the id of `event` from an order, as [`of_order`] describes.
    pub fn derive(event: &str, order_id: &str) -> Self {
        Self::uuid(of_order(event, order_id))
    }

    /// Checks that `event` of `order_id` is allowed to have this id. An id that has the form of a derived id is reserved. A
    /// reserved id must be derived from this order, and from this event's name or an alias of the name. Without this check, a
    /// sender could use the id of another order's conversion, so that the conversion itself would count as a repeat.
    ///
    /// # Errors
    /// Returns `reserved_id` if the id is reserved for another event or another order.
    pub fn check_reserved(&self, event: &str, order_id: Option<&str>) -> Result<(), Invalid> {
        let is_own = |order_id| aliases(event).any(|name| Self::derive(name, order_id) == *self);
        if !is_reserved(&self.0) || order_id.is_some_and(is_own) {
            return Ok(());
        }
        Err(Invalid::of(&reject::RESERVED_ID, "event_id"))
    }

    /// Makes a new id from 16 random bytes, as [`of_chance`] describes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self::uuid(of_chance(bytes))
    }

    /// Returns the id as it is sent.
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

/// Returns whether a text is a valid event id.
pub fn is_id(id: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
    (1..=MAX_LENGTH).contains(&id.len()) && id.bytes().all(plain)
}

/// Returns whether an id has the form of an id derived from an order: a lower-case UUID of version 8.
pub fn is_reserved(id: &str) -> bool {
    let fits = |(place, byte): (usize, u8)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        14 => byte == b'8',
        19 => matches!(byte, b'8' | b'9' | b'a' | b'b'),
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    id.len() == uuid::fmt::Hyphenated::LENGTH && id.bytes().enumerate().all(fits)
}

/// Derives the id of `event` from an order, as the bytes of a UUID. The id is the same on every page, in every webhook and
/// after every restart.
///
/// The id is the first 16 bytes of the SHA-256 of `duet/1|<event>|<order_id>`, as a version-8 UUID (RFC 9562).
pub fn of_order(event: &str, order_id: &str) -> [u8; 16] {
    let [bytes @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] =
        sha256(format!("duet/1|{event}|{order_id}").as_bytes());
    Builder::from_custom_bytes(bytes).into_uuid().into_bytes()
}

/// Makes the bytes of a version-4 UUID from 16 random bytes.
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
    fn an_id_is_reserved_if_it_looks_like_one_of_an_order() {
        for (id, reserved) in [
            ("8dfcc057-77d8-88a5-b01a-e0d0586f4129", true),
            ("00000000-0000-8000-8000-000000000000", true),
            ("00000000-0000-8000-bfff-000000000000", true),
            // Another version, another variant, another case, another form.
            ("8dfcc057-77d8-48a5-b01a-e0d0586f4129", false),
            ("8dfcc057-77d8-78a5-b01a-e0d0586f4129", false),
            ("8dfcc057-77d8-88a5-c01a-e0d0586f4129", false),
            ("8dfcc057-77d8-88a5-701a-e0d0586f4129", false),
            ("8DFCC057-77D8-88A5-B01A-E0D0586F4129", false),
            ("8dfcc057-77d8-88a5-b01a-e0d0586f412A", false),
            ("8dfcc05777d888a5b01ae0d0586f4129", false),
            ("8dfcc057-77d8-88a5-b01a-e0d0586f412", false),
            ("8dfcc057-77d8-88a5-b01a-e0d0586f41290", false),
            ("8dfcc057.77d8.88a5.b01a.e0d0586f4129", false),
            ("8dfcc057-77d8-88a5-b01a-e0d0586f412g", false),
            ("pay_92704", false),
        ] {
            assert_eq!(is_reserved(id), reserved, "{id}");
        }
    }

    #[test]
    fn nobody_spends_the_id_of_another_order() {
        const VICTIM: &str = "PHO7K3M9Q2X";
        for (id, event, order_id, allowed) in [
            (
                EventId::derive("Subscribe", VICTIM),
                "Subscribe",
                Some(VICTIM),
                true,
            ),
            (
                EventId::derive("Purchase", VICTIM),
                "CompletePayment",
                Some(VICTIM),
                true,
            ),
            (
                EventId::derive("CompletePayment", VICTIM),
                "Purchase",
                Some(VICTIM),
                true,
            ),
            (
                EventId::derive("SubmitForm", VICTIM),
                "Lead",
                Some(VICTIM),
                true,
            ),
            (
                EventId::derive("my_event", VICTIM),
                "my_event",
                Some(VICTIM),
                true,
            ),
            (
                EventId::derive("Subscribe", VICTIM),
                "Subscribe",
                Some("MINE000001"),
                false,
            ),
            (
                EventId::derive("Subscribe", VICTIM),
                "Subscribe",
                None,
                false,
            ),
            (
                EventId::derive("Subscribe", VICTIM),
                "InitiateCheckout",
                Some(VICTIM),
                false,
            ),
            (
                EventId::derive("InitiateCheckout", VICTIM),
                "InitiateCheckout",
                Some("MINE000001"),
                false,
            ),
            (
                EventId::derive("Subscribe", VICTIM),
                "Purchase",
                Some(VICTIM),
                false,
            ),
            (
                EventId::derive("Subscribe", VICTIM),
                "Subscribe",
                Some("pho7k3m9q2x"),
                false,
            ),
            (EventId("my-own:id".to_owned()), "Subscribe", None, true),
            (
                EventId::from_random([7; 16]),
                "Subscribe",
                Some(VICTIM),
                true,
            ),
        ] {
            let checked = id.check_reserved(event, order_id);
            let rule = checked.err().map(|broken| broken.rule().to_owned());
            let expected = (!allowed).then(|| "reserved_id".to_owned());
            assert_eq!(rule, expected, "{event} of {order_id:?}");
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
