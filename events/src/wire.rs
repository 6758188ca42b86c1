//! What travels between a sender and the proxy: the body of a request, the body of its answer.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    Invalid,
    claim::Stated,
    fields::{Fields, Kind, Problems},
};

/// The most events of one request.
pub const MAX_EVENTS: usize = 100;

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
    /// It is not JSON in UTF-8.
    NotJson,
    /// It is JSON of the wrong shape.
    Shape(Vec<Invalid>),
}

impl<'a> Body<'a> {
    /// Opens a body: an event, or `{"events": [...], "sent_at": ms}` with up to 100 of them.
    ///
    /// # Errors
    /// [`Unreadable`], when there is nothing in it that could be answered event by event.
    pub fn open(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let text = str::from_utf8(bytes).map_err(|_| Unreadable::NotJson)?;
        let Some(mut fields) = Fields::outermost(text, Kind::Event) else {
            return Err(no_object(text));
        };
        let Some(events) = fields.take("events") else {
            return Ok(Self {
                events: Vec::from([Stated::single(fields)]),
                sent_at_ms: None,
            });
        };
        let Ok(events) = events.array() else {
            return Err(shape("events", "array", "this is a JSON array of events"));
        };
        if !(1..=MAX_EVENTS).contains(&events.len()) {
            return Err(shape(
                "events",
                "max_events",
                "a request holds 1 to 100 events",
            ));
        }
        let mut problems = Problems::default();
        let sent_at_ms = fields.integer("sent_at", &mut problems);
        for path in fields.unknown() {
            problems.error(path, "unknown_field", "beside events there is only sent_at");
        }
        if !problems.errors.is_empty() {
            return Err(Unreadable::Shape(problems.errors));
        }
        Ok(Self {
            events: events.into_iter().map(Stated::of).collect(),
            sent_at_ms,
        })
    }
}

fn no_object(text: &str) -> Unreadable {
    if serde_json::from_str::<&RawValue>(text).is_err() {
        return Unreadable::NotJson;
    }
    shape("", "object", "the body is one event or {\"events\": [...]}")
}

fn shape(field: &'static str, rule: &'static str, message: &'static str) -> Unreadable {
    Unreadable::Shape(Vec::from([Invalid::new(field, rule, message)]))
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
    /// What was left out or looks odd.
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
