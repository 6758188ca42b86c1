//! The stored form of an event that ended without being delivered. The stored form is JSON, so that an operator can read
//! it.

use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Destination;
use crate::{
    history::{End, Ended, Salt, Sent, Trace},
    outcome::Outcome,
};

/// An event that ended without being delivered, with the reason.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The name of the event's outcome.
    pub outcome: String,
    /// When the event ended, in Unix milliseconds.
    pub ended_at_ms: i64,
    /// TikTok's code, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// The message of TikTok or of the proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// TikTok's id for the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// When the event was accepted, in Unix milliseconds.
    pub accepted_at_ms: i64,
    /// The destination of the event.
    pub destination: Arc<Destination>,
    /// The event as TikTok would receive it.
    pub event: Box<RawValue>,
    /// How the event arrived.
    #[serde(default)]
    pub trace: Trace,
}

impl DeadLetter {
    /// Returns the history's record of the event. The record states that the event was never sent, and the caller must
    /// ensure that this is true.
    pub(super) fn end(&self, salt: &Salt) -> End {
        let json = self.event.get().as_bytes();
        let ended = Ended::of(json, self.trace.clone(), self.accepted_at_ms, salt);
        End {
            pixel_id: self.destination.pixel_id.clone(),
            is_test: self.destination.test_event_code.is_some(),
            outcome: self.outcome.clone(),
            code: self.code,
            request_id: self.request_id.clone(),
            at_ms: self.ended_at_ms,
            sent: Sent::default(),
            events: vec![ended],
        }
    }

    /// Returns whether the event ended unsent as `unverified` or `withdrawn`, for example because its order was not
    /// paid within 72 hours.
    pub(crate) fn waited_for_payment(&self) -> bool {
        [Outcome::Unverified, Outcome::Withdrawn]
            .iter()
            .any(|outcome| outcome.label() == self.outcome)
    }
}

/// The name and id of an event.
#[derive(Debug, Deserialize)]
pub struct Named<'a> {
    /// The event's name.
    #[serde(rename = "event", borrow)]
    pub name: Cow<'a, str>,
    /// The event's id. Both legs share this id.
    #[serde(borrow)]
    pub event_id: Cow<'a, str>,
}

impl<'a> Named<'a> {
    /// Reads the name and id from the event's JSON. If the JSON has another form, both are empty.
    pub fn of(event: &'a str) -> Self {
        serde_json::from_str(event).unwrap_or(Self {
            name: Cow::Borrowed(""),
            event_id: Cow::Borrowed(""),
        })
    }
}

/// The id of a dead letter: the time at which its event ended, and the number of the event in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LetterId {
    ended_at_ms: i64,
    sequence: u64,
}

impl LetterId {
    /// Returns the id of the dead letter of the event with this number. The event ended at this time, in Unix
    /// milliseconds.
    pub fn new(ended_at_ms: i64, sequence: u64) -> Self {
        Self {
            ended_at_ms,
            sequence,
        }
    }

    /// Returns when the event ended, in Unix milliseconds.
    pub(crate) fn ended_at_ms(self) -> i64 {
        self.ended_at_ms
    }

    /// Returns the event's number in the queue.
    pub(crate) fn sequence(self) -> u64 {
        self.sequence
    }

    /// Returns 16 bytes that sort by the time at which the events ended, and then by the number.
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
            "a dead letter's id must be two numbers with a dash between them, as `duet-proxy dead-letters list` prints it",
        )
    }
}
