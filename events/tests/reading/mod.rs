//! Reads events as the proxy does.
#![allow(dead_code, reason = "each test uses what it needs")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    clippy::indexing_slicing,
    reason = "a panic is a failed test, and a table reads better without references"
)]

use duet_events::{
    Claim, Country, Event, EventId, Invalid,
    claim::Refusal,
    wire::{Body, Text},
};
use serde_json::{Value, json};

/// Reads one event with Vietnam's phone numbers.
pub(crate) fn read(event: &Value) -> Result<Claim, Refusal> {
    first_of(event.to_string().as_bytes())
}

fn first_of(body: &[u8]) -> Result<Claim, Refusal> {
    let text = Text::read(body);
    let mut body = Body::open(&text).unwrap();
    Claim::read(body.events.remove(0), Country::parse("VN"))
}

/// Fields with the rules they broke.
pub(crate) fn rules(broken: &[Invalid]) -> Vec<(String, String)> {
    broken
        .iter()
        .map(|broken| (broken.field.to_string(), broken.rule.to_string()))
        .collect()
}

/// What TikTok gets for an event.
pub(crate) fn sent(event: &Value) -> Value {
    to_tiktok(read(event).unwrap())
}

fn to_tiktok(claim: Claim) -> Value {
    let id = claim.id.clone().unwrap_or(EventId::parse("id").unwrap());
    let time = claim.time.unwrap_or(1);
    let event: Event = claim.into_event(id, time);
    serde_json::to_value(event).unwrap()
}

/// What TikTok gets for the one event of a body, and what is said of it.
pub(crate) fn of_body(body: &[u8]) -> (Value, Vec<(String, String)>) {
    let claim = first_of(body).unwrap();
    let said = rules(&claim.warnings);
    (to_tiktok(claim), said)
}

/// An event that is about no money.
pub(crate) fn lead(field: &str, value: Value) -> Value {
    json!({ "event": "Lead", field: value })
}

/// One that is.
pub(crate) fn purchase(field: &str, value: Value) -> Value {
    json!({ "event": "Purchase", field: value })
}

/// The same event with one more field.
pub(crate) fn with(event: &Value, field: &str, value: Value) -> Value {
    let mut event = event.clone();
    event[field] = value;
    event
}

/// The event is accepted: TikTok gets this value there (nothing, where it is `null`), and exactly this is said.
#[track_caller]
pub(crate) fn kept(event: &Value, pointer: &str, value: &Value, said: &[(&str, &str)]) {
    let claim =
        read(event).unwrap_or_else(|refusal| panic!("{event} is rejected: {:?}", refusal.errors));
    let warned = rules(&claim.warnings);
    let warned: Vec<_> = warned
        .iter()
        .map(|(field, rule)| (&**field, &**rule))
        .collect();
    assert_eq!(warned, said, "{event}");
    let sent = to_tiktok(claim);
    assert_eq!(
        sent.pointer(pointer).unwrap_or(&Value::Null),
        value,
        "{event} became {sent}"
    );
}

/// The event is accepted without a word.
#[track_caller]
pub(crate) fn nothing_said(event: &Value) {
    kept(event, "/nothing", &Value::Null, &[]);
}

/// The event is rejected for exactly this.
#[track_caller]
pub(crate) fn rejected(event: &Value, broken: &[(&str, &str)]) {
    let Err(refusal) = read(event) else {
        panic!("{event} is accepted");
    };
    let errors = rules(&refusal.errors);
    let errors: Vec<_> = errors
        .iter()
        .map(|(field, rule)| (&**field, &**rule))
        .collect();
    assert_eq!(errors, broken, "{event}");
}
