//! What is rejected, repaired and left out, field by field: what goes in, what TikTok gets, and what is said of it.
#![cfg(feature = "serde")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::too_many_lines,
    clippy::items_after_statements,
    clippy::format_collect,
    reason = "a panic is a failed test, and a table is as long as it is"
)]

mod event;
mod goods;
mod people;
#[path = "../reading/mod.rs"]
mod reading;
mod texts;

use reading::lead;
use serde_json::{Value, json};

/// TikTok gets nothing there.
const GONE: Value = Value::Null;

/// A name that is too long for an event.
const LONG: &str = "abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz";

/// An event that is about no money, with one property more than its currency.
fn of(field: &str, value: Value) -> Value {
    lead("properties", json!({ "currency": "USD", field: value }))
}

#[test]
fn the_documentation_names_no_field_without_a_table_here() {
    let tables = [
        include_str!("event.rs"),
        include_str!("goods.rs"),
        include_str!("people.rs"),
        include_str!("texts.rs"),
    ]
    .concat();
    let (_, rows) = include_str!("../../../docs/rules.md")
        .split_once("\n## Field by field\n")
        .unwrap();
    let rows = rows.split("\n## ").next().unwrap().lines();
    let fields: Vec<_> = rows
        .filter_map(|row| row.strip_prefix("| ")?.split(" | ").next())
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(|name| name.trim_start_matches("properties."))
        .collect();
    assert!(fields.len() > 30, "{fields:?}");
    for field in fields {
        let name = field.rsplit('.').next().unwrap();
        assert!(tables.contains(name), "{field} has no table");
    }
}
