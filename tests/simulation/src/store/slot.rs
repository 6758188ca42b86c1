//! The counts of events in a database. Each process has a separate slot, in which it counts the events that it adds and
//! removes.

use std::{collections::BTreeMap, sync::Arc};

use duet_proxy::store::{Commit, LaneId, Place, Position, Row};

use super::{Content, Stored};

/// The slot of one process.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot {
    pub(super) owner: u64,
    /// The time after which another process can take the slot. While the owner runs, this is `i64::MAX`.
    pub(super) until_ms: i64,
    /// Counts how often the slot was written.
    pub(super) written: u64,
    /// The number of pending events in each lane. It can be negative, because a process can remove events that another
    /// process has added.
    pub(super) lanes: BTreeMap<LaneId, i64>,
    pub(super) held: i64,
    written_ms: Option<i64>,
}

impl Slot {
    /// Adds the changes of a commit to the slot's counts.
    pub(super) fn count(&mut self, commit: &Commit<'_>, present: &Content) {
        for new in &commit.rows {
            *self.lane(&new.lane) += number(new.draft.events());
        }
        for settled in &commit.settled {
            *self.lane(&settled.lane) -= number(settled.events);
        }
        for (id, held) in &commit.records.held {
            let was_there = present.held.contains_key(id);
            self.held += i64::from(held.is_some()) - i64::from(was_there);
        }
        self.written_ms = commit.position.written_ms.or(self.written_ms);
    }

    fn lane(&mut self, lane: &LaneId) -> &mut i64 {
        self.lanes.entry(lane.clone()).or_default()
    }
}

impl Content {
    /// Returns the position of the queue. In a database, the position is the sum of all slots.
    pub(super) fn position(&self) -> Position {
        if self.slots.is_empty() {
            return self.position.clone();
        }
        let (lanes, held) = self.counts();
        let waiting = |events: i64| u64::try_from(events).unwrap_or_default();
        let places = lanes.into_iter().filter(|(_, events)| *events > 0);
        Position {
            places: places
                .map(|(lane, events)| Place {
                    destination: Arc::clone(&lane.destination),
                    class: lane.class,
                    waiting: waiting(events),
                    head: 0,
                })
                .collect(),
            held: waiting(held),
            written_ms: self.slots.iter().filter_map(|slot| slot.written_ms).max(),
            ..Position::default()
        }
    }

    /// Compares the counts of pending and held events with the stored events. Returns a description of the first difference.
    pub(super) fn miscounts(&self) -> Option<String> {
        let (mut lanes, mut held) = self.counts();
        for place in &self.position.places {
            let lane = LaneId {
                destination: Arc::clone(&place.destination),
                class: place.class,
            };
            let known = self.lanes.get_key_value(&lane);
            if let Some((lane, _)) = known {
                *lanes.entry(lane).or_default() += number(place.waiting);
            }
        }
        held += number(self.position.held);
        for (lane, rows) in &self.lanes {
            let stored: i64 = rows.iter().map(|(number, row)| row.pending(*number)).sum();
            let counted = lanes.get(lane).copied().unwrap_or_default();
            if counted != stored {
                return Some(format!(
                    "{stored} events are pending, but the store counts {counted}"
                ));
            }
        }
        let stored = self.held.len();
        (i64::try_from(stored) != Ok(held))
            .then(|| format!("{stored} events are held, but the store counts {held}"))
    }

    /// Returns the sums of all slots: the pending events of each lane, and the held events.
    fn counts(&self) -> (BTreeMap<&LaneId, i64>, i64) {
        let mut lanes = BTreeMap::new();
        for (lane, events) in self.slots.iter().flat_map(|slot| &slot.lanes) {
            *lanes.entry(lane).or_default() += events;
        }
        (lanes, self.slots.iter().map(|slot| slot.held).sum())
    }
}

impl Stored {
    /// Returns how many events of the row are pending.
    fn pending(&self, sequence: u64) -> i64 {
        let events = Row::read(sequence, &self.row).map_or(0, |row| row.events());
        let settled = self.marks.iter().map(|range| range.end - range.start);
        i64::from(events) - settled.map(i64::from).sum::<i64>()
    }
}

fn number(events: u64) -> i64 {
    i64::try_from(events).unwrap_or(i64::MAX)
}
