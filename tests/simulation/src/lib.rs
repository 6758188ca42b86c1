//! Searches simulated weeks of a shop for lost, doubled and misattributed events.
//!
//! A seed is one week in virtual time, in one thread: visitors with the SDK's own core in their pages, the proxy's own
//! admission, queue, decisions and couriers over a disk that fails, a bank, strangers, and the sandbox's rules for
//! TikTok. After the week nothing goes wrong any more, and everything has to come to its end. A seed that fails tells its
//! story, and fails again in the same way.

#![allow(
    clippy::indexing_slicing,
    reason = "every number is one of a list that only grows, and a simulation may panic"
)]

pub mod browser;
mod check;
pub mod clock;
pub mod plan;
pub mod plant;
pub mod process;
pub mod shop;
pub mod sight;
pub mod store;
pub mod task;
pub mod tiktok;
pub mod world;

#[cfg(test)]
mod stores;
#[cfg(test)]
mod weeks;
