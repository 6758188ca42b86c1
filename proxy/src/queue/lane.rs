//! The queue of one destination, as its courier sees it: events are claimed in order and settled in any.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
    sync::Arc,
};

use tokio::sync::Notify;

use super::{
    Destination, Error,
    disk::Store,
    ends::Ends,
    group::Settlement,
    letter::{DeadLetter, LetterId},
    row::{self, Row},
    writer::{Call, Handle, NewLane},
};
use crate::{clock::Clock, outcome::Outcome};

/// Gives out the events of one destination. At most one exists for each.
pub struct Lane {
    destination: Arc<Destination>,
    prefix: Vec<u8>,
    store: Store,
    writer: Handle,
    ends: Arc<Ends>,
    clock: Clock,
    arrived: Arc<Notify>,
    /// No row before this one waits.
    head: u64,
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
    marks: Vec<Vec<u8>>,
}

/// Events that were claimed together; all have one destination.
#[derive(Debug)]
pub struct Batch {
    /// The events, oldest first; at least one.
    pub events: Vec<Claimed>,
}

/// One claimed event and its place in the queue.
#[derive(Clone, Debug)]
pub struct Claimed {
    row: Arc<Row>,
    index: u32,
}

/// How much travels in one request.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most events, at least 1.
    pub events: usize,
    /// The most bytes of events.
    pub bytes: usize,
}

impl Claimed {
    /// The event as TikTok gets it: JSON.
    pub fn event(&self) -> &[u8] {
        self.row.event(self.index)
    }

    /// When it was accepted, in Unix milliseconds.
    pub fn accepted_at_ms(&self) -> i64 {
        self.row.accepted_at_ms
    }

    fn sequence(&self) -> u64 {
        self.row.sequence + u64::from(self.index)
    }
}

impl Batch {
    /// The same events as two batches.
    pub fn halves(mut self) -> (Self, Self) {
        let events = self.events.split_off(self.events.len() / 2);
        (self, Self { events })
    }

    /// The event at `index` and the others, either of them as a batch; `None` where there is no such event
    /// or no other.
    ///
    /// # Errors
    /// The batch, unchanged.
    pub fn without(mut self, index: usize) -> Result<(Self, Self), Self> {
        if index >= self.events.len() || self.events.len() == 1 {
            return Err(self);
        }
        let events = vec![self.events.remove(index)];
        Ok((Self { events }, self))
    }
}

impl Lane {
    pub(super) fn new(
        new: NewLane,
        store: Store,
        writer: Handle,
        ends: Arc<Ends>,
        clock: Clock,
    ) -> Self {
        Self {
            prefix: new.destination.prefix(),
            destination: new.destination,
            store,
            writer,
            ends,
            clock,
            arrived: new.arrived,
            head: new.head,
            next: new.head,
            ahead: VecDeque::new(),
            open: BTreeMap::new(),
        }
    }

    /// Where its events go.
    pub fn destination(&self) -> &Arc<Destination> {
        &self.destination
    }

