//! What is counted: conversions, and the signals that made them.

use serde::Serialize;
use serde_json::{Map, Value};

/// The way a signal came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// From a browser, through the Pixel script's collector.
    Pixel,
    /// From a server, through the Events API.
    Server,
}

/// What became of one signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was the first of its key and made the conversion.
    Counted,
    /// It came from the other channel in time, and its user and properties were added.
    Merged,
    /// It repeated what was known, and was dropped.
    Deduplicated,
}

/// One receipt of an event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Signal {
    /// The way it came in.
    pub channel: Channel,
    /// The event name as received.
    pub event: String,
    /// What became of it.
    pub outcome: Outcome,
    /// When it came in, in milliseconds since 1970 on the sandbox's clock.
    pub received_at_ms: u64,
    /// When the sender says it happened, in seconds since 1970.
    pub event_time: Option<i64>,
    /// What TikTok could match a person by, such as `email`, `ttclid` or `ip`.
    pub match_keys: Vec<&'static str>,
}

/// One counted conversion.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Conversion {
    /// The pixel code.
    pub pixel: String,
    /// The event name of the first signal, as received.
    pub event: String,
    /// The name it is counted under.
    pub canonical: String,
    /// The deduplication id.
    pub event_id: Option<String>,
    /// Always none: test events are never conversions.
    pub test_event_code: Option<String>,
    /// Always 1, whatever the number of signals.
    pub count: u32,
    /// Every receipt, in order.
    pub signals: Vec<Signal>,
    /// Milliseconds from the first Pixel signal to the first server signal, negative when the server
    /// came first; none while only one channel spoke.
    pub gap_ms: Option<i64>,
    /// User fields of the counted and merged signals. Personal values are digests.
    pub user: Map<String, Value>,
    /// Properties of the counted and merged signals.
    pub properties: Map<String, Value>,
    /// Page of the counted and merged signals.
    pub page: Map<String, Value>,
    /// Whether the event asked for limited data use.
    pub limited_data_use: bool,
    /// What is to be said about how it was counted.
    pub note: Option<&'static str>,
}

/// One event that carried a test event code.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestEvent {
    /// The pixel code.
    pub pixel: String,
    /// The event name as received.
    pub event: String,
    /// The name it would be counted under.
    pub canonical: String,
    /// The deduplication id.
    pub event_id: Option<String>,
    /// The code it came with.
    pub test_event_code: String,
    /// When it came in, in milliseconds since 1970 on the sandbox's clock.
    pub received_at_ms: u64,
    /// When the sender says it happened, in seconds since 1970.
    pub event_time: Option<i64>,
    /// What TikTok could match a person by.
    pub match_keys: Vec<&'static str>,
    /// User fields. Personal values are digests.
    pub user: Map<String, Value>,
    /// Properties.
    pub properties: Map<String, Value>,
    /// Page.
    pub page: Map<String, Value>,
}

/// An event that passed inspection and is about to be counted.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) channel: Channel,
    pub(crate) pixel: String,
    pub(crate) event: String,
    pub(crate) event_id: Option<String>,
    pub(crate) received_at_ms: u64,
    pub(crate) event_time: Option<i64>,
    pub(crate) match_keys: Vec<&'static str>,
    pub(crate) user: Map<String, Value>,
    pub(crate) properties: Map<String, Value>,
    pub(crate) page: Map<String, Value>,
    pub(crate) limited_data_use: bool,
}
