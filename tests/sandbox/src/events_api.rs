//! `POST /open_api/v1.3/event/track/`: the server's end of TikTok.
//!
//! The order is the contract's: JSON, token, event source, pixel, data, each event, then counting. The
//! verdict is in the body's `code`; the HTTP status is 200 unless a fault says otherwise.

mod judge;

use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::Sandbox;
use crate::connection::Connection;
use crate::conversion::Channel;
use crate::faults::{Fault, Place};
use crate::reply::{self, Reply, gateway_page, respond};
use crate::requests::{Answered, LoggedRequest, Token};
use crate::rule::Rule;
use crate::sandbox::Strike;
use crate::violations::{Finding, Subject};
use judge::{Incoming, Mode};

pub(crate) const PATH: &str = "/open_api/v1.3/event/track/";

const TOKEN_HEADER: &str = "access-token";

pub(crate) async fn track(
    State(sandbox): State<Sandbox>,
    uri: Uri,
    connection: Option<Extension<ConnectInfo<Connection>>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let now_ms = sandbox.clock().now_ms();
    let token = headers
        .get(TOKEN_HEADER)
        .and_then(|token| token.to_str().ok());
    inspect_headers(&sandbox, uri.query(), &headers, now_ms);
    let Ok(bytes) = body else {
        let request = logged(&sandbox, now_ms, token, None);
        let number = begin(&sandbox, request, 0);
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        finish(&sandbox, number, status, None);
        return gateway_page(status);
    };
    let json = serde_json::from_slice::<Value>(&bytes).ok();
    let strike = sandbox.strike(Place::EventsApi, json.as_ref());
    let mut request = logged(&sandbox, now_ms, token, Some(&bytes));
    request.fault = strike.as_ref().map(|strike| strike.injection.fault.name());
    let number = begin(&sandbox, request, bytes.len());
    let answering = Answering {
        sandbox: &sandbox,
        number,
        incoming: Incoming {
            now_ms,
            token,
            json: json.as_ref(),
        },
        connection: connection.map(|Extension(ConnectInfo(connection))| connection),
    };
    match strike {
        None => answering.usual(Mode::Whole),
        Some(strike) => answering.struck(&strike).await,
    }
}

struct Answering<'a> {
    sandbox: &'a Sandbox,
    number: u64,
    incoming: Incoming<'a>,
    connection: Option<Connection>,
}

