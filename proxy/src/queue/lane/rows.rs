//! The rows of one class of a lane, as far as they have been read.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
    sync::Arc,
};

use super::{Batch, Claimed, Limits};
use crate::store::{Error, LaneId, Reader};

pub(super) struct Rows {
    lane: LaneId,
    /// No row before this one waits.
    pub(super) head: u64,
    /// The first row that has not been read.
    next: u64,
    /// Events that were read and not claimed.
    ahead: VecDeque<Claimed>,
    /// Rows that were read and in which something is not settled.
    open: BTreeMap<u64, Open>,
}

/// What of a row is still to be settled.
struct Open {
    accepted_at_ms: i64,
    left: u32,
    marks: Vec<Range<u32>>,
}

/// What a settlement changes among the rows.
#[derive(Default)]
pub(super) struct Settled {
    /// Rows in which nothing waits any more, with their marks.
    pub(super) removed: Vec<(u64, Vec<Range<u32>>)>,
    /// Rows in which these events are settled and others wait.
    pub(super) marked: Vec<(u64, Range<u32>)>,
    /// No row before this one waits.
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
        store: &dyn Reader,
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

    /// Whether an event waits that is not claimed. Where none has been read, about so many bytes are read.
    pub(super) fn any(&mut self, store: &dyn Reader, bytes: usize) -> Result<bool, Error> {
        while self.ahead.is_empty() {
            if !self.read_ahead(store, bytes)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn read_ahead(&mut self, store: &dyn Reader, bytes: usize) -> Result<bool, Error> {
        let found = store.rows(&self.lane, self.next, bytes)?;
        let any = !found.is_empty();
        for (row, settled) in found {
            self.next = row.sequence + 1;
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
        Ok(any)
    }

    /// Notes that `events` have ended; what the store has to be told of it.
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
                // A mark of this very settlement is not written in the first place.
                changes.marked.retain(|(marked, _)| *marked != sequence);
                changes.removed.push((sequence, open.marks));
            }
        }
        changes.head = self.open.keys().next().copied().unwrap_or(self.next);
        changes
    }

    /// When the oldest event that waits was accepted, in Unix milliseconds. Where none was read, some are.
    pub(super) fn oldest_ms(
        &mut self,
        store: &dyn Reader,
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

/// Events as ranges of neighbours, with the row they stand in.
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
    /// How many events were read and are not settled.
    pub(super) fn read(&self) -> u32 {
        self.open.values().map(|open| open.left).sum()
    }
}
