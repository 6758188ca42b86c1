//! What travels between a sender and the proxy: the body of a request, the body of its answer.

use alloc::{borrow::Cow, string::String, vec::Vec};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    Invalid, Rule,
    claim::{Stated, misspelt, sent_at},
    fields::{Fields, Kind, Problems},
    rule::{reject, repair},
};

/// The most events of one request.
pub const MAX_EVENTS: usize = 100;

/// A request's body as text, whatever its sender wrote it with.
#[derive(Debug)]
pub struct Text<'a> {
    content: Cow<'a, str>,
    has_mark: bool,
    is_mended: bool,
}

impl<'a> Text<'a> {
    /// Reads bytes as UTF-8. A byte order mark goes, and what is malformed becomes U+FFFD: also half a surrogate pair in
    /// an escape, which a page has where it cuts a text in the middle of an emoji.
    pub fn read(bytes: &'a [u8]) -> Self {
        let unmarked = bytes.strip_prefix(b"\xef\xbb\xbf");
        let has_mark = unmarked.is_some();
        let bytes = unmarked.unwrap_or(bytes);
        // To check alone is quicker than to look for what has to be replaced.
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

/// A JSON text in which every half of a surrogate pair is replaced; `None` where there is none. An escape stands
/// nowhere but in a string.
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

/// A request's body, opened but not read: one event, or a batch of them.
#[derive(Debug)]
pub struct Body<'a> {
    /// The events.
    pub events: Vec<Stated<'a>>,
    /// When a batch was sent by its sender's clock, in Unix milliseconds.
    pub sent_at_ms: Option<i64>,
}

/// A body that holds no events at all.
#[derive(Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is not JSON.
    NotJson,
    /// It is JSON of the wrong shape.
    Shape(Vec<Invalid>),
}

impl<'a> Body<'a> {
    /// Opens a body: an event, or `{"events": [...], "sent_at": ms}` with up to 100 of them.
    ///
    /// # Errors
    /// [`Unreadable`], when there is nothing in it that could be answered event by event.
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
        // What is to be said of the whole is said with its first event.
        if let Some(first) = events.first_mut() {
            first.warnings = problems.warnings;
        }
        Ok(Self { events, sent_at_ms })
    }
}

/// A field beside `events` is none of theirs, but one that decides whether and where they may be sent is not overlooked.
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

/// What the proxy made of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is durable and will be delivered.
    Accepted,
    /// It was accepted before.
    Duplicate,
    /// It is durable and waits for its payment.
    Held,
    /// It breaks a rule and is not taken.
    Invalid,
}

/// One event's part of an answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventResult {
    /// The event's id; the proxy's own where the sender gave none.
    pub event_id: Option<String>,
    /// What became of it.
    pub status: Status,
    /// The rules it broke.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Invalid>,
    /// What was repaired, left out or looks odd.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Invalid>,
}

/// The answer to a request of which at least one event was taken.
///
/// The fields beside `results` repeat the first event that was taken, for senders of one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Always true.
    pub success: bool,
    /// The id of the first event that was taken.
    pub event_id: Option<String>,
    /// Its status.
    pub status: Status,
    /// Its warnings, and those of the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Invalid>,
    /// One entry an event, in the order of the request.
    pub results: Vec<EventResult>,
}

impl Answer {
    /// The answer, unless no event was taken: then the results come back.
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
