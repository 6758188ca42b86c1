//! Reads the address of the client and the host names of this proxy, also if trusted web servers forward the requests.

use std::{
    net::{IpAddr, SocketAddr},
    str,
};

use axum::http::{HeaderMap, header};

use crate::{config::TrustedProxies, headers::text};

/// Returns the address of the client that sent a request. If the connection does not come from a trusted proxy, this is the
/// connection's address. If the connection comes from a trusted proxy, the client's address is in `X-Forwarded-For`. If that
/// header is missing, the address is in `X-Real-IP`, or else in `Forwarded`. The result is the last address in the header that
/// is not the address of a trusted proxy.
pub fn address(peer: SocketAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> IpAddr {
    let mut address = peer.ip().to_canonical();
    for hop in hops(headers).into_iter().rev() {
        if !trusted.contain(address) {
            break;
        }
        let Some(written) = without_port(hop) else {
            break;
        };
        address = written.to_canonical();
    }
    address
}

/// Returns the addresses that the forwarding web servers have reported. The address that the nearest web server has reported is
/// the last.
fn hops(headers: &HeaderMap) -> Vec<&str> {
    let listed = ["x-forwarded-for", "x-real-ip"]
        .into_iter()
        .find(|name| headers.contains_key(*name));
    match listed {
        Some(name) => elements(headers, name).map(unquoted).collect(),
        None => elements(headers, "forwarded")
            .map(|element| parameter(element, "for").unwrap_or_default())
            .collect(),
    }
}

/// Returns whether the connection comes from a trusted proxy, whose forwarding headers are used.
pub fn is_forwarded(peer: SocketAddr, trusted: &TrustedProxies) -> bool {
    trusted.contain(peer.ip().to_canonical())
}

/// Returns the host names by which a page can know this proxy: the names that a trusted proxy forwards, or `Host` if no names
/// are forwarded. Each forwarding web server can append the name that it has received. The page can have used any of these
/// names.
pub fn hosts<'a>(
    peer: SocketAddr,
    headers: &'a HeaderMap,
    trusted: &TrustedProxies,
) -> Vec<&'a str> {
    let forwarded: Vec<_> = if is_forwarded(peer, trusted) {
        let parameters = elements(headers, "forwarded");
        elements(headers, "x-forwarded-host")
            .map(unquoted)
            .chain(parameters.filter_map(|element| parameter(element, "host")))
            .collect()
    } else {
        Vec::new()
    };
    if forwarded.is_empty() {
        text(headers, header::HOST).into_iter().collect()
    } else {
        forwarded
    }
}

/// Returns the non-empty elements of a comma-separated header, over all its lines.
fn elements<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .into_iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        // An element that is not text is kept as an unknown address. If the element were left out, the address before it,
        // which the client can invent, would count as the client's address.
        .map(|element| str::from_utf8(element).map_or("unknown", str::trim))
        .filter(|element| !element.is_empty())
}

/// Returns a parameter of a `Forwarded` element, such as `for` in `for="[2001:db8::1]:4711";proto=https`.
fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    element.split(';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        let named = key.trim().eq_ignore_ascii_case(name);
        named.then(|| unquoted(value.trim()))
    })
}

fn unquoted(text: &str) -> &str {
    let inner = text.strip_prefix('"');
    inner
        .and_then(|inner| inner.strip_suffix('"'))
        .unwrap_or(text)
}

