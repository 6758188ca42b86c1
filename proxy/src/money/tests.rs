use proptest::prelude::*;
use serde_json::json;

use super::*;

fn currency(code: &str) -> Currency {
    Currency::parse(code).unwrap()
}

fn money(minor: i64, code: &str) -> Money {
    Money::of_minor(minor, currency(code)).unwrap()
}

#[test]
fn a_currency_is_one_of_iso_4217_with_its_decimals() {
    for (code, decimals) in [
        ("VND", 0),
        ("JPY", 0),
        ("krw", 0),
        ("CLP", 0),
        ("UGX", 0),
        ("ISK", 0),
        ("usd", 2),
        ("HUF", 2),
        ("TWD", 2),
        ("MGA", 2),
        ("KWD", 3),
        ("BHD", 3),
        ("JOD", 3),
        ("OMR", 3),
        ("TND", 3),
        ("CLF", 4),
    ] {
        assert_eq!(currency(code).decimals(), decimals, "{code}");
    }
    for code in ["", "US", "USDT", "XXX", "XAU", "₫", "VN D"] {
        assert_eq!(Currency::parse(code), None, "{code}");
    }
}

#[test]
fn both_lists_of_currencies_agree() {
    let mut listed = 0;
    for code in CODES {
        let ours = currency(code);
        let Some(theirs) = duet_events::Currency::parse(code) else {
            assert!(!ours.is_reportable());
            continue;
        };
        listed += 1;
        assert_eq!(Currency::from(theirs), ours);
        assert_eq!(ours.decimals(), theirs.decimals(), "{code}");
    }
    assert_eq!(listed, 62);
}

#[test]
fn an_amount_is_whole_dong_however_it_is_written() {
    for (value, dong) in [
        (json!(99000), Some(99_000)),
        (json!(99000.0), Some(99_000)),
        (json!("99000"), Some(99_000)),
        (json!(" 99000.00 "), Some(99_000)),
        (json!("0099000"), Some(99_000)),
        (json!(9.9e4), Some(99_000)),
        (json!(0), Some(0)),
        (json!(-0.0), Some(0)),
        (json!(EXACT), Some(EXACT)),
        (json!(EXACT.to_string()), Some(EXACT)),
        (json!("9999999999999.00"), Some(EXACT)),
        (json!(EXACT + 1), None),
        (json!(9_999_999_999_999.0), Some(EXACT)),
        (json!(10_000_000_000_000.0), None),
        (json!(1e300), None),
        (json!(u64::MAX), None),
        (json!("99999999999999999999999"), None),
        (json!(-1), None),
        (json!(-1.0), None),
        (json!("-1"), None),
        (json!("+1"), None),
        (json!(99000.5), None),
        (json!("99000.50"), None),
        (json!("99.000"), None),
        (json!("99,000"), None),
        (json!("99.000.00"), None),
        (json!("99000."), None),
        (json!(".00"), None),
        (json!(""), None),
        (json!("9e4"), None),
        (json!("٩"), None),
        (json!(null), None),
        (json!(true), None),
        (json!([99000]), None),
    ] {
        let read = Money::dong(&value);
        assert_eq!(read, dong.map(|dong| money(dong, "VND")), "{value}");
    }
}

#[test]
fn minor_units_are_whole_and_may_be_counted_with_other_decimals() {
    for (value, code, minor) in [
        (json!(2900), "USD", Some(2_900)),
        (json!("2900"), "USD", Some(2_900)),
        (json!(99000), "VND", Some(99_000)),
        (json!(0), "USD", Some(0)),
        (json!(29.5), "USD", None),
        (json!(-2900), "USD", None),
        (json!("29.00"), "USD", None),
        (json!(""), "USD", None),
        (json!(null), "USD", None),
    ] {
        let read = Money::minor(&value, currency(code));
        assert_eq!(read, minor.map(|minor| money(minor, code)), "{value}");
    }
    for (value, code, decimals, minor) in [
        // VNPay states the amount in hundredths of a dong.
        (json!("9900000"), "VND", 2, Some(99_000)),
        (json!(9_900_050), "VND", 2, None),
        // These currencies have no hundredths, but some providers state amounts in hundredths.
        (json!(500), "UGX", 2, Some(5)),
        (json!(501), "ISK", 2, None),
        (json!(5), "KWD", 2, Some(50)),
        (json!(MAX_MINOR), "KWD", 0, None),
    ] {
        let read = Money::minor_of(&value, currency(code), decimals);
        assert_eq!(read, minor.map(|minor| money(minor, code)), "{value}");
    }
}