impl Answering<'_> {
    fn usual(&self, mode: Mode<'_>) -> Response {
        let reply = self.judge(mode);
        self.json(&reply)
    }

    async fn struck(&self, strike: &Strike) -> Response {
        let injection = &strike.injection;
        tokio::time::sleep(Duration::from_millis(injection.delay_ms)).await;
        let is_a_way_to_judge = matches!(
            injection.fault,
            Fault::Partial { .. } | Fault::RefuseEvent { .. }
        );
        let store_first = injection.after_storing && !is_a_way_to_judge;
        let judged = store_first.then(|| self.judge(Mode::Whole));
        match &injection.fault {
            Fault::Hang {} => {
                self.sandbox.hang(strike).await;
                self.json(&judged.unwrap_or_else(|| self.judge(Mode::Whole)))
            }
            Fault::Slow { ms } => {
                tokio::time::sleep(Duration::from_millis(*ms)).await;
                self.json(&judged.unwrap_or_else(|| self.judge(Mode::Whole)))
            }
            Fault::Partial { event_id } => self.usual(Mode::Partial {
                also: event_id.as_deref(),
            }),
            Fault::RefuseEvent {
                event_id,
                name_index,
            } => self.usual(Mode::Refusing {
                event_id,
                name_index: *name_index,
            }),
            Fault::Code { code, message } => {
                let message = message
                    .as_deref()
                    .unwrap_or_else(|| reply::words_for(*code));
                self.json(&Reply::failure(*code, message))
            }
            Fault::TokenRevoked {} => self.json(&Reply::failure(
                reply::WRONG_TOKEN,
                reply::words_for(reply::WRONG_TOKEN),
            )),
            Fault::BadGateway {} => self.page(StatusCode::BAD_GATEWAY),
            Fault::GatewayTimeout {} => self.page(StatusCode::GATEWAY_TIMEOUT),
            Fault::TooManyRequests { retry_after_s } => {
                let mut response = self.page(StatusCode::TOO_MANY_REQUESTS);
                if let Some(seconds) = retry_after_s {
                    response
                        .headers_mut()
                        .insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
                }
                response
            }
            Fault::EmptyBody {} => {
                self.finish(StatusCode::OK, None);
                respond(StatusCode::OK, "application/json", Body::empty())
            }
            Fault::TornJson {} => {
                self.finish(StatusCode::OK, None);
                respond(
                    StatusCode::OK,
                    "application/json",
                    r#"{"code":0,"message":"O"#,
                )
            }
            Fault::Reset {} => self.reset(),
            // These strike the script's route only.
            Fault::ScriptMissing {} | Fault::ScriptHangs {} => self.usual(Mode::Whole),
        }
    }

    fn judge(&self, mode: Mode<'_>) -> Reply {
        let reply = judge::judge(self.sandbox, &self.incoming, mode);
        self.sandbox.changed();
        reply
    }

    fn json(&self, reply: &Reply) -> Response {
        let request_id = reply::request_id(self.incoming.now_ms, self.number);
        let body = reply.json(&request_id);
        self.finish(StatusCode::OK, Some((reply, request_id)));
        respond(StatusCode::OK, "application/json", body)
    }

    fn page(&self, status: StatusCode) -> Response {
        self.finish(status, None);
        gateway_page(status)
    }

    /// Nothing is written over a connection that was reset. Without a connection of its own, in process,
    /// the sandbox answers as a gateway does that lost its own connection.
    fn reset(&self) -> Response {
        self.sandbox.changed();
        if let Some(connection) = &self.connection {
            connection.reset();
            return StatusCode::OK.into_response();
        }
        gateway_page(StatusCode::BAD_GATEWAY)
    }

    fn finish(&self, status: StatusCode, reply: Option<(&Reply, String)>) {
        finish(self.sandbox, self.number, status, reply);
    }
}

fn begin(sandbox: &Sandbox, request: LoggedRequest, body_bytes: usize) -> u64 {
    let number = {
        let mut state = sandbox.state();
        state.totals.requests += 1;
        state.requests.begin(request, body_bytes)
    };
    sandbox.changed();
    number
}

fn finish(sandbox: &Sandbox, number: u64, status: StatusCode, reply: Option<(&Reply, String)>) {
    let mut answered = Answered {
        status: Some(status.as_u16()),
        ..Answered::default()
    };
    if let Some((reply, request_id)) = reply {
        answered.code = Some(reply.code);
        answered.message = Some(reply.message.clone());
        answered.request_id = Some(request_id);
    }
    sandbox.state().requests.finish(number, answered);
    sandbox.changed();
}

fn logged(
    sandbox: &Sandbox,
    now_ms: u64,
    token: Option<&str>,
    body: Option<&[u8]>,
) -> LoggedRequest {
    let pixels = &sandbox.options().pixels;
    let known = |token: &str| pixels.iter().any(|pixel| pixel.access_token == token);
    let body = body.map(|bytes| {
        let mut text = String::from_utf8_lossy(bytes).into_owned();
        for pixel in pixels {
            text = text.replace(&pixel.access_token, "[token]");
        }
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    });
    LoggedRequest {
        number: 0,
        received_at_ms: now_ms,
        path: PATH.to_owned(),
        token: match token {
            None => Token::Missing,
            Some(token) if known(token) => Token::Right,
            Some(_) => Token::Wrong,
        },
        body,
        fault: None,
        status: None,
        code: None,
        message: None,
        request_id: None,
    }
}

fn inspect_headers(sandbox: &Sandbox, query: Option<&str>, headers: &HeaderMap, now_ms: u64) {
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
            "the address has a token in it",
        ));
    }
    if headers.contains_key(header::ORIGIN) {
        let message = "called by a browser, which therefore has the token";
        findings.push(Finding::new(Rule::TokenExposed, "Origin", message));
    }
    if headers.contains_key(header::AUTHORIZATION) {
        findings.push(Finding::new(
            Rule::AuthorizationHeader,
            "Authorization",
            "sent and ignored",
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
