//! The history as rows of one table. A settlement writes one row for all of its events and no index of their ids, so
//! that the history hardly slows delivery down. Without an index, a search must read all rows. The search unpacks every
//! row, but parses only the few rows that contain one of the wanted ids.
//!
//! | Key | Value |
//! |---|---|
//! | `e`, [`LetterId`] of the first event | how many events (4 bytes), then an [`End`], see [`packed`] |
//! | `h`, start of an hour (ms, 8 bytes) | [`Hour`] as JSON: the events that were accepted in this hour |
//! | `n`, start of an hour (ms, 8 bytes) | how many events of the `e` rows ended in this hour, 8 bytes |
//! | `x`, digest of an order id | when the order's records were removed (ms, 8 bytes) |

use std::{
    collections::{BTreeMap, btree_map::Entry},
    ops::Range,
};

use fjall::{Database, KeyspaceCreateOptions, OwnedWriteBatch, UserKey, config::BlockSizePolicy};

use super::table::Table;
use crate::{
    decide::{LetterId, Records},
    history::{Digest, End, Hour, Wanted},
    store::{
        Ends, Error, Most,
        end::{Covered, is_covered, packed, read, text},
    },
};

/// How many events the history keeps at most. A search reads all of them.
const MOST_EVENTS: u64 = 1_000_000;
/// How many hours stay in memory. Most events end in the hour in which they were accepted.
const HOURS_IN_MEMORY: usize = 8;
/// How many bytes of written data stay in memory before they go into a table.
const IN_MEMORY_BYTES: u64 = 4 * 1024 * 1024;

/// Returns the options for the table. Its rows are read in order, and most rows are small.
pub(super) fn options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(IN_MEMORY_BYTES)
        .data_block_size_policy(BlockSizePolicy::all(32 * 1024))
}

/// The writer's part of the history.
pub(super) struct History {
    hours: BTreeMap<i64, Hour>,
    /// How many events of the history ended in each hour.
    kept: BTreeMap<i64, u64>,
    /// How many events the history keeps at most.
    pub(super) most: u64,
    /// The key from which reading starts. No end has a smaller key. Without this key, the store would first skip the
    /// removed rows, which is slow.
    first: Vec<u8>,
}

impl History {
    pub(super) fn load(rows: &Table) -> Result<Self, Error> {
        let kept = rows.prefix("n").map(|row| {
            let (key, value) = row.into_inner()?;
            Ok((time_of(&key)?, number(&value)?))
        });
        Ok(Self {
            hours: BTreeMap::new(),
            kept: kept.collect::<Result<_, Error>>()?,
            most: MOST_EVENTS,
            first: b"e".to_vec(),
        })
    }

    /// Adds the ended events of a commit.
    pub(super) fn write(
        &mut self,
        rows: &Table,
        batch: &mut OwnedWriteBatch,
        records: &Records,
    ) -> Result<(), Error> {
        for (order, at_ms) in &records.covered {
            rows.insert(batch, covered_key(*order), at_ms.to_be_bytes())?;
        }
        let (mut hours, mut ended_in) = (Vec::new(), Vec::new());
        for (id, end) in &records.ends {
            rows.insert(batch, end_key(*id), packed(end)?)?;
            let ended_ms = Hour::start_of(end.at_ms);
            *self.kept.entry(ended_ms).or_default() += end.events.len() as u64;
            ended_in.push(ended_ms);
            for ended in &end.events {
                let hour_ms = Hour::start_of(ended.accepted_ms);
                self.hour(rows, hour_ms)?.add(end, ended);
                hours.push(hour_ms);
            }
        }
        self.write_kept(rows, batch, ended_in)?;
        hours.sort_unstable();
        hours.dedup();
        for hour_ms in hours {
            let hour = serde_json::to_vec(self.hour(rows, hour_ms)?);
            let hour = hour.map_err(|_| Error::Unwritable)?;
            rows.insert(batch, timed_key(b'h', hour_ms), hour)?;
        }
        while self.hours.len() > HOURS_IN_MEMORY {
            self.hours.pop_first();
        }
        Ok(())
    }

