//! Reads amounts of money and other numbers, in the different ways in which senders write them.

use super::value::{Scalar, Value};
use crate::Currency;

const LARGEST: f64 = 1e15;

/// An amount as its sender states it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stated {
    /// A JSON number from 0 to 10^15.
    Number(f64),
    /// Text with only one possible meaning.
    Text(f64),
    /// The amount is below zero.
    Negative,
    /// The value is not an amount.
    Unusable,
}

impl Stated {
    /// Reads a number, or a text such as `99000` or `29.00`. A point in a text is read as a decimal point only if it cannot
    /// separate thousands. So the text must not have more decimals than the currency has. If the currency has no decimals, the
    /// text must have no point.
    pub(crate) fn read(value: Value<'_>, currency: Option<Currency>) -> Self {
        match value.scalar() {
            Scalar::Number(number) => Self::of(number.value, Self::Number),
            Scalar::Text(text) => {
                let decimals = currency.map_or(0, Currency::decimals);
                decimal(text.trim(), decimals)
                    .map_or(Self::Unusable, |number| Self::of(number, Self::Text))
            }
            _ => Self::Unusable,
        }
    }

    fn of(number: f64, written: fn(f64) -> Self) -> Self {
        if number < 0.0 {
            Self::Negative
        } else if number <= LARGEST {
            written(four_decimals(number))
        } else {
            Self::Unusable
        }
    }
}

fn decimal(text: &str, most_decimals: usize) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let has_point = digits.len() > whole.len();
    let fits = !whole.is_empty()
        && is_digits(whole)
        && is_digits(decimals)
        && has_point != decimals.is_empty()
        && decimals.len() <= most_decimals;
    fits.then(|| text.parse().ok()).flatten()
}

/// An amount in JSON, without a fraction if the amount is whole.
pub(crate) struct Amount(pub(crate) f64);

impl serde::Serialize for Amount {
    #[allow(clippy::cast_possible_truncation, reason = "amounts end at 10^15")]
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let whole = self.0 as i64;
        if is_whole(self.0) {
            serializer.serialize_i64(whole)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "amounts end at 10^15"
)]
pub(crate) fn is_whole(amount: f64) -> bool {
    (amount as i64) as f64 >= amount
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "10^15 with four decimals is below 2^64"
)]
/// Rounds to four decimals, because a sum of prices that a page has computed has binary rounding errors, and no currency has
/// more decimals.
fn four_decimals(amount: f64) -> f64 {
    // Above this number, a binary fraction cannot represent four decimals.
    const FINE: f64 = 1e11;
    if amount > FINE {
        amount
    } else {
        (amount * 1e4 + 0.5) as i64 as f64 / 1e4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_an_amount_only_where_it_can_mean_one() {
        let read = |text: &str, currency: &str| {
            let json = serde_json::to_string(text).unwrap();
            let raw = serde_json::from_str(&json).unwrap();
            Stated::read(Value::Raw(raw), Currency::parse(currency))
        };
        for (text, currency, stated) in [
            ("99000", "VND", Stated::Text(99000.0)),
            (" 99000 ", "VND", Stated::Text(99000.0)),
            ("99.000", "VND", Stated::Unusable),
            ("99.0", "VND", Stated::Unusable),
            ("29.00", "USD", Stated::Text(29.0)),
            ("29.5", "USD", Stated::Text(29.5)),
            ("29.000", "USD", Stated::Unusable),
            ("29.125", "KWD", Stated::Text(29.125)),
            ("29,00", "USD", Stated::Unusable),
            ("1,000.00", "USD", Stated::Unusable),
            ("29.", "USD", Stated::Unusable),
            (".5", "USD", Stated::Unusable),
            ("1e3", "USD", Stated::Unusable),
            ("$29", "USD", Stated::Unusable),
            ("NaN", "USD", Stated::Unusable),
            ("", "USD", Stated::Unusable),
            ("-5", "USD", Stated::Negative),
            ("1000000000000000000", "USD", Stated::Unusable),
        ] {
            assert_eq!(read(text, currency), stated, "{text} {currency}");
        }
    }
}
