//! What every request of the track route passes: refused where its page may not send events, counted and
//! timed in any case.

use std::{future::Future, net::SocketAddr, time::Instant};

use axum::{
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{origin, rejection::Rejection};
use crate::{
    app::{App, Shared},
    metrics::StatusLabel,
};

/// For what is routed.
pub async fn layer(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    pass(&app, peer, request, |request| next.run(request)).await
}

/// The answer to `request`, if its page may have one.
pub async fn pass<B, F: Future<Output = Response>>(
    app: &Shared,
    peer: SocketAddr,
    request: Request<B>,
    answer: impl FnOnce(Request<B>) -> F,
) -> Response {
    let since = Instant::now();
    let response = if origin::is_allowed(app, peer, request.headers()) {
        answer(request).await
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
