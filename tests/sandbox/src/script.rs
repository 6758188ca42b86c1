//! `GET /i18n/pixel/events.js`: the Pixel script.

use std::collections::HashMap;

use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::Sandbox;
use crate::conversion::Channel;
use crate::faults::{Fault, Place};
use crate::reply::{gateway_page, respond};
use crate::rule::Rule;
use crate::violations::{Finding, Subject};

const SCRIPT: &str = include_str!("pixel.js");
const NOTHING_USEFUL: &str = "/* no such pixel */\n";

pub(crate) async fn events_js(
    State(sandbox): State<Sandbox>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    if let Some(strike) = sandbox.strike(Place::Script, None) {
        sandbox.changed();
        tokio::time::sleep(std::time::Duration::from_millis(strike.injection.delay_ms)).await;
        if strike.injection.fault == (Fault::ScriptMissing {}) {
            return gateway_page(StatusCode::NOT_FOUND);
        }
        sandbox.hang(&strike).await;
    }
    let known = |code: &String| {
        sandbox
            .options()
            .pixels
            .iter()
            .any(|pixel| pixel.code == *code)
    };
    let fault = match query.get("sdkid") {
        None => Some((
            Rule::MissingField,
            "sdkid",
            "sdkid is missing, so the script cannot know its pixel",
        )),
        Some(code) if !known(code) => Some((
            Rule::UnknownPixel,
            "sdkid",
            "the sandbox has no pixel with this code",
        )),
        Some(_) if query.get("lib").map(String::as_str) != Some("ttq") => {
            Some((Rule::MissingField, "lib", "not lib=ttq"))
        }
        Some(_) => None,
    };
    let useful = fault.is_none_or(|(_, field, _)| field == "lib");
    if let Some((rule, field, message)) = fault {
        let subject = Subject {
            channel: Some(Channel::Pixel),
            at_ms: sandbox.clock().now_ms(),
            ..Subject::default()
        };
        let finding = Finding::new(rule, field, message);
        sandbox.state().inspector.record(&subject, [finding]);
        sandbox.changed();
    }
    let script = if useful { SCRIPT } else { NOTHING_USEFUL };
    let mut response = respond(
        StatusCode::OK,
        "application/javascript; charset=utf-8",
        script,
    );
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // With this header, a page that is cross-origin isolated can load the script too.
    headers.insert(
        "cross-origin-resource-policy",
        HeaderValue::from_static("cross-origin"),
    );
    response
}
