//! The history: a short record of each ended event, and counts per hour. Both are kept after the delivery, so that the
//! proxy can answer later whether TikTok has counted an event, and if not, why.
//!
//! The history has no personal data. The ids of events and orders are stored as [`Digest`]s. Match keys are stored only
//! as [`Keys`], which state whether a key was present.

use serde::{Deserialize, Serialize};

mod digest;
mod hour;
mod keys;
mod text;
mod trace;
mod wanted;

pub use digest::{Digest, Salt};
pub use hour::{Hour, Line};
pub use keys::{Key, Keys};
pub use trace::{Sender, Trace};
pub use wanted::{Search, Wanted};

use crate::money::Money;

/// The events that ended together with the same outcome: all events of one request to TikTok, or some of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The pixel of the events.
    #[serde(rename = "pixel")]
    pub pixel_id: String,
    /// Whether the events were test events.
    #[serde(rename = "test", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_test: bool,
    /// The name of the outcome.
    pub outcome: String,
    /// The code of TikTok's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// TikTok's id for the request.
    #[serde(rename = "request", default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// When the events ended, in Unix milliseconds.
    pub at_ms: i64,
    /// How the events were sent.
    #[serde(flatten)]
    pub sent: Sent,
    /// The events. There is at least one.
    pub events: Vec<Ended>,
}

impl End {
    /// Returns whether TikTok accepted the events.
    pub fn is_delivered(&self) -> bool {
        is_delivered(&self.outcome)
    }
}

/// Returns whether an outcome with this name means that TikTok accepted the event.
pub fn is_delivered(outcome: &str) -> bool {
    matches!(outcome, "delivered" | "delivered_with_warning")
}

/// How events were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// How often the events were sent. 0 means that they were never sent.
    #[serde(rename = "tries", default)]
    pub attempts: u32,
    /// How many events the last request had.
    #[serde(default)]
    pub batch: u32,
}

/// Events that were sent together without success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The lowest and the highest of their numbers in the queue.
    pub numbers: (u64, u64),
    /// How often they were sent since the start.
    pub attempts: u32,
    /// TikTok's last code. `None` if TikTok did not give the last answer.
    pub code: Option<i64>,
    /// When the last attempt ended, in Unix milliseconds.
    pub answered_ms: i64,
    /// When the next attempt is due, in Unix milliseconds. `None` while they are being sent.
    pub next_ms: Option<i64>,
}

/// One ended event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The digest of the `event_id`.
    #[serde(rename = "i")]
    pub event: Digest,
    /// The digest of the order id.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Digest>,
    /// The name of the event.
    #[serde(rename = "n")]
    pub name: String,
    /// When the event happened, in Unix seconds.
    #[serde(rename = "h")]
    pub happened_s: i64,
    /// When the event was accepted, in Unix milliseconds.
    #[serde(rename = "a")]
    pub accepted_ms: i64,
    /// The match keys that TikTok received.
    #[serde(rename = "k")]
    pub keys: Keys,
    /// How the event arrived.
    #[serde(rename = "t", default)]
    pub trace: Trace,
    /// The value of the event.
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Money>,
}
