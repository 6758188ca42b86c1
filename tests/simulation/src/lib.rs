//! Searches simulated weeks of a shop for lost, doubled and misattributed events.

pub mod clock;
pub mod sight;
pub mod store;
pub mod task;

#[cfg(test)]
mod stores;
