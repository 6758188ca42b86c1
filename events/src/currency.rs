//! The currencies that TikTok accepts.

/// ISO 4217 codes from TikTok's Events API documentation (`PixelProperties`).
const SUPPORTED: [&str; 62] = [
    "AED", "ARS", "AUD", "BDT", "BHD", "BIF", "BOB", "BRL", "CAD", "CHF", "CLP", "CNY", "COP",
    "CRC", "CZK", "DKK", "DZD", "EGP", "EUR", "GBP", "GTQ", "HKD", "HNL", "HUF", "IDR", "ILS",
    "INR", "ISK", "JPY", "KES", "KHR", "KRW", "KWD", "KZT", "MAD", "MOP", "MXN", "MYR", "NGN",
    "NIO", "NOK", "NZD", "OMR", "PEN", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RUB", "SAR",
    "SEK", "SGD", "THB", "TRY", "TWD", "UAH", "USD", "VES", "VND", "ZAR",
];

/// The supported currencies without a minor unit in use (ISO 4217 exponent 0).
pub const WHOLE: [&str; 7] = ["BIF", "CLP", "ISK", "JPY", "KRW", "PYG", "VND"];

/// A currency that TikTok accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Currency(&'static str);

/// The supported currencies with three decimals. A currency that is neither in this list nor in [`WHOLE`] has two
/// decimals.
const THREE: [&str; 3] = ["BHD", "KWD", "OMR"];

/// Common ways to write the Vietnamese dong.
const DONG: [&str; 4] = ["₫", "đ", "vnđ", "vnd"];

impl Currency {
    /// Reads an ISO 4217 code in upper or lower case, or a common way to write the dong. Ignores blanks around the text.
    /// Returns `None` if TikTok does not list the currency.
    pub fn parse(code: &str) -> Option<Self> {
        let code = code.trim();
        if DONG.contains(&code.to_lowercase().as_str()) {
            return Some(Self("VND"));
        }
        SUPPORTED
            .into_iter()
            .find(|known| known.eq_ignore_ascii_case(code))
            .map(Self)
    }

    /// Returns the code in upper case.
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// Returns whether amounts in this currency have no decimals: 99000 VND is 99,000 dong.
    pub fn whole(self) -> bool {
        WHOLE.contains(&self.0)
    }

    /// Returns the number of decimals of an amount (ISO 4217).
    pub fn decimals(self) -> usize {
        match self {
            _ if self.whole() => 0,
            _ if THREE.contains(&self.0) => 3,
            _ => 2,
        }
    }
}

/// The largest amount in minor units: one less than ten to the 15th. Every JSON reader is exact up to this number.
pub const MAX_MINOR: i64 = 999_999_999_999_999;

/// The reason why a text is not an amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The text is not a number such as `29` or `29.00`.
    Number,
    /// The text has more decimals than the currency has.
    Decimals,
    /// The amount is below zero or above [`MAX_MINOR`].
    Range,
}

/// Reads an amount in major units, such as the token `29.00`, as minor units: 2900 with two decimals. In every currency, a
/// whole number can end in `.0`, because programs with only floating-point numbers write whole numbers like that.
///
/// # Errors
/// Returns [`Unreadable`].
pub fn minor_units(text: &str, decimals: usize) -> Result<i64, Unreadable> {
    let (digits, is_below_zero) = match text.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !fraction.is_none_or(is_number) {
        return Err(Unreadable::Number);
    }
    let fraction = match fraction {
        Some("0") | None => "",
        Some(fraction) => fraction,
    };
    if fraction.len() > decimals {
        return Err(Unreadable::Decimals);
    }
    let padding = core::iter::repeat_n(b'0', decimals - fraction.len());
    let digits = whole.bytes().chain(fraction.bytes()).chain(padding);
    let minor = digits.fold(0_i64, |minor, digit| {
        let next = minor.saturating_mul(10);
        next.saturating_add(i64::from(digit - b'0'))
    });
    if minor > MAX_MINOR || is_below_zero && minor > 0 {
        return Err(Unreadable::Range);
    }
    Ok(minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_read_from_its_digits_and_the_decimals_of_its_currency() {
        use Unreadable::{Decimals, Number, Range};
        for (text, decimals, minor) in [
            ("99000", 0, Ok(99_000)),
            ("99000.0", 0, Ok(99_000)),
            ("0099000", 0, Ok(99_000)),
            ("99000.00", 0, Err(Decimals)),
            ("99.000", 0, Err(Decimals)),
            ("29", 2, Ok(2_900)),
            ("29.0", 2, Ok(2_900)),
            ("29.5", 2, Ok(2_950)),
            ("29.00", 2, Ok(2_900)),
            ("0.1", 2, Ok(10)),
            ("29.000", 2, Err(Decimals)),
            ("29.999", 2, Err(Decimals)),
            ("29.125", 3, Ok(29_125)),
            ("0", 2, Ok(0)),
            ("-0", 2, Ok(0)),
            ("-0.01", 2, Err(Range)),
            ("999999999999999", 0, Ok(MAX_MINOR)),
            ("9999999999999.99", 2, Ok(MAX_MINOR)),
            ("1000000000000000", 0, Err(Range)),
            ("10000000000000", 2, Err(Range)),
            ("99999999999999999999999999999999", 2, Err(Range)),
            ("", 2, Err(Number)),
            ("-", 2, Err(Number)),
            ("+1", 2, Err(Number)),
            ("29.", 2, Err(Number)),
            (".5", 2, Err(Number)),
            ("1.2.3", 2, Err(Number)),
            ("29,00", 2, Err(Number)),
            ("2.9e1", 2, Err(Number)),
            ("\u{0669}", 0, Err(Number)),
        ] {
            assert_eq!(minor_units(text, decimals), minor, "{text} with {decimals}");
        }
    }

    #[test]
    fn codes_are_read_in_any_case_and_checked() {
        for (code, known) in [
            ("VND", "VND"),
            ("vnd", "VND"),
            (" usd ", "USD"),
            ("₫", "VND"),
            ("đ", "VND"),
            ("Đ", "VND"),
            ("VNĐ", "VND"),
            ("Vnđ", "VND"),
        ] {
            assert_eq!(Currency::parse(code).unwrap().as_str(), known, "{code}");
        }
        for code in ["", "XXX", "dong", "US", "$", "XAU"] {
            assert_eq!(Currency::parse(code), None, "{code}");
        }
        let decimals = |code| Currency::parse(code).unwrap().decimals();
        assert_eq!(["VND", "USD", "KWD"].map(decimals), [0, 2, 3]);
        assert!(Currency::parse("VND").unwrap().whole());
    }
}
