//! Searches simulated weeks of a shop for events that are lost, counted twice, or reported for the wrong order.
//!
//! A seed determines one week in virtual time, which runs in one thread. The week has visitors with the SDK's own core in
//! their pages, a bank, attackers, and a TikTok that follows the sandbox's rules. The proxy's own admission, queue,
//! decisions and couriers run on a disk that fails. After the week nothing fails any more, and every event must end. If a
//! seed fails, the program prints the seed's story. The same seed always fails in the same way.

#![allow(
    clippy::indexing_slicing,
    reason = "every index is that of an element of a list from which nothing is removed, and a simulation may panic"
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
mod counted;
#[cfg(test)]
mod stores;
#[cfg(test)]
mod weeks;
