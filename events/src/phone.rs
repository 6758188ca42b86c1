//! Any way of writing a phone number -> E.164: `+`, country code, national number.
//!
//! TikTok matches phone numbers by the digest of this form, so one misplaced zero is a lost match. A
//! number that cannot be dialled is refused rather than guessed at. `0901 234 567` (with a country),
//! `84901234567`, `+84 (0)90 123 4567`, `0084…` and full-width digits all become `+84901234567`.
//!
//! `phone/regions.txt` holds one row a calling code: the code, its trunk prefix (`-` for none), the
//! shortest and the longest national number of its fixed and mobile lines, and the countries that
//! share it. The figures are libphonenumber's, and a test compares every row with a port of it. The
//! compiler packs the rows into bytes, since a page downloads them.

mod pack;
mod plan;

use alloc::{borrow::ToOwned, string::String};

use plan::Plan;

use crate::{Invalid, push_digit, trim};

/// The most characters of a number in E.164: a `+` and 15 digits.
const MAX_LENGTH: usize = 16;

/// What people put between digits, beside white space.
const SEPARATORS: &str =
    "()-./\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2015}\u{2212}\u{ff08}\u{ff09}\u{ff0d}";

/// Where a phone number without a country code belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country(Plan);

impl Country {
    /// Reads an ISO 3166 code of two letters, in either case.
    pub fn parse(code: &str) -> Option<Self> {
        let code = trim(code).as_bytes();
        Plan::find(|plan| plan.is_in(code)).map(Self)
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
    let plan = country.map(|Country(plan)| plan);
    let exit_code = plan.map_or("00", Plan::exit_code);
    let abroad = if written.plus {
        Some(digits)
    } else {
        behind(digits, exit_code)
    };
    match (abroad, plan) {
        (Some(digits), _) => international(digits),
        (None, Some(plan)) => national(digits, plan),
        (None, None) => Err(refused(
            "without a country setting, a phone number starts with + and the country code",
        )),
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
            if let Some(digit) = digit(c) {
                push_digit(&mut written.digits, digit);
            } else if matches!(c, '+' | '\u{ff0b}') && !written.plus && written.digits.is_empty() {
                written.plus = true;
            } else if !c.is_whitespace() && !SEPARATORS.chars().any(|separator| separator == c) {
                return Err(refused(
                    "a phone number is digits with spaces, dots, dashes or brackets, without letters or extension",
                ));
            }
        }
        Ok(written)
    }
}

/// ASCII, full-width, Arabic-Indic and extended Arabic-Indic digits.
fn digit(c: char) -> Option<u16> {
    let zeros = ['0', '\u{ff10}', '\u{660}', '\u{6f0}'];
    let values = zeros.map(|zero| u32::from(c).wrapping_sub(u32::from(zero)));
    let value = values.into_iter().find(|value| *value < 10)?;
    u16::try_from(value).ok()
}

fn international(digits: &str) -> Result<String, Invalid> {
    let mut code = 0;
    // No calling code is the beginning of another.
    for (at, digit) in digits.bytes().enumerate().take(3) {
        code = code * 10 + u16::from(digit - b'0');
        if let Some(plan) = Plan::find(|plan| plan.code == code) {
            let national = digits.get(at + 1..).unwrap_or_default();
            return join(plan, without_trunk(plan, national).unwrap_or(national));
        }
    }
    Err(refused("no country has this calling code"))
}

fn national(digits: &str, plan: Plan) -> Result<String, Invalid> {
    if let Some(rest) = without_trunk(plan, digits) {
        return join(plan, rest);
    }
    let coded = behind(digits, &plan.code_text())
        .map(|rest| without_trunk(plan, rest).unwrap_or(rest))
        .filter(|rest| plan.fits(rest));
    // Where a trunk prefix is usual, a number without one that starts with the country code carries it.
    let as_typed = plan.trunk().is_empty() && plan.fits(digits);
    join(plan, coded.filter(|_| !as_typed).unwrap_or(digits))
}

/// The number behind the trunk prefix, if it has one and is a number without it. No number starts
/// with a trunk `0` or `1`; with others (the 8 of Russia) the length decides.
fn without_trunk(plan: Plan, national: &str) -> Option<&str> {
    let trunk = plan.trunk();
    let rest = behind(national, trunk)?;
    let always = matches!(trunk, "0" | "1");
    (!trunk.is_empty() && plan.fits(rest) && (always || !plan.fits(national))).then_some(rest)
}

fn join(plan: Plan, national: &str) -> Result<String, Invalid> {
    let mut number = "+".to_owned();
    number.push_str(&plan.code_text());
    number.push_str(national);
    if plan.fits(national) && number.len() <= MAX_LENGTH {
        return Ok(number);
    }
    Err(refused(
        "this is too short or too long for a phone number of its country",
    ))
}

/// What follows `prefix`.
#[inline(never)]
fn behind<'a>(digits: &'a str, prefix: &str) -> Option<&'a str> {
    digits.strip_prefix(prefix)
}

const fn refused(message: &'static str) -> Invalid {
    Invalid::new("user.phone", "phone", message)
}
