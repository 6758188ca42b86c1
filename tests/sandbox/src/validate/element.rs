//! One element of `data`.

use serde_json::{Map, Value};

use super::{page, properties, user, value};
use crate::conversion::Channel;
use crate::names;
use crate::rule::Rule;
use crate::violations::Finding;

const EVENT_NAME_CHARACTERS: usize = 50;
const EVENT_ID_CHARACTERS: usize = 256;
/// From this value on, an `event_time` is taken for milliseconds by mistake.
const MILLISECONDS_FROM: i64 = 100_000_000_000;
const OLDEST_S: i64 = 28 * 24 * 60 * 60;
const AHEAD_S: i64 = 10 * 60;

/// An event in the form of the Events API.
#[derive(Debug)]
pub(crate) struct ServerEvent {
    pub(crate) event: String,
    pub(crate) event_time: i64,
    pub(crate) event_id: Option<String>,
    pub(crate) user: Map<String, Value>,
    pub(crate) match_keys: Vec<&'static str>,
    pub(crate) properties: Map<String, Value>,
    pub(crate) page: Map<String, Value>,
    pub(crate) limited_data_use: bool,
}

pub(super) fn read(
    at: &str,
    value: &Value,
    now_ms: u64,
    findings: &mut Vec<Finding>,
) -> Option<ServerEvent> {
    let Value::Object(element) = value else {
        findings.push(Finding::new(Rule::WrongType, at, "not a valid object").refused());
        return None;
    };
    let event = event(at, element, findings);
    let event_time = event_time(at, element, now_ms, findings);
    let event_id = event_id(at, element, findings);
    let object = |key: &str, findings: &mut Vec<Finding>| object(at, element, key, findings);
    let raw_user = object("user", findings);
    let raw_properties = object("properties", findings);
    let raw_page = object("page", findings);

    let (user, match_keys) = user::read(&format!("{at}.user"), &raw_user, findings);
    properties::inspect(
        &format!("{at}.properties"),
        &raw_properties,
        Channel::Server,
        findings,
    );
    page::inspect(&format!("{at}.page"), &raw_page, findings);
    let limited_data_use = limited_data_use(at, element, &raw_properties, findings);
    keys(at, element, findings);

    Some(ServerEvent {
        event: event?,
        event_time: event_time?,
        event_id,
        user,
        match_keys,
        properties: raw_properties,
        page: raw_page,
        limited_data_use,
    })
}

fn event(at: &str, element: &Map<String, Value>, findings: &mut Vec<Finding>) -> Option<String> {
    let field = format!("{at}.event");
    let refused = |rule, message| Some(Finding::new(rule, field.as_str(), message).refused());
    let fault = match element.get("event") {
        None | Some(Value::Null) => refused(Rule::MissingField, "missing data for required field"),
        Some(Value::String(name)) if name.is_empty() => {
            refused(Rule::MissingField, "must not be empty")
        }
        Some(Value::String(name)) if name.chars().count() > EVENT_NAME_CHARACTERS => {
            refused(Rule::OutOfRange, "longer than 50 characters")
        }
        Some(Value::String(name)) => {
            if let Some(counted_as) = names::reserved(name) {
                let message = format!("{name} is reserved and counted as {counted_as}");
                findings.push(Finding::new(Rule::ReservedEventName, field, message));
            } else if let Some(objection) = names::objection(name) {
                findings.push(Finding::new(Rule::EventName, field, objection));
            }
            return Some(name.clone());
        }
        Some(_) => refused(Rule::WrongType, "not a valid string"),
    };
    findings.extend(fault);
    None
}

