//! Whether the proxy lives, and whether it can do its work.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header},
};
use serde::Serialize;

use crate::{app::App, clock::Suspect};

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
    /// How the time of day is suspect; left out where it is not. What is kept expires by another time, so this alone is
    /// no 503.
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<&'static str>,
    /// Clerk's keys are loaded. Without them events are taken all the same, so this alone is no 503.
    #[serde(skip_serializing_if = "Option::is_none")]
    clerk: Option<&'static str>,
}

/// The store takes events, the queue moves, TikTok takes the token: 200, or 503 with what does not hold.
pub async fn ready(State(app): State<App>) -> (StatusCode, Json<Readiness>) {
    let checks = checks(&app).await;
    let (status, word) = if checks.all_ok() && checks.is_whole() {
        (StatusCode::OK, "ready")
    } else if checks.all_ok() {
        (StatusCode::OK, "degraded")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    (
        status,
        Json(Readiness {
            status: word,
            checks,
        }),
    )
}

/// `GET /metrics`.
pub async fn metrics(State(app): State<App>) -> ([(HeaderName, &'static str); 1], String) {
    let clock = app.intake.clock();
    let times = clock.times();
    let metrics = &app.metrics;
    metrics
        .queue_oldest_seconds
        .set(app.health.oldest_waits_ms(times.age_ms()) / 1000);
    metrics.ready.set(i64::from(checks(&app).await.all_ok()));
    let test_mode = app
        .test
        .as_ref()
        .is_some_and(|test| test.code_at(times.day_ms).is_some());
    metrics.test_mode.set(i64::from(test_mode));
    metrics
        .clock_suspect
        .set(i64::from(clock.suspect().is_some()));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics.text())
}

async fn checks(app: &App) -> Checks {
    let word = |holds, other| if holds { "ok" } else { other };
    let clock = app.intake.clock();
    Checks {
        store: word(app.intake.is_writable().await, "not writable"),
        queue: word(!app.health.is_stuck(clock.times().age_ms()), "stuck"),
        token: word(!app.health.is_barred(), "refused"),
        clock: clock.suspect().map(Suspect::word),
        clerk: app
            .clerk
            .as_ref()
            .map(|clerk| word(clerk.has_keys(), "keys not loaded")),
    }
}

impl Checks {
    fn all_ok(&self) -> bool {
        [self.store, self.queue, self.token]
            .iter()
            .all(|word| *word == "ok")
    }

    /// Whether also that holds without which the proxy can do its work.
    fn is_whole(&self) -> bool {
        self.clock.is_none() && self.clerk.is_none_or(|word| word == "ok")
    }
}
