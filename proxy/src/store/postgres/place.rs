//! How many events are pending and held. Every running proxy counts the events that it adds and removes in a slot of its
//! own, so that two proxies never write the same counter. The sums over all slots are the counts of the whole queue.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    decide::{Class, Destination},
    store::{Error, LaneId, Place, Position},
};

/// The counts of one slot. A count can be negative, because one proxy removes events that another proxy has added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) lanes: BTreeMap<LaneId, i64>,
    pub(super) held: i64,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    lanes: Vec<(Arc<Destination>, Class, i64)>,
    held: i64,
}

impl Counts {
    pub(super) fn read(text: &[u8]) -> Result<Self, Error> {
        let stored: Stored = serde_json::from_slice(text).map_err(|_| Error::Corrupt)?;
        let lane = |(destination, class, events)| (LaneId { destination, class }, events);
        Ok(Self {
            lanes: stored.lanes.into_iter().map(lane).collect(),
            held: stored.held,
        })
    }

    pub(super) fn write(&self) -> Result<Vec<u8>, Error> {
        let lanes = self.lanes.iter().filter(|(_, events)| **events != 0);
        let stored = Stored {
            lanes: lanes
                .map(|(lane, events)| (Arc::clone(&lane.destination), lane.class, *events))
                .collect(),
            held: self.held,
        };
        serde_json::to_vec(&stored).map_err(|_| Error::Corrupt)
    }

    pub(super) fn add(&mut self, lane: &LaneId, events: i64) {
        *self.lanes.entry(lane.clone()).or_default() += events;
    }

    pub(super) fn extend(&mut self, other: &Self) {
        for (lane, events) in &other.lanes {
            self.add(lane, *events);
        }
        self.held += other.held;
    }

    /// Returns the sums as the position of the queue.
    pub(super) fn position(self) -> Position {
        let waiting = |events: i64| u64::try_from(events).unwrap_or_default();
        let places = self.lanes.into_iter().filter(|(_, events)| *events > 0);
        Position {
            places: places
                .map(|(lane, events)| Place {
                    destination: lane.destination,
                    class: lane.class,
                    waiting: waiting(events),
                    head: 0,
                })
                .collect(),
            held: waiting(self.held),
            ..Position::default()
        }
    }
}
