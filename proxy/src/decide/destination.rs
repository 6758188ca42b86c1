//! The destinations and classes of events.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The destination of events. All events of one request have the same destination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Destination {
    /// The code of the pixel.
    pub pixel_id: String,
    /// The test event code. `None` means that the events are live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_event_code: Option<String>,
}

/// The destinations of the shop's pixels at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destinations {
    /// The destination of events that do not name a pixel.
    pub first: Arc<Destination>,
    /// The destinations of the other pixels.
    pub others: Vec<Arc<Destination>>,
}

impl Destinations {
    /// Returns whether all destinations are test destinations.
    pub fn are_all_in_test(&self) -> bool {
        let mut all = std::iter::once(&self.first).chain(&self.others);
        all.all(|destination| destination.test_event_code.is_some())
    }

    /// Returns the destination of this pixel.
    pub fn of(&self, pixel_id: &str) -> Option<&Arc<Destination>> {
        let mut all = std::iter::once(&self.first).chain(&self.others);
        all.find(|destination| destination.pixel_id == pixel_id)
    }
}

impl From<Arc<Destination>> for Destinations {
    fn from(first: Arc<Destination>) -> Self {
        let others = Vec::new();
        Self { first, others }
    }
}

/// The class of an event. First-class events of a destination are claimed before second-class events.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Money events that a bank or the shop's server reports, and a few money events of pages per minute from each
    /// address.
    First,
    /// All other events.
    #[default]
    Second,
}

impl Class {
    /// Both classes, the first class first.
    pub const ALL: [Self; 2] = [Self::First, Self::Second];

    /// Returns whether the class is `Second`. Rows that were written before there were two classes have this class.
    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    pub(crate) fn is_second(&self) -> bool {
        *self == Self::Second
    }
}
