//! Where an event happened.

use alloc::string::String;

use serde::Serialize;

use crate::{
    address,
    fields::{Fields, Problems},
    personal::percent_decoded,
    rule::{Rule, leave_out, repair},
    user::usable_key,
};

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
        for rule in page
            .url
            .iter()
            .flat_map(|url| clicks(url))
            .filter_map(Result::err)
        {
            problems.warn("page.url.ttclid", rule);
        }
        fields.warn_of_unknown(&["url", "referrer"], problems);
        page
    }

    /// Whether nothing is known of the page.
    pub fn is_empty(&self) -> bool {
        self.url.is_none() && self.referrer.is_none()
    }

    /// The first usable click id in the page's own address.
    pub fn click(&self) -> Option<String> {
        let url = self.url.as_deref()?;
        clicks(url).find_map(Result::ok)
    }
}

/// What the click ids of an address are, decoded once: those of its query, then of its fragment's.
fn clicks(url: &str) -> impl Iterator<Item = Result<String, &'static Rule>> {
    let parameters = url.split(['?', '#', '&', ';']).skip(1);
    parameters
        .filter_map(|pair| pair.strip_prefix("ttclid="))
        .filter(|click| !click.is_empty())
        .map(|click| usable_key(&percent_decoded(click)))
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
    Some(clean)
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
            ("https://shop.vn/ttclid=x", None),
        ] {
            assert_eq!(page(url).click().as_deref(), ttclid, "{url}");
        }
    }
}
