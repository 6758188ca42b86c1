//! The HTTP interface of the fake Clerk: its key set, and routes that control it.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{KeySetAnswer, Mint, OldKey};
use crate::Sandbox;
use crate::api::refused;
use crate::reply::gateway_page;

/// `GET /.well-known/jwks.json`.
pub(crate) async fn key_set(State(sandbox): State<Sandbox>) -> Response {
    let clerk = sandbox.clerk();
    clerk.lock().hits += 1;
    sandbox.changed();
    let mut answers = clerk.answer.subscribe();
    // Waiting cannot fail, because the sandbox keeps the sender alive.
    let answer = answers
        .wait_for(|answer| *answer != KeySetAnswer::Hang)
        .await
        .map(|answer| *answer)
        .unwrap_or_default();
    match answer {
        KeySetAnswer::Keys | KeySetAnswer::Hang => Json(clerk.key_set()).into_response(),
        KeySetAnswer::Error => gateway_page(StatusCode::INTERNAL_SERVER_ERROR),
        KeySetAnswer::Malformed => "{\"keys\":[{\"use\":\"sig\",".into_response(),
        KeySetAnswer::Empty => Json(json!({ "keys": [] })).into_response(),
    }
}

/// `POST /clerk/sign-in`: returns a token in the body, as Clerk's script gets one. The answer sets no cookie.
pub(crate) async fn sign_in(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut mint: Mint = match read(&body) {
        Ok(mint) => mint,
        Err(error) => return refused(&error.to_string()),
    };
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::to_owned);
    let Some(host) = text(header::HOST) else {
        return refused(
            "the request must have a Host header, because this header becomes the token's issuer",
        );
    };
    mint.azp = mint.azp.or_else(|| text(header::ORIGIN));
    let now_s = i64::try_from(sandbox.clock().now_ms() / 1000).unwrap_or(i64::MAX);
    let token = sandbox
        .clerk()
        .mint(&format!("http://{host}"), now_s, &mint);
    Json(json!({ "token": token, "cookie": "__session", "expires_in_s": 60 })).into_response()
}

/// `GET /clerk`.
pub(crate) async fn state(State(sandbox): State<Sandbox>) -> Json<Value> {
    let clerk = sandbox.clerk();
    Json(json!({
        "key_set_hits": clerk.key_set_hits(), "answer": *clerk.answer.borrow(), "kids": clerk.key_ids(),
    }))
}

/// `POST /clerk/rotate`.
pub(crate) async fn rotate(State(sandbox): State<Sandbox>, body: Bytes) -> Response {
    #[derive(Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Rotate {
        keep_old: bool,
    }
    let old = match read::<Rotate>(&body) {
        Ok(Rotate { keep_old: true }) => OldKey::Kept,
        Ok(Rotate { keep_old: false }) => OldKey::Removed,
        Err(error) => return refused(&error.to_string()),
    };
    Json(json!({ "kid": sandbox.clerk().rotate(old) })).into_response()
}

/// `POST /clerk/key-set`.
pub(crate) async fn answer_with(State(sandbox): State<Sandbox>, body: Bytes) -> Response {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Answer {
        answer: KeySetAnswer,
    }
    match serde_json::from_slice::<Answer>(&body) {
        Ok(Answer { answer }) => {
            sandbox.clerk().answer_with(answer);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => refused(&error.to_string()),
    }
}

/// An empty body selects the defaults.
fn read<T: Default + for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, serde_json::Error> {
    if body.is_empty() {
        Ok(T::default())
    } else {
        serde_json::from_slice(body)
    }
}
