//! Finds errors and exposed tokens in the headers and the address of a request.

use axum::http::{HeaderMap, header};

use crate::Sandbox;
use crate::conversion::Channel;
use crate::rule::Rule;
use crate::violations::{Finding, Subject};

pub(super) fn inspect(sandbox: &Sandbox, query: Option<&str>, headers: &HeaderMap, now_ms: u64) {
    let mut findings = Vec::new();
    let knows = |text: &str| {
        sandbox
            .options()
            .pixels
            .iter()
            .any(|pixel| text.contains(&pixel.access_token))
    };
    if query.is_some_and(|query| knows(query) || query.to_ascii_lowercase().contains("token=")) {
        findings.push(Finding::new(
            Rule::TokenExposed,
            "URL",
            "the address contains a token",
        ));
    }
    if headers.contains_key(header::ORIGIN) {
        let message = "a browser made this request, so the browser has the token";
        findings.push(Finding::new(Rule::TokenExposed, "Origin", message));
    }
    if headers.contains_key(header::AUTHORIZATION) {
        findings.push(Finding::new(
            Rule::AuthorizationHeader,
            "Authorization",
            "TikTok ignores this header",
        ));
    }
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    if !content_type.is_some_and(|value| value.starts_with("application/json")) {
        let message = "not application/json";
        findings.push(Finding::new(
            Rule::RequestContentType,
            "Content-Type",
            message,
        ));
    }
    let subject = Subject {
        channel: Some(Channel::Server),
        at_ms: now_ms,
        ..Subject::default()
    };
    sandbox.state().inspector.record(&subject, findings);
}
