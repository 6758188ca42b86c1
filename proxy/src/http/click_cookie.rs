//! Stores a click id in a cookie for 30 days. The proxy sets this cookie because some browsers delete a script's cookies after
//! 7 days, but keep a server's cookies.

use axum::http::{HeaderMap, HeaderValue, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::{
    clicks::Clicks,
    headers::{cookies_of, text},
};

const DAYS_30_S: u32 = 30 * 24 * 60 * 60;
/// The characters that are percent-encoded. RFC 6265 does not allow quotes, commas, semicolons, backslashes and spaces in a
/// cookie's value. `%` is encoded too, so that decoding returns the original click id.
const NOT_IN_A_VALUE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'%')
    .add(b',')
    .add(b';')
    .add(b'\\');

/// Returns the `Set-Cookie` header for a click id that the proxy has not set in this browser yet. Returns `None` if the answer
/// is not allowed to set cookies, or if the browser sends the cookie that this process has already set.
pub fn cookie(
    clicks: &Clicks,
    headers: &HeaderMap,
    click: &str,
    allowed: bool,
) -> Option<HeaderValue> {
    if !allowed {
        return None;
    }
    let value = utf8_percent_encode(click, NOT_IN_A_VALUE).to_string();
    let new = clicks.learn(&value);
    if !new && cookies_of(headers, "ttclid").any(|cookie| cookie == value) {
        return None;
    }
    let secure = text(headers, header::ORIGIN).is_some_and(|origin| origin.starts_with("https:"));
    let secure = if secure { "; Secure" } else { "" };
    HeaderValue::from_str(&format!(
        "ttclid={value}; Max-Age={DAYS_30_S}; Path=/; SameSite=Lax{secure}"
    ))
    .ok()
}

#[cfg(test)]
mod tests {
    use duet_events::personal::percent_decoded;

    use super::*;

    fn set(
        clicks: &Clicks,
        remembered: Option<&'static str>,
        click: &str,
        same_site: bool,
    ) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::ORIGIN,
            HeaderValue::from_static("https://shop.example"),
        );
        if let Some(cookie) = remembered {
            headers.insert(header::COOKIE, HeaderValue::from_static(cookie));
        }
        let value = cookie(clicks, &headers, click, same_site);
        value.map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_new_click_on_the_same_site_is_kept_for_30_days() {
        let kept = "ttclid=E.C.P.x; Max-Age=2592000; Path=/; SameSite=Lax; Secure";
        let clicks = Clicks::default();
        assert_eq!(set(&clicks, None, "E.C.P.x", false), None);
        assert_eq!(set(&clicks, None, "E.C.P.x", true).as_deref(), Some(kept));
        let known = Some("ttclid=E.C.P.x");
        assert_eq!(set(&clicks, known, "E.C.P.x", true), None);
        assert!(set(&clicks, known, "E.C.P.y", true).is_some());
        // The browser may not have received the answer with the cookie, or may have lost the cookie.
        assert_eq!(set(&clicks, None, "E.C.P.x", true).as_deref(), Some(kept));
    }

    #[test]
    fn a_cookie_that_a_script_set_is_replaced_by_the_servers_once() {
        let clicks = Clicks::default();
        let scripts = Some("ttclid=E.C.P.x");
        assert!(set(&clicks, scripts, "E.C.P.x", true).is_some());
        assert_eq!(set(&clicks, scripts, "E.C.P.x", true), None);
    }

    #[test]
    fn a_click_id_comes_back_as_it_went() {
        for click in ["E.C.P.x", "a;b,c \"d\" 100%", "đơn", "%41"] {
            let encoded = utf8_percent_encode(click, NOT_IN_A_VALUE).to_string();
            assert_eq!(percent_decoded(&encoded), click);
        }
    }
}
