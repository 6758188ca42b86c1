//! The counted conversions, and the signals that belong to them.

use serde::Serialize;
use serde_json::{Map, Value};

/// The channel of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// From a browser, through the Pixel script's collector.
    Pixel,
    /// From a server, through the Events API.
    Server,
}

/// How the sandbox counted one signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The signal was the first with its pixel, event and `event_id`, so it became a conversion.
    Counted,
    /// The signal came from the other channel in time. The signal's user and properties were added to the conversion.
    Merged,
    /// The signal repeated an earlier signal and was dropped.
    Deduplicated,
}

/// One receipt of an event, from one of the two channels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Signal {
    /// The channel of the signal.
    pub channel: Channel,
    /// The event name as received.
    pub event: String,
    /// How the signal was counted.
    pub outcome: Outcome,
    /// The time of receipt, in milliseconds since 1970 on the sandbox's clock.
    pub received_at_ms: u64,
    /// The time of the event as stated by the sender, in seconds since 1970.
    pub event_time: Option<i64>,
    /// The keys by which TikTok could find the person, such as `email`, `ttclid` or `ip`.
    pub match_keys: Vec<&'static str>,
}

/// One counted conversion.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Conversion {
    /// The pixel code.
    pub pixel: String,
    /// The event name of the first signal, as the sandbox received it.
    pub event: String,
    /// The event name under which the conversion is counted.
    pub canonical: String,
    /// The `event_id` by which copies are recognised.
    pub event_id: Option<String>,
    /// Always empty: a test event never becomes a conversion.
    pub test_event_code: Option<String>,
    /// Always 1, for any number of signals.
    pub count: u32,
    /// Every receipt, in order.
    pub signals: Vec<Signal>,
    /// Milliseconds from the first Pixel signal to the first server signal. The number is negative if the server's signal
    /// came first. The field is empty if only one channel sent a signal.
    pub gap_ms: Option<i64>,
    /// User fields of the counted and merged signals. Personal values are digests.
    pub user: Map<String, Value>,
    /// Properties of the counted and merged signals.
    pub properties: Map<String, Value>,
    /// The page's fields in the counted and merged signals.
    pub page: Map<String, Value>,
    /// Whether the event asked for limited data use.
    pub limited_data_use: bool,
    /// A remark about the counting.
    pub note: Option<&'static str>,
}

/// One event that had a test event code.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestEvent {
    /// The pixel code.
    pub pixel: String,
    /// The event name as received.
    pub event: String,
    /// The event name under which a live event would be counted.
    pub canonical: String,
    /// The `event_id` by which copies are recognised.
    pub event_id: Option<String>,
    /// The event's test event code.
    pub test_event_code: String,
    /// The time of receipt, in milliseconds since 1970 on the sandbox's clock.
    pub received_at_ms: u64,
    /// The time of the event as stated by the sender, in seconds since 1970.
    pub event_time: Option<i64>,
    /// The keys by which TikTok could find the person.
    pub match_keys: Vec<&'static str>,
    /// User fields. Personal values are digests.
    pub user: Map<String, Value>,
    /// The event's properties.
    pub properties: Map<String, Value>,
    /// The event's page.
    pub page: Map<String, Value>,
}

/// An event that passed all checks and will be counted.
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
