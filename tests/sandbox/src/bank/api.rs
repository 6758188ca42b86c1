//! The bank over HTTP: a JSON API, and the page that uses it.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Instruction;
use crate::Sandbox;
use crate::api::{refused, shown};

pub(crate) async fn page() -> Response {
    shown(include_str!("page.html"))
}

/// What was sent, and what the bank was set up with.
pub(crate) async fn transfers(State(sandbox): State<Sandbox>) -> Json<Value> {
    let options = sandbox.bank().options();
    Json(json!({
        "webhook_url": options.webhook_url,
        "auth": options.auth,
        "account": options.account,
        "transfers": sandbox.bank().told(),
    }))
}

/// Follows an instruction, and answers when all of it is done.
pub(crate) async fn send(State(sandbox): State<Sandbox>, body: Bytes) -> Response {
    let instruction: Instruction = match serde_json::from_slice(&body) {
        Ok(instruction) => instruction,
        Err(error) => return refused(&error.to_string()),
    };
    match sandbox.bank().send(instruction).await {
        Ok(told) => Json(told).into_response(),
        Err(bad) => refused(&bad.to_string()),
    }
}
