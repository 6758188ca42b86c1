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
//! | [`plain`] | what people type, without what only looks different |
//! | [`hash`] | SHA-256 of what is normalised; the only place a [`Hashed`] is made |
//! | [`phone`] | any way of writing a phone number -> E.164 |
//! | [`nobody`] | keys that stand for nobody |
//! | [`currency`] | the currencies TikTok takes |
//! | [`rule`] | every rule of an event, with what happens where it is broken |
//! | [`invalid`] | which field broke which rule |
//! | `event`, `user`, `page`, `properties` | one event, as TikTok gets it (feature `serde`) |
//! | `address`, `personal` | personal data outside `user`, and how it is removed (feature `serde`) |
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

pub use currency::Currency;
pub use hash::Hashed;
pub use id::EventId;
pub use invalid::Invalid;
pub use name::EventName;
pub use phone::Country;
pub use rule::Rule;

#[cfg(feature = "serde")]
pub use {claim::Claim, event::Event, page::Page, properties::Properties, user::User};
