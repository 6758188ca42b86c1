//! All routes of the sandbox, on one screen.

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};

use crate::bank::api as bank;
use crate::clerk::routes as clerk;
use crate::reply::gateway_page;
use crate::rule::Rule;
use crate::violations::{Finding, Subject};
use crate::{Sandbox, api, collector, cors, events_api, script};

pub(crate) fn router(sandbox: Sandbox) -> Router {
    let body_bytes = sandbox.options().limits.body_bytes;
    Router::new()
        .route(events_api::PATH, post(events_api::track))
        .route("/i18n/pixel/events.js", get(script::events_js))
        .route("/api/v2/pixel", post(collector::pixel))
        .route("/api/v2/pixel/act", post(collector::act))
        .route("/sandbox/conversions", get(api::conversions))
        .route("/sandbox/totals", get(api::totals))
        .route("/sandbox/requests", get(api::requests))
        .route("/sandbox/tests/{code}", get(api::tests))
        .route("/sandbox/violations", get(api::violations))
        .route(
            "/sandbox/faults",
            get(api::faults).post(api::inject).delete(api::clear_faults),
        )
        .route("/sandbox/faults/{id}", delete(api::remove_fault))
        .route("/sandbox/release", post(api::release))
        .route("/sandbox/clock", get(api::clock).post(api::advance_clock))
        .route("/sandbox/reset", post(api::reset))
        .route("/.well-known/jwks.json", get(clerk::key_set))
        .route("/clerk", get(clerk::state))
        .route("/clerk/sign-in", post(clerk::sign_in))
        .route("/clerk/rotate", post(clerk::rotate))
        .route("/clerk/key-set", post(clerk::answer_with))
        .route("/", get(api::page))
        .route("/bank", get(bank::page))
        .route("/bank/transfers", get(bank::transfers).post(bank::send))
        // Browsers request this address without being asked.
        .route("/favicon.ico", get(StatusCode::NO_CONTENT))
        .fallback(unexpected_route)
        .method_not_allowed_fallback(unexpected_method)
        .layer(from_fn(cors::open))
        .layer(DefaultBodyLimit::max(body_bytes))
        .with_state(sandbox)
}

async fn unexpected_route(state: State<Sandbox>, method: Method, uri: Uri) -> Response {
    note(&state, Rule::UnexpectedRoute, &method, &uri);
    gateway_page(StatusCode::NOT_FOUND)
}

async fn unexpected_method(state: State<Sandbox>, method: Method, uri: Uri) -> Response {
    note(&state, Rule::UnexpectedMethod, &method, &uri);
    gateway_page(StatusCode::METHOD_NOT_ALLOWED).into_response()
}

fn note(sandbox: &Sandbox, rule: Rule, method: &Method, uri: &Uri) {
    let subject = Subject {
        at_ms: sandbox.clock().now_ms(),
        ..Subject::default()
    };
    // The query can contain personal data, so the violation names only the path.
    let path = uri.path();
    let legacy = path.starts_with("/open_api/") && path.contains("/pixel/");
    let message = if legacy {
        format!("{method} of TikTok's older Events API")
    } else {
        format!("{method} of an unknown address")
    };
    let finding = Finding::new(rule, path, message);
    sandbox.state().inspector.record(&subject, [finding]);
    sandbox.changed();
}
