//! Keys that are not in the map any more. The store has them sorted, and a filter over them is in memory.

use super::row_key;
use crate::{
    decide::DedupKey,
    store::{
        Error,
        embedded::{Tables, filter::BloomFilter},
    },
};

/// The number of parts in which a segment is stored. The first bits of a key select its part.
const PARTS: u64 = 1 << 10;
/// The size of a key with the time until which it is remembered.
pub(super) const ENTRY_BYTES: usize = 20;

pub(super) struct Segment {
    /// The number of the first row after the segment's rows.
    pub(super) number: u64,
    /// When the last key expires, in Unix seconds.
    pub(super) until: u32,
    pub(super) keys: usize,
    pub(super) filter: BloomFilter,
}

impl Segment {
    pub(super) fn key(&self, tag: u8) -> [u8; 9] {
        row_key(tag.to_ascii_uppercase(), self.number)
    }

    pub(super) fn part_key(&self, tag: u8, part: u16) -> Vec<u8> {
        [&row_key(tag, self.number)[..], &part.to_be_bytes()].concat()
    }

    pub(super) fn header(&self) -> Vec<u8> {
        let mut header = self.until.to_be_bytes().to_vec();
        header.extend_from_slice(&(self.keys as u64).to_be_bytes());
        self.filter.write(&mut header);
        header
    }

    pub(super) fn read(number: u64, header: &[u8]) -> Result<Self, Error> {
        let (until, rest) = header.split_first_chunk().ok_or(Error::Corrupt)?;
        let (keys, filter) = rest.split_first_chunk().ok_or(Error::Corrupt)?;
        Ok(Self {
            number,
            until: u32::from_be_bytes(*until),
            keys: usize::try_from(u64::from_be_bytes(*keys)).map_err(|_| Error::Corrupt)?,
            filter: BloomFilter::read(filter).ok_or(Error::Corrupt)?,
        })
    }

    pub(super) fn until_of(
        &self,
        tables: &Tables,
        tag: u8,
        key: &DedupKey,
    ) -> Result<Option<u32>, Error> {
        let Some(part) = tables.segments.get(self.part_key(tag, part_of(key)))? else {
            return Ok(None);
        };
        let (entries, _) = part.as_chunks::<ENTRY_BYTES>();
        let found = entries.binary_search_by_key(key, |entry| read_entry(entry).0);
        let entry = found.ok().and_then(|at| entries.get(at));
        Ok(entry.map(|entry| read_entry(entry).1))
    }
}

pub(super) fn part_of(key: &DedupKey) -> u16 {
    let [high, _] = key.halves();
    u16::try_from(high / (u64::MAX / PARTS + 1)).unwrap_or(u16::MAX)
}

pub(super) fn write_entry(to: &mut Vec<u8>, key: &DedupKey, until: u32) {
    to.extend_from_slice(key.as_bytes());
    to.extend_from_slice(&until.to_be_bytes());
}

pub(super) fn read_entry(entry: &[u8; ENTRY_BYTES]) -> (DedupKey, u32) {
    let [key @ .., a, b, c, d] = *entry;
    (DedupKey::from_bytes(key), u32::from_be_bytes([a, b, c, d]))
}

pub(super) fn entries(row: &[u8]) -> Result<impl Iterator<Item = (DedupKey, u32)>, Error> {
    let (entries, rest) = row.as_chunks::<ENTRY_BYTES>();
    if rest.is_empty() {
        Ok(entries.iter().map(read_entry))
    } else {
        Err(Error::Corrupt)
    }
}
