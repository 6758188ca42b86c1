//! Parses web origins, and the addresses to which the proxy sends secrets.

use std::str::FromStr;

use reqwest::Url;

/// A web origin: scheme, host and port, in the form that browsers send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// Returns the origin as a browser writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Origin {
    /// Returns whether this origin has the host and port of a `Host` header.
    pub fn is_at(&self, host: &str) -> bool {
        let (scheme, authority) = self.0.split_once("://").unwrap_or_default();
        let host = host.to_ascii_lowercase();
        let bare = match scheme {
            "https" => host.strip_suffix(":443"),
            "http" => host.strip_suffix(":80"),
            _ => None,
        };
        authority == bare.unwrap_or(&host)
    }
}

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RULE: &str =
            "must be a list of scheme://host without paths, such as https://shop.example";
        let strange = |c: char| c == '*' || c.is_whitespace() || c.is_control();
        let url = Url::parse(text).map_err(|_| RULE)?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(RULE)?;
        let bare = matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !bare || text.contains(strange) {
            return Err(RULE);
        }
        match url.scheme() {
            "http" | "https" => Ok(Self(url.origin().ascii_serialization())),
            // A page with one of these schemes sends `Origin: null`, or no browser shows pages with the scheme.
            "file" | "ftp" | "ws" | "wss" => Err(RULE),
            // Apps that show pages in a web view have origins with other schemes: capacitor://localhost, ionic://localhost,
            // tauri://localhost.
            scheme => {
                let host = host.to_ascii_lowercase();
                let port = url.port().map(|port| format!(":{port}"));
                let port = port.unwrap_or_default();
                Ok(Self(format!("{scheme}://{host}{port}")))
            }
        }
    }
}

/// Parses an address that uses HTTPS, or HTTP on this machine. Returns `None` for any other address.
pub(crate) fn safe_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let host = url.host_str()?;
    let address = host.trim_start_matches('[').trim_end_matches(']').parse();
    let is_loopback = host == "localhost"
        || host.ends_with(".localhost")
        || address.is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback);
    let is_plain =
        url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    (is_safe && is_plain).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_have_the_form_that_browsers_send() {
        for (written, sent) in [
            ("https://Shop.example:443/", "https://shop.example"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("https://bàn.example", "https://xn--bn-jia.example"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("Capacitor://LocalHost/", "capacitor://localhost"),
            ("ionic://localhost", "ionic://localhost"),
            ("tauri://localhost:1420", "tauri://localhost:1420"),
            (
                "chrome-extension://abcdefghijklmnop",
                "chrome-extension://abcdefghijklmnop",
            ),
        ] {
            let origin: Origin = written.parse().unwrap();
            assert_eq!(origin.as_str(), sent);
        }
        for wrong in [
            "",
            "null",
            "shop.example",
            "shop.example:443",
            "https://",
            "https://shop.example/path",
            "https://shop.example?a",
            "https://shop.example#a",
            "https://a@shop.example",
            "https://:b@shop.example",
            "https://*.example",
            "https://shop.example https://other.example",
            "https://shop.\nexample",
            "capacitor://",
            "capacitor:localhost",
            "capacitor://localhost/path",
            "file:///srv/www",
            "ftp://a.example",
            "wss://a.example",
            "data:text/html,a",
            "blob:https://shop.example/a",
        ] {
            assert!(wrong.parse::<Origin>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_address_is_read_over_tls_or_stays_on_the_machine() {
        for (text, safe) in [
            ("https://business-api.tiktok.com", true),
            ("http://127.0.0.1:8788", true),
            ("http://127.9.8.7", true),
            ("http://[::1]:8788", true),
            ("http://localhost:8788/a", true),
            ("http://tiktok.localhost", true),
            ("http://business-api.tiktok.com", false),
            ("http://10.0.0.1", false),
            ("http://localhost.example", false),
            ("http://127.0.0.1.example", false),
            ("https://a:b@shop.example", false),
            ("ftp://127.0.0.1", false),
            ("tiktok", false),
        ] {
            assert_eq!(safe_url(text).is_some(), safe, "{text}");
        }
    }
}
