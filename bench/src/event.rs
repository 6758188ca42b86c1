//! The event that is posted: about 670 bytes, three personal values, an id of its own.

use std::fmt::Write;

/// The event with [`PLACEHOLDER`] for an id. `wrk/events.lua` reads the same file.
const EVENT: &str = include_str!("../event.json");
const PLACEHOLDER: &str = "00000000000000000000000000000000";

/// The file of the event, for wrk.
pub(crate) const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/event.json");
/// Where events are posted.
pub(crate) const TRACK: &str = "/api/analytics/tiktok/track";

/// How many bytes of JSON one event is.
pub(crate) fn bytes() -> usize {
    EVENT.trim_end().len()
}

/// One event. `number` is its id.
pub(crate) fn one(number: u64) -> String {
    EVENT
        .trim_end()
        .replace(PLACEHOLDER, &format!("{number:032}"))
}

/// A body with the events `numbers`.
pub(crate) fn many(numbers: impl IntoIterator<Item = u64>) -> String {
    let (before, after) = EVENT
        .trim_end()
        .split_once(PLACEHOLDER)
        .unwrap_or((EVENT, ""));
    let mut body = String::from(r#"{"events":["#);
    for (place, number) in numbers.into_iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        let _ = write!(body, "{comma}{before}{number:032}{after}");
    }
    body + "]}"
}
