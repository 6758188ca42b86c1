//! The changes that are written together.

use std::{ops::Range, sync::Arc};

use serde::{Deserialize, Serialize};

use super::Draft;
use crate::decide::{Class, Destination, LetterId, Records};

/// One class of one destination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId {
    /// The destination.
    pub destination: Arc<Destination>,
    /// The class.
    pub class: Class,
}

/// The changes that are written together.
#[derive(Debug)]
pub struct Commit<'a> {
    /// New rows.
    pub rows: Vec<NewRow>,
    /// The settled events.
    pub settled: Vec<Settled>,
    /// The new state of changed records.
    pub records: Records,
    /// The position of the queue.
    pub position: &'a mut Position,
    /// A time in Unix milliseconds that is written only to test the disk. Nobody reads it.
    pub probe_ms: Option<i64>,
    /// Whether the commit must be on disk when the write returns.
    pub sync: bool,
}

impl Commit<'_> {
    /// Returns the id of the first dead letter that the commit adds, or `None` if the commit adds none.
    pub fn a_letter(&self) -> Option<LetterId> {
        let mut letters = self.records.letters.iter();
        let (id, _) = letters.find(|(_, letter)| letter.is_some())?;
        Some(*id)
    }

    /// Returns whether the commit changes nothing.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
            && self.settled.is_empty()
            && self.records.is_empty()
            && self.probe_ms.is_none()
    }
}

/// Events that are added to a lane together.
#[derive(Debug)]
pub struct NewRow {
    /// The lane.
    pub lane: LaneId,
    /// The number of the first event.
    pub sequence: u64,
    /// The events.
    pub draft: Draft,
}

/// The settled events of a lane's rows.
#[derive(Debug)]
pub struct Settled {
    /// The lane.
    pub lane: LaneId,
    /// How many events are settled.
    pub events: u64,
    /// Rows that have no pending events any more. The ranges name the marks of the row, which are removed with it.
    pub removed: Vec<(u64, Vec<Range<u32>>)>,
    /// Rows that still have other pending events, with the range that is settled now.
    pub marked: Vec<(u64, Range<u32>)>,
}

/// The position of the queue. A commit that changes the position also writes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// The number of the next event.
    pub next: u64,
    /// The lanes that have pending events.
    pub places: Vec<Place>,
    /// How many events are held.
    #[serde(default)]
    pub held: u64,
    /// The time of the last commit that changed the position. While the clock is in doubt, this time stays as it is, see
    /// [`clock`](crate::clock).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_ms: Option<i64>,
}

impl Position {
    /// Returns how many events are pending in all lanes.
    pub fn waiting(&self) -> u64 {
        self.places.iter().map(|place| place.waiting).sum()
    }

    /// Adds events to a lane.
    pub fn arrived(&mut self, lane: &LaneId, sequence: u64, events: u64) {
        match self.place(lane) {
            Some(place) => place.waiting += events,
            None => self.places.push(Place {
                destination: Arc::clone(&lane.destination),
                class: lane.class,
                waiting: events,
                head: sequence,
            }),
        }
    }

    /// Returns the entry of a lane, if the lane has pending events.
    pub fn place(&mut self, lane: &LaneId) -> Option<&mut Place> {
        let mut places = self.places.iter_mut();
        places.find(|place| place.class == lane.class && place.destination == lane.destination)
    }
}

/// The pending events of one class of one destination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The destination.
    pub destination: Arc<Destination>,
    /// The class.
    #[serde(default, skip_serializing_if = "Class::is_second")]
    pub class: Class,
    /// How many events are pending, including claimed events.
    pub waiting: u64,
    /// The number of the first row that can have pending events.
    pub head: u64,
}
