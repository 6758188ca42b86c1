//! Checks the body of an Events API request, in the order in which TikTok seems to check it.
//!
//! All functions here are pure: they depend only on the body, the time, and which pixels the caller's token owns. The check
//! lists every mistake in the body, but the answer names only the first mistake that refuses the request.

mod element;
mod page;
pub(crate) mod properties;
mod user;
mod value;

pub(crate) use element::ServerEvent;

use serde_json::{Map, Value};

use crate::rule::Rule;
use crate::violations::Finding;

/// How many events one request can have at most.
const EVENTS_PER_REQUEST: usize = 1000;

const ROOT_KEYS: [&str; 5] = [
    "event_source",
    "event_source_id",
    "data",
    "test_event_code",
    "partner_name",
];
const LEGACY_ROOT_KEYS: [&str; 12] = [
    "pixel_code",
    "event",
    "event_id",
    "event_time",
    "timestamp",
    "context",
    "batch",
    "properties",
    "user",
    "page",
    "type",
    "limited_data_use",
];

/// The fields at the root of a request.
#[derive(Debug)]
pub(crate) struct Envelope<'a> {
    pub(crate) pixel: &'a str,
    pub(crate) test_event_code: Option<&'a str>,
    pub(crate) data: &'a [Value],
    /// Mistakes that a lenient sandbox accepts.
    pub(crate) findings: Vec<Finding>,
}

/// The reason for refusing a whole request.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: u32,
    pub(crate) finding: Finding,
}

impl Refusal {
    fn invalid(rule: Rule, field: &str, message: &str) -> Self {
        Self {
            code: 40002,
            finding: Finding::new(rule, field, message).refused(),
        }
    }
}

/// Does steps 4 to 7 of the validation order. `owns` returns whether the caller's token owns the pixel with this code.
pub(crate) fn envelope(
    body: &Map<String, Value>,
    owns: impl Fn(&str) -> bool,
) -> Result<Envelope<'_>, Refusal> {
    let source = body.get("event_source").filter(|value| !value.is_null());
    match source.map(Value::as_str) {
        None => return Err(missing("event_source")),
        Some(Some("web" | "app" | "offline" | "crm")) => {}
        Some(_) => {
            let message = "must be one of: web, app, offline, crm";
            return Err(Refusal::invalid(Rule::WrongType, "event_source", message));
        }
    }
    let pixel = match body.get("event_source_id") {
        None | Some(Value::Null) => return Err(missing("event_source_id")),
        Some(Value::String(pixel)) if pixel.is_empty() => return Err(missing("event_source_id")),
        Some(Value::String(pixel)) => pixel,
        Some(_) => {
            return Err(Refusal::invalid(
                Rule::WrongType,
                "event_source_id",
                "not a valid string",
            ));
        }
    };
    if !owns(pixel) {
        return Err(Refusal {
            code: 40001,
            finding: Finding::new(
                Rule::UnknownPixel,
                "event_source_id",
                "the token does not own this pixel",
            )
            .refused(),
        });
    }
    let data = match body.get("data") {
        None | Some(Value::Null) => return Err(missing("data")),
        Some(Value::Array(data)) if data.is_empty() => {
            return Err(Refusal::invalid(
                Rule::MissingField,
                "data",
                "must not be empty",
            ));
        }
        Some(Value::Array(data)) if data.len() > EVENTS_PER_REQUEST => {
            return Err(Refusal::invalid(
                Rule::OutOfRange,
                "data",
                "more than 1000 events",
            ));
        }
        Some(Value::Array(data)) => data,
        Some(_) => {
            return Err(Refusal::invalid(
                Rule::WrongType,
                "data",
                "not a valid list",
            ));
        }
    };
    let mut findings = Vec::new();
    let test_event_code = test_event_code(body, &mut findings);
    root_keys(body, &mut findings);
    Ok(Envelope {
        pixel,
        test_event_code,
        data,
        findings,
    })
}

/// Does step 8 of the validation order for the element at `index`. Returns the event if a lenient sandbox can count it.
pub(crate) fn element(
    index: usize,
    value: &Value,
    now_ms: u64,
) -> (Option<ServerEvent>, Vec<Finding>) {
    let mut findings = Vec::new();
    let event = element::read(&format!("data.{index}"), value, now_ms, &mut findings);
    (event, findings)
}

fn missing(field: &str) -> Refusal {
    Refusal::invalid(Rule::MissingField, field, "missing data for required field")
}

fn test_event_code<'a>(
    body: &'a Map<String, Value>,
    findings: &mut Vec<Finding>,
) -> Option<&'a str> {
    value::text(body.get("test_event_code")?, "test_event_code", findings)
}

fn root_keys(body: &Map<String, Value>, findings: &mut Vec<Finding>) {
    for key in body.keys().map(String::as_str) {
        let (rule, message) = match key {
            known if ROOT_KEYS.contains(&known) => continue,
            legacy if LEGACY_ROOT_KEYS.contains(&legacy) => (
                Rule::MisplacedKey,
                "belongs inside data, or into the body of TikTok's older API",
            ),
            "access_token" | "Access-Token" => {
                (Rule::TokenExposed, "the body must not contain a token")
            }
            _ => (Rule::UnknownKey, "not a known key of the root"),
        };
        findings.push(Finding::new(rule, key, message));
    }
}