#[test]
fn major_units_are_read_and_written_as_decimal_text() {
    for (text, code, minor, number, shown) in [
        ("29.00", "USD", 2_900, "29", "29.00 USD"),
        ("29.5", "USD", 2_950, "29.5", "29.50 USD"),
        ("0.07", "USD", 7, "0.07", "0.07 USD"),
        ("0", "USD", 0, "0", "0.00 USD"),
        ("99000", "VND", 99_000, "99000", "99000 VND"),
        ("1.005", "KWD", 1_005, "1.005", "1.005 KWD"),
        ("100", "KWD", 100_000, "100", "100.000 KWD"),
    ] {
        let read = Money::major(text, currency(code)).unwrap();
        assert_eq!(read, money(minor, code), "{text}");
        assert_eq!(
            (read.number().as_str(), read.to_string().as_str()),
            (number, shown)
        );
        assert_eq!(read.json().unwrap().get(), number);
    }
    let below = Money::zero(currency("USD"))
        .minus(money(705, "USD"))
        .unwrap();
    assert_eq!(
        (below.number().as_str(), below.to_string().as_str()),
        ("-7.05", "-7.05 USD")
    );
    let broken = Money::major("29.999", currency("USD"));
    assert_eq!(broken, Err(Unreadable::Decimals));
}

#[test]
fn money_is_compared_and_added_within_one_currency() {
    let (dollars, dong) = (money(2_900, "USD"), money(2_900, "VND"));
    assert_eq!(dollars.plus(dollars), Some(money(5_800, "USD")));
    assert_eq!(dollars.minus(dollars), Some(Money::zero(currency("USD"))));
    assert_eq!(dollars.covers(money(2_901, "USD")), Some(false));
    assert_eq!(dollars.covers(money(2_900, "USD")), Some(true));
    assert_eq!(dollars.plus(dong), None);
    assert_eq!(dollars.minus(dong), None);
    assert_eq!(dollars.covers(dong), None);
    assert_ne!(dollars, dong);
}

#[test]
fn money_reads_back_as_it_was_stored_and_so_does_an_older_versions() {
    let dollars = money(2_900, "USD");
    let text = serde_json::to_string(&dollars).unwrap();
    assert_eq!(text, r#"{"minor":2900,"currency":"USD"}"#);
    assert_eq!(serde_json::from_str::<Money>(&text).unwrap(), dollars);
    assert_eq!(
        serde_json::from_str::<Money>("99000").unwrap(),
        money(99_000, "VND")
    );
    for broken in [r#"{"minor":1,"currency":"XXX"}"#, "1.5", r#""99000""#] {
        assert!(serde_json::from_str::<Money>(broken).is_err(), "{broken}");
    }
}

proptest! {
    #[test]
    fn every_way_of_writing_dong_is_that_amount(dong in 0..=EXACT, zeros in 1_usize..3) {
        let text = format!("{dong}.{}", "0".repeat(zeros));
        let number: Value = serde_json::from_str(&text).unwrap();
        let expected = Some(money(dong, "VND"));
        prop_assert_eq!(Money::dong(&json!(dong)), expected);
        prop_assert_eq!(Money::dong(&json!(dong.to_string())), expected);
        prop_assert_eq!(Money::dong(&json!(text)), expected);
        prop_assert_eq!(Money::dong(&number), expected);
    }

    #[test]
    fn no_text_is_an_amount_unless_it_says_so_in_digits(text in "\\PC{0,12}") {
        if let Some(money) = Money::dong(&json!(text)) {
            let whole = text.trim().split('.').next().unwrap().trim_start_matches(['0', '-']);
            prop_assert_eq!(whole, if money.is_zero() { String::new() } else { money.number() });
        }
    }

    #[test]
    fn what_is_written_reads_back(minor in 0..=MAX_MINOR, code in prop::sample::select(vec!["VND", "USD", "KWD", "CLF"])) {
        let amount = money(minor, code);
        prop_assert_eq!(Money::major(&amount.number(), currency(code)), Ok(amount));
        let shown = amount.to_string();
        let (number, _) = shown.split_once(' ').unwrap();
        prop_assert_eq!(Money::major(number, currency(code)), Ok(amount));
    }
}
