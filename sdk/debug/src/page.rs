//! What `debug.js` calls.

use gloo_net::{
    Error,
    http::{Request, Response},
};
use serde::Serialize;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

use crate::check;

/// The proxy's health, as its track path states it.
#[derive(Serialize)]
struct Health {
    /// The HTTP status; 0 where nobody answered.
    http: u16,
    /// What it says of itself.
    says: serde_json::Value,
    /// Why it rejects this page's events: the proxy's own sentence, which names the setting to change.
    rejects: Option<String>,
}

/// What the proxy would say of an event: `{ errors, warnings }`.
#[wasm_bindgen]
pub fn check(event: &str, country: &str, now_ms: f64) -> JsValue {
    #[expect(clippy::cast_possible_truncation, reason = "a clock is a whole number")]
    let verdict = check::check(event, country, now_ms as i64);
    value(&verdict)
}

/// Asks the proxy behind `endpoint` how it is. Never rejected.
#[wasm_bindgen]
pub async fn health(endpoint: String) -> JsValue {
    let mut health = Health {
        http: 0,
        says: serde_json::Value::Null,
        rejects: None,
    };
    if let Some((status, says)) = answer(Request::get(&endpoint).send().await).await {
        (health.http, health.says) = (status, says);
    }
    // Only a POST carries this page's origin, which the proxy may not know. A bundle without events reports nothing.
    let nothing = Request::post(&endpoint).body(r#"{"events":[]}"#);
    if let Ok(request) = nothing
        && let Some((403, says)) = answer(request.send().await).await
    {
        health.rejects = says
            .get("error")
            .and_then(serde_json::Value::as_str)
            .map(str::to_owned);
    }
    value(&health)
}

async fn answer(response: Result<Response, Error>) -> Option<(u16, serde_json::Value)> {
    match response {
        Ok(response) => {
            let text = response.text().await.unwrap_or_default();
            let says = serde_json::from_str(&text).unwrap_or_default();
            Some((response.status(), says))
        }
        Err(error) => {
            web_sys::console::debug_1(&format!("[duet] {error}").into());
            None
        }
    }
}

fn value(what: &impl Serialize) -> JsValue {
    let plain = serde_wasm_bindgen::Serializer::json_compatible();
    what.serialize(&plain).unwrap_or(JsValue::NULL)
}
