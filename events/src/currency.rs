//! The currencies TikTok takes.

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

/// Those with three decimals; the others have two.
const THREE: [&str; 3] = ["BHD", "KWD", "OMR"];

/// How people write the dong.
const DONG: [&str; 4] = ["₫", "đ", "vnđ", "vnd"];

impl Currency {
    /// Reads an ISO 4217 code in any case, with blanks around it, or the dong as people write it. `None` for what is
    /// not in TikTok's list.
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

    /// The code, in upper case.
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// Whether amounts have no decimals: 99000 VND is 99,000 dong.
    pub fn whole(self) -> bool {
        WHOLE.contains(&self.0)
    }

    /// How many decimals its amounts have (ISO 4217).
    pub fn decimals(self) -> usize {
        match self {
            _ if self.whole() => 0,
            _ if THREE.contains(&self.0) => 3,
            _ => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
