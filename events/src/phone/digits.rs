//! Digits in a row, as a number. Leading zeros count, so a 1 stands in front of them.

use core::{fmt, num::NonZeroU64};

/// What is no longer taken another digit: 18 are more than any number has, and as many as fit.
const FULL: u64 = 1_000_000_000_000_000_000;
/// One more than the largest number in E.164, which has 15 digits.
const TOO_LARGE: u64 = 1_000_000_000_000_000;

/// Up to 18 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digits(NonZeroU64);

impl Digits {
    /// No digit.
    pub(super) const NONE: Self = Self(NonZeroU64::MIN);

    /// Digits by their number with a 1 in front: 1011 for 011.
    pub(super) const fn behind_one(number: u64) -> Self {
        match NonZeroU64::new(number) {
            Some(number) => Self(number),
            None => Self::NONE,
        }
    }

    /// How many there are.
    pub(super) fn count(self) -> u8 {
        let mut rest = self.0.get();
        let mut count = 0;
        while rest >= 10 {
            rest /= 10;
            count += 1;
        }
        count
    }

    /// These and one more; `None` where that is too much.
    pub(super) fn push(self, digit: u32) -> Option<Self> {
        let digits = self.0.get();
        (digits < FULL).then(|| Self::behind_one(digits * 10 + u64::from(digit)))
    }

    /// Those before the first that makes the number as large as `limit`, and those behind.
    fn split(self, limit: u64) -> (u64, Self) {
        let digits = self.0.get();
        let mut power = 1;
        while digits / power >= limit {
            power *= 10;
        }
        (digits / power, Self::behind_one(digits % power + power))
    }

    /// The first one to three as a number, and the rest.
    pub(super) fn first(self, count: u32) -> (u64, Self) {
        let front = 10_u64.pow(count);
        let (first, rest) = self.split(2 * front);
        (first.saturating_sub(front), rest)
    }

    /// What follows a prefix; `None` where they start differently.
    #[inline(never)]
    pub(super) fn behind(self, prefix: Self) -> Option<Self> {
        let prefix = prefix.0.get();
        let (first, rest) = self.split(prefix + 1);
        (first == prefix).then_some(rest)
    }

    /// A number in E.164 with a calling code before these; `None` where they are too many.
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
    /// Writes it into `room`, which is as long as the longest; gives back what it fills.
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
