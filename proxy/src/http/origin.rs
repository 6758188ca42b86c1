//! Decides which pages can send events: pages of the proxy's own origin, and pages of listed origins.

use std::net::SocketAddr;

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, Request, header},
    response::{IntoResponse, Response},
};

use super::client;
use crate::{
    admit::Caller,
    app::Shared,
    headers::text,
    origin::Origin,
    pixels::{Configured, From},
};

/// How long a browser can cache the answer to a preflight: one day, in seconds.
const REMEMBERED_S: HeaderValue = HeaderValue::from_static("86400");

/// The origin of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageOrigin<'a> {
    /// The request does not come from a page. Browsers always send `Origin` with a POST.
    NoPage,
    /// A page of the proxy's own origin.
    Own,
    /// A page of the proxy's own origin whose referrer policy hides the origin, so that the browser sends `Origin: null`.
    OwnHidden,
    /// A page of an origin that the operator listed.
    Listed(&'a Origin),
    /// A page of an origin that is not listed.
    Foreign,
}

/// Determines the origin of a request.
pub fn of<'a, B>(
    app: &Shared,
    pixels: &'a Configured,
    peer: SocketAddr,
    request: &Request<B>,
) -> PageOrigin<'a> {
    let headers = request.headers();
    let Some(origin) = headers.get(header::ORIGIN) else {
        return PageOrigin::NoPage;
    };
    if origin == "null" {
        // A sandboxed frame of any origin also sends `Origin: null`. Only the browser's `Sec-Fetch-Site` shows whether the page
        // has the proxy's own origin.
        let same_origin = fetch_site(headers) == Some("same-origin");
        let is_own = same_origin && app.server.is_track_path(request.uri().path());
        return if is_own {
            PageOrigin::OwnHidden
        } else {
            PageOrigin::Foreign
        };
    }
    match pixels.allowed(origin.as_bytes()) {
        Some(listed) => PageOrigin::Listed(listed),
        None if is_own(app, peer, headers, origin) => PageOrigin::Own,
        None => PageOrigin::Foreign,
    }
}

/// Returns the origin of a request, by which the pixel is chosen. The caller must ensure that the request has passed the
/// origin check.
pub fn from<'a>(
    app: &Shared,
    peer: SocketAddr,
    headers: &'a HeaderMap,
    caller: Caller,
) -> From<'a> {
    match headers.get(header::ORIGIN) {
        Some(_) if caller == Caller::Server => From::Anywhere,
        None => From::Anywhere,
        Some(origin) if origin == "null" => {
            From::OwnHidden(client::hosts(peer, headers, &app.server.trusted_proxies))
        }
        Some(origin) => From::Page {
            origin: origin.to_str().unwrap_or_default(),
            is_own: is_own(app, peer, headers, origin),
        },
    }
}

/// Answers a preflight. A page of a listed origin can send every header that the preflight asks for, because tracing libraries
/// add their own headers to each request.
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

/// Adds the headers that allow a page of a listed origin to read the answer.
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

/// Returns whether the answer to a request can set a cookie. The browser must state that the request comes from the proxy's own
/// site. If the browser does not state this, the request's origin must be the proxy's own. A page that hides its origin gets no
/// cookie.
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

/// Returns whether a page of this origin has the same host and port as the proxy.
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
