//! Amounts of money: an integer of minor units and a currency. No amount is ever a floating-point number.

use std::fmt;

use duet_events::{MAX_MINOR, Unreadable, minor_units};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, value::RawValue};

/// An amount in one currency, in minor units: 29.00 USD is stored as 2900, and 99,000 đ as 99000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

/// The kind of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The payment of the sale.
    First,
    /// A later payment of a subscription, or a payment for a change of its plan.
    Renewal,
    /// The shop gives money back.
    Refund,
    /// The payer's bank takes money back.
    Chargeback,
    /// The payment is cancelled before its money has been transferred.
    Void,
}

/// A currency of ISO 4217.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency(&'static str);

/// The codes of ISO 4217 that money can be in, sorted.
const CODES: [&str; 158] = [
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT",
    "BGN", "BHD", "BIF", "BMD", "BND", "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD",
    "CDF", "CHF", "CLF", "CLP", "CNY", "COP", "CRC", "CUP", "CVE", "CZK", "DJF", "DKK", "DOP",
    "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GNF",
    "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IQD", "IRR", "ISK", "JMD",
    "JOD", "JPY", "KES", "KGS", "KHR", "KMF", "KPW", "KRW", "KWD", "KYD", "KZT", "LAK", "LBP",
    "LKR", "LRD", "LSL", "LYD", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR",
    "MVR", "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "OMR", "PAB",
    "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD", "RUB", "RWF", "SAR", "SBD",
    "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL",
    "THB", "TJS", "TMT", "TND", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "UYU",
    "UZS", "VED", "VES", "VND", "VUV", "WST", "XAF", "XCD", "XCG", "XOF", "XPF", "YER", "ZAR",
    "ZMW", "ZWG",
];

/// The currencies whose amounts do not have two decimals.
const DECIMALS: [(&str, usize); 3] = [
    (
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
        0,
    ),
    ("BHD IQD JOD KWD LYD OMR TND", 3),
    ("CLF", 4),
];

/// The largest amount in dong. Every JSON reader reads amounts up to this one exactly, even with two decimals.
const EXACT: i64 = 9_999_999_999_999;

impl Currency {
    /// The Vietnamese dong.
    pub const VND: Self = Self("VND");

    /// Parses a code in upper or lower case. Returns `None` for a code that ISO 4217 does not list.
    pub fn parse(code: &str) -> Option<Self> {
        let code = code.to_ascii_uppercase();
        let found = CODES.binary_search(&code.as_str()).ok()?;
        CODES.get(found).copied().map(Self)
    }

    /// Returns the code in upper case.
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// Returns how many decimals an amount in this currency has, according to ISO 4217.
    pub fn decimals(self) -> usize {
        let other = DECIMALS
            .iter()
            .find(|(codes, _)| codes.contains(self.0))
            .map(|(_, decimals)| *decimals);
        other.unwrap_or(2)
    }

    /// Returns whether TikTok accepts amounts in this currency.
    pub fn is_reportable(self) -> bool {
        duet_events::Currency::parse(self.0).is_some()
    }
}

impl From<duet_events::Currency> for Currency {
    fn from(currency: duet_events::Currency) -> Self {
        Self(currency.as_str())
    }
}

impl Money {
    /// Returns an amount in minor units. Returns `None` below zero and above [`MAX_MINOR`].
    pub fn of_minor(minor: i64, currency: Currency) -> Option<Self> {
        let fits = (0..=MAX_MINOR).contains(&minor);
        fits.then_some(Self { minor, currency })
    }

    /// Returns the amount of a registered order.
    pub fn registered(order: &duet_events::order::Order) -> Self {
        Self {
            minor: order.amount_minor.clamp(0, MAX_MINOR),
            currency: order.currency.into(),
        }
    }

    /// Reads whole dong from `99000`, `99000.0`, `"99000"` or `"99000.00"`. Returns `None` if the text has fractions of a
    /// dong. Also returns `None` if it has thousands separators, because `"99.000"` can mean 99 or 99,000.
    pub fn dong(value: &Value) -> Option<Self> {
        let minor = match value {
            Value::Number(number) => minor_units(&number.to_string(), 0),
            Value::String(text) => {
                let text = text.trim();
                minor_units(text.strip_suffix(".00").unwrap_or(text), 0)
            }
            _ => return None,
        };
        Self::of_minor(minor.ok()?, Currency::VND).filter(|dong| dong.minor <= EXACT)
    }

