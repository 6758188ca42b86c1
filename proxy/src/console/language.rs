//! The languages of the console.

use axum::http::{HeaderMap, header};

use super::texts::{ENGLISH, Texts, VIETNAMESE};
use crate::headers::text;

/// A language of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Vietnamese,
}

impl Language {
    /// Returns the language that `lang` in the query names. Without `lang`, returns the preferred language of
    /// `Accept-Language`, or English if that header names no language of the console.
    pub(super) fn of(query: Option<&str>, headers: &HeaderMap) -> Self {
        let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let named = pairs.find_map(|(name, value)| (name == "lang").then(|| Self::named(&value)));
        let accepted = text(headers, header::ACCEPT_LANGUAGE).unwrap_or_default();
        let preferred = || {
            let mut ranges: Vec<_> = accepted.split(',').filter_map(range).collect();
            // The sort is stable, so languages of equal weight keep their order.
            ranges.sort_by(|(_, one), (_, other)| other.total_cmp(one));
            ranges.first().map(|(language, _)| *language)
        };
        named.flatten().or_else(preferred).unwrap_or(Self::English)
    }

    fn named(tag: &str) -> Option<Self> {
        match tag.split('-').next()?.to_ascii_lowercase().as_str() {
            "en" => Some(Self::English),
            "vi" => Some(Self::Vietnamese),
            _ => None,
        }
    }

    /// Returns the language's tag.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Vietnamese => "vi",
        }
    }

    /// Returns the other language, to which a reader can change.
    pub(super) fn other(self) -> Self {
        match self {
            Self::English => Self::Vietnamese,
            Self::Vietnamese => Self::English,
        }
    }

    /// Returns the texts of the language.
    pub(super) fn texts(self) -> &'static Texts {
        match self {
            Self::English => &ENGLISH,
            Self::Vietnamese => &VIETNAMESE,
        }
    }
}

/// Returns the language and the weight of a range such as `vi-VN;q=0.8`.
fn range(range: &str) -> Option<(Language, f32)> {
    let mut parts = range.split(';').map(str::trim);
    let language = Language::named(parts.next()?)?;
    let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
    Some((language, weight.unwrap_or(1.0))).filter(|(_, weight)| *weight > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_names_the_language_or_else_the_browser() {
        for (query, accepted, expected) in [
            (None, "", Language::English),
            (None, "vi-VN,vi;q=0.9,en;q=0.8", Language::Vietnamese),
            (None, "fr, en;q=0.5, vi;q=0.7", Language::Vietnamese),
            (None, "en-US, vi", Language::English),
            (None, "vi;q=0, de", Language::English),
            (Some("lang=en&period=7d"), "vi", Language::English),
            (Some("period=7d&lang=vi"), "en", Language::Vietnamese),
            (Some("lang=xx"), "vi", Language::Vietnamese),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, accepted.parse().unwrap());
            assert_eq!(
                Language::of(query, &headers),
                expected,
                "{query:?} {accepted}"
            );
        }
    }
}
