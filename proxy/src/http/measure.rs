//! Counts requests and times them.

use std::time::Instant;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};

use crate::{app::App, metrics::StatusLabel};

/// Counts every answer of the track route by its status.
pub async fn requests(State(app): State<App>, request: Request, next: Next) -> Response {
    let since = Instant::now();
    let response = next.run(request).await;
    app.metrics
        .request_seconds
        .observe(since.elapsed().as_secs_f64());
    let status = response.status().as_u16();
    app.metrics
        .requests
        .get_or_create(&StatusLabel { status })
        .inc();
    response
}
