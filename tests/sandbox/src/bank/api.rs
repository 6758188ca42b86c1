//! The bank's HTTP interface: a JSON API, and the page that uses the API.

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

/// Returns the transfers and the bank's settings.
pub(crate) async fn transfers(State(sandbox): State<Sandbox>) -> Json<Value> {
    let options = sandbox.bank().options();
    Json(json!({
        "webhook_url": options.webhook_url,
        "auth": options.auth,
        "account": options.account,
        "transfers": sandbox.bank().told(),
    }))
}

/// Carries out an instruction, and answers when everything is done.
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
