//! A store whose disk fails on command.
//!
//! A commit is one effect. Effects without a sync form a tail. After a power cut, any number of effects from the start of
//! the tail is left. Reads return all writes, also those without a sync, as the page cache does.

use std::{
    collections::BTreeMap,
    io,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use duet_events::{EventId, EventName};
use duet_proxy::{
    decide::{
        Books, Class, DeadLetter, DedupKey, HeldEvent, HeldId, LetterId, Logged, Lookup, Named,
        Payment, Records,
    },
    history::{Digest, End, Hour, Salt, Wanted},
    orders::Order,
    store::{
        Commit, Draft, Ends, Error, Expired, Found, LaneId, Letters, Most, Page, Position, Reader,
        Row, Source, Store,
    },
};

use crate::plant::Plant;

/// Returns the salt of each disk.
fn salt() -> Salt {
    Salt::from([7; 16])
}

/// A disk with a store on it. Clones are handles to the same disk.
#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// The data that survives a power cut.
    synced: Content,
    /// The writes after that data.
    tail: Vec<Effect>,
    /// The data that reads return: the synced data and the tail.
    present: Content,
    is_open: bool,
    /// Counts openings. A writer of an earlier opening writes nothing any more.
    opened: u64,
    /// The faults of the next writes.
    faults: Vec<Fault>,
    plant: Option<Plant>,
}

/// The fault of one write or of one opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The sync fails. The written data stays in the page cache, and is written again when the store is opened.
    SyncKeeps,
    /// The sync fails, and all data since the last sync is lost.
    SyncLoses,
    /// The write fails, or only a part is written. The checksum shows this.
    Torn,
    /// The store cannot be opened.
    Closed,
    /// The store does not answer in time. It has the written data.
    Late,
}

/// The changes of one commit.
#[derive(Clone, Debug)]
struct Effect {
    rows: Vec<(LaneId, u64, Vec<u8>)>,
    removed: Vec<(LaneId, u64)>,
    marked: Vec<(LaneId, u64, Range<u32>)>,
    records: Records,
    position: Position,
    /// The times by which expired entries are removed.
    expired: Option<Expired>,
}

/// All stored data.
#[derive(Clone, Debug, Default)]
struct Content {
    lanes: BTreeMap<LaneId, BTreeMap<u64, Stored>>,
    orders: BTreeMap<String, Order>,
    lookups: BTreeMap<Lookup, Vec<String>>,
    payments: BTreeMap<(String, String), Payment>,
    held: BTreeMap<HeldId, HeldEvent>,
    letters: BTreeMap<LetterId, DeadLetter>,
    keys: BTreeMap<DedupKey, i64>,
    ends: BTreeMap<LetterId, End>,
    hours: BTreeMap<i64, Hour>,
    covered: BTreeMap<Digest, i64>,
    log: Logged,
    position: Position,
}

#[derive(Clone, Debug)]
struct Stored {
    row: Vec<u8>,
    marks: Vec<Range<u32>>,
}

impl Disk {
    /// Makes a disk with a planted fault.
    pub fn with(plant: Option<Plant>) -> Self {
        let disk = Self::default();
        disk.state().plant = plant;
        disk
    }

    /// Adds faults for the next writes and openings, in this order. Earlier faults come first.
    pub fn fails_with(&self, faults: &[Fault]) {
        self.state().faults.extend(faults.iter().rev());
    }

    /// Removes all faults.
    pub fn heals(&self) {
        self.state().faults.clear();
    }

    /// Ends the process. The writes of the process stay in the page cache.
    pub fn loses_its_process(&self) {
        self.state().is_open = false;
    }

    /// Cuts the power. Of the commits without a sync, the first `kept` are left.
    pub fn loses_power(&self, kept: usize) {
        let mut state = self.state();
        state.is_open = false;
        state.tail.truncate(kept);
        state.settle();
    }

    /// Returns the number of commits without a sync.
    pub fn tail(&self) -> usize {
        self.state().tail.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, read: impl FnOnce(&Content) -> T) -> Result<T, Error> {
        let state = self.state();
        state
            .is_open
            .then(|| read(&state.present))
            .ok_or(Error::Stopped)
    }
}

impl State {
    fn settle(&mut self) {
        self.present = self.synced.clone();
        for effect in &self.tail {
            self.present.take(effect);
        }
    }

    fn sync(&mut self) {
        for effect in self.tail.drain(..) {
            self.synced.take(&effect);
        }
    }