    /// Removes the oldest ends: the ends before `before_ms`, and more ends while the history has too many events. Removes
    /// at most `most` rows.
    pub(super) fn trim(
        &mut self,
        database: &Database,
        rows: &Table,
        before_ms: i64,
        most: usize,
    ) -> Result<(), Error> {
        let mut surplus = self.surplus();
        if surplus == 0
            && self
                .kept
                .keys()
                .next()
                .is_none_or(|oldest| *oldest >= before_ms)
        {
            return Ok(());
        }
        let mut batch = database.batch();
        let mut ended_in = Vec::new();
        for row in rows.range(self.first.clone()..vec![b'e' + 1]).take(most) {
            let (key, value) = row.into_inner()?;
            let id = key.get(1..).and_then(LetterId::from_bytes);
            let ended_ms = id.ok_or(Error::Corrupt)?.ended_at_ms();
            if ended_ms >= before_ms && surplus == 0 {
                self.first = key.to_vec();
                break;
            }
            let (events, _) = value.split_first_chunk().ok_or(Error::Corrupt)?;
            let events = u64::from(u32::from_be_bytes(*events));
            surplus = surplus.saturating_sub(events);
            let hour_ms = Hour::start_of(ended_ms);
            let kept = self.kept.entry(hour_ms).or_default();
            *kept = kept.saturating_sub(events);
            ended_in.push(hour_ms);
            self.first = key.to_vec();
            rows.remove(&mut batch, key);
        }
        self.write_kept(rows, &mut batch, ended_in)?;
        self.kept.retain(|_, events| *events > 0);
        Ok(batch.commit()?)
    }

    /// Returns by how many events the history exceeds its limit.
    pub(super) fn surplus(&self) -> u64 {
        let kept: u64 = self.kept.values().sum();
        kept.saturating_sub(self.most)
    }

    fn write_kept(
        &self,
        rows: &Table,
        batch: &mut OwnedWriteBatch,
        mut hours: Vec<i64>,
    ) -> Result<(), Error> {
        hours.sort_unstable();
        hours.dedup();
        for hour_ms in hours {
            let key = timed_key(b'n', hour_ms);
            match self.kept.get(&hour_ms) {
                Some(events) if *events > 0 => rows.insert(batch, key, events.to_be_bytes())?,
                _ => rows.remove(batch, key),
            }
        }
        Ok(())
    }

    fn hour(&mut self, rows: &Table, hour_ms: i64) -> Result<&mut Hour, Error> {
        match self.hours.entry(hour_ms) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(unknown) => {
                let stored = rows.get(timed_key(b'h', hour_ms))?;
                let hour = stored.map(|hour| read_hour(&hour)).transpose()?;
                Ok(unknown.insert(hour.unwrap_or_default()))
            }
        }
    }

    /// Removes hours that started before `hours_ms`. Also removes the marks of removed records if the history has no
    /// records from before the mark any more.
    pub(super) fn expire(
        &mut self,
        database: &Database,
        rows: &Table,
        history_ms: i64,
        hours_ms: i64,
    ) -> Result<(), Error> {
        self.hours = self.hours.split_off(&hours_ms);
        let mut batch = database.batch();
        for row in rows.range(timed_key(b'h', 0)..timed_key(b'h', hours_ms)) {
            rows.remove(&mut batch, row.key()?);
        }
        for row in rows.prefix("x") {
            let (key, value) = row.into_inner()?;
            if i64::try_from(number(&value)?).unwrap_or(i64::MAX) < history_ms {
                rows.remove(&mut batch, key);
            }
        }
        Ok(batch.commit()?)
    }
}

/// Returns ends, the newest first. With `before`, returns only ends before this one. Leaves out events whose records were
/// removed.
pub(super) fn ends(rows: &Table, before: Option<LetterId>, most: Most) -> Result<Ends, Error> {
    let covered = all_covered(rows)?;
    let mut found = Ends::new();
    let (mut events, mut bytes) = (0, 0);
    for row in newest_first(rows, before) {
        if events >= most.count || bytes >= most.bytes {
            break;
        }
        let (key, value) = row?;
        let mut end = read(&value)?;
        let at_ms = end.at_ms;
        end.events
            .retain(|ended| !is_covered(&covered, ended, at_ms));
        events += end.events.len();
        bytes += value.len();
        if !end.events.is_empty() {
            found.push((key, end));
        }
    }
    Ok(found)
}

