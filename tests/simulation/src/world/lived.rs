//! The results of a week.

/// When the proxy called an event accepted, held or a repeat.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Promised {
    /// The first time. `None` if the first answer called the event a repeat: nobody knows since when the store has had it.
    pub(super) first_ms: Option<i64>,
    /// The last time.
    pub(super) last_ms: i64,
}

/// The result of a week in which no promise was broken.
#[derive(Debug)]
pub struct Lived {
    /// The number of steps.
    pub steps: usize,
    /// The number of events that the proxy called accepted, held or a repeat.
    pub events: usize,
    /// The number of paid orders.
    pub paid: usize,
    /// The story, if it was recorded.
    pub story: Vec<String>,
}

/// The result of a week in which a promise was broken.
#[derive(Debug)]
pub struct Failure {
    /// The broken promise.
    pub wrong: String,
    /// The story up to the broken promise.
    pub story: Vec<String>,
}
