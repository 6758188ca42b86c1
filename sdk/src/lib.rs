//! Duet's browser SDK, the part that decides.
//!
//! A page calls `duet-sdk`; the same event goes to TikTok's Pixel and to Duet's proxy under one
//! `event_id`. JavaScript (`npm/index.js` and `host.js`) touches the page and nothing else; what is
//! reported, kept, sent, tried again or dropped is decided here, in plain functions from a call to a
//! list of [effects](effect). So all of it runs under `cargo test`.
//!
//! | Module | Decides |
//! |---|---|
//! | [`duet`] | what each call does; the state of one page |
//! | [`config`] | what `init()` means |
//! | [`consent`] | what may happen at all |
//! | [`tracker`] | call -> event |
//! | [`identity`] | who is here, and which click brought them |
//! | [`once`] | whether an order's event was fired before |
//! | [`pixel`] | what to say to `ttq` |
//! | [`outbox`], [`record`], [`pace`], [`answer`] | what to send, when to try again, what an answer settles |
//! | [`host`], [`effect`], [`facts`], [`joined`], [`json`] | how this module and the page speak |
//!

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
pub mod config;
pub mod consent;
pub mod duet;
pub mod effect;
pub mod facts;
pub mod host;
pub mod identity;
pub mod joined;
pub mod json;
pub mod once;
pub mod outbox;
pub mod pace;
pub mod pixel;
pub mod record;
pub mod tracker;
