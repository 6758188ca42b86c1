//! What the end-to-end tests stand on: a proxy process, a sandbox TikTok, a folder of their own.

pub mod faults;
pub mod metrics;
mod remains;
pub mod stack;

pub use faults::Faults;
pub use metrics::Metrics;
pub use stack::{Answer, Stack};
