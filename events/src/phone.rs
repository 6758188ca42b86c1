//! Brings a phone number in any notation to E.164: `+`, country code, national number.
//!
//! TikTok matches phone numbers by the digest of this form, so one wrong zero prevents the match. A number that cannot be
//! dialled is rejected: Duet does not guess a number. `0901 234 567` (with a country), `84901234567`, `+84 (0)90 123 4567`,
//! `0084…` and full-width digits all become `+84901234567`.
//!
//! `phone/regions.txt` has one row for each calling code. A row starts with the code and its trunk prefix (`-` for none).
//! After that come the lengths of the shortest and the longest national number of fixed and mobile lines. The row ends with
//! the countries that share the code. The rows come from libphonenumber, and a test compares every row with a port of that
//! library. The rows are packed into bytes at compile time, because every page downloads them.

mod digits;
mod pack;
mod plan;

pub use digits::Number;

use digits::Digits;
use plan::Plan;

use crate::{Invalid, rule::leave_out::PHONE};

/// The reason why a text is not a phone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The text contains other characters than digits and separators.
    Malformed,
    /// The number has no country code, and no country is given.
    NoCountry,
    /// The number's calling code does not exist.
    NoCode,
    /// The number is too short or too long for its country.
    Length,
}

impl From<Flaw> for Invalid {
    fn from(flaw: Flaw) -> Self {
        let why = match flaw {
            Flaw::Malformed => ": only digits, with spaces, dots, dashes or brackets between them",
            Flaw::NoCountry => {
                ": without a country setting, a phone number starts with + and the country code"
            }
            Flaw::NoCode => ": no country has this calling code",
            Flaw::Length => ": it is too short or too long for its country",
        };
        Self::with(&PHONE, "user.phone", why)
    }
}

/// The country of a phone number without a country code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country(Plan);

impl Country {
    /// Reads an ISO 3166 code of two letters in upper or lower case.
    pub fn parse(code: &str) -> Option<Self> {
        let letters = code.as_bytes().try_into().ok();
        letters.and_then(|letters| Plan::find(0, letters)).map(Self)
    }
}

/// Brings a number that is [plain](crate::plain::phone) to E.164.
///
/// # Errors
/// Returns the reason why the text is not a phone number.
pub fn e164(text: impl Iterator<Item = char>, country: Option<Country>) -> Result<Number, Flaw> {
    let (plus, digits) = read(text)?;
    let plan = country.map(|Country(plan)| plan);
    let exit_code = plan.map_or(Digits::behind_one(100), Plan::exit_code);
    let abroad = if plus {
        Some(digits)
    } else {
        digits.behind(exit_code)
    };
    match (abroad, plan) {
        (Some(digits), _) => international(digits),
        (None, Some(plan)) => national(digits, plan),
        (None, None) => Err(Flaw::NoCountry),
    }
}

/// Returns whether the text starts with `+`, and the digits of the text.
fn read(text: impl Iterator<Item = char>) -> Result<(bool, Digits), Flaw> {
    let mut plus = false;
    let mut digits = Digits::NONE;
    for c in text {
        if let Some(digit) = c.to_digit(10) {
            digits = digits.push(digit).ok_or(Flaw::Length)?;
        } else if c == '+' && !plus && digits == Digits::NONE {
            plus = true;
        } else {
            return Err(Flaw::Malformed);
        }
    }
    Ok((plus, digits))
}

fn international(digits: Digits) -> Result<Number, Flaw> {
    // Try codes of one, two and three digits. At most one of them exists, because no calling code is the start of another.
    for count in 1..=3 {
        let (code, national) = digits.first(count);
        if let Some(plan) = Plan::find(code, [0; 2]) {
            return join(plan, without_trunk(plan, national).unwrap_or(national));
        }
    }
    Err(Flaw::NoCode)
}

fn national(digits: Digits, plan: Plan) -> Result<Number, Flaw> {
    if let Some(rest) = without_trunk(plan, digits) {
        return join(plan, rest);
    }
    let coded = digits
        .behind(plan.code_digits())
        .map(|rest| without_trunk(plan, rest).unwrap_or(rest))
        .filter(|rest| plan.fits(*rest));
    let as_typed = plan.fits(digits) && begins_with_its_code(plan, digits);
    join(plan, coded.filter(|_| !as_typed).unwrap_or(digits))
}

/// Returns whether these digits can be a national number, although they begin with the calling code of their own country. In
/// Poland, 48 is also an area code. In Italy, mobile numbers begin with 39, and no 0 follows. In all other countries, such
/// digits are the calling code and a number after it.
fn begins_with_its_code(plan: Plan, digits: Digits) -> bool {
    const LONGEST: u8 = 10;
    let behind = digits.behind(plan.code_digits());
    let is_area = behind.is_some_and(|rest| rest.behind(Digits::behind_one(10)).is_none());
    matches!(plan.code(), 39 | 48) && digits.count() <= LONGEST && is_area
}

/// Removes the trunk prefix, if the number has one and its length is valid without the prefix. If the trunk prefix is `0` or
/// `1`, numbers never start with this digit themselves. For other trunk prefixes, such as the 8 of Russia, the prefix is
/// removed only if the length with the prefix is not valid.
#[inline(never)]
fn without_trunk(plan: Plan, national: Digits) -> Option<Digits> {
    let trunk = plan.trunk();
    let rest = national.behind(trunk)?;
    let always = trunk == Digits::behind_one(10) || trunk == Digits::behind_one(11);
    (trunk != Digits::NONE && plan.fits(rest) && (always || !plan.fits(national))).then_some(rest)
}

#[inline(never)]
fn join(plan: Plan, national: Digits) -> Result<Number, Flaw> {
    let fits = Some(national).filter(|national| plan.fits(*national));
    fits.and_then(|national| national.called(plan.code()))
        .ok_or(Flaw::Length)
}
