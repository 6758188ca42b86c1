//! The basis of the end-to-end tests: a proxy process, a sandbox as TikTok, and a separate folder.

pub mod faults;
pub mod metrics;
pub mod postgres;
mod remains;
pub mod stack;

pub use faults::Faults;
pub use metrics::Metrics;
pub use postgres::{Pooler, Server};
pub use stack::{Answer, OTHER_PIXEL, OTHER_TOKEN, Stack};
