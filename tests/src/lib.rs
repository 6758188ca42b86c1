//! What the end-to-end tests stand on: a proxy process, a sandbox TikTok, a folder of their own.

pub mod stack;

pub use stack::{Answer, Stack};
