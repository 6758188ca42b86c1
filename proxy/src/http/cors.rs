//! Runs before every route for pages. Rejects requests of pages of foreign origins, answers preflights, and allows pages of
//! listed origins to read the answer. Counts every request and measures how long its answer takes.

use std::{future::Future, net::SocketAddr, time::Instant};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    origin::{self, PageOrigin},
    rejection::Rejection,
};
use crate::{
    app::{App, Shared},
    metrics::StatusLabel,
};

/// Runs the origin check as a middleware of the router.
pub async fn layer(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    pass(&app, peer, request, |request| next.run(request)).await
}

/// Answers a request. If the request comes from a page that may not send it, rejects the request.
pub async fn pass<B, F: Future<Output = Response>>(
    app: &Shared,
    peer: SocketAddr,
    request: Request<B>,
    answer: impl FnOnce(Request<B>) -> F,
) -> Response {
    let since = Instant::now();
    let pixels = app.pixels.now();
    let page = origin::of(app, &pixels, peer, &request);
    let mut response = if page == PageOrigin::Foreign {
        Rejection::OriginNotAllowed.into_response()
    } else if request.method() == Method::OPTIONS {
        origin::preflight(request.headers(), page)
    } else {
        answer(request).await
    };
    origin::share(response.headers_mut(), page);
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
