//! The shop's origin. It serves the shop's files, the same settings that `duet-proxy dev` gives its pages, and the routes
//! of the proxies.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, Request},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{any, get, post},
};
use duet_sandbox::Pixel;
use serde_json::json;
use tokio::time::{Instant, sleep};
use tower_http::services::ServeDir;

use crate::{Agreed, balancer::Balancer};

/// How long the shop's server tries to register an order (`REGISTER_WITHIN`), and how long it waits between two tries
/// (`PAUSE`).
const REGISTER_WITHIN: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(200);

pub(crate) fn routes(agreed: Arc<Agreed>, balancer: Arc<Balancer>, www: &Path) -> Router {
    let page = json!({
        "pixel_id": Pixel::default().code,
        "pixel_script_url": format!("{}/i18n/pixel/events.js", agreed.sandbox_url),
        "bank_url": format!("{}/bank", agreed.sandbox_url),
        "sandbox_url": agreed.sandbox_url,
        "track_path": "/api/analytics/tiktok/track",
    });
    let proxies = Arc::clone(&balancer);
    let forward = async move |ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request| {
        proxies.forward(peer, request).await
    };
    let register = async move |ConnectInfo(peer): ConnectInfo<SocketAddr>, order: Bytes| {
        register(&balancer, peer, &agreed.secret, order).await
    };
    Router::new()
        .route("/duet-dev.json", get(async move || Json(page)))
        .route("/duet-dev/orders", post(register))
        .route("/api/{*path}", any(forward))
        .fallback_service(ServeDir::new(www))
}

/// Registers an order as the shop's server does, with the server key. If the registration fails, it is repeated, because
/// registering an order twice changes nothing.
async fn register(balancer: &Balancer, peer: SocketAddr, key: &str, order: Bytes) -> Response {
    let Ok(authorization) = HeaderValue::from_str(&format!("Bearer {key}")) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let begun = Instant::now();
    loop {
        let mut request = Request::new(Body::from(order.clone()));
        *request.method_mut() = hyper::Method::POST;
        *request.uri_mut() = hyper::Uri::from_static("/api/orders");
        let headers = request.headers_mut();
        headers.insert(header::HOST, HeaderValue::from_static("shop.localhost"));
        headers.insert(header::AUTHORIZATION, authorization.clone());
        let answer = balancer.forward(peer, request).await;
        if !answer.status().is_server_error() || begun.elapsed() > REGISTER_WITHIN {
            return answer;
        }
        sleep(PAUSE).await;
    }
}
