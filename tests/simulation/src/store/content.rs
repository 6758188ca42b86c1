//! How commits and sweeps change the stored data.

use std::collections::BTreeMap;

use duet_proxy::{
    decide::{LetterId, Lookup},
    history::{End, Hour},
    store::Expired,
};

use super::{Content, Effect, Stored};

impl Content {
    pub(super) fn take(&mut self, effect: &Effect) {
        if let Some(expired) = effect.expired {
            self.expire(expired);
        }
        for (lane, sequence, row) in &effect.rows {
            let stored = Stored {
                row: row.clone(),
                marks: Vec::new(),
            };
            let rows = self.lanes.entry(lane.clone()).or_default();
            rows.insert(*sequence, stored);
        }
        for (lane, sequence) in &effect.removed {
            if let Some(rows) = self.lanes.get_mut(lane) {
                rows.remove(sequence);
            }
        }
        for (lane, sequence, range) in &effect.marked {
            let rows = self.lanes.get_mut(lane);
            if let Some(stored) = rows.and_then(|rows| rows.get_mut(sequence)) {
                stored.marks.push(range.clone());
            }
        }
        for (id, end) in &effect.records.ends {
            for ended in &end.events {
                let hour = self.hours.entry(Hour::start_of(ended.accepted_ms));
                hour.or_default().add(end, ended);
            }
            self.ends.insert(*id, end.clone());
        }
        self.covered.extend(&effect.records.covered);
        let records = effect.records.clone();
        self.log.extend(records.log);
        replace(&mut self.orders, records.orders);
        replace(&mut self.payments, records.payments);
        replace(&mut self.held, records.held);
        replace(&mut self.letters, records.letters);
        for (name, found) in records.lookups {
            if found.is_empty() {
                self.lookups.remove(&name);
            } else {
                self.lookups.insert(name, found);
            }
        }
        for (key, known) in records.keys.iter() {
            self.keys.insert(*key, known.until_ms);
        }
        match &effect.slot {
            Some((number, slot)) => self.slots[*number] = slot.clone(),
            None => self.position = effect.position.clone(),
        }
    }

    fn expire(&mut self, expired: Expired) {
        let Expired {
            keys_ms,
            letters_ms,
            history_ms,
            hours_ms,
        } = expired;
        self.keys
            .retain(|_, until_ms| *until_ms / 1000 > keys_ms / 1000);
        let kept = |ms: i64| LetterId::new(ms.max(0), 0);
        remove_before(&mut self.letters, &kept(letters_ms));
        remove_before(&mut self.ends, &kept(history_ms));
        remove_before(&mut self.hours, &hours_ms);
        self.covered.retain(|_, at_ms| *at_ms >= history_ms);
    }

    /// Returns the ids of withdrawn events.
    pub(super) fn withdrawn(&self) -> impl Iterator<Item = String> {
        self.lookups.keys().filter_map(|name| match name {
            Lookup::Withdrawn(event_id) => Some(event_id.clone()),
            _ => None,
        })
    }

    /// Returns the records of ended events, newest first. Records that were removed are left out.
    pub(super) fn shown(&self) -> impl Iterator<Item = (LetterId, End)> {
        self.ends.iter().rev().filter_map(|(id, end)| {
            let mut end = end.clone();
            let at_ms = end.at_ms;
            end.events.retain(|ended| {
                let covered = ended.order.and_then(|order| self.covered.get(&order));
                covered.is_none_or(|covered| at_ms > *covered)
            });
            (!end.events.is_empty()).then_some((*id, end))
        })
    }
}

/// Removes the entries before `first`. Most calls have nothing to remove.
fn remove_before<K: Ord, V>(map: &mut BTreeMap<K, V>, first: &K) {
    if map.keys().next().is_some_and(|oldest| oldest < first) {
        *map = map.split_off(first);
    }
}

fn replace<K: Ord, V>(present: &mut BTreeMap<K, V>, changed: BTreeMap<K, Option<V>>) {
    for (key, value) in changed {
        match value {
            Some(value) => present.insert(key, value),
            None => present.remove(&key),
        };
    }
}
