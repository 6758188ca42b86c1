//! Which events were accepted lately, so that a repeat is recognised: exactly, across restarts, in bounded
//! memory.
//!
//! There are two shelves, for events that are remembered for 48 hours and those of orders, for 90 days. On
//! each the newest keys lie in a map in memory; the store has them too, one row for each commit. When the
//! map is full it is sealed into a run: its keys, sorted, in the store, and a [`Filter`] over them in memory.
//! A key is looked up in the map and in the runs whose filter lets it through. Runs are dropped when all
//! their keys have had their time.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    ops::Range,
};

use fjall::OwnedWriteBatch;
use foldhash::fast::RandomState;

use super::{
    Tables,
    filter::{Filter, Question},
};
use crate::{
    decide::{DedupKey, Remember},
    store::Error,
};

/// How many keys make a run. A map grows, and doubles, when seven eighths of it are full: one commit of many events
/// may go beyond this number and shall not get there.
const RUN_KEYS: usize = (1 << 18) / 8 * 6;
/// The most memory for filters, enough for 30 million keys. Beyond it the oldest are forgotten early.
const FILTER_BYTES: usize = 64 * 1024 * 1024;
/// How many parts a run is stored in, by its keys' first bits.
const PARTS: u64 = 1 << 10;
/// A key and until when it is remembered.
const ENTRY_BYTES: usize = 20;
/// The most rows that one sweep clears.
const SWEEP: usize = 10_000;
/// How many rows of sealed keys are cleared by one commit.
const CLEAR_AT_ONCE: u64 = 64;

pub(super) struct Seen {
    shelves: [Shelf; 2],
}

impl Seen {
    pub(super) fn load(tables: &Tables) -> Result<Self, Error> {
        Ok(Self {
            shelves: [
                Shelf::load(tables, b'a', RUN_KEYS)?,
                Shelf::load(tables, b'b', RUN_KEYS)?,
            ],
        })
    }

