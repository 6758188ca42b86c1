//! How the numbers under one calling code are built: one row of `regions.txt`.

use alloc::string::String;

use super::pack::PACKED;
use crate::push_digit;

/// The trunk prefixes there are, the absent one first.
const TRUNKS: [&str; 5] = ["", "0", "1", "8", "06"];

/// How the numbers under one calling code are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) code: u16,
    lengths: u8,
    trunk: u8,
    countries: &'static [u8],
}

impl Plan {
    /// The first plan of which `wanted` is true.
    pub(super) fn find(wanted: impl Fn(&Self) -> bool) -> Option<Self> {
        let mut code = 0;
        let mut rest: &[u8] = &PACKED;
        while let [step, lengths, kind, tail @ ..] = rest {
            code += u16::from(*step);
            let (countries, next) = tail.split_at_checked(usize::from(kind & 31) * 2)?;
            let plan = Self {
                code,
                lengths: *lengths,
                trunk: kind >> 5,
                countries,
            };
            if wanted(&plan) {
                return Some(plan);
            }
            rest = next;
        }
        None
    }

    /// Whether `country`, two letters in either case, is one of its countries.
    pub(super) fn is_in(&self, country: &[u8]) -> bool {
        let mut countries = self.countries.chunks(2);
        countries.any(|known| known.eq_ignore_ascii_case(country))
    }

    /// The calling code as it is dialled.
    pub(super) fn code_text(self) -> String {
        let mut text = String::new();
        for place in [100, 10, 1] {
            if self.code >= place {
                push_digit(&mut text, self.code / place % 10);
            }
        }
        text
    }

    /// What is dialled before a number inside of the country; empty for nothing.
    pub(super) fn trunk(self) -> &'static str {
        TRUNKS
            .get(usize::from(self.trunk))
            .copied()
            .unwrap_or_default()
    }

    /// What is dialled before the calling code of another country.
    pub(super) fn exit_code(self) -> &'static str {
        match self.code {
            1 => "011",
            7 => "810",
            81 => "010",
            _ => "00",
        }
    }

    /// Whether a number without trunk prefix has a length that is in use.
    pub(super) fn fits(self, national: &str) -> bool {
        let lengths = usize::from(self.lengths >> 4)..=usize::from(self.lengths & 15);
        lengths.contains(&national.len()) && !(self.trunk() == "0" && national.starts_with('0'))
    }
}
