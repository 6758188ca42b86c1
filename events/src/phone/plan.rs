//! The structure of the numbers under one calling code: one row of `regions.txt`.

use super::{
    digits::Digits,
    pack::{COUNTRIES, LENGTHS, PLANS, PREFIXES},
};

const ZERO: Digits = Digits::behind_one(10);

/// The trunk prefixes in use: no prefix, 0, 1, 8 and 06. Each is stored as its digits behind a 1, so 06 is 106.
const TRUNKS: [u8; PREFIXES as usize] = [1, 10, 11, 18, 106];

/// The structure of the numbers under one calling code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    code: u64,
    lengths: u8,
    trunk: u8,
}

impl Plan {
    /// Finds the plan of a calling code, or of a country (two letters in upper or lower case).
    pub(super) fn find(wanted: u64, country: [u8; 2]) -> Option<Self> {
        let country = country.map(|letter| letter.to_ascii_uppercase());
        let mut code = 0;
        let mut rest = COUNTRIES.as_chunks().0;
        for [step, lengths, kind] in &PLANS {
            code += u64::from(*step);
            let (countries, next) = rest.split_at_checked(usize::from(kind / PREFIXES))?;
            let is_it = if wanted == 0 {
                countries.contains(&country)
            } else if code > wanted {
                return None;
            } else {
                code == wanted
            };
            if is_it {
                return Some(Self {
                    code,
                    lengths: *lengths,
                    trunk: kind % PREFIXES,
                });
            }
            rest = next;
        }
        None
    }

    /// Returns the calling code.
    pub(super) fn code(self) -> u64 {
        self.code
    }

    /// Returns the calling code as digits for dialling.
    pub(super) fn code_digits(self) -> Digits {
        let front = match self.code {
            0..10 => 10,
            10..100 => 100,
            _ => 1000,
        };
        Digits::behind_one(front + self.code)
    }

    /// Returns the prefix that is dialled before a number inside the country.
    pub(super) fn trunk(self) -> Digits {
        let trunk = TRUNKS.get(usize::from(self.trunk));
        Digits::behind_one(trunk.copied().unwrap_or(1).into())
    }

    /// Returns the prefix that is dialled before the calling code of another country.
    pub(super) fn exit_code(self) -> Digits {
        Digits::behind_one(match self.code {
            1 => 1011,
            7 => 1810,
            81 => 1010,
            _ => 100,
        })
    }

    /// Returns whether the length of a number, without the trunk prefix, is valid in this plan.
    pub(super) fn fits(self, national: Digits) -> bool {
        let shortest = self.lengths / LENGTHS;
        let longest = shortest + self.lengths % LENGTHS;
        (shortest..=longest).contains(&national.count())
            && !(self.trunk() == ZERO && national.behind(ZERO).is_some())
    }
}
