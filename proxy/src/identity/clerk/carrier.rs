//! Finds the session token of a request.

use axum::http::{HeaderMap, header};

use super::{Carrier, Refused, token};
use crate::{
    headers::{cookies, text},
    identity,
};

/// The largest number of session cookies of the issuer that are checked.
const MOST_COOKIES: usize = 8;

/// The session token in a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Presented<'a> {
    /// The request contains no token.
    Nothing,
    /// The request contains a token that cannot be valid with any key.
    Refused(Refused, Carrier),
    /// The token that must be verified. Nothing in this token has been verified yet.
    Token(&'a str, Carrier),
}

/// Returns the request's session token. A token in the header takes precedence over the cookies, even if the token is invalid.
/// Of the session cookies of `issuer` that are not signed out, the newest is used. Clerk's script sets one cookie without a
/// suffix, and one cookie with the suffix of its instance. If `suffix` is not known, the cookies of all suffixes are checked.
pub(super) fn presented<'a>(
    headers: &'a HeaderMap,
    issuer: &str,
    suffix: Option<&str>,
) -> Presented<'a> {
    if let Some(token) = identity::bearer(headers) {
        return Presented::Token(token, Carrier::Header);
    }
    if is_bare_token(headers) {
        return Presented::Refused(Refused::Malformed, Carrier::Header);
    }
    let sessions = cookies(headers).filter_map(|(name, token)| {
        let end = name.strip_prefix("__session")?;
        let known = match end.strip_prefix('_') {
            None => end.is_empty(),
            Some(end) => suffix.is_none_or(|suffix| suffix == end),
        };
        known.then_some((end, token))
    });
    let mut newest = None;
    let mut stale = None;
    let mut ours = 0;
    for (end, token) in sessions {
        let Some(stated) = token::stated(token) else {
            stale.get_or_insert(Refused::Malformed);
            continue;
        };
        // Cookies of other instances do not count for the limit `MOST_COOKIES`: there can be many of them, and they can come
        // before the cookie of this instance.
        if stated.iss != issuer {
            stale.get_or_insert(Refused::Issuer);
            continue;
        }
        ours += 1;
        if ours > MOST_COOKIES {
            break;
        }
        if is_signed_out(headers, end, suffix, stated.iat) {
            stale = Some(Refused::SignedOut);
        } else if newest.is_none_or(|(iat, _)| iat < stated.iat) {
            newest = Some((stated.iat, token));
        }
    }
    match (newest, stale) {
        (Some((_, token)), _) => Presented::Token(token, Carrier::Cookie),
        (None, Some(refused)) => Presented::Refused(refused, Carrier::Cookie),
        (None, None) => Presented::Nothing,
    }
}

/// Returns whether `Authorization` contains a token without the scheme `Bearer`.
fn is_bare_token(headers: &HeaderMap) -> bool {
    text(headers, header::AUTHORIZATION).is_some_and(|token| token.starts_with("eyJ"))
}

/// Returns whether the browser signed out, or signed in again, after the token of a session cookie was issued. The cookies
/// `__client_uat` show this.
///
/// The `__client_uat` cookie with the suffix of this instance belongs only to this instance. If this cookie has a time, it
/// alone decides. The instances on one parent domain, such as staging and production, share the cookie's name without a suffix,
/// and a request can have one such cookie of each instance. Then the browser counts as signed out only if all of these cookies
/// show a sign-out.
fn is_signed_out(headers: &HeaderMap, end: &str, suffix: Option<&str>, issued_at: i64) -> bool {
    let own = match suffix {
        Some(suffix) if end.is_empty() => updates(headers, &format!("_{suffix}")),
        _ => Vec::new(),
    };
    let plain = updates(headers, end);
    let names_a_time = own.iter().any(|updated| *updated != 0);
    let said = if names_a_time || plain.is_empty() {
        own
    } else {
        plain
    };
    let is_out = |updated: &i64| *updated == 0 || *updated > issued_at;
    !said.is_empty() && said.iter().all(is_out)
}