    /// What the periods of its events are counted by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The next events in order, within `limits`; `None` when nothing waits. An event that is larger than
    /// the limit on its own comes alone.
    ///
    /// # Errors
    /// [`Error::Store`] when the disk refuses, [`Error::Corrupt`] when a row does not read back.
    pub fn claim(&mut self, limits: Limits) -> Result<Option<Batch>, Error> {
        let mut events: Vec<Claimed> = Vec::new();
        let mut bytes = 0;
        while events.len() < limits.events {
            let Some(first) = self.ahead.front() else {
                if self.read_ahead(limits.bytes)? {
                    continue;
                }
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

    fn read_ahead(&mut self, bytes: usize) -> Result<bool, Error> {
        let found = self.store.tables()?.rows(&self.prefix, self.next, bytes)?;
        let any = !found.is_empty();
        for (row, settled) in found {
            self.next = row.sequence + 1;
            let row_key = row::key(&self.prefix, row.sequence);
            let row = Arc::new(row);
            let before = self.ahead.len();
            let waits = |index: &u32| !settled.iter().any(|range| range.contains(index));
            let waiting = (0..row.len()).filter(waits).map(|index| Claimed {
                row: Arc::clone(&row),
                index,
            });
            self.ahead.extend(waiting);
            let open = Open {
                accepted_at_ms: row.accepted_at_ms,
                left: u32::try_from(self.ahead.len() - before).unwrap_or(u32::MAX),
                marks: settled
                    .iter()
                    .map(|range| row::mark(&row_key, range))
                    .collect(),
            };
            self.open.insert(row.sequence, open);
        }
        Ok(any)
    }

    /// Ends claimed events, all in one way. When this returns they are out of the queue, dead letters are on
    /// disk, and whoever waits for one of them knows.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the disk refuses; then [`Lane::rewind`] is due.
    pub async fn settle(
        &mut self,
        events: &[Claimed],
        outcome: &Outcome,
        at_ms: i64,
    ) -> Result<(), Error> {
        let letters = if outcome.is_dead() {
            self.letters(events, outcome, at_ms)?
        } else {
            Vec::new()
        };
        let mut remove = Vec::new();
        let mut mark = Vec::new();
        for (sequence, settled) in ranges(events) {
            let Some(open) = self.open.get_mut(&sequence) else {
                continue;
            };
            let key = row::key(&self.prefix, sequence);
            open.left = open.left.saturating_sub(settled.end - settled.start);
            if open.left > 0 {
                let mark_key = row::mark(&key, &settled);
                open.marks.push(mark_key.clone());
                mark.push((mark_key, settled.end));
            } else if let Some(open) = self.open.remove(&sequence) {
                // A mark of this very settlement is not written in the first place.
                mark.retain(|(mark, _)| !mark.starts_with(&key));
                remove.push(key);
                remove.extend(open.marks);
            }
        }
        let head = self.open.keys().next().copied().unwrap_or(self.next);
        let settlement = Settlement {
            destination: Arc::clone(&self.destination),
            events: events.len() as u64,
            remove,
            mark,
            letters,
            head,
        };
        self.writer
            .ask(|answer| Call::Settle(settlement, answer))
            .await?;
        self.head = head;
        self.ends.publish(&self.destination, events, outcome);
        Ok(())
    }

    fn letters(
        &self,
        events: &[Claimed],
        outcome: &Outcome,
        at_ms: i64,
    ) -> Result<Vec<(LetterId, DeadLetter)>, Error> {
        let verdict = outcome.verdict();
        let letter = |claimed: &Claimed| {
            let event = serde_json::from_slice(claimed.event()).map_err(|_| Error::Corrupt)?;
            let letter = DeadLetter {
                outcome: outcome.label().to_owned(),
                ended_at_ms: at_ms,
                code: verdict.map(|verdict| verdict.code),
                message: verdict.map(|verdict| verdict.message.clone()),
                request_id: verdict.and_then(|verdict| verdict.request_id.clone()),
                accepted_at_ms: claimed.accepted_at_ms(),
                destination: Arc::clone(&self.destination),
                event,
            };
            Ok((LetterId::new(at_ms, claimed.sequence()), letter))
        };
        events.iter().map(letter).collect()
    }

    /// When the oldest event that was read and is not settled was accepted, in Unix milliseconds.
    pub fn oldest_ms(&self) -> Option<i64> {
        self.open.values().next().map(|open| open.accepted_at_ms)
    }

    /// Gives up every claim: what was claimed and not settled is claimed again.
    pub fn rewind(&mut self) {
        self.next = self.head;
        self.ahead.clear();
        self.open.clear();
    }

    /// Returns when something may have arrived since the last call.
    pub async fn arrival(&self) {
        self.arrived.notified().await;
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
impl Lane {
    /// How many events were read and are not settled.
    pub(super) fn read(&self) -> u32 {
        self.open.values().map(|open| open.left).sum()
    }
}