    /// Reads minor units from an integer or from text: `2900` or `"2900"` is 29.00 USD.
    pub fn minor(value: &Value, currency: Currency) -> Option<Self> {
        Self::minor_of(value, currency, currency.decimals())
    }

    /// Does what [`Money::minor`] does, for a provider that states amounts with `decimals` decimals. Returns `None` if
    /// the amount has more decimals than the currency allows.
    pub fn minor_of(value: &Value, currency: Currency, decimals: usize) -> Option<Self> {
        let text = match value {
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.trim().to_owned(),
            _ => return None,
        };
        let is_whole = text.bytes().all(|byte| byte.is_ascii_digit());
        let minor = is_whole.then(|| minor_units(&text, 0).ok()).flatten()?;
        let [ours, theirs] = [currency.decimals(), decimals].map(power);
        let minor = minor.checked_mul(ours?)?;
        let theirs = theirs?;
        (minor % theirs == 0)
            .then(|| Self::of_minor(minor / theirs, currency))
            .flatten()
    }

    /// Reads major units from decimal text such as `29.00`.
    ///
    /// # Errors
    /// [`Unreadable`] if the text is not an amount, or has more decimals than the currency.
    pub fn major(text: &str, currency: Currency) -> Result<Self, Unreadable> {
        let minor = minor_units(text, currency.decimals())?;
        Ok(Self { minor, currency })
    }

    /// Reads the value of an event, in major units. Returns `None` without a currency, or if the value has more decimals than the
    /// currency.
    pub fn of_event(value: Option<f64>, currency: Option<Currency>) -> Option<Self> {
        Self::major(&value?.to_string(), currency?).ok()
    }

    /// Returns a zero amount in a currency.
    pub fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// Returns the number of minor units.
    pub fn minor_units(self) -> i64 {
        self.minor
    }

    /// Returns the currency.
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// Returns whether the amount is zero.
    pub fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// Returns the sum. Returns `None` for two different currencies.
    pub fn plus(self, other: Self) -> Option<Self> {
        let minor = self.minor.saturating_add(other.minor);
        (self.currency == other.currency).then_some(Self { minor, ..self })
    }

    /// Returns this amount minus `other`. The result can be below zero. Returns `None` for two different currencies.
    pub fn minus(self, other: Self) -> Option<Self> {
        let minor = self.minor.saturating_sub(other.minor);
        (self.currency == other.currency).then_some(Self { minor, ..self })
    }

    /// Returns whether this amount is at least `due`. Returns `None` for two different currencies.
    pub fn covers(self, due: Self) -> Option<bool> {
        (self.currency == due.currency).then_some(self.minor >= due.minor)
    }

    /// Returns the amount in major units, without zeros after its last decimal: `29`, `29.5`, `99000`.
    pub fn number(self) -> String {
        let decimals = self.currency.decimals();
        let digits = format!(
            "{:0width$}",
            self.minor.unsigned_abs(),
            width = decimals + 1
        );
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        let fraction = fraction.trim_end_matches('0');
        let sign = if self.minor < 0 { "-" } else { "" };
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{sign}{whole}{point}{fraction}")
    }

    /// Returns [`Money::number`] as a JSON number.
    pub fn json(self) -> Option<Box<RawValue>> {
        RawValue::from_string(self.number()).ok()
    }
}

fn power(decimals: usize) -> Option<i64> {
    10_i64.checked_pow(u32::try_from(decimals).ok()?)
}

/// Formats the amount for people: `29.00 USD`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = self.currency.decimals();
        let number = self.number();
        let written = number.split_once('.').map_or(0, |(_, after)| after.len());
        f.write_str(&number)?;
        if written == 0 && decimals > 0 {
            f.write_str(".")?;
        }
        let zeros = decimals - written;
        write!(f, "{:0<zeros$} {}", "", self.currency.0)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        Self::parse(&code)
            .ok_or_else(|| serde::de::Error::custom("must be a currency code of ISO 4217"))
    }
}

/// Reads the form that this version stores, and the form of an older version, which stored whole dong as an integer.
impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Stored {
            Dong(i64),
            Money { minor: i64, currency: Currency },
        }
        Ok(match Stored::deserialize(deserializer)? {
            Stored::Dong(minor) => Self {
                minor,
                currency: Currency::VND,
            },
            Stored::Money { minor, currency } => Self { minor, currency },
        })
    }
}

#[cfg(test)]
mod tests;
