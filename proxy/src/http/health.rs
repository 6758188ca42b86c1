//! Whether the proxy lives, and whether it can do its work.

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;

use crate::{app::App, clock};

/// `GET /healthz`.
#[derive(Serialize)]
pub struct Alive {
    status: &'static str,
    version: &'static str,
}

/// The process answers.
pub async fn alive() -> Json<Alive> {
    Json(Alive {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// `GET /readyz`.
#[derive(Serialize)]
pub struct Readiness {
    status: &'static str,
    checks: Checks,
}

#[derive(Serialize)]
struct Checks {
    /// Accepted events can be written.
    store: &'static str,
    /// No event has been waiting for more than 15 minutes.
    queue: &'static str,
    /// TikTok takes the token for this pixel.
    token: &'static str,
}

/// The store takes events, the queue moves, TikTok takes the token: 200, or 503 with what does not hold.
pub async fn ready(State(app): State<App>) -> (StatusCode, Json<Readiness>) {
    let word = |holds, other| if holds { "ok" } else { other };
    let writable = app.intake.is_writable();
    let moving = !app.health.is_stuck(clock::now_ms());
    let welcome = !app.health.is_barred();
    let ready = writable && moving && welcome;
    let checks = Checks {
        store: word(writable, "not writable"),
        queue: word(moving, "stuck"),
        token: word(welcome, "refused"),
    };
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(Readiness {
            status: word(ready, "not ready"),
            checks,
        }),
    )
}
