//! Which events were accepted lately, so that a repeat is recognised: exactly, across restarts, in bounded
//! memory.
//!
//! There are two indexes, for events that are remembered for 48 hours and those of orders, for 90 days. On
//! each the newest keys lie in a map in memory; the store has them too, one row for each commit. When the
//! map is full it is sealed into a segment: its keys, sorted, in the store, and a Bloom filter over them in memory.
//! A key is looked up in the map and in the segments whose filter lets it through. Segments are dropped when all
//! their keys have had their time.

use fjall::OwnedWriteBatch;

use super::{Tables, filter::Probe};
use crate::{
    decide::{DedupKey, Remember},
    store::Error,
};

mod index;
mod segment;

use index::Index;

/// How many keys make a segment. A map grows, and doubles, when seven eighths of it are full: one commit of many events
/// may go beyond this number and shall not get there.
const SEGMENT_KEYS: usize = (1 << 18) / 8 * 6;

pub(super) struct Seen {
    indexes: [Index; 2],
}

impl Seen {
    pub(super) fn load(tables: &Tables) -> Result<Self, Error> {
        Ok(Self {
            indexes: [
                Index::load(tables, b'a', SEGMENT_KEYS)?,
                Index::load(tables, b'b', SEGMENT_KEYS)?,
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

    /// Remembers a key from now on, until `until_s`. It is in the store once [`Seen::write`]'s commit is.
    pub(super) fn learn(&mut self, key: DedupKey, remember: Remember, until_s: u32) {
        let [short, long] = &mut self.indexes;
        match remember {
            Remember::Hours48 => short.learn(key, until_s),
            Remember::Days90 => long.learn(key, until_s),
        }
    }

    /// Adds what was learnt since the last call to a commit.
    pub(super) fn write(&mut self, tables: &Tables, batch: &mut OwnedWriteBatch) {
        for index in &mut self.indexes {
            index.write(tables, batch);
        }
    }

    /// Seals what is full.
    pub(super) fn seal(&mut self, tables: &Tables) -> Result<(), Error> {
        for index in &mut self.indexes {
            index.seal_if_full(tables)?;
        }
        Ok(())
    }

    /// Forgets what has had its time; the number of keys it is rid of.
    pub(super) fn expire(&mut self, tables: &Tables, now_s: u32) -> Result<usize, Error> {
        let mut forgotten = 0;
        for index in &mut self.indexes {
            forgotten += index.expire(tables, now_s)?;
        }
        Ok(forgotten)
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

#[cfg(test)]
mod tests;
