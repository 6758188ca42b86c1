//! The whole HTTP surface, on one screen.

use std::net::SocketAddr;

use axum::{
    Router,
    extract::ConnectInfo,
    http::{HeaderValue, Method, Request, StatusCode, header},
    middleware,
    response::Response,
    routing::{MethodRouter, get, post},
};
use hyper::body::Incoming;
use tower::ServiceExt;

use crate::{
    app::App,
    http::{
        body::{self, RequestBody},
        gate, health, orders, rejection, sepay, track,
    },
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
    /// Answers a request that came from `peer`. One that is rejected before its body is read gets the whole answer,
    /// and the connection either serves on or is said to close.
    pub async fn answer(&self, peer: SocketAddr, request: Request<Incoming>) -> Response {
        let ends_connection = body::ends_connection(request.headers());
        let (head, body) = request.into_parts();
        let body = RequestBody::new(&head.headers, body);
        let mut response = self.routed(peer, Request::from_parts(head, body)).await;
        if ends_connection && !response.status().is_success() {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    }

    async fn routed(&self, peer: SocketAddr, mut request: Request<RequestBody>) -> Response {
        let app = &*self.app;
        let is_track_path = app.server.is_track_path(request.uri().path());
        if is_track_path && request.method() == Method::POST {
            return gate::pass(app, peer, request, |events| track::post(app, peer, events)).await;
        }
        request.extensions_mut().insert(ConnectInfo(peer));
        let Ok(mut response) = self.routes.clone().oneshot(request).await;
        if is_track_path && response.status() == StatusCode::METHOD_NOT_ALLOWED {
            // The router knows of no POST here.
            let methods = HeaderValue::from_static("GET,HEAD,POST,OPTIONS");
            response.headers_mut().insert(header::ALLOW, methods);
        }
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

/// Every route, and the gate before those for pages. A slash behind the track path is taken too: frameworks add one, and
/// browsers do not repeat a beacon that is redirected.
pub fn router(app: App) -> Router {
    let with_slash = format!("{}/", app.server.track_path);
    let pages = routed(for_pages(&app.server.track_path))
        .route(&with_slash, get(track::get))
        .method_not_allowed_fallback(rejection::method_not_allowed)
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::{Config, settings::default_of};

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

    #[test]
    fn the_track_path_is_no_other_routes() {
        let others = for_pages("/collect").into_iter().chain(for_others());
        for (path, _) in others.filter(|(path, _)| *path != "/collect") {
            let lookup = |name: &str| (name == "DUET_TRACK_PATH").then(|| path.to_owned());
            let problems = Config::read(lookup).unwrap_err();
            let named = problems.iter().any(|problem| {
                problem.setting == "DUET_TRACK_PATH" && problem.message.contains("itself answers")
            });
            assert!(named, "{path}");
        }
    }
}
