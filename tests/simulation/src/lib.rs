//! Searches simulated weeks of a shop for lost, doubled and misattributed events.
//!
//! A seed is one week in virtual time, in one thread. There are visitors with the SDK's own core in their pages, a bank,
//! attackers, and the sandbox's rules for TikTok. The proxy's own admission, queue, decisions and couriers run over a disk
//! that fails. After the week nothing fails any more, and every event must reach its end. A failing seed prints its story,
//! and fails again in the same way.

#![allow(
    clippy::indexing_slicing,
    reason = "every number is one of a list that only grows, and a simulation may panic"
)]

pub mod alarms;
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
