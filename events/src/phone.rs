//! Any way of writing a phone number -> E.164: `+`, country code, national number.
//!
//! TikTok matches phone numbers by the digest of this form, so one misplaced zero is a lost match. A
//! number that cannot be dialled is refused rather than guessed at. `0901 234 567` (with a country),
//! `84901234567`, `+84 (0)90 123 4567`, `0084…` and full-width digits all become `+84901234567`.
//!
//! [`REGIONS`] holds one row a calling code: the code, its trunk prefix (`-` for none), the shortest
//! and the longest national number of its fixed and mobile lines, and the countries that share it.
//! The figures are libphonenumber's, and a test compares every row with a port of it. It is one text,
//! not a table of structs, because that is smaller on a page.

use alloc::string::String;

use crate::Invalid;

const REGIONS: &str = include_str!("phone/regions.txt");

/// The most digits E.164 allows, country code included.
const MAX_DIGITS: usize = 15;

/// Where a phone number without a country code belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country(Plan);

impl Country {
    /// Reads an ISO 3166 code of two letters, in either case.
    pub fn parse(code: &str) -> Option<Self> {
        let code = code.trim();
        rows()
            .filter_map(Plan::parse)
            .find(|plan| {
                plan.countries()
                    .any(|known| code.as_bytes().eq_ignore_ascii_case(known))
            })
            .map(Self)
    }
}

/// Brings a number to E.164.
///
/// # Errors
/// `phone` on the field `user.phone`: letters or extensions, no country code and no `country`, a
/// calling code that no country has, or a length its country does not use.
pub fn e164(raw: &str, country: Option<Country>) -> Result<String, Invalid> {
    let written = Written::read(raw)?;
    let digits = written.digits.as_str();
    if written.plus {
        return international(digits);
    }
    match country {
        Some(Country(plan)) => match digits.strip_prefix(plan.exit_code()) {
            Some(rest) => international(rest),
            None => national(digits, plan),
        },
        None => match digits.strip_prefix("00") {
            Some(rest) => international(rest),
            None => Err(refused(
                "without a country setting, a phone number starts with + and the country code",
            )),
        },
    }
}

/// What was typed: its digits, and whether a `+` came first.
struct Written {
    plus: bool,
    digits: String,
}

impl Written {
    fn read(raw: &str) -> Result<Self, Invalid> {
        let mut written = Self {
            plus: false,
            digits: String::new(),
        };
        for c in raw.chars() {
            match c {
                '+' | '\u{ff0b}' if !written.plus && written.digits.is_empty() => {
                    written.plus = true;
                }
                '('
                | ')'
                | '-'
                | '.'
                | '/'
                | '\u{2010}'..='\u{2015}'
                | '\u{2212}'
                | '\u{ff08}'
                | '\u{ff09}'
                | '\u{ff0d}' => {}
                _ if c.is_whitespace() => {}
                _ => written.digits.push(digit(c).ok_or_else(not_digits)?),
            }
        }
        Ok(written)
    }
}

/// ASCII, full-width, Arabic-Indic and extended Arabic-Indic digits.
fn digit(c: char) -> Option<char> {
    let zero = ['0', '\u{ff10}', '\u{660}', '\u{6f0}'];
    let value = zero
        .into_iter()
        .map(|zero| u32::from(c).wrapping_sub(u32::from(zero)))
        .find(|value| *value < 10)?;
    char::from_digit(value, 10)
}

fn international(digits: &str) -> Result<String, Invalid> {
    let plan = rows()
        .find(|row| is_code_of(row, digits))
        .and_then(Plan::parse)
        .ok_or(refused("no country has this calling code"))?;
    let national = digits.strip_prefix(plan.code).unwrap_or_default();
    plan.join(plan.without_trunk(national).unwrap_or(national))
}

fn national(digits: &str, plan: Plan) -> Result<String, Invalid> {
    let coded = digits
        .strip_prefix(plan.code)
        .map(|rest| plan.without_trunk(rest).unwrap_or(rest))
        .filter(|rest| plan.fits(rest));
    // Where a trunk prefix is usual, a number without one that starts with the country code carries it.
    let as_typed = plan.fits(digits) && (plan.trunk == "-" || coded.is_none());
    if let Some(rest) = plan.without_trunk(digits) {
        return plan.join(rest);
    }
    plan.join(if as_typed {
        digits
    } else {
        coded.unwrap_or(digits)
    })
}

/// How the numbers under one calling code are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plan {
    code: &'static str,
    trunk: &'static str,
    shortest: usize,
    longest: usize,
    countries: &'static str,
}

impl Plan {
    fn parse(row: &'static str) -> Option<Self> {
        let mut cells = row.split(' ');
        Some(Self {
            code: cells.next()?,
            trunk: cells.next()?,
            shortest: cells.next()?.parse().ok()?,
            longest: cells.next()?.parse().ok()?,
            countries: cells.next()?,
        })
    }

    fn countries(self) -> impl Iterator<Item = &'static [u8]> {
        self.countries.as_bytes().chunks(2)
    }

    /// What is dialled before the calling code of another country.
    fn exit_code(self) -> &'static str {
        match self.code {
            "1" => "011",
            "7" => "810",
            "81" => "010",
            _ => "00",
        }
    }

    fn fits(self, national: &str) -> bool {
        (self.shortest..=self.longest).contains(&national.len())
            && !(self.trunk == "0" && national.starts_with('0'))
    }

    /// The number behind the trunk prefix, if it has one and is a number without it. No number starts
    /// with a trunk `0` or `1`; with others (the 8 of Russia) the length decides.
    fn without_trunk(self, national: &str) -> Option<&str> {
        let rest = national.strip_prefix(self.trunk)?;
        let always = matches!(self.trunk, "0" | "1");
        (self.fits(rest) && (always || !self.fits(national))).then_some(rest)
    }

    fn join(self, national: &str) -> Result<String, Invalid> {
        if !self.fits(national) || self.code.len() + national.len() > MAX_DIGITS {
            return Err(refused(
                "this is too short or too long for a phone number of its country",
            ));
        }
        let mut number = String::from("+");
        number.push_str(self.code);
        number.push_str(national);
        Ok(number)
    }
}

fn rows() -> impl Iterator<Item = &'static str> {
    REGIONS.split('\n')
}

/// Whether the calling code in front of a row is the one `digits` begin with. Looked at byte by byte: a
/// number's row is found among two hundred, and only that one is worth reading.
fn is_code_of(row: &str, digits: &str) -> bool {
    for (code, digit) in row.bytes().zip(digits.bytes()) {
        if code != digit {
            return code == b' ';
        }
    }
    row.as_bytes().get(digits.len()) == Some(&b' ')
}

fn not_digits() -> Invalid {
    refused(
        "a phone number is digits with spaces, dots, dashes or brackets, without letters or extension",
    )
}

const fn refused(message: &'static str) -> Invalid {
    Invalid::new("user.phone", "phone", message)
}
