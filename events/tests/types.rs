//! The types of TikTok's contract: the table that `sdk/tests/repair.test.js` holds the Pixel's copy to as well.
#![cfg(feature = "serde")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic is a failed test"
)]

mod reading;

use serde_json::{Value, json};

#[test]
fn a_field_of_another_type_is_repaired_or_left_out() {
    let table: Value = serde_json::from_str(include_str!("types.json")).unwrap();
    for row in table.as_array().unwrap() {
        let stated = row[0].as_str().unwrap();
        let body = format!(r#"{{"event":"my_event","properties":{stated}}}"#);
        let (mut sent, _) = reading::of_body(body.as_bytes());
        let properties = match sent["properties"].take() {
            Value::Null => json!({}),
            properties => properties,
        };
        assert_eq!(properties, row[1], "{stated}");
    }
}