/// Returns the times in the `__client_uat` cookies with this suffix. A time of 0 means that the browser has signed out.
fn updates(headers: &HeaderMap, end: &str) -> Vec<i64> {
    cookies(headers)
        .filter(|(name, _)| name.strip_prefix("__client_uat") == Some(end))
        .filter_map(|(_, updated)| updated.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;

    const OURS: &str = "https://clerk.shop.example";

    fn token(issuer: &str, iat: i64) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let claims = format!(r#"{{"iss":"{issuer}","iat":{iat}}}"#);
        format!("{}.{}.c2ln", part(r#"{"alg":"RS256"}"#), part(&claims))
    }

    fn seen(cookies: &[(&str, &str)], suffix: Option<&str>) -> Result<String, Option<Refused>> {
        let mut headers = HeaderMap::new();
        let pairs = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let line = pairs.collect::<Vec<_>>().join("; ");
        headers.insert("cookie", line.parse().unwrap());
        match presented(&headers, OURS, suffix) {
            Presented::Token(token, Carrier::Cookie) => Ok(token.to_owned()),
            Presented::Refused(refused, Carrier::Cookie) => Err(Some(refused)),
            _ => Err(None),
        }
    }

    #[test]
    fn of_our_cookies_the_newest_counts() {
        let (old, new) = (token(OURS, 100), token(OURS, 200));
        let other = token("https://clerk.other.example", 300);
        for (cookies, suffix, expected) in [
            (&[("__session", old.as_str())][..], None, Ok(&old)),
            (&[("__session_RK90Hasd", &old)], Some("RK90Hasd"), Ok(&old)),
            (&[("__session_RK90Hasd", &old)], Some("AAAAAAAA"), Err(None)),
            (&[("__session_RK90Hasd", &old)], None, Ok(&old)),
            (
                &[("__session", &old), ("__session_RK90Hasd", &new)],
                Some("RK90Hasd"),
                Ok(&new),
            ),
            (
                &[("__session", &new), ("__session_RK90Hasd", &old)],
                Some("RK90Hasd"),
                Ok(&new),
            ),
            (
                &[("__session", &other), ("__session_RK90Hasd", &old)],
                Some("RK90Hasd"),
                Ok(&old),
            ),
            (&[("__session", &other)], None, Err(Some(Refused::Issuer))),
            (
                &[("__session", "junk")],
                None,
                Err(Some(Refused::Malformed)),
            ),
            (&[("__sessions", &old), ("session", &old)], None, Err(None)),
            (&[("_ttp", "x")], None, Err(None)),
        ] {
            assert_eq!(seen(cookies, suffix), expected.cloned(), "{cookies:?}");
        }
    }

    #[test]
    fn a_cookie_from_before_the_last_sign_out_counts_for_nothing() {
        let (old, new) = (token(OURS, 100), token(OURS, 200));
        let session = ("__session", old.as_str());
        for (updated, expected) in [
            ("0", Err(Some(Refused::SignedOut))),
            ("101", Err(Some(Refused::SignedOut))),
            ("100", Ok(old.clone())),
            ("soon", Ok(old.clone())),
        ] {
            assert_eq!(seen(&[session, ("__client_uat", updated)], None), expected);
        }
        // If only the session of the cookie with a suffix is signed out, the session cookie without a suffix is still used.
        let suffixed = [("__session_S", new.as_str()), ("__client_uat_S", "0")];
        let both = [&suffixed[..], &[session, ("__client_uat", "90")]].concat();
        assert_eq!(seen(&both, Some("S")), Ok(old));
    }

    #[test]
    fn of_two_sign_outs_on_one_parent_domain_ours_counts() {
        let (old, new) = (token(OURS, 100), token(OURS, 200));
        let out = || Err(Some(Refused::SignedOut));
        let (plain, suffixed) = (("__session", old.as_str()), ("__session_S", new.as_str()));
        for (cookies, expected) in [
            // The browser has signed out of one of the two instances. The cookies do not show which of the two is the shop's.
            (
                &[plain, ("__client_uat", "0"), ("__client_uat", "90")][..],
                Ok(&old),
            ),
            (
                &[plain, ("__client_uat", "90"), ("__client_uat", "0")],
                Ok(&old),
            ),
            (
                &[plain, ("__client_uat", "0"), ("__client_uat", "0")],
                out(),
            ),
            (
                &[plain, ("__client_uat", "0"), ("__client_uat", "101")],
                out(),
            ),
            // The cookie with the suffix belongs to the shop's instance.
            (
                &[plain, ("__client_uat", "0"), ("__client_uat_S", "90")],
                Ok(&old),
            ),
            (
                &[plain, ("__client_uat", "90"), ("__client_uat_S", "101")],
                out(),
            ),
            (&[plain, ("__client_uat_S", "0")], out()),
            (
                &[plain, ("__client_uat", "90"), ("__client_uat_S", "0")],
                Ok(&old),
            ),
            (
                &[plain, ("__client_uat", "0"), ("__client_uat_S", "0")],
                out(),
            ),
            (
                &[plain, ("__client_uat", "0"), ("__client_uat_T", "90")],
                out(),
            ),
            (
                &[suffixed, ("__client_uat", "0"), ("__client_uat_S", "190")],
                Ok(&new),
            ),
            (
                &[suffixed, ("__client_uat", "190"), ("__client_uat_S", "0")],
                out(),
            ),
            (&[suffixed, ("__client_uat", "0")], Ok(&new)),
        ] {
            assert_eq!(seen(cookies, Some("S")), expected.cloned(), "{cookies:?}");
        }
    }

    #[test]
    fn other_instances_cookies_hide_none_of_ours() {
        let ours = token(OURS, 100);
        let other = token("https://clerk.other.example", 300);
        let foreign = (0..40).map(|number| format!("__session_F{number}"));
        let foreign: Vec<_> = foreign.collect();
        let mut cookies: Vec<_> = foreign
            .iter()
            .map(|name| (name.as_str(), other.as_str()))
            .collect();
        cookies.extend([("__session", other.as_str()), ("ten", "Nguyễn Văn")]);
        cookies.push(("__session_RK90Hasd", &ours));
        for suffix in [None, Some("RK90Hasd")] {
            assert_eq!(seen(&cookies, suffix), Ok(ours.clone()), "{suffix:?}");
        }
    }

    #[test]
    fn a_header_goes_before_every_cookie() {
        let cookie = token(OURS, 100);
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "bearer eyJh.eyJz.c2ln".parse().unwrap());
        headers.insert("cookie", format!("__session={cookie}").parse().unwrap());
        let shown = presented(&headers, OURS, None);
        assert_eq!(shown, Presented::Token("eyJh.eyJz.c2ln", Carrier::Header));
        headers.insert("authorization", "Basic dTpw".parse().unwrap());
        let shown = presented(&headers, OURS, None);
        assert_eq!(shown, Presented::Token(&cookie, Carrier::Cookie));
        headers.insert("authorization", cookie.parse().unwrap());
        let shown = presented(&headers, OURS, None);
        let bare = Presented::Refused(Refused::Malformed, Carrier::Header);
        assert_eq!(shown, bare, "a token without its scheme");
    }
}
