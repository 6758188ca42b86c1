//! The currencies that TikTok lists.

const LISTED: &str = "AED ARS AUD BDT BHD BIF BOB BRL CAD CHF CLP CNY COP CRC CZK DKK DZD EGP EUR GBP \
    GTQ HKD HNL HUF IDR ILS INR ISK JPY KES KHR KRW KWD KZT MAD MOP MXN MYR NGN NIO NOK NZD OMR PEN PHP \
    PKR PLN PYG QAR RON RUB SAR SEK SGD THB TRY TWD UAH USD VES VND ZAR";

/// Returns whether TikTok lists this upper-case code.
pub(crate) fn is_listed(code: &str) -> bool {
    LISTED.split_ascii_whitespace().any(|listed| listed == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_upper_case_codes_count() {
        assert_eq!(LISTED.split_ascii_whitespace().count(), 62);
        for code in ["VND", "USD", "AED", "ZAR"] {
            assert!(is_listed(code), "{code}");
        }
        for code in ["vnd", "XXX", "", "VND USD"] {
            assert!(!is_listed(code), "{code}");
        }
    }
}
