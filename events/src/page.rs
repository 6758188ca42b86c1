//! The page of an event.

use alloc::{string::String, vec::Vec};

use serde::Serialize;

use crate::{
    address,
    fields::{Fields, Problems},
    personal::percent_decoded,
    rule::{Rule, leave_out, repair},
    user::usable_key,
};

/// The page of an event, with full `http` or `https` addresses.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Page {
    /// The page's own address, with its `ttclid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The address of the previous page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referrer: Option<String>,
}

impl Page {
    pub(crate) fn read(mut fields: Fields<'_>, problems: &mut Problems) -> Self {
        let page = Self {
            url: read("url", &mut fields, problems),
            referrer: read("referrer", &mut fields, problems),
        };
        fields.warn_of_unknown(&["url", "referrer"], problems);
        page
    }

    /// Returns whether no address is known.
    pub fn is_empty(&self) -> bool {
        self.url.is_none() && self.referrer.is_none()
    }

    /// Returns the first usable click id in the page's own address.
    pub fn click(&self) -> Option<String> {
        let url = self.url.as_deref()?;
        clicks(url).find_map(Result::ok)
    }
}

/// Reads the click ids of an address, decoded once. The ids of the query come first, then the ids of the fragment.
fn clicks(url: &str) -> impl Iterator<Item = Result<String, &'static Rule>> {
    let parameters = url.split(['?', '#', '&', ';']).skip(1);
    parameters.filter_map(click_of)
}

/// Reads the click id of a parameter. Returns `None` if the parameter does not name a click id.
fn click_of(parameter: &str) -> Option<Result<String, &'static Rule>> {
    let click = parameter.strip_prefix("ttclid=")?;
    (!click.is_empty()).then(|| usable_key(&percent_decoded(click)))
}

/// Removes the parameters with an unusable click id from an address, because TikTok reads click ids from the address too. Also
/// returns the rules that these click ids break.
fn with_usable_clicks(url: &str) -> (String, Vec<&'static Rule>) {
    const SIGNS: [char; 4] = ['?', '#', '&', ';'];
    let mut left = String::with_capacity(url.len());
    let mut broken = Vec::new();
    for part in url.split_inclusive(SIGNS) {
        let parameter = part.strip_suffix(SIGNS).unwrap_or(part);
        let Some(Err(rule)) = click_of(parameter).filter(|_| !left.is_empty()) else {
            left.push_str(part);
            continue;
        };
        broken.push(rule);
        let sign = part.get(parameter.len()..).unwrap_or_default();
        // If another parameter follows, it is written after the separator of the removed parameter.
        if !matches!(sign, "&" | ";") {
            left.pop();
            left.push_str(sign);
        }
    }
    (left, broken)
}

fn read(name: &str, fields: &mut Fields<'_>, problems: &mut Problems) -> Option<String> {
    let text = fields.text(name, problems)?;
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return None;
    }
    let Some((clean, is_changed)) = address::clean(trimmed) else {
        problems.warn(fields.path_of(name), &leave_out::URL);
        return None;
    };
    if trimmed.len() < text.len() {
        problems.warn(fields.path_of(name), &repair::BLANKS);
    }
    if is_changed {
        problems.warn(fields.path_of(name), &repair::PERSONAL_URL);
    }
    if !clean.contains("ttclid=") {
        return Some(clean);
    }
    let (left, broken) = with_usable_clicks(&clean);
    for rule in broken {
        problems.warn(fields.path_of(name) + ".ttclid", rule);
    }
    Some(left)
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned;

    use super::*;

    fn page(url: &str) -> Page {
        Page {
            url: Some(url.to_owned()),
            referrer: None,
        }
    }

    #[test]
    fn the_first_usable_click_id_of_an_address_is_read_and_decoded_once() {
        for (url, ttclid) in [
            ("https://shop.vn/?ttclid=E.C.P.abc", Some("E.C.P.abc")),
            (
                "https://shop.vn/a?x=1&ttclid=a%2Bb%2525#top",
                Some("a+b%25"),
            ),
            ("https://shop.vn/?ttclid=", None),
            ("https://shop.vn/?my_ttclid=x", None),
            ("https://shop.vn/#ttclid=x", Some("x")),
            ("https://shop.vn/#/?ttclid=x", Some("x")),
            (
                "https://shop.vn/?ttclid=__CLICKID__#/a?b=1&ttclid=x",
                Some("x"),
            ),
            (
                "https://shop.vn/?ttclid=&ttclid=null&ttclid=x&ttclid=y",
                Some("x"),
            ),
            ("https://shop.vn/?ttclid=%20x%E2%80%8B", Some("x")),
            ("https://shop.vn/?ttclid=%20__CLICKID__%20", None),
            ("https://shop.vn/?ttclid=+__CLICKID__+&ttclid=x", Some("x")),
            ("https://shop.vn/?ttclid=%2B__CLICKID__", None),
            ("https://shop.vn/?ttclid=+", Some("+")),
            ("https://shop.vn/?ttclid=a+b", Some("a+b")),
            ("https://shop.vn/ttclid=x", None),
        ] {
            assert_eq!(page(url).click().as_deref(), ttclid, "{url}");
        }
    }

    #[test]
    fn an_address_keeps_all_but_its_unusable_click_ids() {
        for (url, left) in [
            ("https://shop.vn/?ttclid=__CLICKID__", "https://shop.vn/"),
            (
                "https://shop.vn/?ttclid=__CLICKID__#a",
                "https://shop.vn/#a",
            ),
            (
                "https://shop.vn/?ttclid=+__CLICKID__&b=1",
                "https://shop.vn/?b=1",
            ),
            (
                "https://shop.vn/?a=1&ttclid=null&b=2",
                "https://shop.vn/?a=1&b=2",
            ),
            ("https://shop.vn/?a=1;ttclid={x}", "https://shop.vn/?a=1"),
            (
                "https://shop.vn/?ttclid=null&ttclid=x",
                "https://shop.vn/?ttclid=x",
            ),
            (
                "https://shop.vn/?ttclid=x&ttclid=%25%25c%25%25",
                "https://shop.vn/?ttclid=x",
            ),
            (
                "https://shop.vn/?a=1#ttclid=__CLICKID__",
                "https://shop.vn/?a=1",
            ),
            (
                "https://shop.vn/#/a?ttclid=__CLICKID__",
                "https://shop.vn/#/a",
            ),
            ("https://shop.vn/?ttclid=&a", "https://shop.vn/?ttclid=&a"),
            (
                "https://shop.vn/?my_ttclid=__CLICKID__",
                "https://shop.vn/?my_ttclid=__CLICKID__",
            ),
        ] {
            assert_eq!(with_usable_clicks(url).0, left);
        }
    }
}
