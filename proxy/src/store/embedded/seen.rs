//! Remembers which events were accepted recently, so that repeats are recognised. The memory is exact, survives restarts and is
//! bounded.
//!
//! There are two indexes: one for events that are remembered for 48 hours, and one for events of orders, which are remembered
//! for 90 days. In each index the newest keys are in a map in memory. The store has these keys too, with one row for each
//! commit. A full map is sealed into a segment: its sorted keys are in the store, and a Bloom filter over them is in memory. A
//! key is looked up in the map and in the segments whose filter accepts the key. A segment is dropped after all of its keys
//! have expired.

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

/// How many keys form a segment. A map doubles its memory when it is seven eighths full. One commit with many events can exceed
/// this number, but must not reach that point.
const SEGMENT_KEYS: usize = (1 << 18) / 8 * 6;

/// The first bytes of the names of the rows of both indexes.
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

    /// Remembers a key until `until_s`. The key is in the store after the commit of [`Seen::write`].
    pub(super) fn learn(&mut self, key: DedupKey, remember: Remember, until_s: u32) {
        let [short, long] = &mut self.indexes;
        match remember {
            Remember::Hours48 => short.learn(key, until_s),
            Remember::Days90 => long.learn(key, until_s),
        }
    }

    /// Adds the keys that were remembered since the last call to a commit.
    pub(super) fn write(&mut self, tables: &Tables, batch: &mut OwnedWriteBatch) {
        for index in &mut self.indexes {
            index.write(tables, batch);
        }
    }

    /// Seals full maps.
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

/// Reads a row of keys, and until when they are remembered, in Unix seconds.
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
