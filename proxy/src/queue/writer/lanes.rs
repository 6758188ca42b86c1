//! What the writer tells the lanes: where something has arrived, and from where to read.

use std::sync::{Arc, Mutex, PoisonError, atomic::Ordering};

use tokio::sync::Notify;

use super::Writer;
use crate::{decide::Destination, store::Source};

/// A destination to be served from now on.
pub(in crate::queue) struct NewLane {
    pub(in crate::queue) destination: Arc<Destination>,
    pub(in crate::queue) arrivals: Arc<Arrivals>,
}

/// What the writer tells a lane.
pub(in crate::queue) struct Arrivals {
    /// Something may have arrived.
    pub(in crate::queue) notify: Notify,
    start: Mutex<Start>,
}

/// Where a lane begins to read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) struct Start {
    /// How often the store has been opened: what was claimed before is claimed again.
    pub(in crate::queue) opened: u64,
    /// The first row of either class that may wait.
    pub(in crate::queue) head: u64,
}

impl Arrivals {
    pub(in crate::queue) fn start(&self) -> Start {
        *self.start.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_at(&self, start: Start) {
        *self.start.lock().unwrap_or_else(PoisonError::into_inner) = start;
        self.notify.notify_one();
    }
}

impl<S: Source> Writer<S> {
    /// Tells those who deliver that there is something to deliver.
    pub(super) fn announce(&mut self, arrivals: Vec<Arc<Destination>>) {
        for destination in arrivals {
            match self.lanes.get(&destination) {
                Some(lane) => lane.notify.notify_one(),
                None => self.begin_lane(destination),
            }
        }
    }

    /// Has every lane read from the store what waits there, after it was opened: commits that no lane knows of may be in
    /// it, and others that a lane relied on may not.
    pub(super) fn announce_everything(&mut self) {
        if let Some((pending, held)) = self.numbers() {
            self.shared.metrics.opened(pending, held);
            self.shared.waiting.store(pending, Ordering::Relaxed);
        }
        for (destination, lane) in &self.lanes {
            lane.start_at(self.start_of(destination));
        }
        let state = self.state.as_ref();
        let places = state.map_or([].as_slice(), |state| &state.position.places);
        let all: Vec<_> = places
            .iter()
            .map(|place| Arc::clone(&place.destination))
            .collect();
        self.announce(all);
    }

    fn begin_lane(&mut self, destination: Arc<Destination>) {
        let arrivals = Arc::new(Arrivals {
            notify: Notify::new(),
            start: Mutex::new(self.start_of(&destination)),
        });
        let lane = NewLane {
            destination: Arc::clone(&destination),
            arrivals: Arc::clone(&arrivals),
        };
        self.lanes.insert(destination, arrivals);
        // A command that replays letters into a store delivers nothing.
        let _ = self.shared.lanes.send(lane);
    }

    fn start_of(&self, destination: &Destination) -> Start {
        let head = self.state.as_ref().map(|state| {
            let places = state.position.places.iter();
            let places = places.filter(|place| *place.destination == *destination);
            let head = places.map(|place| place.head).min();
            head.unwrap_or(state.position.next)
        });
        Start {
            opened: self.opened,
            head: head.unwrap_or_default(),
        }
    }
}
