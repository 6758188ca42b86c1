//! A sequence of digits, stored as a number with a 1 in front of the digits, so that leading zeros are kept.

use core::{fmt, num::NonZeroU64};

/// If the number is at least this large, no further digit fits. So a sequence can have 18 digits, which is more than any phone
/// number has.
const FULL: u64 = 1_000_000_000_000_000_000;
/// One more than the largest number in E.164, which has 15 digits.
const TOO_LARGE: u64 = 1_000_000_000_000_000;

/// Up to 18 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digits(NonZeroU64);

impl Digits {
    /// An empty sequence.
    pub(super) const NONE: Self = Self(NonZeroU64::MIN);

    /// Makes digits from a number with a 1 in front: 1011 for 011.
    pub(super) const fn behind_one(number: u64) -> Self {
        match NonZeroU64::new(number) {
            Some(number) => Self(number),
            None => Self::NONE,
        }
    }

    /// Returns the number of digits.
    pub(super) fn count(self) -> u8 {
        let mut rest = self.0.get();
        let mut count = 0;
        while rest >= 10 {
            rest /= 10;
            count += 1;
        }
        count
    }

    /// Appends a digit. Returns `None` if the sequence is full.
    pub(super) fn push(self, digit: u32) -> Option<Self> {
        let digits = self.0.get();
        (digits < FULL).then(|| Self::behind_one(digits * 10 + u64::from(digit)))
    }

    /// Splits the digits at the first digit that makes the number as large as `limit`.
    fn split(self, limit: u64) -> (u64, Self) {
        let digits = self.0.get();
        let mut power = 1;
        while digits / power >= limit {
            power *= 10;
        }
        (digits / power, Self::behind_one(digits % power + power))
    }

    /// Returns the first one to three digits as a number, and the remaining digits.
    pub(super) fn first(self, count: u32) -> (u64, Self) {
        let front = 10_u64.pow(count);
        let (first, rest) = self.split(2 * front);
        (first.saturating_sub(front), rest)
    }

    /// Returns the digits after a prefix, or `None` if the digits do not start with the prefix.
    #[inline(never)]
    pub(super) fn behind(self, prefix: Self) -> Option<Self> {
        let prefix = prefix.0.get();
        let (first, rest) = self.split(prefix + 1);
        (first == prefix).then_some(rest)
    }

    /// Makes a number in E.164 from a calling code and these digits. Returns `None` if the number would have too many digits.
    pub(super) fn called(self, code: u64) -> Option<Number> {
        let digits = self.0.get();
        let mut power = 1;
        while digits / power >= 2 {
            power *= 10;
        }
        let number = digits - power + code * power;
        (number < TOO_LARGE).then_some(Number(number))
    }
}

/// A number in E.164.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(u64);

impl Number {
    /// Writes the number into `room`, which has the size of the longest number. Returns the filled part.
    pub fn write(self, room: &mut [u8; 16]) -> &[u8] {
        let Self(mut rest) = self;
        let mut start = room.len();
        for byte in room.iter_mut().rev() {
            start -= 1;
            if rest == 0 {
                *byte = b'+';
                break;
            }
            *byte = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        room.get(start..).unwrap_or_default()
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}
