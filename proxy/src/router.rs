//! The whole HTTP surface, on one screen.

use std::time::Duration;

use axum::{
    Router,
    http::{HeaderValue, Method, header, request::Parts},
    middleware,
    routing::{get, post},
};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::{
    app::App,
    http::{gate, health, orders, origin, rejection, sepay, track},
};

/// Every route and what stands before it: the origin first, then the answers a browser needs.
pub fn router(app: App) -> Router {
    let track_path = app.server.track_path.clone();
    let pages = Router::new()
        .route(&track_path, post(track::post).get(track::get))
        .route("/api/orders/{order_id}", get(orders::status))
        .method_not_allowed_fallback(rejection::method_not_allowed)
        .layer(cors(app.clone()))
        .layer(middleware::from_fn_with_state(app.clone(), gate::pass));
    Router::new()
        .merge(pages)
        .route("/api/orders", post(orders::register))
        .route("/api/payment/sepay/webhook", post(sepay::post))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(rejection::not_found)
        .method_not_allowed_fallback(rejection::method_not_allowed)
        .with_state(app)
}

/// Pages of other origins may read answers and send cookies, if they are listed.
fn cors(app: App) -> CorsLayer {
    let allowed = move |origin: &HeaderValue, _: &Parts| origin::is_listed(&app, origin);
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([header::RETRY_AFTER])
        .max_age(Duration::from_hours(24))
}