fn event_time(
    at: &str,
    element: &Map<String, Value>,
    now_ms: u64,
    findings: &mut Vec<Finding>,
) -> Option<i64> {
    let field = format!("{at}.event_time");
    let seconds = match element.get("event_time") {
        None | Some(Value::Null) => {
            let message = "missing data for required field";
            findings.push(Finding::new(Rule::MissingField, field, message).refused());
            return None;
        }
        Some(Value::Number(number)) => number.as_i64(),
        Some(Value::String(text))
            if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) =>
        {
            let message = "a number sent as text";
            findings.push(Finding::new(Rule::NumericString, field.as_str(), message));
            text.parse().ok()
        }
        Some(_) => None,
    };
    let Some(seconds) = seconds else {
        findings
            .push(Finding::new(Rule::WrongType, field, "not a valid integer of seconds").refused());
        return None;
    };
    if seconds >= MILLISECONDS_FROM {
        let message = "milliseconds; must be seconds";
        findings.push(Finding::new(Rule::MillisecondTime, field, message).refused());
        return None;
    }
    let now = i64::try_from(now_ms / 1000).unwrap_or(i64::MAX);
    if seconds < now.saturating_sub(OLDEST_S) {
        findings.push(Finding::new(
            Rule::EventTimeWindow,
            field,
            "older than 28 days",
        ));
    } else if seconds > now.saturating_add(AHEAD_S) {
        findings.push(Finding::new(
            Rule::EventTimeWindow,
            field,
            "more than 10 minutes in the future",
        ));
    }
    Some(seconds)
}

fn event_id(at: &str, element: &Map<String, Value>, findings: &mut Vec<Finding>) -> Option<String> {
    let field = format!("{at}.event_id");
    let fault = match element.get("event_id") {
        Some(Value::String(id)) if id.chars().count() > EVENT_ID_CHARACTERS => {
            Finding::new(Rule::OutOfRange, field, "longer than 256 characters").refused()
        }
        Some(Value::String(id)) if !id.is_empty() => return Some(id.clone()),
        None | Some(Value::Null | Value::String(_)) => {
            Finding::new(Rule::NoEventId, field, "no event_id: each copy counts")
        }
        Some(_) => Finding::new(Rule::WrongType, field, "not a valid string").refused(),
    };
    findings.push(fault);
    None
}

fn object(
    at: &str,
    element: &Map<String, Value>,
    key: &str,
    findings: &mut Vec<Finding>,
) -> Map<String, Value> {
    let field = format!("{at}.{key}");
    match element.get(key) {
        Some(Value::Object(object)) => return object.clone(),
        None => {}
        Some(Value::Null) => value::empty(&field, "null", findings),
        Some(_) => {
            findings.push(Finding::new(Rule::WrongType, field, "not a valid object").refused());
        }
    }
    Map::new()
}

fn limited_data_use(
    at: &str,
    element: &Map<String, Value>,
    properties: &Map<String, Value>,
    findings: &mut Vec<Finding>,
) -> bool {
    let misplaced = properties.get("limited_data_use");
    if misplaced.is_some() {
        let field = format!("{at}.properties.limited_data_use");
        findings.push(Finding::new(
            Rule::MisplacedKey,
            field,
            "belongs beside properties, not into properties",
        ));
    }
    match element.get("limited_data_use") {
        Some(Value::Bool(limited)) => *limited,
        None => misplaced.is_some_and(|value| value == true || value == 1),
        Some(Value::Null) => {
            value::empty(&format!("{at}.limited_data_use"), "null", findings);
            false
        }
        Some(_) => {
            let field = format!("{at}.limited_data_use");
            findings.push(Finding::new(Rule::WrongType, field, "not a valid boolean"));
            false
        }
    }
}

fn keys(at: &str, element: &Map<String, Value>, findings: &mut Vec<Finding>) {
    for key in element.keys().map(String::as_str) {
        let (rule, message) = match key {
            "event" | "event_time" | "event_id" | "user" | "properties" | "page"
            | "limited_data_use" | "lead" | "device" => continue,
            "test_event_code" => (
                Rule::MisplacedKey,
                "belongs at the root of the request; here it has no effect, so the event counts as a real event",
            ),
            "event_source" | "event_source_id" | "partner_name" => {
                (Rule::MisplacedKey, "belongs at the root of the request")
            }
            "context" | "timestamp" | "pixel_code" | "type" => (
                Rule::MisplacedKey,
                "belongs into the body of TikTok's older API",
            ),
            _ => (Rule::UnknownKey, "not a known key of a web event"),
        };
        findings.push(Finding::new(rule, format!("{at}.{key}"), message));
    }
}
