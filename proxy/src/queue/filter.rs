//! A Bloom filter over deduplication keys: says for certain that a key is not among those it was made of,
//! or that it may be (about once in 500 for others).
//!
//! All bits of a key lie in one block of 64 bytes, so that a question costs one look into memory.

use super::DedupKey;

const BLOCK_WORDS: usize = 8;
const BITS_PER_KEY: usize = 16;
const PROBES: u32 = 7;

pub(super) struct Filter(Vec<[u64; BLOCK_WORDS]>);

impl Filter {
    pub(super) fn of<'a>(keys: impl ExactSizeIterator<Item = &'a DedupKey>) -> Self {
        let blocks = (keys.len() * BITS_PER_KEY)
            .div_ceil(BLOCK_WORDS * 64)
            .max(1);
        let mut filter = Self(vec![[0; BLOCK_WORDS]; blocks]);
        for key in keys {
            let (block, bits) = filter.place(key);
            if let Some(block) = filter.0.get_mut(block) {
                for (word, bits) in block.iter_mut().zip(bits) {
                    *word |= bits;
                }
            }
        }
        filter
    }

    pub(super) fn may_contain(&self, key: &DedupKey) -> bool {
        let (block, bits) = self.place(key);
        self.0.get(block).is_some_and(|block| {
            block
                .iter()
                .zip(bits)
                .all(|(word, bits)| word & bits == bits)
        })
    }

    /// The key's block, and its bits there. A key is a digest: its bits are as good as random.
    fn place(&self, key: &DedupKey) -> (usize, [u64; BLOCK_WORDS]) {
        let [high, mut low] = key.halves();
        let scaled = (u128::from(high) * self.0.len() as u128) >> 64;
        let mut bits = [0; BLOCK_WORDS];
        for _ in 0..PROBES {
            let word = (low & 7) as usize;
            if let Some(word) = bits.get_mut(word) {
                *word |= 1 << ((low >> 3) & 63);
            }
            low >>= 9;
        }
        (usize::try_from(scaled).unwrap_or_default(), bits)
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.len() * BLOCK_WORDS * 8
    }

    pub(super) fn write(&self, to: &mut Vec<u8>) {
        to.extend(self.0.iter().flatten().flat_map(|word| word.to_be_bytes()));
    }

    /// `None` where this is not what [`Filter::write`] wrote.
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
        let filter = Filter::of(inside.iter());
        assert!(inside.iter().all(|key| filter.may_contain(key)));
        let others = keys(1_000_000, 20_000);
        let found = others.iter().filter(|key| filter.may_contain(key)).count();
        assert!(found < 20_000 / 300, "{found}");
    }

    #[test]
    fn it_reads_back() {
        let inside = keys(0, 100);
        let mut bytes = Vec::new();
        Filter::of(inside.iter()).write(&mut bytes);
        let filter = Filter::read(&bytes).unwrap();
        assert_eq!(filter.bytes(), bytes.len());
        assert!(inside.iter().all(|key| filter.may_contain(key)));
        assert!(Filter::read(&bytes[1..]).is_none() && Filter::read(&[]).is_none());
    }
}
