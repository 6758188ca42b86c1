//! The vocabulary of Duet: what an event is, on the page and in the proxy alike.
//!
//! Both legs of Duet use this crate, so that a name, an id, a phone number or a digest cannot differ
//! between them. It does no I/O and knows no clock, no randomness and no JavaScript: what a rule needs
//! from the world comes in as an argument.
//!
//! | Module | Holds |
//! |---|---|
//! | [`name`] | event names: standard, former, reserved, custom |
//! | [`id`] | the deduplication key, random or derived from an order |
//! | [`hash`] | normalise, then SHA-256; the only place a [`Hashed`] is made |
//! | [`phone`] | any way of writing a phone number -> E.164 |
//! | [`currency`] | the currencies TikTok takes |
//! | [`invalid`] | which field broke which rule |
//! | `event`, `user`, `page`, `properties` | one event, as TikTok gets it (feature `serde`) |
//! | `order` | an order as the shop's server registers it (feature `serde`) |
//! | `claim`, `wire` | one event as its sender states it; the bodies of requests and answers (feature `serde`) |
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod currency;
pub mod hash;
pub mod id;
pub mod invalid;
pub mod name;
pub mod phone;

#[cfg(feature = "serde")]
pub mod claim;
#[cfg(feature = "serde")]
pub mod event;
#[cfg(feature = "serde")]
mod fields;
#[cfg(feature = "serde")]
pub mod order;
#[cfg(feature = "serde")]
pub mod page;
#[cfg(feature = "serde")]
pub mod properties;
#[cfg(feature = "serde")]
pub mod user;
#[cfg(feature = "serde")]
pub mod wire;

pub use currency::Currency;
pub use hash::Hashed;
pub use id::EventId;
pub use invalid::Invalid;
pub use name::EventName;
pub use phone::Country;

#[cfg(feature = "serde")]
pub use {claim::Claim, event::Event, page::Page, properties::Properties, user::User};

/// A text without white space at its ends.
pub(crate) struct Trimmed<'a> {
    pub(crate) text: &'a [u8],
    /// Whether there is white space left inside.
    pub(crate) spaced: bool,
}

/// Looks once at every character. `str::trim` is three times this size on a page.
#[inline(never)]
pub(crate) fn trim(text: &str) -> Trimmed<'_> {
    let (mut start, mut end) = (text.len(), 0);
    let mut spaced = false;
    for (at, c) in text.char_indices() {
        if !is_space(c) {
            start = start.min(at);
            spaced |= end > 0 && end < at;
            end = at + c.len_utf8();
        }
    }
    Trimmed {
        text: text.as_bytes().get(start..end).unwrap_or_default(),
        spaced,
    }
}

/// White space, as Unicode has it. The standard library's table is three times this size on a page.
#[inline(never)]
pub(crate) fn is_space(c: char) -> bool {
    matches!(
        u32::from(c),
        9..=13 | 0x20 | 0x85 | 0xa0 | 0x1680 | 0x2000..=0x200a | 0x2028 | 0x2029 | 0x202f | 0x205f | 0x3000
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn white_space_is_what_the_standard_library_takes_for_it() {
        for c in '\0'..=char::MAX {
            assert_eq!(super::is_space(c), c.is_whitespace(), "{c:?}");
        }
    }

    #[test]
    fn trimming_takes_what_the_standard_library_takes() {
        for text in ["", " ", "a", " a b\n", "\u{a0}đ\u{3000}", "\u{2003}\t"] {
            let trimmed = super::trim(text);
            assert_eq!(trimmed.text, text.trim().as_bytes());
            assert_eq!(trimmed.spaced, text.trim().contains(char::is_whitespace));
        }
    }
}