    fn struck(&mut self) -> Option<Fault> {
        self.faults.pop()
    }
}

impl Content {
    fn take(&mut self, effect: &Effect) {
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
        self.position = effect.position.clone();
    }
}

impl Content {
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

    /// Returns the ends, the newest first, without the records that were removed.
    fn shown(&self) -> impl Iterator<Item = (LetterId, End)> {
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

/// Removes the entries before `first`. Most calls find none.
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

impl Source for Disk {
    type Store = Writer;

    fn open(&self) -> Result<Writer, Error> {
        let mut state = self.state();
        state.is_open = false;
        if state.faults.last() == Some(&Fault::Closed) {
            state.faults.pop();
            return Err(refused());
        }
        // From now on, all data that is read is on the disk: it is written again and synced first.
        if state.plant == Some(Plant::StaleCache) {
            state.tail.clear();
        }
        state.sync();
        state.is_open = true;
        state.opened += 1;
        Ok(Writer {
            disk: self.clone(),
            opened: state.opened,
        })
    }
}

fn refused() -> Error {
    Error::Folder(io::Error::other("the disk fails"))
}

impl Reader for Disk {
    fn rows(&self, lane: &LaneId, from: u64, bytes: usize) -> Result<Vec<Found>, Error> {
        self.read(|content| {
            let mut found = Vec::new();
            let mut held = 0;
            let rows = content.lanes.get(lane).into_iter();
            for (sequence, stored) in rows.flat_map(|rows| rows.range(from..)) {
                if held >= bytes {
                    break;
                }
                let row = Row::read(*sequence, &stored.row)?;
                held += row.bytes();
                found.push((row, stored.marks.clone()));
            }
            Ok(found)
        })?
    }

    fn order(&self, id: &str) -> Result<Option<Order>, Error> {
        self.read(|content| content.orders.get(id).cloned())
    }

    fn payments(&self) -> Result<Vec<Payment>, Error> {
        self.read(|content| content.payments.values().cloned().collect())
    }

    fn letters(&self, before: Option<LetterId>, most: Most) -> Result<Letters, Error> {
        self.read(|content| {
            let letters = content.letters.iter().rev();
            letters
                .filter(|(id, _)| before.is_none_or(|before| **id < before))
                .map(|(id, letter)| (*id, letter.clone()))
                .take(most.count)
                .collect()
        })
    }

    fn letter(&self, id: LetterId) -> Result<Option<DeadLetter>, Error> {
        self.read(|content| content.letters.get(&id).cloned())
    }

    fn letter_ids(&self, after: Option<LetterId>, most: Most) -> Result<Vec<LetterId>, Error> {
        self.read(|content| {
            let ids = content.letters.keys().copied();
            ids.filter(|id| after.is_none_or(|after| *id > after))
                .take(most.count)
                .collect()
        })
    }

    fn place(&self) -> Result<Position, Error> {
        self.read(|content| content.position.clone())
    }

    fn payments_of(&self, id: &str) -> Result<Vec<Payment>, Error> {
        self.read(|content| {
            let payments = content.payments.values();
            let payments = payments.filter(|payment| payment.belongs_to(id));
            payments.cloned().collect()
        })
    }

    fn order_of(&self, digest: Digest) -> Result<Option<String>, Error> {
        self.read(|content| {
            let mut ids = content.orders.keys();
            ids.find(|id| salt().order(id) == digest).cloned()
        })
    }

    fn find_held(&self, texts: &[String]) -> Result<Vec<HeldEvent>, Error> {
        self.read(|content| {
            let contains = |held: &&HeldEvent| {
                let stored = serde_json::to_string(held).unwrap_or_default();
                texts.iter().any(|text| stored.contains(text))
            };
            content.held.values().filter(contains).cloned().collect()
        })
    }

    fn payment(&self, provider: &str, id: &str) -> Result<Option<Payment>, Error> {
        self.read(|content| {
            let payments = content.payments.values();
            let mut told = payments.filter(|payment| payment.provider == provider);
            let is_it =
                |payment: &&Payment| payment.id == id || payment.also.iter().any(|also| also == id);
            told.find(is_it).cloned()
        })
    }

    fn ends(&self, before: Option<LetterId>, most: Most) -> Result<Ends, Error> {
        self.read(|content| {
            let mut events = 0;
            let ends = content.shown();
            ends.filter(|(id, _)| before.is_none_or(|before| *id < before))
                .take_while(|(_, end)| {
                    let is_room = events < most.count;
                    events += end.events.len();
                    is_room
                })
                .collect()
        })
    }

    fn oldest_end(&self) -> Result<Option<i64>, Error> {
        self.read(|content| content.ends.values().next().map(|end| end.at_ms))
    }

    fn find_ends(&self, wanted: &Wanted, most: usize) -> Result<Ends, Error> {
        self.read(|content| {
            let mut events = 0;
            let found = content.shown().filter_map(|(id, end)| {
                let end = wanted.pick(end, |_| false)?;
                Some((id, end))
            });
            found
                .take_while(|(_, end)| {
                    let is_room = events < most;
                    events += end.events.len();
                    is_room
                })
                .collect()
        })
    }

    fn hours(&self, starts: Range<i64>) -> Result<Vec<(i64, Hour)>, Error> {
        self.read(|content| {
            let hours = content.hours.range(starts);
            hours.map(|(ms, hour)| (*ms, hour.clone())).collect()
        })
    }

    fn covered(&self, order: Digest) -> Result<Option<i64>, Error> {
        self.read(|content| content.covered.get(&order).copied())
    }

    fn change_log(&self) -> Result<Logged, Error> {
        self.read(|content| content.log.clone())
    }
}

/// The writer's half.
pub struct Writer {
    disk: Disk,
    opened: u64,
}

impl Writer {
    /// Removes events that the deduplication memory already knows, as if that memory decided.
    fn drop_known(&self, commit: &mut Commit<'_>) {
        let state = self.disk.state();
        for new in &mut commit.rows {
            let draft = std::mem::replace(&mut new.draft, Draft::new(0)).into_value();
            let Ok(row) = Row::read(new.sequence, &draft) else {
                continue;
            };
            new.draft = Draft::new(row.accepted_at_ms);
            for index in 0..row.events() {
                let text = std::str::from_utf8(row.event(index)).unwrap_or_default();
                let named = Named::of(text);
                let name = EventName::parse(&named.name);
                let id = EventId::parse(&named.event_id);
                let is_known = name.is_ok_and(|name| {
                    let key = id.map(|id| DedupKey::of(&new.lane.destination, &name, &id));
                    key.is_ok_and(|key| state.present.keys.contains_key(&key))
                });
                if is_known {
                    if let Some(place) = commit.position.place(&new.lane) {
                        place.waiting -= 1;
                    }
                } else {
                    new.draft.push(row.event(index), &row.trace(index));
                }
            }
        }
        commit.rows.retain(|new| new.draft.events() > 0);
        commit.position.places.retain(|place| place.waiting > 0);
    }
}

/// Puts all events of a commit into the second class.
fn have_one_class(commit: &mut Commit<'_>) {
    for new in &mut commit.rows {
        let events = new.draft.events();
        if let Some(place) = commit.position.place(&new.lane) {
            place.waiting -= events;
        }
        new.lane.class = Class::Second;
        commit.position.arrived(&new.lane, new.sequence, events);
        if let Some(place) = commit.position.place(&new.lane) {
            place.head = place.head.min(new.sequence);
        }
    }
    commit.position.places.retain(|place| place.waiting > 0);
}

impl Books for Writer {
    type Error = Error;

    fn order(&self, id: &str) -> Result<Option<Order>, Error> {
        Reader::order(&self.disk, id)
    }

    fn found(&self, name: &Lookup) -> Result<Vec<String>, Error> {
        let found = self
            .disk
            .read(|content| content.lookups.get(name).cloned())?;
        Ok(found.unwrap_or_default())
    }

    fn payment(&self, provider: &str, id: &str) -> Result<Option<Payment>, Error> {
        let key = (provider.to_owned(), id.to_owned());
        self.disk
            .read(|content| content.payments.get(&key).cloned())
    }

    fn held(&self, id: HeldId) -> Result<Option<HeldEvent>, Error> {
        self.disk.read(|content| content.held.get(&id).cloned())
    }

    fn letter(&self, id: LetterId) -> Result<Option<DeadLetter>, Error> {
        Reader::letter(&self.disk, id)
    }

    fn has_letter(&self, id: LetterId) -> Result<bool, Error> {
        self.disk.read(|content| content.letters.contains_key(&id))
    }

    fn knows(&self, key: &DedupKey, expiry_ms: i64) -> Result<bool, Error> {
        // The embedded store counts time in seconds.
        self.disk.read(|content| {
            let until_ms = content.keys.get(key);
            until_ms.is_some_and(|until_ms| until_ms / 1000 > expiry_ms / 1000)
        })
    }

    fn salt(&self) -> Salt {
        salt()
    }

    fn next_number(&self) -> u64 {
        self.disk.state().present.position.next
    }
}

impl Store for Writer {
    fn position(&self) -> Result<Position, Error> {
        self.disk.read(|content| content.position.clone())
    }

    fn write(&mut self, commit: &mut Commit<'_>) -> Result<(), Error> {
        let mut removed = Vec::new();
        let mut marked = Vec::new();
        for settled in &commit.settled {
            let lane = || settled.lane.clone();
            removed.extend(settled.removed.iter().map(|(row, _)| (lane(), *row)));
            let marks = settled.marked.iter();
            marked.extend(marks.map(|(row, range)| (lane(), *row, range.clone())));
        }
        if self.disk.state().plant == Some(Plant::KeyDecides) {
            self.drop_known(commit);
        }
        if self.disk.state().plant == Some(Plant::OneClass) {
            have_one_class(commit);
        }
        let rows = commit.rows.drain(..);
        let effect = Effect {
            rows: rows
                .map(|new| (new.lane, new.sequence, new.draft.into_value()))
                .collect(),
            removed,
            marked,
            records: commit.records.clone(),
            position: commit.position.clone(),
            expired: None,
        };
        let mut state = self.disk.state();
        if !state.is_open || state.opened != self.opened {
            return Err(Error::Stopped);
        }
        let fault = state.struck();
        if matches!(fault, Some(Fault::Torn | Fault::Closed)) {
            return Err(refused());
        }
        state.present.take(&effect);
        state.tail.push(effect);
        match fault {
            Some(Fault::SyncLoses) if commit.sync => {
                state.tail.clear();
                state.settle();
                Err(refused())
            }
            Some(Fault::Late) if commit.sync => Err(Error::Timeout),
            Some(_) if commit.sync => Err(refused()),
            _ if commit.sync => {
                state.sync();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn check(&self) -> Result<(), Error> {
        let state = self.disk.state();
        let is_ours = state.is_open && state.opened == self.opened;
        is_ours.then_some(()).ok_or(Error::Stopped)
    }

    fn tidy(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn expire(&mut self, expired: Expired) -> Result<(), Error> {
        let mut state = self.disk.state();
        let effect = Effect {
            rows: Vec::new(),
            removed: Vec::new(),
            marked: Vec::new(),
            records: Records::default(),
            position: state.present.position.clone(),
            expired: Some(expired),
        };
        state.present.take(&effect);
        state.tail.push(effect);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn withdrawn(&self) -> Result<Vec<String>, Error> {
        self.disk.read(|content| {
            let names = content.lookups.keys();
            let ids = names.filter_map(|name| match name {
                Lookup::Withdrawn(event_id) => Some(event_id.clone()),
                _ => None,
            });
            ids.collect()
        })
    }

    fn held_until(&self, ms: i64, most: usize) -> Result<Vec<(HeldId, String)>, Error> {
        self.disk.read(|content| {
            let held = content.held.iter();
            held.take_while(|(id, _)| id.until_ms < ms)
                .take(most)
                .map(|(id, held)| (*id, held.order_id.clone()))
                .collect()
        })
    }

    fn page(&self, cursor: &[u8], most: usize) -> Result<Page, Error> {
        self.disk.read(|content| {
            let mut page = Page::default();
            let cursor = String::from_utf8_lossy(cursor);
            let payments_from = cursor.strip_prefix('p');
            let order_from = cursor.strip_prefix('o').unwrap_or_default();
            if payments_from.is_none() {
                for (id, order) in content.orders.range(order_from.to_owned()..) {
                    if page.orders.len() >= most {
                        page.next = format!("o{id}").into_bytes();
                        return page;
                    }
                    page.orders.push(order.clone());
                }
            }
            let from = payments_from.and_then(|from| from.split_once('\0'));
            let (provider, id) = from.unwrap_or_default();
            let from = (provider.to_owned(), id.to_owned());
            for ((provider, id), payment) in content.payments.range(from..) {
                if page.orders.len() + page.payments.len() >= most {
                    page.next = format!("p{provider}\0{id}").into_bytes();
                    return page;
                }
                page.payments.push(payment.clone());
            }
            page
        })
    }
}
