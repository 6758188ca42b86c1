//! The vocabulary of Duet: the definition of an event for the page and for the proxy.
//!
//! Both legs of Duet use this crate, so a name, an id, a phone number or a digest cannot differ between the legs. The crate
//! does no I/O and uses no clock, no randomness and no JavaScript. If a rule needs such data, the caller passes the data as an
//! argument.
//!
//! | Module | Holds |
//! |---|---|
//! | [`name`] | event names: standard, former, reserved, custom |
//! | [`id`] | the deduplication key, random or derived from an order |
//! | [`plain`] | removes differences between typed texts that only look different |
//! | [`hash`] | SHA-256 of normalised values; a [`Hashed`] is made only here |
//! | [`phone`] | brings a phone number in any notation to E.164 |
//! | [`nobody`] | values that stand for nobody |
//! | [`currency`] | the currencies that TikTok accepts |
//! | [`rule`] | every rule of an event, and what happens if it is broken |
//! | [`invalid`] | which field broke which rule |
//! | `event`, `user`, `page`, `properties` | one event, as it is sent to TikTok (feature `serde`) |
//! | `address`, `personal` | removes personal data outside `user` (feature `serde`) |
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
pub mod nobody;
pub mod phone;
pub mod plain;
pub mod rule;

#[cfg(feature = "serde")]
pub mod address;
#[cfg(feature = "serde")]
pub mod claim;
#[cfg(feature = "serde")]
pub mod event;
#[cfg(feature = "serde")]
mod fields;
#[cfg(feature = "serde")]
mod near;
#[cfg(feature = "serde")]
pub mod order;
#[cfg(feature = "serde")]
pub mod page;
#[cfg(feature = "serde")]
pub mod personal;
#[cfg(feature = "serde")]
pub mod properties;
#[cfg(feature = "serde")]
pub mod user;
#[cfg(feature = "serde")]
pub mod wire;

pub use currency::{Currency, MAX_MINOR, Unreadable, minor_units};
pub use hash::Hashed;
pub use id::EventId;
pub use invalid::Invalid;
pub use name::EventName;
pub use phone::Country;
pub use rule::Rule;

#[cfg(feature = "serde")]
pub use {claim::Claim, event::Event, page::Page, properties::Properties, user::User};
