//! Personal data among the properties: the table that `sdk/tests/personal.test.js` holds a page to as well.
#![cfg(feature = "serde")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic is a failed test"
)]

use duet_events::Claim;
use serde_json::{Value, json, value::RawValue};

fn table() -> Value {
    serde_json::from_str(include_str!("personal.json")).unwrap()
}

/// What is left of properties.
fn left(properties: &Value) -> Value {
    let event = json!({ "event": "my_event", "properties": properties });
    let raw = RawValue::from_string(event.to_string()).unwrap();
    let claim = Claim::read((&*raw).into(), None).unwrap();
    serde_json::to_value(&claim.properties).unwrap()
}

#[test]
fn a_property_with_a_personal_name_goes_in_any_spelling() {
    for (kind, is_personal) in [("personal", true), ("others", false)] {
        for name in table()[kind].as_array().unwrap() {
            let properties = json!({ "inside": { name.as_str().unwrap(): "Lan" } });
            let is_gone = left(&properties)["inside"] == json!({});
            assert_eq!(is_gone, is_personal, "{name}");
        }
    }
}

#[test]
fn properties_lose_what_is_personal_and_nothing_else() {
    for row in table()["properties"].as_array().unwrap() {
        assert_eq!(left(&row[0]), row[1], "{row}");
    }
}
