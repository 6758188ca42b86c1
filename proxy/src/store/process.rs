//! The processes that share a store.

use crate::decide::Destination;

/// One process of a shared store.
#[derive(Clone, Debug)]
pub struct Process {
    /// The process's slot number in the store. After this process has ended, another process can get the same number.
    pub number: i32,
    /// Whether this entry is the process that makes the request.
    pub is_this: bool,
    /// How long ago the process last wrote, in milliseconds.
    pub silent_ms: i64,
    /// The destinations whose events the process delivers.
    pub delivers: Vec<Destination>,
}
