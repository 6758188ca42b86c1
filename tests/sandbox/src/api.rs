//! The JSON API under `/sandbox/`, and the page that shows the data of this API.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::faults::{ActiveFault, Injection};
use crate::reply::respond;
use crate::{Conversion, LoggedRequest, Sandbox, TestEvent, Violation};

#[derive(Deserialize)]
pub(crate) struct Wanted {
    /// The largest number of items to return. If there are more items, the newest are returned.
    limit: Option<usize>,
    /// Returns only items with this `event_id`.
    event_id: Option<String>,
}

impl Wanted {
    /// Returns the newest of the requested `items`, oldest first.
    fn of<'a, T: Clone + 'a>(
        &self,
        items: impl DoubleEndedIterator<Item = &'a T>,
        event_id: impl Fn(&T) -> Option<&str>,
    ) -> Vec<T> {
        let asked_for =
            |item: &&T| self.event_id.is_none() || event_id(item) == self.event_id.as_deref();
        let newest_first = items
            .rev()
            .filter(asked_for)
            .take(self.limit.unwrap_or(usize::MAX));
        let mut wanted: Vec<T> = newest_first.cloned().collect();
        wanted.reverse();
        wanted
    }
}

pub(crate) async fn conversions(
    state: State<Sandbox>,
    wanted: Query<Wanted>,
) -> Json<Vec<Conversion>> {
    let found = {
        let state = state.state();
        wanted.of(state.ledger.conversions().iter(), |c: &Conversion| {
            c.event_id.as_deref()
        })
    };
    Json(found)
}

pub(crate) async fn violations(
    state: State<Sandbox>,
    wanted: Query<Wanted>,
) -> Json<Vec<Violation>> {
    let found = {
        let state = state.state();
        wanted.of(state.inspector.kept().iter(), |v: &Violation| {
            v.event_id.as_deref()
        })
    };
    Json(found)
}

pub(crate) async fn requests(
    state: State<Sandbox>,
    wanted: Query<Wanted>,
) -> Json<Vec<LoggedRequest>> {
    let found = {
        let state = state.state();
        wanted.of(state.requests.kept(), |_: &LoggedRequest| None)
    };
    Json(found)
}

pub(crate) async fn totals(State(sandbox): State<Sandbox>) -> Json<Value> {
    let revision = sandbox.revision();
    let mut totals = json!(sandbox.totals());
    if let Some(fields) = totals.as_object_mut() {
        fields.insert("revision".to_owned(), json!(revision));
        fields.insert("now_ms".to_owned(), json!(sandbox.clock().now_ms()));
        fields.insert("strict".to_owned(), json!(sandbox.options().strict));
        fields.insert("faults".to_owned(), json!(sandbox.faults().len()));
        let pixels: Vec<_> = sandbox
            .options()
            .pixels
            .iter()
            .map(|pixel| &pixel.code)
            .collect();
        fields.insert("pixels".to_owned(), json!(pixels));
    }
    Json(totals)
}

pub(crate) async fn tests(
    State(sandbox): State<Sandbox>,
    Path(code): Path<String>,
) -> Json<Vec<TestEvent>> {
    Json(sandbox.tests(&code))
}

pub(crate) async fn faults(State(sandbox): State<Sandbox>) -> Json<Vec<ActiveFault>> {
    Json(sandbox.faults())
}

pub(crate) async fn inject(State(sandbox): State<Sandbox>, body: Bytes) -> Response {
    let Ok(value) = serde_json::from_slice::<Value>(&body) else {
        return refused("not JSON");
    };
    match Injection::try_from(value) {
        Ok(injection) => Json(json!({ "id": sandbox.inject(injection) })).into_response(),
        Err(error) => refused(&error.to_string()),
    }
}

pub(crate) async fn clear_faults(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.clear_faults();
    StatusCode::NO_CONTENT
}

pub(crate) async fn remove_fault(
    State(sandbox): State<Sandbox>,
    Path(id): Path<u64>,
) -> StatusCode {
    if sandbox.remove_fault(id) {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::NOT_FOUND
    }
}

pub(crate) async fn release(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.release();
    StatusCode::NO_CONTENT
}

pub(crate) async fn clock(State(sandbox): State<Sandbox>) -> Json<Value> {
    Json(json!({ "now_ms": sandbox.clock().now_ms() }))
}

pub(crate) async fn advance_clock(State(sandbox): State<Sandbox>, body: Bytes) -> Response {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Advance {
        advance_ms: u64,
    }
    match serde_json::from_slice::<Advance>(&body) {
        Ok(Advance { advance_ms }) => {
            sandbox.advance_clock(std::time::Duration::from_millis(advance_ms));
            clock(State(sandbox)).await.into_response()
        }
        Err(error) => refused(&error.to_string()),
    }
}

pub(crate) async fn reset(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.reset();
    StatusCode::NO_CONTENT
}

pub(crate) async fn page() -> Response {
    shown(include_str!("page.html"))
}

/// Returns a page whose policy allows only the page's own script and calls of this sandbox.
pub(crate) fn shown(page: &'static str) -> Response {
    let mut response = respond(StatusCode::OK, "text/html; charset=utf-8", page);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; \
             connect-src 'self'; base-uri 'none'; form-action 'none'",
        ),
    );
    response
}

pub(crate) fn refused(why: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": why }))).into_response()
}
