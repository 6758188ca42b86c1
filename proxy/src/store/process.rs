//! The processes that share a store.

use crate::decide::Destination;

/// One process of a shared store.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its number in the store. Another process can get the number after this one has ended.
    pub number: i32,
    /// Whether it is the process that reads this.
    pub is_this: bool,
    /// How long ago it last wrote, in milliseconds.
    pub silent_ms: i64,
    /// The destinations whose events it delivers.
    pub delivers: Vec<Destination>,
}
