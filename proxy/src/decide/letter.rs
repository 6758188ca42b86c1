//! What is kept of an event that ended without being delivered: JSON, so that an operator can read it.

use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Destination;
use crate::outcome::Outcome;

/// An event that ended without being delivered, with the reason.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeadLetter {
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
    /// When it was accepted, in Unix milliseconds.
    pub accepted_at_ms: i64,
    /// Where it was to go.
    pub destination: Arc<Destination>,
    /// The event as TikTok gets it.
    pub event: Box<RawValue>,
}

impl DeadLetter {
    /// Whether it never left the proxy, because its order was not paid.
    pub(crate) fn waited_for_payment(&self) -> bool {
        [Outcome::Unverified, Outcome::Withdrawn]
            .iter()
            .any(|outcome| outcome.label() == self.outcome)
    }
}

/// What an event is called, and by which id both legs know it.
#[derive(Debug, Deserialize)]
pub struct Named<'a> {
    /// The event's name.
    #[serde(rename = "event", borrow)]
    pub name: Cow<'a, str>,
    /// The key both legs share.
    #[serde(borrow)]
    pub event_id: Cow<'a, str>,
}

impl<'a> Named<'a> {
    /// Reads it from the event's JSON; empty where that is not one of ours.
    pub fn of(event: &'a str) -> Self {
        serde_json::from_str(event).unwrap_or(Self {
            name: Cow::Borrowed(""),
            event_id: Cow::Borrowed(""),
        })
    }
}

/// Names one dead letter: when it ended, and its place in the queue before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LetterId {
    ended_at_ms: i64,
    sequence: u64,
}

impl LetterId {
    /// The letter of the event with this number, which ended at this time in Unix milliseconds.
    pub fn new(ended_at_ms: i64, sequence: u64) -> Self {
        Self {
            ended_at_ms,
            sequence,
        }
    }

    /// The event's number in the queue.
    pub(crate) fn sequence(self) -> u64 {
        self.sequence
    }

    /// Sorts as the letters were written.
    pub(crate) fn to_bytes(self) -> [u8; 16] {
        let ended = u128::from(self.ended_at_ms.unsigned_abs());
        (ended << 64 | u128::from(self.sequence)).to_be_bytes()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
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