/// Parses an address with or without a port: `1.2.3.4:4711`, `[2001:db8::1]:4711`, `[2001:db8::1]`, `1.2.3.4`.
fn without_port(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']'));
    bare.unwrap_or(hop)
        .parse()
        .or_else(|_| hop.parse::<SocketAddr>().map(|address| address.ip()))
        .ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn seen(peer: &str, forwarded: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "2001:db8:1::/48"]
            .into_iter()
            .map(|network| network.parse().unwrap())
            .collect();
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        address(
            SocketAddr::new(peer.parse().unwrap(), 1),
            &headers,
            &trusted,
        )
        .to_string()
    }

    #[test]
    fn forwarding_headers_are_believed_from_trusted_proxies_only() {
        for (peer, forwarded, client) in [
            ("203.0.113.7", &[][..], "203.0.113.7"),
            ("203.0.113.7", &["198.51.100.1"], "203.0.113.7"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["1.2.3.4, 198.51.100.1"], "198.51.100.1"),
            (
                "10.0.0.1",
                &["1.2.3.4, 198.51.100.1, 10.9.9.9"],
                "198.51.100.1",
            ),
            ("10.0.0.1", &["1.2.3.4", "198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("2001:db8:1::1", &["2001:db8:2::7"], "2001:db8:2::7"),
            ("10.0.0.1", &["[2001:db8:2::7]:443"], "2001:db8:2::7"),
            ("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["unknown"], "10.0.0.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["192.168.1.1"], "192.168.1.1"),
            ("127.0.0.1", &["198.51.100.1"], "127.0.0.1"),
            ("10.0.0.1", &["[2001:db8:2::7]"], "2001:db8:2::7"),
            ("10.0.0.1", &["\"198.51.100.1:4711\""], "198.51.100.1"),
            ("10.0.0.1", &["\"[2001:db8:2::7]:4711\""], "2001:db8:2::7"),
            ("10.0.0.1", &["198.51.100.1,"], "198.51.100.1"),
            ("10.0.0.1", &["", " , 198.51.100.1, ,"], "198.51.100.1"),
            ("10.0.0.1", &["đ, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1, đ"], "10.0.0.1"),
            ("10.0.0.1", &["[198.51.100.1"], "10.0.0.1"),
        ] {
            assert_eq!(seen(peer, forwarded), client, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn another_header_serves_where_the_usual_one_is_missing() {
        let trusted = ["10.0.0.0/8".parse().unwrap()].into_iter().collect();
        let peer = SocketAddr::from(([10, 0, 0, 1], 1));
        let mut headers = HeaderMap::new();
        headers.insert("x-real-ip", HeaderValue::from_static("198.51.100.1"));
        assert_eq!(
            address(peer, &headers, &trusted).to_string(),
            "198.51.100.1"
        );
        headers.insert("x-forwarded-for", HeaderValue::from_static("203.0.113.7"));
        assert_eq!(address(peer, &headers, &trusted).to_string(), "203.0.113.7");
    }

    #[test]
    fn the_standard_header_serves_where_the_others_are_missing() {
        let trusted = ["10.0.0.0/8".parse().unwrap()].into_iter().collect();
        let peer = SocketAddr::from(([10, 0, 0, 1], 1));
        for (forwarded, client, names) in [
            (
                r#"For="[2001:db8:2::7]:4711";proto=https;host=shop.example"#,
                "2001:db8:2::7",
                &["shop.example"][..],
            ),
            (
                "for=1.2.3.4, for=198.51.100.1 ; host=\"a:8443\", for=10.0.0.9",
                "198.51.100.1",
                &["a:8443"],
            ),
            ("for=198.51.100.1,proto=https", "10.0.0.1", &["inner"]),
            ("for=_hidden", "10.0.0.1", &["inner"]),
            ("for=unknown", "10.0.0.1", &["inner"]),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("forwarded", forwarded.parse().unwrap());
            headers.insert("host", HeaderValue::from_static("inner"));
            let seen = address(peer, &headers, &trusted).to_string();
            assert_eq!(seen, client, "{forwarded}");
            assert_eq!(hosts(peer, &headers, &trusted), names, "{forwarded}");
            headers.insert("x-real-ip", HeaderValue::from_static("203.0.113.7"));
            assert_eq!(address(peer, &headers, &trusted).to_string(), "203.0.113.7");
            assert_eq!(hosts(peer, &headers, &TrustedProxies::default()), ["inner"]);
        }
    }
}
