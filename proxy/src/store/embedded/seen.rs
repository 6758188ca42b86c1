//! Remembers which events were accepted recently, so that repeats are recognised. The memory has no false answers,
//! survives restarts and has a size limit.
//!
//! There are two indexes: one for events that are remembered for 48 hours, and one for events of orders, which are
//! remembered for 90 days. In each index a map in memory has the newest keys. The store has these keys too, in one row
//! for each commit. When the map is full, its keys become a segment: the sorted keys are in the store, and a Bloom filter
//! over them is in memory. A key is looked up in the map, and then in each segment whose filter says that the key may be
//! there. A segment is dropped after all of its keys have expired.

use fjall::OwnedWriteBatch;

use super::{Tables, filter::Probe};
use crate::{
    decide::{DedupKey, Remember},
    store::Error,
};

mod index;
mod segment;

use index::Index;
use segment::entries;

/// How many keys form a segment. The limit is six eighths of the map's size, because the map doubles its memory if it
/// has more than seven eighths. A commit with many events can exceed the limit by some thousand keys without reaching
/// seven eighths.
const SEGMENT_KEYS: usize = (1 << 18) / 8 * 6;

/// The first byte of the names of each index's rows.
pub(super) const TAGS: [u8; 2] = [b'a', b'b'];

pub(super) struct Seen {
    indexes: [Index; 2],
}

impl Seen {
    pub(super) fn load(tables: &Tables) -> Result<Self, Error> {
        let [short, long] = TAGS;
        Ok(Self {
            indexes: [
                Index::load(tables, short, SEGMENT_KEYS)?,
                Index::load(tables, long, SEGMENT_KEYS)?,
            ],
        })
    }

    pub(super) fn knows(&self, tables: &Tables, key: &DedupKey, now_s: u32) -> Result<bool, Error> {
        let probe = Probe::about(key);
        for index in &self.indexes {
            if index.knows(tables, key, &probe, now_s)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Remembers a key until `until_s`. The key is in the store only after the commit to which [`Seen::write`] adds it.
    pub(super) fn learn(&mut self, key: DedupKey, remember: Remember, until_s: u32) {
        let [short, long] = &mut self.indexes;
        match remember {
            Remember::Hours48 => short.learn(key, until_s),
            Remember::Days90 => long.learn(key, until_s),
        }
    }

    /// Adds to a commit the keys that were remembered since the last call of this function.
    pub(super) fn write(&mut self, tables: &Tables, batch: &mut OwnedWriteBatch) {
        for index in &mut self.indexes {
            index.write(tables, batch);
        }
    }

    /// Turns each full map into a segment.
    pub(super) fn seal(&mut self, tables: &Tables) -> Result<(), Error> {
        for index in &mut self.indexes {
            index.seal_if_full(tables)?;
        }
        Ok(())
    }

    /// Forgets expired keys, and returns how many.
    pub(super) fn expire(&mut self, tables: &Tables, now_s: u32) -> Result<usize, Error> {
        let mut forgotten = 0;
        for index in &mut self.indexes {
            forgotten += index.expire(tables, now_s)?;
        }
        Ok(forgotten)
    }
}

/// Reads a row of keys. Returns each key with the time until which it is remembered, in Unix seconds.
pub(super) fn read_row(row: &[u8]) -> Result<Vec<(DedupKey, i64)>, Error> {
    let keys = entries(row)?.map(|(key, until)| (key, i64::from(until)));
    Ok(keys.collect())
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

#[cfg(test)]
mod tests;
