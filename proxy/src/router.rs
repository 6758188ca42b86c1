//! The whole HTTP surface, on one screen.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::ConnectInfo,
    http::{HeaderValue, Method, Request, header, request::Parts},
    middleware,
    response::Response,
    routing::{MethodRouter, get, post},
};
use hyper::body::Incoming;
use tower::ServiceExt;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::{
    app::App,
    http::{gate, health, orders, origin, rejection, sepay, track},
};

/// Posted events, which go straight to their handler since the router would cost them as much as all that is
/// done with them, and the routes beside them.
pub struct Surface {
    /// What handlers share.
    pub app: App,
    /// All but posted events.
    pub routes: Router,
}

impl Surface {
    /// Answers a request that came from `peer`.
    pub async fn answer(&self, peer: SocketAddr, mut request: Request<Incoming>) -> Response {
        let app = &*self.app;
        if request.method() == Method::POST && request.uri().path() == app.server.track_path {
            return gate::pass(app, peer, request, |events| track::post(app, peer, events)).await;
        }
        request.extensions_mut().insert(ConnectInfo(peer));
        let Ok(response) = self.routes.clone().oneshot(request).await;
        response
    }
}

/// A path and what it takes.
type Route<'a> = (&'a str, MethodRouter<App>);

/// For pages of the origins that are allowed, beside what they post.
fn for_pages(track_path: &str) -> [Route<'_>; 2] {
    [
        (track_path, get(track::get)),
        ("/api/orders/{order_id}", get(orders::status)),
    ]
}

/// For the shop's servers, the bank and operators.
fn for_others() -> [Route<'static>; 5] {
    [
        ("/api/orders", post(orders::register)),
        ("/api/payment/sepay/webhook", post(sepay::post)),
        ("/healthz", get(health::alive)),
        ("/readyz", get(health::ready)),
        ("/metrics", get(health::metrics)),
    ]
}

/// Every route and what stands before it: the origin first, then the answers a browser needs.
pub fn router(app: App) -> Router {
    let pages = routed(for_pages(&app.server.track_path))
        .method_not_allowed_fallback(rejection::method_not_allowed)
        .layer(cors(app.clone()))
        .layer(middleware::from_fn_with_state(app.clone(), gate::layer));
    routed(for_others())
        .merge(pages)
        .fallback(rejection::not_found)
        .method_not_allowed_fallback(rejection::method_not_allowed)
        .with_state(app)
}

fn routed<'a>(routes: impl IntoIterator<Item = Route<'a>>) -> Router<App> {
    let routes = routes.into_iter();
    routes.fold(Router::new(), |router, (path, methods)| {
        router.route(path, methods)
    })
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::settings::default_of;

    #[test]
    fn every_path_is_described_and_no_other() {
        let track_path = default_of("DUET_TRACK_PATH").unwrap();
        let routes = for_pages(track_path).into_iter().chain(for_others());
        let paths: BTreeSet<_> = routes.map(|(path, _)| path.to_owned()).collect();
        let lines = include_str!("../openapi.yaml").lines();
        let described = lines.filter_map(|line| line.strip_prefix("  /")?.strip_suffix(':'));
        let described: BTreeSet<_> = described.map(|path| format!("/{path}")).collect();
        assert_eq!(paths, described);
    }
}
