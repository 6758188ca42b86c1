//! The event that all benchmarks post: about 670 bytes, with its own id and three personal values.

use std::fmt::Write;

/// The event, with [`ID`] for its id and [`PERSON`] in each personal value. `wrk/events.lua` reads the same file.
const EVENT: &str = include_str!("../event.json");
const ID: &str = "00000000000000000000000000000000";
const PERSON: &str = "0000000";

/// The path of the event's file, for wrk.
pub(crate) const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/event.json");
/// The path for events.
pub(crate) const TRACK: &str = "/api/analytics/tiktok/track";

/// Returns the number of bytes of one event as JSON.
pub(crate) fn bytes() -> usize {
    EVENT.trim_end().len()
}

/// Returns one event. `number` becomes the event's id and the id of its person.
pub(crate) fn one(number: u64) -> String {
    let mut event = String::with_capacity(bytes());
    write(&mut event, number);
    event
}

/// Returns a body with the events `numbers`.
pub(crate) fn many(numbers: impl IntoIterator<Item = u64>) -> String {
    let mut body = String::from(r#"{"events":["#);
    for (place, number) in numbers.into_iter().enumerate() {
        if place > 0 {
            body.push(',');
        }
        write(&mut body, number);
    }
    body + "]}"
}

fn write(to: &mut String, number: u64) {
    let (before, after) = EVENT.trim_end().split_once(ID).unwrap_or((EVENT, ""));
    let _ = write!(to, "{before}{number:032}");
    for (place, part) in after.split(PERSON).enumerate() {
        if place > 0 {
            let _ = write!(to, "{:07}", number % 10_000_000);
        }
        to.push_str(part);
    }
}
