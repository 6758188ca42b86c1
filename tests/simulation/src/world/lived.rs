//! The results of a week.

/// When the proxy called an event accepted, held or a repeat for the first and the last time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Promised {
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
}

/// A week without a failure.
#[derive(Debug)]
pub struct Lived {
    /// The number of steps.
    pub steps: usize,
    /// The number of accepted events.
    pub events: usize,
    /// The number of paid orders.
    pub paid: usize,
    /// The story, if it was recorded.
    pub story: Vec<String>,
}

/// A failure in a week.
#[derive(Debug)]
pub struct Failure {
    /// The failure.
    pub wrong: String,
    /// The story before the failure.
    pub story: Vec<String>,
}
