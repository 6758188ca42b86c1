//! The rows of one class of a lane that have been read so far.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
    sync::Arc,
};

use super::{Batch, Claimed, Limits};
use crate::{
    queue::blocking,
    store::{Error, Found, LaneId, Reader},
};

pub(super) struct Rows {
    lane: LaneId,
    /// The first row that can have pending events.
    pub(super) head: u64,
    /// The number from which rows have not been read yet.
    next: u64,
    /// Events that were read but are not claimed yet.
    ahead: VecDeque<Claimed>,
    /// Rows that were read and still have events that are not settled.
    open: BTreeMap<u64, Open>,
}

/// The events of a row that are not settled yet.
struct Open {
    accepted_at_ms: i64,
    left: u32,
    marks: Vec<Range<u32>>,
}

/// The changes that a settlement makes to rows.
#[derive(Default)]
pub(super) struct Settled {
    /// Rows that have no pending events any more. The ranges name the marks of the row, which are removed with it.
    pub(super) removed: Vec<(u64, Vec<Range<u32>>)>,
    /// Rows that still have other pending events, with the range that is settled now.
    pub(super) marked: Vec<(u64, Range<u32>)>,
    /// The first row that can have pending events.
    pub(super) head: u64,
}

impl Rows {
    pub(super) fn new(lane: LaneId, head: u64) -> Self {
        Self {
            lane,
            head,
            next: head,
            ahead: VecDeque::new(),
            open: BTreeMap::new(),
        }
    }

    pub(super) fn claim(
        &mut self,
        store: Option<&dyn Reader>,
        limits: Limits,
    ) -> Result<Option<Batch>, Error> {
        let mut events: Vec<Claimed> = Vec::new();
        let mut bytes = 0;
        while events.len() < limits.events && self.any(store, limits.bytes)? {
            let Some(first) = self.ahead.front() else {
                break;
            };
            bytes += first.event().len();
            if bytes > limits.bytes && !events.is_empty() {
                break;
            }
            events.extend(self.ahead.pop_front());
        }
        Ok((!events.is_empty()).then_some(Batch { events }))
    }

    /// Returns whether an event is pending and not claimed. If no such event is in memory, reads about `bytes` bytes.
    pub(super) fn any(&mut self, store: Option<&dyn Reader>, bytes: usize) -> Result<bool, Error> {
        while self.ahead.is_empty() {
            if !self.read_ahead(store, bytes)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns whether every event that was read is settled.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Reads events of a shared store until there are enough for a claim. With `looks_back`, also reads rows whose
    /// numbers are smaller than those of rows that were read before. Such rows appear late because another process
    /// committed them late.
    pub(super) async fn fill(
        &mut self,
        store: &Arc<dyn Reader>,
        limits: Limits,
        looks_back: bool,
    ) -> Result<(), Error> {
        if looks_back {
            let (store, lane, next) = (Arc::clone(store), self.lane.clone(), self.next);
            let known: Vec<_> = self.open.keys().copied().collect();
            let found = blocking(move || store.late(&lane, next, &known)).await?;
            self.add(found);
        }
        if self.ahead.len() < limits.events {
            let (store, lane, next) = (Arc::clone(store), self.lane.clone(), self.next);
            let found = blocking(move || store.rows(&lane, next, limits.bytes)).await?;
            self.add(found);
        }
        Ok(())
    }

    fn read_ahead(&mut self, store: Option<&dyn Reader>, bytes: usize) -> Result<bool, Error> {
        let Some(store) = store else { return Ok(false) };
        let found = store.rows(&self.lane, self.next, bytes)?;
        let any = !found.is_empty();
        self.add(found);
        Ok(any)
    }

    fn add(&mut self, found: Vec<Found>) {
        for (row, settled) in found {
            self.next = self.next.max(row.sequence + 1);
            let row = Arc::new(row);
            let before = self.ahead.len();
            let waits = |index: &u32| !settled.iter().any(|range| range.contains(index));
            let waiting = (0..row.events()).filter(waits).map(|index| Claimed {
                class: self.lane.class,
                row: Arc::clone(&row),
                index,
            });
            self.ahead.extend(waiting);
            let open = Open {
                accepted_at_ms: row.accepted_at_ms,
                left: u32::try_from(self.ahead.len() - before).unwrap_or(u32::MAX),
                marks: settled,
            };
            self.open.insert(row.sequence, open);
        }
    }

    /// Records that `events` have ended. Returns the changes for the store.
    pub(super) fn settle(&mut self, events: &[Claimed]) -> Settled {
        let mut changes = Settled::default();
        for (sequence, settled) in ranges(events) {
            let Some(open) = self.open.get_mut(&sequence) else {
                continue;
            };
            open.left = open.left.saturating_sub(settled.end - settled.start);
            if open.left > 0 {
                open.marks.push(settled.clone());
                changes.marked.push((sequence, settled));
            } else if let Some(open) = self.open.remove(&sequence) {
                // This settlement first added a mark for the row, but then settled the rest of the row. The mark is not
                // in the store yet, so it is dropped.
                changes.marked.retain(|(marked, _)| *marked != sequence);
                changes.removed.push((sequence, open.marks));
            }
        }
        changes.head = self.open.keys().next().copied().unwrap_or(self.next);
        changes
    }

    /// Returns when the oldest pending event was accepted, in Unix milliseconds. If no event is in memory, reads events
    /// first.
    pub(super) fn oldest_ms(
        &mut self,
        store: Option<&dyn Reader>,
        bytes: usize,
    ) -> Result<Option<i64>, Error> {
        if self.open.is_empty() {
            self.read_ahead(store, bytes)?;
        }
        Ok(self.open.values().next().map(|open| open.accepted_at_ms))
    }

    pub(super) fn rewind(&mut self) {
        self.next = self.head;
        self.ahead.clear();
        self.open.clear();
    }
}

/// Groups neighbouring events into ranges, each with the number of its row.
fn ranges(events: &[Claimed]) -> Vec<(u64, Range<u32>)> {
    let mut places: Vec<_> = events
        .iter()
        .map(|claimed| (claimed.row.sequence, claimed.index))
        .collect();
    places.sort_unstable();
    let neighbours = |one: &(u64, u32), next: &(u64, u32)| one.0 == next.0 && one.1 + 1 == next.1;
    places
        .chunk_by(neighbours)
        .filter_map(|range| {
            let (first, last) = (range.first()?, range.last()?);
            Some((first.0, first.1..last.1 + 1))
        })
        .collect()
}

#[cfg(test)]
impl Rows {
    /// Returns how many events were read but are not settled.
    pub(super) fn read(&self) -> u32 {
        self.open.values().map(|open| open.left).sum()
    }
}
