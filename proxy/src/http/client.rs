//! Who is at the other end: address, user agent, cookies.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, header};

use crate::config::TrustedProxies;

/// The address a request comes from. `X-Forwarded-For`, and `X-Real-IP` where that is missing, are
/// believed only when the connection comes from a trusted proxy, and only back to the last address that
/// no trusted proxy wrote.
pub fn address(peer: SocketAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> IpAddr {
    let mut address = peer.ip().to_canonical();
    for hop in hops(headers).into_iter().rev() {
        if !trusted.contain(address) {
            break;
        }
        let Some(written) = without_port(hop.trim()) else {
            break;
        };
        address = written.to_canonical();
    }
    address
}

/// Whom the proxies in between saw, the nearest last.
fn hops(headers: &HeaderMap) -> Vec<&str> {
    let name = ["x-forwarded-for", "x-real-ip"]
        .into_iter()
        .find(|name| headers.contains_key(*name));
    let values = name.into_iter().flat_map(|name| headers.get_all(name));
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect()
}

/// Whether the connection itself comes from a proxy whose headers are believed.
pub fn is_forwarded(peer: SocketAddr, trusted: &TrustedProxies) -> bool {
    trusted.contain(peer.ip().to_canonical())
}

/// A header as text.
pub fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers
        .get(name)?
        .to_str()
        .ok()
        .filter(|text| !text.is_empty())
}

/// A cookie's value, as it stands.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    cookies(headers)
        .find(|(key, value)| *key == name && !value.is_empty())
        .map(|(_, value)| value)
}

/// All cookies, by name and value.
pub fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
}

fn without_port(hop: &str) -> Option<IpAddr> {
    hop.parse()
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
            headers.append("x-forwarded-for", HeaderValue::from_str(value).unwrap());
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
    fn cookies_are_found_by_their_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("my_ttp=no; _ttp=abc; ttclid="),
        );
        headers.append(header::COOKIE, HeaderValue::from_static("ttclid=E.C.P.x"));
        assert_eq!(cookie(&headers, "_ttp"), Some("abc"));
        assert_eq!(cookie(&headers, "ttclid"), Some("E.C.P.x"));
        assert_eq!(cookie(&headers, "ttp"), None);
    }
}
