//! What every request of the track route passes: refused where its page may not send events, counted and
//! timed in any case.

use std::{net::SocketAddr, time::Instant};

use axum::{
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{origin, rejection::Rejection};
use crate::{app::App, metrics::StatusLabel};

/// The middleware; one for both, since each costs a request two allocations and more.
pub async fn pass(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let since = Instant::now();
    let response = if origin::is_allowed(&app, peer, request.headers()) {
        next.run(request).await
    } else {
        Rejection::OriginNotAllowed.into_response()
    };
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
