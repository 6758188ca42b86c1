//! What is kept of an event on disk: JSON, so that an operator can read it.

use duet_events::claim::PixelLeg;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// An accepted event.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    /// When it was accepted, in Unix milliseconds.
    pub accepted_at_ms: i64,
    /// Which pixel it is for.
    pub pixel_id: String,
    /// The code that makes it a test event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_event_code: Option<String>,
    /// What happened.
    pub name: String,
    /// The key both legs share.
    pub event_id: String,
    /// What became of the Pixel's copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pixel: Option<PixelLeg>,
    /// The event as TikTok gets it.
    pub event: Box<RawValue>,
}

impl Record {
    /// Whether both may stand in one request: the pixel and the test code are said once for all events
    /// in it.
    pub fn travels_with(&self, other: &Self) -> bool {
        self.pixel_id == other.pixel_id && self.test_event_code == other.test_event_code
    }
}

/// An event that ended without being delivered, with the reason.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeadLetter<R = Record> {
    /// How it ended.
    pub outcome: String,
    /// When, in Unix milliseconds.
    pub ended_at_ms: i64,
    /// TikTok's code, where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// TikTok's words, or ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// TikTok's name for the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The event.
    pub record: R,
}
