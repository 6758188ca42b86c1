//! Where an event happened.

use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
    vec::Vec,
};

use serde::Serialize;

use crate::fields::{Fields, Problems, has_controls};

/// Longer addresses are left out: TikTok states no limit, and a page address has no use for one.
const MAX_LENGTH: usize = 4096;

/// The page an event happened on, with full `http` or `https` addresses.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Page {
    /// The page's own address, `ttclid` and all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The page before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referrer: Option<String>,
}

impl Page {
    pub(crate) fn read(mut fields: Fields<'_>, problems: &mut Problems) -> Self {
        let page = Self {
            url: read("url", &mut fields, problems),
            referrer: read("referrer", &mut fields, problems),
        };
        for path in fields.unknown() {
            problems.warn(
                path,
                "unknown_field",
                "a page has url and referrer; this was left out",
            );
        }
        page
    }

    /// Whether nothing is known of the page.
    pub fn is_empty(&self) -> bool {
        self.url.is_none() && self.referrer.is_none()
    }

    /// A parameter of the page's own address, percent-decoded once.
    pub fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.url.as_deref()?.split_once('?')?;
        let query = query.split_once('#').map_or(query, |(query, _)| query);
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, value)| *key == name && !value.is_empty())
            .map(|(_, value)| percent_decoded(value))
    }
}

fn read(name: &str, fields: &mut Fields<'_>, problems: &mut Problems) -> Option<String> {
    let text = fields.text(name, problems)?;
    let Some((clean, dropped)) = address(&text) else {
        problems.warn(
            fields.path_of(name),
            "url",
            "a page address is a full http or https URL of at most 4096 bytes; this was left out",
        );
        return None;
    };
    if dropped {
        problems.warn(
            fields.path_of(name),
            "personal_data",
            "a parameter that holds an e-mail address was removed",
        );
    }
    Some(clean)
}

/// A page's address as it may travel, and whether something personal was removed from it. `None` for
/// what is no full `http` or `https` URL of at most 4096 bytes.
pub fn address(text: &str) -> Option<(String, bool)> {
    let web = ["http://", "https://"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    let plain = text.len() <= MAX_LENGTH && !has_controls(text);
    (web && plain).then(|| without_addresses(text))
}

/// Removes parameters whose value holds an `@`, plain or encoded: shops put e-mail addresses there.
fn without_addresses(url: &str) -> (String, bool) {
    let personal = |text: &str| text.contains('@') || text.contains("%40");
    let (base, query) = match url.split_once(['?', '#']) {
        Some((base, query)) if personal(query) => (base, query),
        _ => return (url.to_owned(), false),
    };
    let mark = if url.as_bytes().get(base.len()) == Some(&b'#') {
        "#"
    } else {
        "?"
    };
    let kept: Vec<_> = query.split('&').filter(|pair| !personal(pair)).collect();
    if kept.is_empty() {
        return (base.to_owned(), true);
    }
    let mut clean = base.to_string();
    clean.push_str(mark);
    clean.push_str(&kept.join("&"));
    (clean, true)
}

/// Percent-encoding undone once; a text that is not UTF-8 then stays as it is.
pub fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|hex| core::str::from_utf8(hex).ok());
        let decoded = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if let Some(decoded) = decoded.filter(|_| byte == b'%') {
            bytes.push(decoded);
            rest = tail.get(2..).unwrap_or_default();
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(url: &str) -> Page {
        Page {
            url: Some(url.to_owned()),
            referrer: None,
        }
    }

    #[test]
    fn a_click_id_is_read_from_the_address_and_decoded_once() {
        for (url, ttclid) in [
            ("https://shop.vn/?ttclid=E.C.P.abc", Some("E.C.P.abc")),
            (
                "https://shop.vn/a?x=1&ttclid=a%2Bb%2525#top",
                Some("a+b%25"),
            ),
            ("https://shop.vn/?ttclid=", None),
            ("https://shop.vn/?my_ttclid=x", None),
            ("https://shop.vn/#ttclid=x", None),
        ] {
            assert_eq!(page(url).query("ttclid").as_deref(), ttclid, "{url}");
        }
    }

    #[test]
    fn an_email_address_does_not_travel_in_a_url() {
        for (url, clean) in [
            (
                "https://shop.vn/?email=a@b.vn&plan=pro",
                "https://shop.vn/?plan=pro",
            ),
            (
                "https://shop.vn/?plan=pro&e=a%40b.vn",
                "https://shop.vn/?plan=pro",
            ),
            ("https://shop.vn/#a@b.vn", "https://shop.vn/"),
            ("https://shop.vn/?plan=pro", "https://shop.vn/?plan=pro"),
        ] {
            assert_eq!(without_addresses(url).0, clean);
        }
    }
}
