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
        let mut digits = self.random.bytes().map(|digit| match digit {
            b'0'..=b'9' => digit - b'0',
            _ => digit.wrapping_sub(b'a' - 10),
        });
        [0; 16].map(|zero: u8| {
            let high = digits.next().unwrap_or(zero);
            high << 4 | digits.next().unwrap_or(zero)
        })
    }

    /// Somewhere from 0 up to `most`, evenly.
    pub fn random_up_to(&self, most: u64) -> u64 {
        let [a, b, ..] = self.random_bytes();
        most * u64::from(u16::from_be_bytes([a, b])) / 0xffff
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_digits_become_bytes() {
        let facts = Facts::read(&mut Fields("5\u{1f}00ff10a0"));
        assert_eq!(facts.now_ms, 5);
        assert_eq!(facts.random_bytes()[..5], [0, 255, 16, 160, 0]);
    }

    #[test]
    fn chance_reaches_both_ends() {
        let up_to = |random| {
            Facts {
                now_ms: 0,
                random,
                url: "",
                referrer: "",
            }
            .random_up_to(300_000)
        };
        assert_eq!(up_to("0000"), 0);
        assert_eq!(up_to("8000"), 150_002);
        assert_eq!(up_to("ffff"), 300_000);
    }
}
