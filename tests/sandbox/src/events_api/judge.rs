//! Judges one request and counts its events.

use serde_json::{Map, Value, json};

use crate::Sandbox;
use crate::conversion::{Arrival, Channel};
use crate::faults::position_of;
use crate::reply::{self, Reply, invalid_field};
use crate::rule::Rule;
use crate::sandbox::State;
use crate::validate::{self, Envelope, ServerEvent};
use crate::violations::{Finding, Subject};

/// The request to judge.
pub(super) struct Incoming<'a> {
    pub(super) now_ms: u64,
    pub(super) token: Option<&'a str>,
    /// Empty if the body is not JSON.
    pub(super) json: Option<&'a Value>,
}

/// What an invalid event means for the other events of the request.
#[derive(Clone, Copy)]
pub(super) enum Mode<'a> {
    /// One invalid event refuses the whole request, and no event is stored.
    Whole,
    /// The valid events are stored. Events whose id contains `also` count as invalid.
    Partial { also: Option<&'a str> },
    /// As in `Whole`. In addition, an event whose id contains this text refuses the whole request.
    Refusing {
        event_id: &'a str,
        blame: Option<Blame>,
    },
}

/// The event that the message of a refusal names.
#[derive(Clone, Copy)]
pub(super) enum Blame {
    /// The event that caused the refusal.
    TheEvent,
    /// The event after the one that caused the refusal. After the last event, the message names a position without an event.
    TheNext,
}

/// One element of `data` after its checks.
struct Judged {
    event: Option<ServerEvent>,
    /// The first finding because of which TikTok refuses the event.
    refused_for: Option<Finding>,
}

pub(super) fn judge(sandbox: &Sandbox, incoming: &Incoming<'_>, mode: Mode<'_>) -> Reply {
    let mut state = sandbox.state();
    let body = match admitted(&mut state, sandbox, incoming) {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let pixels = &sandbox.options().pixels;
    let owns = |code: &str| {
        pixels
            .iter()
            .any(|p| p.code == code && Some(&*p.access_token) == incoming.token)
    };
    let envelope = match validate::envelope(body, owns) {
        Ok(envelope) => envelope,
        Err(refusal) => {
            let pixel = body
                .get("event_source_id")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let reply = Reply::refusal(&refusal, pixel);
            record(&mut state, incoming, refusal.finding);
            return reply;
        }
    };
    let strict = sandbox.options().strict;
    let refused_root = envelope
        .findings
        .iter()
        .find(|finding| finding.refuses(strict))
        .cloned();
    for finding in &envelope.findings {
        record(&mut state, incoming, finding.clone());
    }
    let judged = inspect(&mut state, &envelope, incoming.now_ms, strict);
    if let Some(finding) = refused_root {
        return refused(&finding);
    }
    let also = match mode {
        Mode::Partial { also } => also,
        Mode::Whole | Mode::Refusing { .. } => {
            if let Some(finding) = judged.iter().find_map(|judged| judged.refused_for.as_ref()) {
                return refused(finding);
            }
            None
        }
    };
    if let Mode::Refusing { event_id, blame } = mode
        && let Some(index) = position_of(event_id, &Value::Object(body.clone()))
    {
        return poisoned(index, blame, envelope.data.len());
    }
    let errors = store(
        &mut state,
        sandbox,
        &envelope,
        judged,
        incoming.now_ms,
        also,
    );
    match mode {
        Mode::Partial { .. } => Reply {
            code: reply::PARTIAL,
            message: reply::words_for(reply::PARTIAL).to_owned(),
            data: Some(json!({ "errors": errors })),
        },
        Mode::Whole | Mode::Refusing { .. } => Reply::ok(),
    }
}

/// Checks the body, the token and the rate limit of a request. Returns the body, or the answer that refuses the request.
fn admitted<'a>(
    state: &mut State,
    sandbox: &Sandbox,
    incoming: &Incoming<'a>,
) -> Result<&'a Map<String, Value>, Reply> {
    let Some(Value::Object(body)) = incoming.json else {
        let finding = Finding::new(Rule::InvalidJson, "body", "not a JSON object");
        record(state, incoming, finding);
        return Err(Reply::failure(
            reply::INVALID,
            "Invalid JSON: the request body is not a valid JSON object.",
        ));
    };
    let pixels = &sandbox.options().pixels;
    let is_known = |token: &&str| pixels.iter().any(|pixel| pixel.access_token == **token);
    let Some(token) = incoming.token.filter(is_known) else {
        let words = incoming.token.map_or("absent", |_| "not a known token");
        record(
            state,
            incoming,
            Finding::new(Rule::WrongToken, "Access-Token", words),
        );
        return Err(failure(reply::WRONG_TOKEN));
    };
    if too_frequent(state, sandbox, token, incoming.now_ms) {
        return Err(failure(reply::TOO_FREQUENT));
    }
    Ok(body)
}

