//! Where events go, and how urgent they are.

use serde::{Deserialize, Serialize};

/// Where events go: what is said once for all events of a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Destination {
    /// The pixel.
    pub pixel_id: String,
    /// The code that makes them test events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_event_code: Option<String>,
}

/// How urgent an event is. The first class of a destination is claimed before its second.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Money that a bank or the shop's server vouches for, and a few money events a minute of each address.
    First,
    /// Everything else.
    #[default]
    Second,
}

impl Class {
    /// Both, the more urgent one first.
    pub const ALL: [Self; 2] = [Self::First, Self::Second];

    /// Whether it is the class of rows that were written before there were two.
    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    pub(crate) fn is_second(&self) -> bool {
        *self == Self::Second
    }
}