/// Returns when the oldest end was written, in Unix milliseconds.
pub(super) fn oldest(rows: &Table) -> Result<Option<i64>, Error> {
    let Some(row) = rows.prefix("e").next() else {
        return Ok(None);
    };
    let key = row.key()?;
    let id = key.get(1..).and_then(LetterId::from_bytes);
    Ok(Some(id.ok_or(Error::Corrupt)?.ended_at_ms()))
}

/// Searches all ends, the newest first, until `most` events are found.
pub(super) fn find(rows: &Table, wanted: &Wanted, most: usize) -> Result<Ends, Error> {
    let covered = all_covered(rows)?;
    let search = wanted.search();
    let mut found = Ends::new();
    let mut events = 0;
    for row in newest_first(rows, None) {
        let (id, value) = row?;
        let text = text(&value)?;
        if !search.finds(&text) {
            continue;
        }
        let end: End = serde_json::from_slice(&text).map_err(|_| Error::Corrupt)?;
        let at_ms = end.at_ms;
        if let Some(end) = wanted.pick(end, |ended| is_covered(&covered, ended, at_ms)) {
            events += end.events.len();
            found.push((id, end));
        }
        if events >= most {
            break;
        }
    }
    Ok(found)
}

pub(super) fn hours(rows: &Table, starts: Range<i64>) -> Result<Vec<(i64, Hour)>, Error> {
    let [from, to] = [starts.start, starts.end].map(|ms| timed_key(b'h', ms));
    let hours = rows.range(from..to).map(|row| {
        let (key, value) = row.into_inner()?;
        Ok((time_of(&key)?, read_hour(&value)?))
    });
    hours.collect()
}

pub(super) fn covered(rows: &Table, order: Digest) -> Result<Option<i64>, Error> {
    let at_ms = rows.get(covered_key(order))?;
    let at_ms = at_ms.map(|at_ms| number(&at_ms)).transpose()?;
    Ok(at_ms.and_then(|at_ms| i64::try_from(at_ms).ok()))
}

fn all_covered(rows: &Table) -> Result<Covered, Error> {
    let covered = rows.prefix("x").map(|row| {
        let (key, value) = row.into_inner()?;
        let at_ms = i64::try_from(number(&value)?).map_err(|_| Error::Corrupt)?;
        Ok((key.get(1..).unwrap_or_default().to_vec(), at_ms))
    });
    covered.collect()
}

fn newest_first(
    rows: &Table,
    before: Option<LetterId>,
) -> impl Iterator<Item = Result<(LetterId, fjall::UserValue), Error>> + use<> {
    let end = before.map_or_else(|| vec![b'e' + 1], end_key);
    rows.range(b"e".to_vec()..end).rev().map(|row| {
        let (key, value) = row.into_inner()?;
        let id = key.get(1..).and_then(LetterId::from_bytes);
        Ok((id.ok_or(Error::Corrupt)?, value))
    })
}

fn read_hour(value: &[u8]) -> Result<Hour, Error> {
    serde_json::from_slice(value).map_err(|_| Error::Corrupt)
}

fn number(value: &[u8]) -> Result<u64, Error> {
    let bytes = value.try_into().map_err(|_| Error::Corrupt)?;
    Ok(u64::from_be_bytes(bytes))
}

fn end_key(id: LetterId) -> Vec<u8> {
    [&b"e"[..], &id.to_bytes()].concat()
}

pub(super) fn timed_key(kind: u8, ms: i64) -> Vec<u8> {
    [&[kind][..], &ms.max(0).to_be_bytes()].concat()
}

fn time_of(key: &UserKey) -> Result<i64, Error> {
    let bytes = key.get(1..).and_then(|bytes| bytes.try_into().ok());
    bytes.map(i64::from_be_bytes).ok_or(Error::Corrupt)
}

fn covered_key(order: Digest) -> Vec<u8> {
    [&b"x"[..], order.as_bytes()].concat()
}

#[cfg(test)]
mod tests;