fn failure(code: u32) -> Reply {
    Reply::failure(code, reply::words_for(code))
}

/// Records an error of a whole request.
fn record(state: &mut State, incoming: &Incoming<'_>, finding: Finding) {
    let whole_request = Subject {
        channel: Some(Channel::Server),
        at_ms: incoming.now_ms,
        ..Subject::default()
    };
    state.inspector.record(&whole_request, [finding]);
}

fn too_frequent(state: &mut State, sandbox: &Sandbox, token: &str, now_ms: u64) -> bool {
    let Some(allowed) = sandbox.options().limits.requests_per_second else {
        return false;
    };
    let second = now_ms / 1000;
    let rate = state.rates.entry(token.to_owned()).or_default();
    if rate.0 != second {
        *rate = (second, 0);
    }
    rate.1 += 1;
    rate.1 > allowed
}

fn inspect(state: &mut State, envelope: &Envelope<'_>, now_ms: u64, strict: bool) -> Vec<Judged> {
    let elements = envelope.data.iter().enumerate();
    elements
        .map(|(index, value)| {
            let (event, findings) = validate::element(index, value, now_ms);
            let refused_for = findings
                .iter()
                .find(|finding| finding.refuses(strict))
                .cloned();
            let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
            let subject = Subject {
                channel: Some(Channel::Server),
                event: text("event"),
                event_id: text("event_id"),
                at_ms: now_ms,
            };
            state.inspector.record(&subject, findings);
            Judged { event, refused_for }
        })
        .collect()
}

/// Counts the valid events and lists the invalid ones.
fn store(
    state: &mut State,
    sandbox: &Sandbox,
    envelope: &Envelope<'_>,
    judged: Vec<Judged>,
    now_ms: u64,
    also: Option<&str>,
) -> Vec<Value> {
    let mut errors = Vec::new();
    for (index, Judged { event, refused_for }) in judged.into_iter().enumerate() {
        if let Some(finding) = refused_for {
            let message = invalid_field(&finding.field, &finding.message);
            errors.push(json!({ "index": index, "field": finding.field, "message": message }));
            continue;
        }
        let Some(event) = event else { continue };
        let picked = also.is_some_and(|also| {
            event
                .event_id
                .as_deref()
                .is_some_and(|id| id.contains(also))
        });
        if picked {
            let field = format!("data.{index}.event_id");
            let message = invalid_field(&field, "not a valid string");
            errors.push(json!({ "index": index, "field": field, "message": message }));
            continue;
        }
        let arrival = arrival(event, envelope.pixel, now_ms);
        match envelope.test_event_code {
            Some(code) => state.keep_test_event(code, arrival, &sandbox.options().limits),
            None => state.count(arrival),
        }
    }
    errors
}

fn arrival(event: ServerEvent, pixel: &str, now_ms: u64) -> Arrival {
    Arrival {
        channel: Channel::Server,
        pixel: pixel.to_owned(),
        event: event.event,
        event_id: event.event_id,
        received_at_ms: now_ms,
        event_time: Some(event.event_time),
        match_keys: event.match_keys,
        user: event.user,
        properties: event.properties,
        page: event.page,
        limited_data_use: event.limited_data_use,
    }
}

fn refused(finding: &Finding) -> Reply {
    Reply::failure(
        reply::INVALID,
        invalid_field(&finding.field, &finding.message),
    )
}

fn poisoned(index: usize, blame: Option<Blame>, events: usize) -> Reply {
    let named = blame.map(|blame| match blame {
        Blame::TheEvent => index,
        Blame::TheNext => (index + 1) % events.max(1),
    });
    let message = named.map_or_else(
        || "Invalid value for event_id: not a valid string.".to_owned(),
        |index| format!("data.{index}.event_id: Not a valid string"),
    );
    Reply::failure(reply::INVALID, message)
}
