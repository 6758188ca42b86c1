//! The bodies that a sender and the proxy exchange: the body of a request and the body of its answer.

use alloc::{borrow::Cow, string::String, vec::Vec};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    Invalid, Rule,
    claim::{Stated, misspelt, sent_at},
    fields::{Fields, Kind, Problems},
    rule::{reject, repair},
};

/// The largest number of events in one request.
pub const MAX_EVENTS: usize = 100;

/// A request's body as text.
#[derive(Debug)]
pub struct Text<'a> {
    content: Cow<'a, str>,
    has_mark: bool,
    is_mended: bool,
}

impl<'a> Text<'a> {
    /// Reads bytes as UTF-8. A byte order mark is removed, and malformed parts become U+FFFD. An escape with half a surrogate
    /// pair is malformed too. A page makes half a pair if it cuts a text in the middle of an emoji.
    pub fn read(bytes: &'a [u8]) -> Self {
        let unmarked = bytes.strip_prefix(b"\xef\xbb\xbf");
        let has_mark = unmarked.is_some();
        let bytes = unmarked.unwrap_or(bytes);
        // Only check the bytes first, because this is faster than to search for malformed parts.
        let text = core::str::from_utf8(bytes)
            .map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed);
        let mended = with_whole_pairs(&text);
        Self {
            has_mark,
            is_mended: mended.is_some() || matches!(text, Cow::Owned(_)),
            content: mended.map_or(text, Cow::Owned),
        }
    }
}

/// Replaces every half of a surrogate pair in a JSON text. Returns `None` if the text contains no such half. The text is not
/// parsed, because escapes can only be in strings.
fn with_whole_pairs(text: &str) -> Option<String> {
    let mut mended: Option<String> = None;
    let mut copied = 0;
    let mut rest = 0;
    while let Some(found) = text.get(rest..).and_then(|rest| rest.find('\\')) {
        let at = rest + found;
        let unit = |at: usize| {
            let hex = text.get(at..at + 6)?.strip_prefix("\\u")?;
            u16::from_str_radix(hex, 16).ok()
        };
        rest = match unit(at) {
            None => at + 2,
            Some(0xd800..0xdc00) if matches!(unit(at + 6), Some(0xdc00..0xe000)) => at + 12,
            Some(0xd800..0xe000) => {
                let mended = mended.get_or_insert_default();
                mended.push_str(text.get(copied..at).unwrap_or_default());
                mended.push_str("\\ufffd");
                copied = at + 6;
                copied
            }
            Some(_) => at + 6,
        };
    }
    if let Some(mended) = &mut mended {
        mended.push_str(text.get(copied..).unwrap_or_default());
    }
    mended
}

/// A request's body, parsed but not checked: one event, or a batch of events.
#[derive(Debug)]
pub struct Body<'a> {
    /// The events.
    pub events: Vec<Stated<'a>>,
    /// The time at which a batch was sent, by its sender's clock, in Unix milliseconds.
    pub sent_at_ms: Option<i64>,
}

/// Why a body contains no events that can be answered one by one.
#[derive(Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The body is not JSON.
    NotJson,
    /// The body is JSON, but has the wrong shape.
    Shape(Vec<Invalid>),
}

impl<'a> Body<'a> {
    /// Parses a body: an event, or `{"events": [...], "sent_at": ms}` with up to 100 events.
    ///
    /// # Errors
    /// Returns [`Unreadable`] if the body contains no events that can be answered one by one.
    pub fn open(text: &'a Text<'_>) -> Result<Self, Unreadable> {
        let mut problems = Problems::default();
        if text.has_mark {
            problems.warn("", &repair::BYTE_ORDER_MARK);
        }
        let Some(mut fields) = Fields::outermost(&text.content, Kind::Event) else {
            return Err(no_object(&text.content));
        };
        let mut sent_at_ms = None;
        let mut events: Vec<_> = if let Some(events) = fields.take("events") {
            let events = events
                .array()
                .map_err(|_| shape("events", &reject::ARRAY))?;
            if !(1..=MAX_EVENTS).contains(&events.len()) {
                return Err(shape("events", &reject::MAX_EVENTS));
            }
            sent_at_ms = sent_at(&mut fields, &mut problems);
            beside_events(&fields, &mut problems);
            events.into_iter().map(Stated::of).collect()
        } else {
            Vec::from([Stated::single(fields)])
        };
        if !problems.errors.is_empty() {
            return Err(Unreadable::Shape(problems.errors));
        }
        for event in &mut events {
            event.is_mended = text.is_mended;
        }
        // The warnings about the whole body are added to the first event.
        if let Some(first) = events.first_mut() {
            first.warnings = problems.warnings;
        }
        Ok(Self { events, sent_at_ms })
    }
}

/// Adds a warning about each field beside `events`. If the field decides whether or where events are sent, adds an error
/// instead of a warning.
fn beside_events(fields: &Fields<'_>, problems: &mut Problems) {
    for name in fields.unknown() {
        if misspelt(fields, name).is_none() {
            fields.warn_of_one(name, &["events", "sent_at"], problems);
        } else if problems.errors.is_empty() {
            problems.reject(fields.path_of(name), &reject::MISPLACED);
        }
    }
}

fn no_object(text: &str) -> Unreadable {
    if serde_json::from_str::<&RawValue>(text).is_err() {
        return Unreadable::NotJson;
    }
    shape("", &reject::OBJECT)
}

fn shape(field: &'static str, rule: &Rule) -> Unreadable {
    Unreadable::Shape(Vec::from([Invalid::of(rule, field)]))
}

/// The proxy's result for one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The event is stored and will be delivered.
    Accepted,
    /// The event was accepted before.
    Duplicate,
    /// The event is stored and waits for its payment.
    Held,
    /// The event breaks a rule and is not stored.
    Invalid,
}

/// The part of an answer about one event.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventResult {
    /// The event's id. If the sender gave no id, the proxy has generated this id.
    pub event_id: Option<String>,
    /// The result for the event.
    pub status: Status,
    /// The rules that the event broke.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Invalid>,
    /// Warnings about fields that were repaired, left out or look odd.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Invalid>,
}

/// The answer to a request with at least one accepted event.
///
/// The fields beside `results` repeat the result of the first accepted event, for senders that send only one event.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Always true.
    pub success: bool,
    /// The id of the first accepted event.
    pub event_id: Option<String>,
    /// The status of the first accepted event.
    pub status: Status,
    /// The warnings of all events of the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Invalid>,
    /// One entry for each event, in the order of the request.
    pub results: Vec<EventResult>,
}

impl Answer {
    /// Builds the answer. If no event was accepted, returns the results as the error.
    pub fn to(results: Vec<EventResult>) -> Result<Self, Vec<EventResult>> {
        let Some(first) = results
            .iter()
            .find(|result| result.status != Status::Invalid)
        else {
            return Err(results);
        };
        Ok(Self {
            success: true,
            event_id: first.event_id.clone(),
            status: first.status,
            warnings: results
                .iter()
                .flat_map(|result| result.warnings.iter().cloned())
                .collect(),
            results,
        })
    }
}
