//! Serves the site on the proxy's origin. The site's pages can read the sandbox's address, and can ask for actions of the
//! shop's own server, such as the registration of an order.

use std::{net::SocketAddr, path::PathBuf};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::ConnectInfo,
    http::{Request, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Serialize;
use tower::ServiceExt;
use tower_http::services::ServeDir;

/// The data that a page needs to use the sandbox. It is served as `/duet-dev.json`.
#[derive(Clone, Serialize)]
pub(super) struct Page {
    pub(super) pixel_id: String,
    pub(super) pixel_script_url: String,
    pub(super) sandbox_url: String,
    pub(super) bank_url: String,
    pub(super) track_path: String,
}

/// Returns the routes of the proxy and of the site.
pub(super) fn beside(
    router: Router,
    page: Page,
    server_key: String,
    www: Option<PathBuf>,
) -> Router {
    let proxy = router.clone();
    let register = async move |peer: ConnectInfo<SocketAddr>, order: Bytes| {
        register(proxy.clone(), peer, &server_key, order).await
    };
    let router = router
        .route("/duet-dev.json", get(move || async { Json(page) }))
        .route("/duet-dev/orders", post(register));
    match www {
        Some(folder) => router.fallback_service(ServeDir::new(folder)),
        None => router,
    }
}

/// Registers an order with the server key, on behalf of a page, because a page must not have the key.
async fn register(
    proxy: Router,
    peer: ConnectInfo<SocketAddr>,
    server_key: &str,
    order: Bytes,
) -> Response {
    let request = Request::post("/api/orders")
        .extension(peer)
        .header(
            header::AUTHORIZATION,
            format!("Bearer {}", server_key.trim()),
        )
        .body(Body::from(order));
    match request {
        Ok(request) => proxy.oneshot(request).await.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
