//! What the page was like when something was called.

use crate::joined::Fields;

/// The page at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Milliseconds since 1970, by the visitor's clock.
    pub now_ms: u64,
    /// 16 random bytes.
    pub random: [u64; 2],
    /// What became of the Pixel: `fired`, `blocked`, `absent` or `off`; empty while unknown.
    pub pixel: &'a str,
}

impl<'a> Facts<'a> {
    /// Reads what `step` in `effects.js` put before every call.
    pub fn read(fields: &mut Fields<'a>) -> Self {
        Self {
            now_ms: fields.number(),
            random: [fields.number(), fields.number()],
            pixel: fields.text(),
        }
    }

    /// The random bytes.
    pub fn random_bytes(&self) -> [u8; 16] {
        let [high, low] = self.random.map(u128::from);
        (high << 64 | low).to_ne_bytes()
    }

    /// Somewhere from 0 up to `most`, evenly.
    pub fn random_up_to(&self, most: u64) -> u64 {
        let [random, _] = self.random;
        most * (random >> 48) / 0xffff
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_of_chance_is_used() {
        let facts = Facts::read(&mut Fields("5\u{1f}1\u{1f}18446744073709551615\u{1f}fired"));
        assert_eq!((facts.now_ms, facts.pixel), (5, "fired"));
        let ones: u32 = facts.random_bytes().iter().map(|b| b.count_ones()).sum();
        assert_eq!(ones, 65);
    }

    #[test]
    fn chance_reaches_both_ends() {
        let up_to = |random| {
            Facts {
                now_ms: 0,
                random: [random, 0],
                pixel: "",
            }
            .random_up_to(300_000)
        };
        assert_eq!(up_to(0), 0);
        assert_eq!(up_to(0x8000 << 48), 150_002);
        assert_eq!(up_to(u64::MAX), 300_000);
    }
}
