//! Where an event happened.

use alloc::string::String;

use serde::Serialize;

use crate::{
    address,
    fields::{Fields, Problems},
    personal::percent_decoded,
    rule::{leave_out, repair},
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
        fields.warn_of_unknown(&["url", "referrer"], problems);
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
}
