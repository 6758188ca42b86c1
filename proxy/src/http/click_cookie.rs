//! Keeps a click id in a cookie for 30 days. A script's own cookies are capped at 7 days in some
//! browsers; a server's are not.

use std::{
    collections::HashSet,
    fmt::Write,
    hash::{BuildHasher, RandomState},
    mem,
    sync::{Mutex, PoisonError},
};

use axum::http::{HeaderMap, HeaderValue, header};

use super::client;

const DAYS_30_S: u32 = 30 * 24 * 60 * 60;

/// How many clicks are remembered at least, in 8 bytes each. A click that was forgotten is set once more.
const REMEMBERED: usize = 65_536;

/// The clicks whose cookie this process has set. A request does not say whether a script or a server set its
/// cookie, and the SDK's script sets one before any request, so each click's first request gets the server's.
/// It is not set again and again: that would keep it for longer than 30 days.
#[derive(Default)]
pub struct Clicks {
    hasher: RandomState,
    /// The newest ones, and those before them.
    seen: Mutex<[HashSet<u64>; 2]>,
}

impl Clicks {
    /// Remembers a click; returns whether it is new.
    fn learn(&self, click: &str) -> bool {
        let click = self.hasher.hash_one(click);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let [newest, before] = &mut *seen;
        if newest.contains(&click) {
            return false;
        }
        if newest.len() >= REMEMBERED {
            *before = mem::take(newest);
        }
        newest.insert(click);
        !before.contains(&click)
    }

    /// The `Set-Cookie` for a click that a server has not set in the browser yet, on a call that may set cookies.
    pub fn cookie(&self, headers: &HeaderMap, click: &str, allowed: bool) -> Option<HeaderValue> {
        if !allowed {
            return None;
        }
        let value = encoded(click);
        let new = self.learn(&value);
        if !new && client::cookies_of(headers, "ttclid").any(|cookie| cookie == value) {
            return None;
        }
        let secure = client::text(headers, header::ORIGIN)
            .is_some_and(|origin| origin.starts_with("https:"));
        let secure = if secure { "; Secure" } else { "" };
        HeaderValue::from_str(&format!(
            "ttclid={value}; Max-Age={DAYS_30_S}; Path=/; SameSite=Lax{secure}"
        ))
        .ok()
    }
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
    use duet_events::personal::percent_decoded;

    use super::*;

    fn set(
        clicks: &Clicks,
        cookie: Option<&'static str>,
        click: &str,
        same_site: bool,
    ) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::ORIGIN,
            HeaderValue::from_static("https://shop.example"),
        );
        if let Some(cookie) = cookie {
            headers.insert(header::COOKIE, HeaderValue::from_static(cookie));
        }
        let value = clicks.cookie(&headers, click, same_site);
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
        // The answer may not have arrived, or the browser has lost its cookie.
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
    fn memory_of_clicks_is_bounded_and_forgets_the_oldest() {
        let clicks = Clicks::default();
        for click in 0..3 * REMEMBERED {
            assert!(clicks.learn(&click.to_string()));
        }
        assert!(!clicks.learn(&(2 * REMEMBERED).to_string()));
        assert!(clicks.learn("0"));
        let seen = clicks.seen.lock().unwrap();
        assert!(seen.iter().all(|some| some.len() <= REMEMBERED));
    }

    #[test]
    fn a_click_id_comes_back_as_it_went() {
        for click in ["E.C.P.x", "a;b,c \"d\" 100%", "đơn", "%41"] {
            assert_eq!(percent_decoded(&encoded(click)), click);
        }
    }
}
