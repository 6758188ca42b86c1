//! Lists all HTTP routes.

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
        cors, health, orders,
        payments::WEBHOOKS,
        rejection, track,
    },
};

/// Answers all HTTP requests. Posted events go directly to their handler, because the router would double the cost of a
/// request. The router handles all other requests.
pub struct Surface {
    /// What handlers share.
    pub app: App,
    /// All routes except the POST of events.
    pub routes: Router,
}

impl Surface {
    /// Answers a request from the client at `peer`. A client whose request is rejected before its body is read still receives
    /// the whole answer. After this answer, the connection stays usable, or the answer says that the proxy closes the
    /// connection.
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
            return cors::pass(app, peer, request, |events| track::post(app, peer, events)).await;
        }
        request.extensions_mut().insert(ConnectInfo(peer));
        let Ok(mut response) = self.routes.clone().oneshot(request).await;
        if is_track_path && response.status() == StatusCode::METHOD_NOT_ALLOWED {
            // The router has no POST for this path, so the router's own `Allow` header would lack POST.
            let methods = HeaderValue::from_static("GET,HEAD,POST,OPTIONS");
            response.headers_mut().insert(header::ALLOW, methods);
        }
        response
    }
}

/// A path and its methods.
type Route<'a> = (&'a str, MethodRouter<App>);

/// Routes for pages of the allowed origins, except the POST of events.
fn for_pages(track_path: &str) -> [Route<'_>; 2] {
    [
        (track_path, get(track::get)),
        ("/api/orders/{order_id}", get(orders::status)),
    ]
}

/// Routes for the shop's servers, the payment providers and the operators.
fn for_others() -> impl Iterator<Item = Route<'static>> {
    let webhooks = WEBHOOKS.map(|webhook| (webhook.path, webhook.route()));
    let others = [
        ("/api/orders", post(orders::register)),
        ("/healthz", get(health::alive)),
        ("/readyz", get(health::ready)),
        ("/metrics", get(health::metrics)),
    ];
    others.into_iter().chain(webhooks)
}

/// Returns all routes. The routes for pages check the request's origin first. The track path also works with a slash at its
/// end: some frameworks add the slash, and a redirect to the path without it would lose a beacon.
pub fn router(app: App) -> Router {
    let with_slash = format!("{}/", app.server.track_path);
    let pages = routed(for_pages(&app.server.track_path))
        .route(&with_slash, get(track::get))
        .method_not_allowed_fallback(rejection::method_not_allowed)
        .layer(middleware::from_fn_with_state(app.clone(), cors::layer));
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
        // The console's routes are served at the console's own address, not by this router.
        let described = described.filter(|path| !path.starts_with("console/"));
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
