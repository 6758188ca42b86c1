//! A Bloom filter over a set of deduplication keys. For each key it answers one of two things: the key is certainly not
//! in the set, or the key may be in the set. For a key that is not in the set, the answer is wrong ("may be") about once
//! in 500.
//!
//! All bits of a key are in one block of 64 bytes, so looking up a key reads memory only once.

use crate::decide::DedupKey;

const BLOCK_WORDS: usize = 8;
const BITS_PER_KEY: usize = 16;
const PROBES: u32 = 7;

pub(super) struct BloomFilter(Vec<[u64; BLOCK_WORDS]>);

/// A key, prepared for a look-up. The preparation is done once for the filters of all segments, so that the processor can
/// load one block of each filter at the same time.
pub(super) struct Probe {
    /// The bits of the key that select its block.
    high: u64,
    /// The key's bits in its block.
    bits: [u64; BLOCK_WORDS],
}

impl Probe {
    /// Prepares a key. A key is a digest, so its bits can be used as if they were random.
    pub(super) fn about(key: &DedupKey) -> Self {
        let [high, mut low] = key.halves();
        let mut bits = [0; BLOCK_WORDS];
        for _ in 0..PROBES {
            let word = (low & 7) as usize;
            if let Some(word) = bits.get_mut(word) {
                *word |= 1 << ((low >> 3) & 63);
            }
            low >>= 9;
        }
        Self { high, bits }
    }
}

impl BloomFilter {
    pub(super) fn of<'a>(keys: impl ExactSizeIterator<Item = &'a DedupKey>) -> Self {
        let blocks = (keys.len() * BITS_PER_KEY)
            .div_ceil(BLOCK_WORDS * 64)
            .max(1);
        let mut filter = Self(vec![[0; BLOCK_WORDS]; blocks]);
        for key in keys {
            let probe = Probe::about(key);
            let at = filter.block(&probe);
            if let Some(block) = filter.0.get_mut(at) {
                for (word, bits) in block.iter_mut().zip(probe.bits) {
                    *word |= bits;
                }
            }
        }
        filter
    }

    pub(super) fn may_contain(&self, probe: &Probe) -> bool {
        let Some(block) = self.0.get(self.block(probe)) else {
            return false;
        };
        let words = block.iter().zip(probe.bits);
        // Without branches, the processor can read the next filter before this filter's result is known.
        words.fold(0, |missing, (word, bits)| missing | (bits & !word)) == 0
    }

    fn block(&self, probe: &Probe) -> usize {
        let scaled = (u128::from(probe.high) * self.0.len() as u128) >> 64;
        usize::try_from(scaled).unwrap_or_default()
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.len() * BLOCK_WORDS * 8
    }

    pub(super) fn write(&self, to: &mut Vec<u8>) {
        to.extend(self.0.iter().flatten().flat_map(|word| word.to_be_bytes()));
    }

    /// Reads a filter. Returns `None` if the bytes were not written by [`BloomFilter::write`].
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<8>();
        let words: Vec<u64> = words.iter().map(|word| u64::from_be_bytes(*word)).collect();
        let (blocks, left) = words.as_chunks::<BLOCK_WORDS>();
        (rest.is_empty() && left.is_empty() && !blocks.is_empty()).then(|| Self(blocks.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(from: u64, count: u64) -> Vec<DedupKey> {
        (from..from + count).map(DedupKey::numbered).collect()
    }

    #[test]
    fn a_key_it_was_made_of_is_always_found_and_another_seldom() {
        let inside = keys(0, 20_000);
        let filter = BloomFilter::of(inside.iter());
        assert!(
            inside
                .iter()
                .all(|key| filter.may_contain(&Probe::about(key)))
        );
        let others = keys(1_000_000, 20_000);
        let found = others
            .iter()
            .filter(|key| filter.may_contain(&Probe::about(key)))
            .count();
        assert!(found < 20_000 / 300, "{found}");
    }

    #[test]
    fn it_reads_back() {
        let inside = keys(0, 100);
        let mut bytes = Vec::new();
        BloomFilter::of(inside.iter()).write(&mut bytes);
        let filter = BloomFilter::read(&bytes).unwrap();
        assert_eq!(filter.bytes(), bytes.len());
        assert!(
            inside
                .iter()
                .all(|key| filter.may_contain(&Probe::about(key)))
        );
        assert!(BloomFilter::read(&bytes[1..]).is_none() && BloomFilter::read(&[]).is_none());
    }
}
