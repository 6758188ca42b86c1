//! Which pages may send events: those of the proxy's own origin, and those that are listed.

use std::net::SocketAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::client;
use crate::{app::Shared, config::Origin};

/// Whether a request may come from where it does. One without `Origin` is no page's: browsers always send
/// it with a POST.
pub fn is_allowed(app: &Shared, peer: SocketAddr, headers: &HeaderMap) -> bool {
    match headers.get(header::ORIGIN) {
        None => true,
        Some(origin) => is_listed(app, origin) || is_own(app, peer, headers, origin),
    }
}

/// Whether the operator listed this origin.
pub fn is_listed(app: &Shared, origin: &HeaderValue) -> bool {
    listed(app, origin).is_some()
}

/// This origin as the operator listed it.
pub fn listed<'a>(app: &'a Shared, origin: &HeaderValue) -> Option<&'a Origin> {
    let mut origins = app.server.allowed_origins.iter();
    origins.find(|listed| listed.as_str().as_bytes() == origin.as_bytes())
}

/// Lets a listed page read the answer to what it posted. What a preflight is told, the router says.
pub fn share(headers: &mut HeaderMap, listed: &Origin) {
    if let Ok(origin) = HeaderValue::from_str(listed.as_str()) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "retry-after"),
        (header::VARY, "origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Whether a call stays within the proxy's site: the browser says so, or its origin shows it.
pub fn is_same_site(app: &Shared, peer: SocketAddr, headers: &HeaderMap) -> bool {
    match client::text(headers, HeaderName::from_static("sec-fetch-site")) {
        Some(site) => matches!(site, "same-origin" | "same-site"),
        None => headers
            .get(header::ORIGIN)
            .is_none_or(|origin| is_own(app, peer, headers, origin)),
    }
}

/// Whether a page of this origin and the proxy are one site to the browser: the same host and port.
fn is_own(app: &Shared, peer: SocketAddr, headers: &HeaderMap, origin: &HeaderValue) -> bool {
    let forwarded = client::is_forwarded(peer, &app.server.trusted_proxies);
    let forwarded_host = headers.get("x-forwarded-host").filter(|_| forwarded);
    let host = forwarded_host
        .or_else(|| headers.get(header::HOST))
        .and_then(|host| host.to_str().ok());
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"));
    let (Some(host), Some((scheme, authority))) = (host, origin) else {
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
    bare(host) == bare(authority)
}
