//! What the end-to-end tests stand on: a proxy process, a sandbox TikTok, a folder of their own.

pub mod metrics;
pub mod stack;

pub use metrics::Metrics;
pub use stack::{Answer, Stack};
