//! What is kept of an event on disk: JSON, so that an operator can read it.

use std::{fmt, str::FromStr};

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

/// Names one dead letter: when it ended, and its place in the queue before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LetterId {
    ended_at_ms: i64,
    sequence: u64,
}

impl LetterId {
    pub(super) fn new(ended_at_ms: i64, sequence: u64) -> Self {
        Self {
            ended_at_ms,
            sequence,
        }
    }

    /// Sorts as the letters were written.
    pub(super) fn to_bytes(self) -> [u8; 16] {
        let ended = u128::from(self.ended_at_ms.unsigned_abs());
        (ended << 64 | u128::from(self.sequence)).to_be_bytes()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bits = u128::from_be_bytes(bytes.try_into().ok()?);
        let ended_at_ms = i64::try_from(bits >> 64).ok()?;
        let sequence = u64::try_from(bits & u128::from(u64::MAX)).ok()?;
        Some(Self {
            ended_at_ms,
            sequence,
        })
    }
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ended_at_ms, self.sequence)
    }
}

impl FromStr for LetterId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('-').and_then(|(ended, sequence)| {
            Some(Self {
                ended_at_ms: ended.parse().ok()?,
                sequence: sequence.parse().ok()?,
            })
        });
        parts.ok_or(
            "a dead letter's id is two numbers with a dash between them, as `list` prints it",
        )
    }
}
