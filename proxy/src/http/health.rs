//! Reports whether the process runs, and whether it can do its work.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header},
};
use serde::Serialize;

use crate::{app::App, clock::Suspect};

/// The answer to `GET /healthz`.
#[derive(Serialize)]
pub struct Alive {
    status: &'static str,
    version: &'static str,
}

/// Answers that the process runs.
pub async fn alive() -> Json<Alive> {
    Json(Alive {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// The answer to `GET /readyz`.
#[derive(Serialize)]
pub struct Readiness {
    status: &'static str,
    checks: Checks,
    /// The state of each configured pixel, and of each other pixel that has pending events.
    pixels: BTreeMap<String, Pixel>,
}

/// The state of one pixel's delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Pixel {
    /// TikTok accepts the pixel's token, and no event has been pending for more than 15 minutes.
    #[serde(rename = "ok")]
    Ok,
    #[serde(rename = "stuck")]
    Stuck,
    /// TikTok refuses the pixel's token.
    #[serde(rename = "refused")]
    Refused,
    /// The pixel is no longer configured. The pixel's pending events are sent with its last token.
    #[serde(rename = "removed")]
    Removed,
    /// The pixel is not configured, and its token is unknown, so its events stay pending.
    #[serde(rename = "not configured")]
    NotConfigured,
}

#[derive(Serialize)]
struct Checks {
    /// Whether the store can write accepted events.
    store: &'static str,
    /// Whether all events of the configured pixels have been pending for at most 15 minutes.
    queue: &'static str,
    /// Whether TikTok accepts the token of every pixel.
    token: &'static str,
    /// Why the system's time is suspect. Left out if the time is not suspect. A suspect time alone does not cause a 503,
    /// because stored entries expire by another clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<&'static str>,
    /// Whether Clerk's keys are loaded. Missing keys alone do not cause a 503, because events are accepted without these keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    clerk: Option<&'static str>,
}

/// Answers 200 if the store accepts events and the events of at least one pixel are delivered. A refused token or a stuck queue
/// of one pixel does not stop the other pixels. The answer names the failed checks.
pub async fn ready(State(app): State<App>) -> (StatusCode, Json<Readiness>) {
    let pixels = pixels(&app);
    let checks = checks(&app, &pixels).await;
    let is_whole = checks.are_whole() && pixels.values().all(|pixel| *pixel == Pixel::Ok);
    let (status, word) = if is_whole {
        (StatusCode::OK, "ready")
    } else if checks.are_ready(&pixels) {
        (StatusCode::OK, "degraded")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    (
        status,
        Json(Readiness {
            status: word,
            checks,
            pixels,
        }),
    )
}

/// Answers `GET /metrics`.
pub async fn metrics(State(app): State<App>) -> ([(HeaderName, &'static str); 1], String) {
    let clock = app.intake.clock();
    let times = clock.times();
    let metrics = &app.metrics;
    metrics
        .queue_oldest_seconds
        .set(app.health.oldest_waits_ms(times.age_ms()) / 1000);
    let words = pixels(&app);
    metrics
        .ready
        .set(i64::from(checks(&app, &words).await.are_ready(&words)));
    let ready = words.iter().map(|(id, word)| (id, *word == Pixel::Ok));
    metrics.pixels_ready(ready);
    let waits = app.health.pixels().into_iter();
    metrics.pixels_oldest(waits.map(|(id, pixel)| (id, pixel.waits_ms(times.age_ms()) / 1000)));
    let configured = app.pixels.now();
    let is_test = configured.in_test(times.day_ms).next().is_some();
    metrics.test_mode.set(i64::from(is_test));
    metrics
        .clock_suspect
        .set(i64::from(clock.suspect().is_some()));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics.text())
}

fn pixels(app: &App) -> BTreeMap<String, Pixel> {
    let now_ms = app.intake.clock().times().age_ms();
    let configured = app.pixels.now();
    let delivery = app.health.pixels();
    let ids = configured.iter().map(|pixel| pixel.id.as_str().to_owned());
    let mut pixels: BTreeMap<_, _> = ids.map(|id| (id, Pixel::Ok)).collect();
    for (id, pixel) in delivery {
        let word = match configured.token(&id) {
            _ if configured.has(&id) && pixel.is_barred() => Pixel::Refused,
            _ if configured.has(&id) && pixel.is_stuck(now_ms) => Pixel::Stuck,
            _ if configured.has(&id) || pixel.oldest_ms.is_none() => continue,
            Some(_) => Pixel::Removed,
            None => Pixel::NotConfigured,
        };
        pixels.insert(id, word);
    }
    pixels
}

async fn checks(app: &App, pixels: &BTreeMap<String, Pixel>) -> Checks {
    let word = |holds, other| if holds { "ok" } else { other };
    let is_taken = pixels.values().all(|pixel| *pixel != Pixel::Refused);
    let clock = app.intake.clock();
    let (configured, now_ms) = (app.pixels.now(), clock.times().age_ms());
    let mut delivery = app.health.pixels().into_iter();
    let is_stuck = delivery.any(|(id, pixel)| configured.has(&id) && pixel.is_stuck(now_ms));
    Checks {
        store: word(app.intake.is_writable().await, "not writable"),
        queue: word(!is_stuck, "stuck"),
        token: word(is_taken, "refused"),
        clock: clock.suspect().map(Suspect::word),
        clerk: app
            .clerk
            .as_ref()
            .map(|clerk| word(clerk.has_keys(), "keys not loaded")),
    }
}

impl Checks {
    /// Returns whether the proxy can do its work for at least one of the pixels.
    fn are_ready(&self, pixels: &BTreeMap<String, Pixel>) -> bool {
        self.store == "ok" && pixels.values().any(|pixel| *pixel == Pixel::Ok)
    }

    /// Returns whether all checks are good, including the checks that alone do not cause a 503.
    fn are_whole(&self) -> bool {
        let words = [self.store, self.queue, self.token];
        let are_ok = words.into_iter().chain(self.clerk).all(|word| word == "ok");
        are_ok && self.clock.is_none()
    }
}
