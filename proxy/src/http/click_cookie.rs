//! Keeps a click id in a cookie for 30 days. A script's own cookies are capped at 7 days in some
//! browsers; a server's are not.

use std::fmt::Write;

use axum::http::{HeaderMap, HeaderValue, header};

use super::client;

const DAYS_30_S: u32 = 30 * 24 * 60 * 60;

/// The `Set-Cookie` for a click that the browser does not remember yet, on a call within its site.
pub fn for_click(headers: &HeaderMap, click: &str, same_site: bool) -> Option<HeaderValue> {
    let value = encoded(click);
    if !same_site || client::cookie(headers, "ttclid") == Some(&value) {
        return None;
    }
    let secure =
        client::text(headers, header::ORIGIN).is_some_and(|origin| origin.starts_with("https:"));
    let secure = if secure { "; Secure" } else { "" };
    HeaderValue::from_str(&format!(
        "ttclid={value}; Max-Age={DAYS_30_S}; Path=/; SameSite=Lax{secure}"
    ))
    .ok()
}

/// RFC 6265 leaves no room for quotes, commas, semicolons, backslashes and blanks in a value.
fn encoded(click: &str) -> String {
    let mut value = String::with_capacity(click.len());
    for byte in click.bytes() {
        if byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\' | b'%') {
            value.push(char::from(byte));
        } else {
            let _ = write!(value, "%{byte:02X}");
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use duet_events::page::percent_decoded;

    use super::*;

    fn set(cookie: Option<&'static str>, click: &str, same_site: bool) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::ORIGIN,
            HeaderValue::from_static("https://shop.example"),
        );
        if let Some(cookie) = cookie {
            headers.insert(header::COOKIE, HeaderValue::from_static(cookie));
        }
        for_click(&headers, click, same_site).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_new_click_on_the_same_site_is_kept_for_30_days() {
        let kept = "ttclid=E.C.P.x; Max-Age=2592000; Path=/; SameSite=Lax; Secure";
        assert_eq!(set(None, "E.C.P.x", true).as_deref(), Some(kept));
        assert_eq!(set(Some("ttclid=E.C.P.x"), "E.C.P.x", true), None);
        assert!(set(Some("ttclid=E.C.P.x"), "E.C.P.y", true).is_some());
        assert_eq!(set(None, "E.C.P.x", false), None);
    }

    #[test]
    fn a_click_id_comes_back_as_it_went() {
        for click in ["E.C.P.x", "a;b,c \"d\" 100%", "đơn", "%41"] {
            assert_eq!(percent_decoded(&encoded(click)), click);
        }
    }
}
