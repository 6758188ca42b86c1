//! `POST /api/v2/pixel` and `/api/v2/pixel/act`: TikTok's interface for browsers.
//!
//! The script sends the arguments of `identify` unchanged. The collector hashes these values before it stores anything.

mod visitor;

use std::net::IpAddr;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::Sandbox;
use crate::connection::Connection;
use crate::conversion::{Arrival, Channel};
use crate::reply::respond;
use crate::rule::Rule;
use crate::validate::properties;
use crate::violations::{Finding, Subject};
use crate::{names, network};

/// The visitor's data that the request itself contains, such as the address.
struct Sender {
    ip: Option<IpAddr>,
    user_agent: Option<String>,
    now_ms: u64,
}

pub(crate) async fn pixel(
    State(sandbox): State<Sandbox>,
    connection: Option<Extension<ConnectInfo<Connection>>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let sender = Sender {
        ip: connection
            .map(|Extension(ConnectInfo(connection))| connection.peer.ip())
            .filter(|ip| network::is_public(*ip)),
        user_agent: headers
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned),
        now_ms: sandbox.clock().now_ms(),
    };
    let code = if let Ok(Value::Object(body)) = serde_json::from_slice::<Value>(&body) {
        collect(&sandbox, &body, &sender);
        0
    } else {
        let subject = subject(None, None, sender.now_ms);
        let finding = Finding::new(Rule::InvalidJson, "body", "not a JSON object");
        sandbox.state().inspector.record(&subject, [finding]);
        40002
    };
    sandbox.changed();
    small(code)
}

/// Records an event of a Pixel script that runs in the same process.
pub(crate) fn collect_in_process(sandbox: &Sandbox, event: &Map<String, Value>) {
    let sender = Sender {
        ip: None,
        user_agent: None,
        now_ms: sandbox.clock().now_ms(),
    };
    collect(sandbox, event, &sender);
}

pub(crate) async fn act(State(sandbox): State<Sandbox>) -> Response {
    sandbox.state().totals.interactions += 1;
    sandbox.changed();
    small(0)
}

fn small(code: u32) -> Response {
    respond(
        StatusCode::OK,
        "application/json",
        json!({ "code": code }).to_string(),
    )
}

fn subject(event: Option<&str>, event_id: Option<&str>, at_ms: u64) -> Subject {
    Subject {
        channel: Some(Channel::Pixel),
        event: event.map(str::to_owned),
        event_id: event_id.map(str::to_owned),
        at_ms,
    }
}

fn collect(sandbox: &Sandbox, body: &Map<String, Value>, sender: &Sender) {
    let mut findings = Vec::new();
    let arrival = read(body, sender, &mut findings);
    let known = |code: &str| {
        sandbox
            .options()
            .pixels
            .iter()
            .any(|pixel| pixel.code == code)
    };
    let of_known_pixel = arrival.pixel.as_deref().is_some_and(known);
    if !of_known_pixel {
        findings.push(Finding::new(
            Rule::UnknownPixel,
            "context.pixel.code",
            "the sandbox has no pixel with this code",
        ));
    }
    let subject = subject(
        arrival.event.as_deref(),
        arrival.event_id.as_deref(),
        sender.now_ms,
    );
    let mut state = sandbox.state();
    state.inspector.record(&subject, findings);
    if of_known_pixel && let Some(arrival) = arrival.complete() {
        state.count(arrival);
    }
}

/// The parts of an event that could be read. An event counts only if its name and its pixel could be read.
struct PixelEvent {
    event: Option<String>,
    pixel: Option<String>,
    event_id: Option<String>,
    rest: Arrival,
}

impl PixelEvent {
    fn complete(self) -> Option<Arrival> {
        Some(Arrival {
            event: self.event?,
            pixel: self.pixel?,
            event_id: self.event_id,
            ..self.rest
        })
    }
}

fn read(body: &Map<String, Value>, sender: &Sender, findings: &mut Vec<Finding>) -> PixelEvent {
    let empty = Map::new();
    let object = |from: &Map<String, Value>, key: &str| {
        from.get(key)
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default()
    };
    let context = body
        .get("context")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    let event = event(body.get("event").or_else(|| body.get("action")), findings);
    let event_id = event_id(body.get("event_id"), event.as_deref(), findings);
    let properties = object(body, "properties");
    properties::inspect("properties", &properties, Channel::Pixel, findings);
    if body.contains_key("test_event_code") {
        let message = "test_event_code has no effect in the browser";
        findings.push(Finding::new(
            Rule::UndocumentedOption,
            "test_event_code",
            message,
        ));
    }
    let limited = |value: Option<&Value>| value.is_some_and(|value| value == true || value == 1);
    let (user, match_keys) = visitor::read(context, sender, findings);
    let mut page = object(context, "page");
    page.retain(|key, _| key == "url" || key == "referrer");
    let code = context
        .get("pixel")
        .and_then(|pixel| pixel.get("code"))
        .and_then(Value::as_str);
    PixelEvent {
        event,
        pixel: code.map(str::to_owned),
        event_id,
        rest: Arrival {
            channel: Channel::Pixel,
            pixel: String::new(),
            event: String::new(),
            event_id: None,
            received_at_ms: sender.now_ms,
            event_time: body
                .get("timestamp")
                .and_then(Value::as_str)
                .and_then(unix_seconds),
            match_keys,
            limited_data_use: limited(body.get("limited_data_use"))
                || limited(properties.get("limited_data_use")),
            user,
            properties,
            page,
        },
    }
}

fn event(value: Option<&Value>, findings: &mut Vec<Finding>) -> Option<String> {
    let name = match value {
        Some(Value::String(name)) if !name.is_empty() => name,
        None | Some(Value::Null | Value::String(_)) => {
            findings.push(Finding::new(Rule::MissingField, "event", "no event name"));
            return None;
        }
        Some(_) => {
            findings.push(Finding::new(Rule::WrongType, "event", "not a valid string"));
            return None;
        }
    };
    if let Some(counted_as) = names::reserved(name) {
        let message = format!("{name} is reserved and counted as {counted_as}");
        findings.push(Finding::new(Rule::ReservedEventName, "event", message));
    } else if let Some(objection) = names::objection(name) {
        findings.push(Finding::new(Rule::EventName, "event", objection));
    }
    Some(name.clone())
}

fn event_id(
    value: Option<&Value>,
    event: Option<&str>,
    findings: &mut Vec<Finding>,
) -> Option<String> {
    match value {
        Some(Value::String(id)) if !id.is_empty() => return Some(id.clone()),
        // TikTok's own `page` call sends no event_id, so a page view without an id is not a mistake.
        None | Some(Value::Null | Value::String(_))
            if event.map(names::canonical) == Some("Pageview") => {}
        None | Some(Value::Null | Value::String(_)) => {
            findings.push(Finding::new(
                Rule::NoEventId,
                "event_id",
                "event_id is missing, so each copy counts",
            ));
        }
        Some(_) => findings.push(Finding::new(
            Rule::WrongType,
            "event_id",
            "not a valid string",
        )),
    }
    None
}

fn unix_seconds(timestamp: &str) -> Option<i64> {
    let time = OffsetDateTime::parse(timestamp, &Rfc3339).ok()?;
    Some(time.unix_timestamp())
}
