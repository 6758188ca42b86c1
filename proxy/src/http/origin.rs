//! Which pages may send events: those of the proxy's own origin, and those that are listed.

use std::net::SocketAddr;

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, Request, header},
    response::{IntoResponse, Response},
};

use super::client;
use crate::{app::Shared, config::Server, headers::text, origin::Origin};

/// How long a browser may remember the answer to a preflight: a day, in seconds.
const REMEMBERED_S: HeaderValue = HeaderValue::from_static("86400");

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageOrigin<'a> {
    /// No page: browsers always send `Origin` with a POST.
    NoPage,
    /// A page of the proxy's own origin.
    Own,
    /// A page of the proxy's own origin whose referrer policy hides that: `Origin: null`.
    OwnHidden,
    /// A page of an origin that the operator listed.
    Listed(&'a Origin),
    /// A page of any other origin.
    Foreign,
}

/// Decides where a request comes from.
pub fn of<'a, B>(app: &'a Shared, peer: SocketAddr, request: &Request<B>) -> PageOrigin<'a> {
    let headers = request.headers();
    let Some(origin) = headers.get(header::ORIGIN) else {
        return PageOrigin::NoPage;
    };
    if origin == "null" {
        // A sandboxed frame is `null` too. Only the browser can say that this page is the proxy's own.
        let same_origin = fetch_site(headers) == Some("same-origin");
        let is_own = same_origin && app.server.is_track_path(request.uri().path());
        return if is_own {
            PageOrigin::OwnHidden
        } else {
            PageOrigin::Foreign
        };
    }
    match listed(&app.server, origin) {
        Some(listed) => PageOrigin::Listed(listed),
        None if is_own(app, peer, headers, origin) => PageOrigin::Own,
        None => PageOrigin::Foreign,
    }
}

/// Answers a preflight. A listed page may send the headers it asks for: libraries that trace requests add their own to
/// every one.
pub fn preflight(headers: &HeaderMap, origin: PageOrigin<'_>) -> Response {
    let mut answer = ().into_response();
    if let PageOrigin::Listed(_) = origin {
        let usual = HeaderValue::from_static("authorization,content-type");
        let asked = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
        for (name, value) in [
            (
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                asked.cloned().unwrap_or(usual),
            ),
            (
                header::ACCESS_CONTROL_ALLOW_METHODS,
                HeaderValue::from_static("GET,POST"),
            ),
            (header::ACCESS_CONTROL_MAX_AGE, REMEMBERED_S),
        ] {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

/// Lets a listed page read an answer.
pub fn share(headers: &mut HeaderMap, origin: PageOrigin<'_>) {
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    let PageOrigin::Listed(listed) = origin else {
        return;
    };
    if let Ok(origin) = HeaderValue::from_str(listed.as_str()) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "retry-after"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Whether an answer may set a cookie: the call stays within the proxy's site, as the browser says or its origin
/// shows, and the page does not hide where it is.
pub fn may_set_cookies(app: &Shared, peer: SocketAddr, headers: &HeaderMap) -> bool {
    let origin = headers.get(header::ORIGIN);
    if origin.is_some_and(|origin| origin == "null") {
        return false;
    }
    match fetch_site(headers) {
        Some(site) => matches!(site, "same-origin" | "same-site"),
        None => origin.is_none_or(|origin| is_own(app, peer, headers, origin)),
    }
}

fn fetch_site(headers: &HeaderMap) -> Option<&str> {
    text(headers, HeaderName::from_static("sec-fetch-site"))
}

/// This origin as the operator listed it.
fn listed<'a>(server: &'a Server, origin: &HeaderValue) -> Option<&'a Origin> {
    let mut origins = server.allowed_origins.iter();
    origins.find(|listed| listed.as_str().as_bytes() == origin.as_bytes())
}

/// Whether a page of this origin and the proxy are one site to the browser: the same host and port.
fn is_own(app: &Shared, peer: SocketAddr, headers: &HeaderMap, origin: &HeaderValue) -> bool {
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"));
    let Some((scheme, authority)) = origin else {
        return false;
    };
    let default_port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return false,
    };
    let bare = |text: &str| {
        text.strip_suffix(default_port)
            .unwrap_or(text)
            .to_ascii_lowercase()
    };
    let hosts = client::hosts(peer, headers, &app.server.trusted_proxies);
    hosts.into_iter().any(|host| bare(host) == bare(authority))
}
