//! What `debug.js` calls.

use gloo_net::http::Request;
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
    };
    match Request::get(&endpoint).send().await {
        Ok(response) => {
            health.http = response.status();
            let text = response.text().await.unwrap_or_default();
            health.says = serde_json::from_str(&text).unwrap_or_default();
        }
        Err(error) => web_sys::console::debug_1(&format!("[duet] {error}").into()),
    }
    value(&health)
}

fn value(what: &impl Serialize) -> JsValue {
    let plain = serde_wasm_bindgen::Serializer::json_compatible();
    what.serialize(&plain).unwrap_or(JsValue::NULL)
}
