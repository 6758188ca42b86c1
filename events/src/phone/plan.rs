//! How the numbers under one calling code are built: one row of `regions.txt`.

use super::{
    digits::Digits,
    pack::{COUNTRIES, PLANS},
};

const ZERO: Digits = Digits::behind_one(10);

/// The trunk prefixes there are, each behind a 1: none, 0, 1, 8, 06.
const TRUNKS: [u8; 5] = [1, 10, 11, 18, 106];

/// How the numbers under one calling code are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    code: u64,
    lengths: u8,
    trunk: u8,
}

impl Plan {
    /// The plan of a calling code, or of a country: two letters in either case.
    pub(super) fn find(wanted: u64, country: [u8; 2]) -> Option<Self> {
        let country = country.map(|letter| letter.to_ascii_uppercase());
        let mut code = 0;
        let mut rest = COUNTRIES.as_chunks().0;
        for [step, lengths, kind] in &PLANS {
            code += u64::from(*step);
            let (countries, next) = rest.split_at_checked(usize::from(kind & 31))?;
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
                    trunk: kind >> 5,
                });
            }
            rest = next;
        }
        None
    }

    /// The calling code.
    pub(super) fn code(self) -> u64 {
        self.code
    }

    /// The calling code as it is dialled.
    pub(super) fn code_digits(self) -> Digits {
        let front = match self.code {
            0..10 => 10,
            10..100 => 100,
            _ => 1000,
        };
        Digits::behind_one(front + self.code)
    }

    /// What is dialled before a number inside of the country.
    pub(super) fn trunk(self) -> Digits {
        let trunk = TRUNKS.get(usize::from(self.trunk));
        Digits::behind_one(trunk.copied().unwrap_or(1).into())
    }

    /// What is dialled before the calling code of another country.
    pub(super) fn exit_code(self) -> Digits {
        Digits::behind_one(match self.code {
            1 => 1011,
            7 => 1810,
            81 => 1010,
            _ => 100,
        })
    }

    /// Whether a number without trunk prefix has a length that is in use.
    pub(super) fn fits(self, national: Digits) -> bool {
        let lengths = self.lengths >> 4..=self.lengths & 15;
        lengths.contains(&national.count())
            && !(self.trunk() == ZERO && national.behind(ZERO).is_some())
    }
}
