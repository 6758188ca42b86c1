//! The currencies TikTok takes.

use crate::Invalid;

/// ISO 4217 codes out of TikTok's Events API documentation (`PixelProperties`).
const SUPPORTED: [&str; 62] = [
    "AED", "ARS", "AUD", "BDT", "BHD", "BIF", "BOB", "BRL", "CAD", "CHF", "CLP", "CNY", "COP",
    "CRC", "CZK", "DKK", "DZD", "EGP", "EUR", "GBP", "GTQ", "HKD", "HNL", "HUF", "IDR", "ILS",
    "INR", "ISK", "JPY", "KES", "KHR", "KRW", "KWD", "KZT", "MAD", "MOP", "MXN", "MYR", "NGN",
    "NIO", "NOK", "NZD", "OMR", "PEN", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RUB", "SAR",
    "SEK", "SGD", "THB", "TRY", "TWD", "UAH", "USD", "VES", "VND", "ZAR",
];

/// Those of them without a minor unit in use (ISO 4217 exponent 0).
const WHOLE: [&str; 7] = ["BIF", "CLP", "ISK", "JPY", "KRW", "PYG", "VND"];

/// A currency TikTok takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Currency(&'static str);

impl Currency {
    /// Reads an ISO 4217 code, in either case.
    ///
    /// # Errors
    /// `currency` for a code that is not in TikTok's list.
    pub fn parse(code: &str) -> Result<Self, Invalid> {
        let code = code.trim();
        SUPPORTED
            .into_iter()
            .find(|known| known.eq_ignore_ascii_case(code))
            .map(Self)
            .ok_or(Invalid::new(
                "properties.currency",
                "currency",
                "a currency is an ISO 4217 code that TikTok takes, such as VND or USD",
            ))
    }

    /// The code, in upper case.
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// Whether amounts have no decimals: 99000 VND is 99,000 dong.
    pub fn whole(self) -> bool {
        WHOLE.contains(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_upper_cased_and_checked() {
        assert_eq!(Currency::parse("vnd").unwrap().as_str(), "VND");
        assert!(Currency::parse("VND").unwrap().whole());
        assert!(!Currency::parse("USD").unwrap().whole());
        for code in ["", "XXX", "dong", "US"] {
            assert_eq!(
                Currency::parse(code).unwrap_err().rule,
                "currency",
                "{code}"
            );
        }
    }
}
