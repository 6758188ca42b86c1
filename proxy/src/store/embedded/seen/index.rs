//! The deduplication keys of one period. The newest keys are in a map, the other keys are in segments.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    ops::Range,
};

use fjall::OwnedWriteBatch;
use foldhash::fast::RandomState;

use super::{
    row_key, row_number,
    segment::{ENTRY_BYTES, Segment, entries, part_of, write_entry},
};
use crate::{
    decide::DedupKey,
    store::{
        Error,
        embedded::{
            Tables,
            filter::{BloomFilter, Probe},
        },
    },
};

/// The most memory for filters, which is enough for 30 million keys. If there are more keys, the oldest are forgotten
/// before their time.
const FILTER_BYTES: usize = 64 * 1024 * 1024;
/// The most rows that one sweep removes.
const SWEEP: usize = 10_000;
/// How many rows a commit removes from the store at most. The keys of these rows are already in a segment.
const CLEAR_AT_ONCE: u64 = 64;

pub(super) struct Index {
    /// The first byte of the names of this index's rows in the store. The same letter in upper case marks the rows of the
    /// filters.
    pub(super) tag: u8,
    pub(super) segment_keys: usize,
    pub(super) recent: HashMap<DedupKey, u32, RandomState>,
    /// The keys that the current commit will write as one row.
    pub(super) unwritten: Vec<u8>,
    /// The numbers of the rows whose keys are in the map.
    pub(super) rows: Range<u64>,
    /// Every row of keys with a smaller number was removed from the store.
    pub(super) cleared: u64,
    pub(super) segments: VecDeque<Segment>,
}

impl Index {
    pub(super) fn load(tables: &Tables, tag: u8, segment_keys: usize) -> Result<Self, Error> {
        let mut segments = VecDeque::new();
        for row in tables.seen.prefix([tag.to_ascii_uppercase()]) {
            let (key, value) = row.into_inner()?;
            segments.push_back(Segment::read(row_number(&key)?, &value)?);
        }
        let covered = segments.back().map_or(0, |segment| segment.number);
        let mut index = Self {
            tag,
            segment_keys,
            recent: HashMap::default(),
            unwritten: Vec::new(),
            rows: covered..covered,
            cleared: covered,
            segments,
        };
        let mut first = None;
        for row in tables.seen.prefix([tag]) {
            let (key, value) = row.into_inner()?;
            let number = row_number(&key)?;
            first = first.or(Some(number));
            if number >= covered {
                index.recent.extend(entries(&value)?);
                index.rows.end = number + 1;
            }
        }
        let first = first.unwrap_or(index.rows.end);
        index.cleared = first.min(covered);
        index.rows.start = first.max(covered);
        Ok(index)
    }

    pub(super) fn knows(
        &self,
        tables: &Tables,
        key: &DedupKey,
        probe: &Probe,
        now_s: u32,
    ) -> Result<bool, Error> {
        if self.recent.get(key).is_some_and(|until| *until > now_s) {
            return Ok(true);
        }
        for segment in self.segments.iter().rev() {
            if segment.filter.may_contain(probe)
                && let Some(until) = segment.until_of(tables, self.tag, key)?
                && until > now_s
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn learn(&mut self, key: DedupKey, until: u32) {
        write_entry(&mut self.unwritten, &key, until);
        self.recent.insert(key, until);
    }

    pub(super) fn write(&mut self, tables: &Tables, batch: &mut OwnedWriteBatch) {
        let clear_to = self.rows.start.min(self.cleared + CLEAR_AT_ONCE);
        for number in self.cleared..clear_to {
            batch.remove(&tables.seen, row_key(self.tag, number));
        }
        self.cleared = clear_to;
        if !self.unwritten.is_empty() {
            let row = row_key(self.tag, self.rows.end);
            batch.insert(&tables.seen, row, mem::take(&mut self.unwritten));
            self.rows.end += 1;
        }
    }

    pub(super) fn seal_if_full(&mut self, tables: &Tables) -> Result<(), Error> {
        if self.recent.len() < self.segment_keys {
            return Ok(());
        }
        let mut keys: Vec<_> = self.recent.drain().collect();
        keys.sort_unstable();
        let segment = Segment {
            number: self.rows.end,
            until: keys.iter().map(|(_, until)| *until).max().unwrap_or(0),
            keys: keys.len(),
            filter: BloomFilter::of(keys.iter().map(|(key, _)| key)),
        };
        let mut batch = tables.database.batch();
        for part in keys.chunk_by(|(one, _), (next, _)| part_of(one) == part_of(next)) {
            let mut value = Vec::with_capacity(part.len() * ENTRY_BYTES);
            for (key, until) in part {
                write_entry(&mut value, key, *until);
            }
            if let Some((first, _)) = part.first() {
                let key = segment.part_key(self.tag, part_of(first));
                tables.segments.insert(&mut batch, key, value)?;
            }
        }
        batch.insert(&tables.seen, segment.key(self.tag), segment.header());
        batch.commit()?;
        self.rows.start = self.rows.end;
        self.segments.push_back(segment);
        let held = |segments: &VecDeque<Segment>| {
            segments
                .iter()
                .map(|segment| segment.filter.bytes())
                .sum::<usize>()
        };
        while held(&self.segments) > FILTER_BYTES {
            let keys = self.drop_oldest(tables)?;
            tracing::warn!(
                keys,
                "too many event ids to remember; the oldest ids are forgotten before their time, and a repeat of such an event would be accepted"
            );
        }
        Ok(())
    }

    pub(super) fn expire(&mut self, tables: &Tables, now_s: u32) -> Result<usize, Error> {
        let mut forgotten = 0;
        while self
            .segments
            .front()
            .is_some_and(|segment| segment.until <= now_s)
        {
            forgotten += self.drop_oldest(tables)?;
        }
        let mut batch = tables.database.batch();
        while !self.rows.is_empty() && batch.len() < SWEEP {
            let row = row_key(self.tag, self.rows.start);
            if let Some(value) = tables.seen.get(row)? {
                // If a row cannot be read, its keys are forgotten together with the others.
                let entries: Vec<_> = entries(&value).into_iter().flatten().collect();
                if entries.iter().any(|(_, until)| *until > now_s) {
                    break;
                }
                for (key, _) in entries {
                    if self.recent.get(&key).is_some_and(|until| *until <= now_s) {
                        self.recent.remove(&key);
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

    pub(super) fn drop_oldest(&mut self, tables: &Tables) -> Result<usize, Error> {
        let Some(segment) = self.segments.pop_front() else {
            return Ok(0);
        };
        let mut batch = tables.database.batch();
        for row in tables.segments.prefix(row_key(self.tag, segment.number)) {
            tables.segments.remove(&mut batch, row.key()?);
        }
        batch.remove(&tables.seen, segment.key(self.tag));
        batch.commit()?;
        Ok(segment.keys)
    }
}