    pub(super) fn knows(&self, tables: &Tables, key: &DedupKey, now_s: u32) -> Result<bool, Error> {
        let question = Question::about(key);
        for shelf in &self.shelves {
            if shelf.knows(tables, key, &question, now_s)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Remembers a key from now on, until `until_s`. It is in the store once [`Seen::write`]'s commit is.
    pub(super) fn learn(&mut self, key: DedupKey, remember: Remember, until_s: u32) {
        let [short, long] = &mut self.shelves;
        match remember {
            Remember::Hours48 => short.learn(key, until_s),
            Remember::Days90 => long.learn(key, until_s),
        }
    }

    /// Adds what was learnt since the last call to a commit.
    pub(super) fn write(&mut self, tables: &Tables, batch: &mut OwnedWriteBatch) {
        for shelf in &mut self.shelves {
            shelf.write(tables, batch);
        }
    }

    /// Seals what is full.
    pub(super) fn seal(&mut self, tables: &Tables) -> Result<(), Error> {
        for shelf in &mut self.shelves {
            shelf.seal_if_full(tables)?;
        }
        Ok(())
    }

    /// Forgets what has had its time; the number of keys it is rid of.
    pub(super) fn expire(&mut self, tables: &Tables, now_s: u32) -> Result<usize, Error> {
        let mut forgotten = 0;
        for shelf in &mut self.shelves {
            forgotten += shelf.expire(tables, now_s)?;
        }
        Ok(forgotten)
    }
}

struct Shelf {
    /// Names its rows in the store; in upper case, its filters.
    tag: u8,
    run_keys: usize,
    young: HashMap<DedupKey, u32, RandomState>,
    /// The row of the commit under way.
    fresh: Vec<u8>,
    /// The rows whose keys are young.
    rows: Range<u64>,
    /// Rows before this one are gone from the store.
    cleared: u64,
    runs: VecDeque<Run>,
}

struct Run {
    /// The number of the first row that is not in it.
    number: u64,
    /// When its last key has had its time, in Unix seconds.
    until: u32,
    keys: usize,
    filter: Filter,
}

impl Shelf {
    fn load(tables: &Tables, tag: u8, run_keys: usize) -> Result<Self, Error> {
        let mut runs = VecDeque::new();
        for row in tables.seen.prefix([tag.to_ascii_uppercase()]) {
            let (key, value) = row.into_inner()?;
            runs.push_back(Run::read(row_number(&key)?, &value)?);
        }
        let covered = runs.back().map_or(0, |run| run.number);
        let mut shelf = Self {
            tag,
            run_keys,
            young: HashMap::default(),
            fresh: Vec::new(),
            rows: covered..covered,
            cleared: covered,
            runs,
        };
        let mut first = None;
        for row in tables.seen.prefix([tag]) {
            let (key, value) = row.into_inner()?;
            let number = row_number(&key)?;
            first = first.or(Some(number));
            if number >= covered {
                shelf.young.extend(entries(&value)?);
                shelf.rows.end = number + 1;
            }
        }
        let first = first.unwrap_or(shelf.rows.end);
        shelf.cleared = first.min(covered);
        shelf.rows.start = first.max(covered);
        Ok(shelf)
    }

    fn knows(
        &self,
        tables: &Tables,
        key: &DedupKey,
        question: &Question,
        now_s: u32,
    ) -> Result<bool, Error> {
        if self.young.get(key).is_some_and(|until| *until > now_s) {
            return Ok(true);
        }
        for run in self.runs.iter().rev() {
            if run.filter.may_contain(question)
                && let Some(until) = run.until_of(tables, self.tag, key)?
                && until > now_s
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn learn(&mut self, key: DedupKey, until: u32) {
        write_entry(&mut self.fresh, &key, until);
        self.young.insert(key, until);
    }

    fn write(&mut self, tables: &Tables, batch: &mut OwnedWriteBatch) {
        let clear_to = self.rows.start.min(self.cleared + CLEAR_AT_ONCE);
        for number in self.cleared..clear_to {
            batch.remove(&tables.seen, row_key(self.tag, number));
        }
        self.cleared = clear_to;
        if !self.fresh.is_empty() {
            let row = row_key(self.tag, self.rows.end);
            batch.insert(&tables.seen, row, mem::take(&mut self.fresh));
            self.rows.end += 1;
        }
    }

    fn seal_if_full(&mut self, tables: &Tables) -> Result<(), Error> {
        if self.young.len() < self.run_keys {
            return Ok(());
        }
        let mut keys: Vec<_> = self.young.drain().collect();
        keys.sort_unstable();
        let run = Run {
            number: self.rows.end,
            until: keys.iter().map(|(_, until)| *until).max().unwrap_or(0),
            keys: keys.len(),
            filter: Filter::of(keys.iter().map(|(key, _)| key)),
        };
        let mut batch = tables.database.batch();
        for part in keys.chunk_by(|(one, _), (next, _)| part_of(one) == part_of(next)) {
            let mut value = Vec::with_capacity(part.len() * ENTRY_BYTES);
            for (key, until) in part {
                write_entry(&mut value, key, *until);
            }
            if let Some((first, _)) = part.first() {
                let key = run.part_key(self.tag, part_of(first));
                tables.runs.insert(&mut batch, key, value)?;
            }
        }
        batch.insert(&tables.seen, run.key(self.tag), run.header());
        batch.commit()?;
        self.rows.start = self.rows.end;
        self.runs.push_back(run);
        let held = |runs: &VecDeque<Run>| runs.iter().map(|run| run.filter.bytes()).sum::<usize>();
        while held(&self.runs) > FILTER_BYTES {
            let keys = self.drop_oldest(tables)?;
            tracing::warn!(
                keys,
                "more events than can be remembered; the oldest are forgotten early"
            );
        }
        Ok(())
    }

    fn expire(&mut self, tables: &Tables, now_s: u32) -> Result<usize, Error> {
        let mut forgotten = 0;
        while self.runs.front().is_some_and(|run| run.until <= now_s) {
            forgotten += self.drop_oldest(tables)?;
        }
        let mut batch = tables.database.batch();
        while !self.rows.is_empty() && batch.len() < SWEEP {
            let row = row_key(self.tag, self.rows.start);
            if let Some(value) = tables.seen.get(row)? {
                // A row that does not read back is forgotten with the rest.
                let entries: Vec<_> = entries(&value).into_iter().flatten().collect();
                if entries.iter().any(|(_, until)| *until > now_s) {
                    break;
                }
                for (key, _) in entries {
                    if self.young.get(&key).is_some_and(|until| *until <= now_s) {
                        self.young.remove(&key);
                        forgotten += 1;
                    }
                }
            }
            batch.remove(&tables.seen, row);
            self.rows.start += 1;
            self.cleared = self.rows.start;
        }
        batch.commit()?;
        Ok(forgotten)
    }

    fn drop_oldest(&mut self, tables: &Tables) -> Result<usize, Error> {
        let Some(run) = self.runs.pop_front() else {
            return Ok(0);
        };
        let mut batch = tables.database.batch();
        for row in tables.runs.prefix(row_key(self.tag, run.number)) {
            tables.runs.remove(&mut batch, row.key()?);
        }
        batch.remove(&tables.seen, run.key(self.tag));
        batch.commit()?;
        Ok(run.keys)
    }
}

impl Run {
    fn key(&self, tag: u8) -> [u8; 9] {
        row_key(tag.to_ascii_uppercase(), self.number)
    }

    fn part_key(&self, tag: u8, part: u16) -> Vec<u8> {
        [&row_key(tag, self.number)[..], &part.to_be_bytes()].concat()
    }

    fn header(&self) -> Vec<u8> {
        let mut header = self.until.to_be_bytes().to_vec();
        header.extend_from_slice(&(self.keys as u64).to_be_bytes());
        self.filter.write(&mut header);
        header
    }

    fn read(number: u64, header: &[u8]) -> Result<Self, Error> {
        let (until, rest) = header.split_first_chunk().ok_or(Error::Corrupt)?;
        let (keys, filter) = rest.split_first_chunk().ok_or(Error::Corrupt)?;
        Ok(Self {
            number,
            until: u32::from_be_bytes(*until),
            keys: usize::try_from(u64::from_be_bytes(*keys)).map_err(|_| Error::Corrupt)?,
            filter: Filter::read(filter).ok_or(Error::Corrupt)?,
        })
    }

    fn until_of(&self, tables: &Tables, tag: u8, key: &DedupKey) -> Result<Option<u32>, Error> {
        let Some(part) = tables.runs.get(self.part_key(tag, part_of(key)))? else {
            return Ok(None);
        };
        let (entries, _) = part.as_chunks::<ENTRY_BYTES>();
        let found = entries.binary_search_by_key(key, |entry| read_entry(entry).0);
        let entry = found.ok().and_then(|at| entries.get(at));
        Ok(entry.map(|entry| read_entry(entry).1))
    }
}

fn row_key(tag: u8, number: u64) -> [u8; 9] {
    let mut key = [tag; 9];
    for (byte, digit) in key.iter_mut().skip(1).zip(number.to_be_bytes()) {
        *byte = digit;
    }
    key
}

fn row_number(key: &[u8]) -> Result<u64, Error> {
    let number = key.last_chunk().ok_or(Error::Corrupt)?;
    Ok(u64::from_be_bytes(*number))
}

fn part_of(key: &DedupKey) -> u16 {
    let [high, _] = key.halves();
    u16::try_from(high / (u64::MAX / PARTS + 1)).unwrap_or(u16::MAX)
}

fn write_entry(to: &mut Vec<u8>, key: &DedupKey, until: u32) {
    to.extend_from_slice(key.as_bytes());
    to.extend_from_slice(&until.to_be_bytes());
}

fn read_entry(entry: &[u8; ENTRY_BYTES]) -> (DedupKey, u32) {
    let [key @ .., a, b, c, d] = *entry;
    (DedupKey::from_bytes(key), u32::from_be_bytes([a, b, c, d]))
}

fn entries(row: &[u8]) -> Result<impl Iterator<Item = (DedupKey, u32)>, Error> {
    let (entries, rest) = row.as_chunks::<ENTRY_BYTES>();
    if rest.is_empty() {
        Ok(entries.iter().map(read_entry))
    } else {
        Err(Error::Corrupt)
    }
}

#[cfg(test)]
mod tests;
