//! How the writer informs the lanes: which lane has new events, and from which row a lane must read.

use std::sync::{Arc, Mutex, PoisonError, atomic::Ordering};

use tokio::sync::Notify;

use super::Writer;
use crate::{
    decide::{Counts, Destination},
    store::{Lease, Source, Store},
};

/// A destination that has its first events since the start.
pub(in crate::queue) struct NewLane {
    pub(in crate::queue) destination: Arc<Destination>,
    pub(in crate::queue) arrivals: Arc<Arrivals>,
}

/// The data by which the writer informs one lane.
pub(in crate::queue) struct Arrivals {
    /// Signals that events may have arrived.
    pub(in crate::queue) notify: Notify,
    start: Mutex<Start>,
}

/// The state of the store and of the lease, and the row from which a lane starts to read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) struct Start {
    /// How often this process has opened the store. Events that were claimed before the last opening must be claimed
    /// again.
    pub(in crate::queue) opened: u64,
    /// The lease by which this process delivers the events. `None` means that this process does not deliver them.
    pub(in crate::queue) lease: Option<Lease>,
    /// The first row of either class that can have pending events.
    pub(in crate::queue) head: u64,
}

impl Start {
    /// Returns whether events that were claimed under the state `other` are still claimed.
    pub(in crate::queue) fn goes_on_from(&self, other: &Self) -> bool {
        self.opened == other.opened && self.epoch() == other.epoch()
    }

    /// Returns the epoch of the lease.
    pub(in crate::queue) fn epoch(&self) -> Option<u64> {
        self.lease.map(|lease| lease.epoch)
    }
}

impl Arrivals {
    pub(in crate::queue) fn start(&self) -> Start {
        *self.start.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_at(&self, start: Start) {
        *self.start.lock().unwrap_or_else(PoisonError::into_inner) = start;
        self.notify.notify_one();
    }

    fn renew(&self, lease: Option<Lease>) {
        let mut start = self.start.lock().unwrap_or_else(PoisonError::into_inner);
        start.lease = lease;
    }
}

impl<S: Source> Writer<S> {
    /// Informs the lanes of new events. Creates the missing lanes.
    pub(super) fn announce(&mut self, arrivals: Vec<Arc<Destination>>) {
        for destination in arrivals {
            match self.lanes.get(&destination) {
                Some(lane) => lane.notify.notify_one(),
                None => self.begin_lane(destination),
            }
        }
    }

    /// Makes every lane read again from the beginning, after the store was opened again. The store can have commits that
    /// no lane knows about, and can lack commits that a lane has relied on.
    pub(super) fn announce_everything(&mut self) {
        if let Some((pending, held)) = self.numbers() {
            self.shared.metrics.opened(pending, held);
            self.count_pixels();
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
        // Sending fails if this process delivers nothing, for example if it is a command that only replays dead letters.
        // Such a process needs no lanes, so the failure is ignored.
        let _ = self.shared.lanes.send(lane);
    }

    fn start_of(&self, destination: &Destination) -> Start {
        let head = self.state.as_ref().map(|state| {
            let places = state.position.places.iter();
            let places = places.filter(|place| *place.destination == *destination);
            let head = places.map(|place| place.head).min();
            head.unwrap_or(state.position.next)
        });
        let state = self.state.as_ref();
        Start {
            opened: self.opened,
            lease: state.and_then(|state| state.store.lease(destination)),
            head: head.unwrap_or_default(),
        }
    }

    /// Reads what other processes have written: events of other destinations, withdrawals, and which process delivers.
    pub(super) fn look(&mut self) {
        let Some(state) = &mut self.state else { return };
        match state.store.look() {
            Ok(None) => {}
            Ok(Some(sight)) => {
                state.position = sight.position;
                if let Some(withdrawn) = sight.withdrawn {
                    self.shared.withdrawn.replace(withdrawn);
                }
                for (destination, lane) in &self.lanes {
                    let (known, start) = (lane.start(), self.start_of(destination));
                    if start.goes_on_from(&known) {
                        lane.renew(start.lease);
                    } else {
                        lane.start_at(start);
                    }
                }
                self.announce_unknown();
                self.count(&Counts::default());
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Creates the missing lanes of destinations that have pending events.
    fn announce_unknown(&mut self) {
        let places = self.state.iter().flat_map(|state| &state.position.places);
        let unknown = places.filter(|place| !self.lanes.contains_key(&place.destination));
        let unknown: Vec<_> = unknown
            .map(|place| Arc::clone(&place.destination))
            .collect();
        self.announce(unknown);
    }
}
