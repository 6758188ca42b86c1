//! A sandbox over real TCP with a clock that stands still, and bodies for requests to it.

#![allow(dead_code, reason = "each test binary uses only a part of this module")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an error here must fail the test"
)]

use std::net::SocketAddr;
use std::time::Duration;

use duet_sandbox::{Clock, Options, Rule, Sandbox, serve};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) const PIXEL: &str = "CDUETSANDBOX00000001";
pub(crate) const TOKEN: &str = "sandbox-token";
pub(crate) const NOW_S: i64 = 1_767_323_045;
pub(crate) const DIGEST: &str = "973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b";
/// How long a test waits before it fails. All steps here are much faster.
pub(crate) const DEADLINE: Duration = Duration::from_mins(2);

pub(crate) struct Running {
    pub(crate) sandbox: Sandbox,
    pub(crate) address: SocketAddr,
    pub(crate) client: reqwest::Client,
}

pub(crate) fn options() -> Options {
    Options {
        clock: Clock::stopped_at(u64::try_from(NOW_S).unwrap() * 1000),
        ..Options::default()
    }
}

pub(crate) async fn start() -> Running {
    start_with(options()).await
}

pub(crate) async fn start_with(options: Options) -> Running {
    let sandbox = Sandbox::new(options);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, sandbox.clone(), std::future::pending()));
    Running {
        sandbox,
        address,
        client: http_client(),
    }
}

/// Makes a client. If the client is built together with the proxy, it supports TLS but has no TLS provider. No test here
/// uses TLS.
pub(crate) fn http_client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

impl Running {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn posting(&self, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        self.client
            .post(self.url("/open_api/v1.3/event/track/"))
            .header("access-token", TOKEN)
            .header("content-type", "application/json")
            .body(body)
    }

    /// Sends a body, and returns the answer's status and JSON.
    pub(crate) async fn send(&self, body: &Value) -> Value {
        let response = self.posting(body.to_string()).send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    pub(crate) async fn code(&self, body: &Value) -> i64 {
        self.send(body).await["code"].as_i64().unwrap()
    }

    /// Sends an event as the Pixel's script does.
    pub(crate) async fn pixel(&self, event: &str, event_id: Option<&str>) {
        let body = pixel_event(event, event_id).to_string();
        let response = self
            .client
            .post(self.url("/api/v2/pixel"))
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let response = self.client.get(self.url(path)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    pub(crate) fn rules(&self) -> Vec<Rule> {
        self.sandbox
            .violations()
            .iter()
            .map(|violation| violation.rule)
            .collect()
    }
}

pub(crate) fn event(event_id: &str) -> Value {
    json!({
        "event": "Purchase", "event_time": NOW_S, "event_id": event_id,
        "user": {"email": DIGEST, "ip": "203.0.113.7", "user_agent": "Mozilla/5.0"},
        "page": {"url": "https://example.com/thanks"},
        "properties": {
            "currency": "VND", "value": 99000, "content_type": "product", "order_id": "o1",
            "contents": [{"content_id": "pro", "content_name": "Pro", "price": 99000, "quantity": 1}]
        }
    })
}

pub(crate) fn body(events: &[Value]) -> Value {
    json!({"event_source": "web", "event_source_id": PIXEL, "data": events})
}

pub(crate) fn one(event_id: &str) -> Value {
    body(&[event(event_id)])
}

pub(crate) fn pixel_event(event: &str, event_id: Option<&str>) -> Value {
    json!({
        "event": event, "event_id": event_id, "timestamp": "2026-01-02T03:04:05.000Z", "properties": {},
        "context": {
            "pixel": {"code": PIXEL}, "user": {"ttp": "3vGw2aT0kQ9XbYcZdEfHjLmNpRs"},
            "page": {"url": "https://example.com/thanks"}, "ad": {"callback": "E.C.P.x"}
        }
    })
}

/// Sets the value at a JSON pointer. If `value` is `None`, removes the value at this pointer.
pub(crate) fn with(mut body: Value, pointer: &str, value: Option<Value>) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match (body.pointer_mut(parent).unwrap(), value) {
        (Value::Object(fields), Some(value)) => drop(fields.insert(key.to_owned(), value)),
        (Value::Object(fields), None) => drop(fields.remove(key)),
        (Value::Array(items), Some(value)) => items[key.parse::<usize>().unwrap()] = value,
        _ => panic!(
            "{pointer} must be a field of an object, or an element of a list that gets a new value"
        ),
    }
    body
}
