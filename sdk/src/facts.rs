//! What the page was like when something was called.

use crate::joined::Fields;

/// The page at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Milliseconds since 1970, by the visitor's clock.
    pub now_ms: u64,
    /// 16 random bytes as hex digits.
    pub random: &'a str,
    /// The page's address.
    pub url: &'a str,
    /// Where the visitor came from.
    pub referrer: &'a str,
}

impl<'a> Facts<'a> {
    /// Reads what `facts()` in `host.js` wrote.
    pub fn read(fields: &mut Fields<'a>) -> Self {
        Self {
            now_ms: fields.number(),
            random: fields.text(),
            url: fields.text(),
            referrer: fields.text(),
        }
    }

    /// The random bytes; zeros where the page gave too few.
    pub fn random_bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        let pairs = self.random.as_bytes().chunks_exact(2);
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            *byte = pair
                .iter()
                .fold(0, |sum: u8, digit| sum << 4 | nibble(*digit));
        }
        bytes
    }

    /// Somewhere from 0 to `most`, both included, evenly.
    pub fn random_up_to(&self, most: u64) -> u64 {
        let [a, b, c, d, ..] = self.random_bytes();
        u64::from(u32::from_be_bytes([a, b, c, d])) % (most + 1)
    }
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20).wrapping_sub(b'a').wrapping_add(10) & 15,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_digits_become_bytes() {
        let mut fields = Fields::of("5\u{1f}00ff10a0");
        let facts = Facts::read(&mut fields);
        assert_eq!(facts.now_ms, 5);
        assert_eq!(facts.random_bytes()[..5], [0, 255, 16, 160, 0]);
    }
}
