//! What is left of what people type, and which names events have: the tables that `sdk/tests/` holds a page to as well.
#![cfg(feature = "serde")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic is a failed test"
)]

use duet_events::{Country, EventName, Hashed, Invalid, hash, order};
use serde_json::Value;

fn holds(field: &str, rule: fn(&str) -> Result<Hashed, Invalid>) {
    let table: Value = serde_json::from_str(include_str!("plain.json")).unwrap();
    for row in table[field].as_array().unwrap() {
        let hashed = rule(row[0].as_str().unwrap()).ok();
        let wanted = row[1].as_str().map(|text| hash::external_id(text).unwrap());
        assert_eq!(
            hashed.map(|hashed| hashed.to_hex()),
            wanted.map(|hashed| hashed.to_hex()),
            "{row}"
        );
    }
}

#[test]
fn an_address_is_trimmed_and_in_lower_case() {
    holds("email", hash::email);
}

#[test]
fn a_phone_number_is_digits_however_they_are_written() {
    holds("phone", |raw| hash::phone(raw, Country::parse("VN")));
}

#[test]
fn an_external_id_is_trimmed() {
    holds("external_id", hash::external_id);
}

#[test]
fn an_order_has_one_id_however_it_is_written() {
    let table: Value = serde_json::from_str(include_str!("plain.json")).unwrap();
    for row in table["order_id"].as_array().unwrap() {
        let id = order::clean_id(row[0].as_str().unwrap());
        assert_eq!(id.as_deref(), row[1].as_str(), "{row}");
    }
}

#[test]
fn a_name_is_taken_or_breaks_a_rule() {
    let table: Value = serde_json::from_str(include_str!("names.json")).unwrap();
    for (rule, names) in table.as_object().unwrap() {
        for name in names.as_array().unwrap() {
            let broken = EventName::parse(name.as_str().unwrap()).err();
            let broken = broken.map(|broken| broken.rule.into_owned());
            let broken = broken.unwrap_or_else(|| "taken".to_owned());
            assert_eq!(&broken, rule, "{name}");
        }
    }
}
