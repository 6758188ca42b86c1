//! Duet's browser SDK, the part that decides.
//!
//! A page calls `duet-sdk`; the same event goes to TikTok's Pixel and to Duet's proxy under one
//! `event_id`. JavaScript (`page/`) touches the page: it has the events' texts, writes JSON, speaks to the
//! Pixel and to the network. What is let out, kept, sent, tried again or dropped is decided here, in plain
//! functions from numbers to a list of [effects](effect). So all of it runs under `cargo test`.
//!
//! | Module | Decides |
//! |---|---|
//! | [`duet`] | what each call does; the state of one page |
//! | [`consent`] | what may happen at all |
//! | [`once`] | whether an order's event was fired before |
//! | [`outbox`], [`pace`], [`answer`] | what to send, when to try again, what an answer settles |
//! | [`effect`], [`facts`] | what this module asks of the page, and what it is told |
//!
//! Digests and phone numbers are [`duet_events`]'. Event names and ids, which a call answers with before this module may be
//! there, are the page's, held to the same tables. Every page downloads this, so what is
//! written here is written to be small: numbers where only `page/` has words, nothing that allocates, and
//! no sentences.

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
