//! Reads the text and the cookies of a request's headers.
//!
//! A header consists of bytes. Browsers and web servers send non-ASCII letters in some headers. The proxy does not drop a
//! header because of such a letter.

use std::{borrow::Cow, str};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Returns a header as text. A header that is not UTF-8 counts as absent.
pub fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    str::from_utf8(headers.get(name)?.as_bytes())
        .ok()
        .filter(|text| !text.is_empty())
}

/// Returns a header that the proxy passes on as text. Reads the header as UTF-8. If the header is not UTF-8, reads it as
/// Latin-1, in which every byte is a letter.
pub fn any_text(headers: &HeaderMap, name: HeaderName) -> Option<Cow<'_, str>> {
    let bytes = headers.get(name).map(HeaderValue::as_bytes)?;
    let text = str::from_utf8(bytes).map_or_else(
        |_| bytes.iter().copied().map(char::from).collect(),
        Cow::Borrowed,
    );
    (!text.is_empty()).then_some(text)
}

/// Returns the values of all cookies with this name, unchanged. Leaves out cookies whose value is empty.
pub fn cookies_of<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    cookies(headers)
        .filter(move |(key, value)| *key == name && !value.is_empty())
        .map(|(_, value)| value)
}

/// Returns the name and value of every cookie. Leaves out cookies that are not UTF-8 or have no `=`.
pub fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
        .filter_map(|pair| str::from_utf8(pair).ok()?.trim().split_once('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cookie_with_letters_beyond_ascii_hides_no_other() {
        for strange in [
            "ten=Nguyễn Văn".as_bytes(),
            b"ten=Nguy\xean",
            b"\xff\xfe",
            b"",
        ] {
            let line = [b"_ttp=t1; ", strange, b"; ttclid=E.C.P.a"].concat();
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_bytes(&line).unwrap());
            assert_eq!(
                cookies_of(&headers, "_ttp").next(),
                Some("t1"),
                "{strange:?}"
            );
            assert_eq!(
                cookies_of(&headers, "ttclid").next(),
                Some("E.C.P.a"),
                "{strange:?}"
            );
        }
    }

    #[test]
    fn a_header_that_is_passed_on_keeps_its_letters() {
        for (bytes, expected) in [
            (&b"Mozilla/5.0"[..], Some("Mozilla/5.0")),
            ("Máy tính Đức/1".as_bytes(), Some("Máy tính Đức/1")),
            (b"M\xe1y/1", Some("Máy/1")),
            (b"", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("user-agent", HeaderValue::from_bytes(bytes).unwrap());
            assert_eq!(any_text(&headers, header::USER_AGENT).as_deref(), expected);
        }
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("my_ttp=no; _ttp=abc; ttclid="),
        );
        headers.append(header::COOKIE, HeaderValue::from_static("ttclid=E.C.P.x"));
        assert_eq!(cookies_of(&headers, "_ttp").next(), Some("abc"));
        assert_eq!(cookies_of(&headers, "ttclid").next(), Some("E.C.P.x"));
        assert_eq!(cookies_of(&headers, "ttp").next(), None);
    }
}
