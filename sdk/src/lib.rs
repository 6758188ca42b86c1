//! The part of Duet's browser SDK that makes decisions.
//!
//! A page calls `duet-sdk`, and the same event goes to TikTok's Pixel and to Duet's proxy under one `event_id`. JavaScript
//! (`page/`) does everything that touches the page: it has the events' texts, writes JSON, calls the Pixel and uses the
//! network. This crate decides what is sent, stored, retried or dropped. The crate's plain functions turn numbers into a list
//! of [effects](effect), so the whole crate runs under `cargo test`.
//!
//! | Module | Decides |
//! |---|---|
//! | [`duet`] | what each call does; the state of one page |
//! | [`consent`] | what is allowed at all |
//! | [`once`] | whether an order's event was fired before |
//! | [`outbox`], [`pace`], [`answer`] | what to send, when to retry, what an answer settles |
//! | [`effect`], [`facts`] | the requests of this module to the page, and the page's state |
//!
//! [`duet_events`] makes digests and reads phone numbers. The page's scripts check event names and make event ids, because a
//! call returns its id before this module is loaded. The same test tables check the scripts and the crate. Every page downloads
//! this module, so the module is written to be small: it has numbers instead of words, allocates nothing, and contains no
//! sentences.

#![cfg_attr(target_arch = "wasm32", no_std)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "a test may fail"
    )
)]

extern crate alloc;

pub mod answer;
#[cfg(target_arch = "wasm32")]
pub mod bindings;
pub mod consent;
pub mod duet;
pub mod effect;
pub mod facts;
pub mod once;
pub mod outbox;
pub mod pace;
