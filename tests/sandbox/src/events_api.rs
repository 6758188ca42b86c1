//! `POST /open_api/v1.3/event/track/`: TikTok's interface for servers.
//!
//! The checks follow the order in TikTok's contract: JSON, token, event source, pixel, data, each event. Then the events
//! are counted. The result is in the body's `code`. The HTTP status is 200, except when a fault sets another status.

mod exchange;
mod headers;
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
use crate::faults::{Fault, Place};
use crate::reply::{self, Reply, gateway_page, respond};
use crate::sandbox::Strike;
use exchange::Exchange;
use judge::{Blame, Incoming, Mode};

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
    headers::inspect(&sandbox, uri.query(), &headers, now_ms);
    let bytes = match body {
        Ok(bytes) => bytes,
        Err(rejection) => {
            let exchange = Exchange::begin(&sandbox, now_ms, token, None, None);
            exchange.answered(rejection.status(), None);
            return gateway_page(rejection.status());
        }
    };
    let json = serde_json::from_slice::<Value>(&bytes).ok();
    let strike = sandbox.strike(Place::EventsApi, json.as_ref());
    let fault = strike.as_ref().map(|strike| strike.injection.fault.name());
    let answering = Answering {
        sandbox: &sandbox,
        exchange: Exchange::begin(&sandbox, now_ms, token, Some(&bytes), fault),
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

/// Judges a request that did not come over HTTP. Active faults are ignored. Returns the JSON of the answer.
pub(crate) fn judge_whole(sandbox: &Sandbox, token: &str, body: &[u8]) -> String {
    let now_ms = sandbox.clock().now_ms();
    let json = serde_json::from_slice::<Value>(body).ok();
    let incoming = Incoming {
        now_ms,
        token: Some(token),
        json: json.as_ref(),
    };
    let reply = judge::judge(sandbox, &incoming, Mode::Whole);
    reply.json(&reply::request_id(now_ms, 0))
}

struct Answering<'a> {
    sandbox: &'a Sandbox,
    exchange: Exchange<'a>,
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
            Fault::Partial { .. } | Fault::RefuseEvent { .. } | Fault::BlameAnother { .. }
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
                blame: name_index.then_some(Blame::TheEvent),
            }),
            Fault::BlameAnother { event_id } => self.usual(Mode::Refusing {
                event_id,
                blame: Some(Blame::TheNext),
            }),
            Fault::CodeForEvent { code, .. } => {
                self.json(&Reply::failure(*code, reply::words_for(*code)))
            }
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
                self.exchange.answered(StatusCode::OK, None);
                respond(StatusCode::OK, "application/json", Body::empty())
            }
            Fault::TornJson {} => {
                self.exchange.answered(StatusCode::OK, None);
                respond(
                    StatusCode::OK,
                    "application/json",
                    r#"{"code":0,"message":"O"#,
                )
            }
            Fault::Reset {} => self.reset(),
            // These faults change only the route of the Pixel's script.
            Fault::ScriptMissing {} | Fault::ScriptHangs {} => self.usual(Mode::Whole),
        }
    }

    fn judge(&self, mode: Mode<'_>) -> Reply {
        let reply = judge::judge(self.sandbox, &self.incoming, mode);
        self.sandbox.changed();
        reply
    }

    fn json(&self, reply: &Reply) -> Response {
        let request_id = reply::request_id(self.incoming.now_ms, self.exchange.number());
        let body = reply.json(&request_id);
        self.exchange
            .answered(StatusCode::OK, Some((reply, request_id)));
        respond(StatusCode::OK, "application/json", body)
    }

    fn page(&self, status: StatusCode) -> Response {
        self.exchange.answered(status, None);
        gateway_page(status)
    }

    /// Resets the request's connection, so the sender gets no answer. A request in the same process has no connection. For
    /// such a request, the sandbox answers like a gateway that has lost its connection to TikTok.
    fn reset(&self) -> Response {
        let Some(connection) = &self.connection else {
            return self.page(StatusCode::BAD_GATEWAY);
        };
        connection.reset();
        self.exchange.cut();
        StatusCode::OK.into_response()
    }
}
