//! The view of the page: its language, its filters and its opened parts. The page's address contains the whole view, so that a
//! view can be reloaded, stored as a bookmark and opened in another tab.

use axum::http::HeaderMap;

use super::{language::Language, recount::Period, texts::Texts};

/// The parts of the page that are shown, and their filters.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) language: Language,
    pairs: Vec<(String, String)>,
}

impl View {
    /// Reads the view from the query of an address.
    pub(super) fn of(query: Option<&str>, headers: &HeaderMap) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self {
            language: Language::of(query, headers),
            pairs: pairs.into_owned().collect(),
        }
    }

    pub(super) fn texts(&self) -> &'static Texts {
        self.language.texts()
    }

    /// Returns the value of a part of the view.
    pub(super) fn part(&self, name: &str) -> Option<&str> {
        let mut pairs = self.pairs.iter();
        let (_, value) = pairs.find(|(known, value)| known == name && !value.is_empty())?;
        Some(value)
    }

    /// Returns the period for which the page shows counts.
    pub(super) fn period(&self) -> Period {
        Period::named(self.part("period"))
    }

    /// Returns every part except the part with this name, for a form that sets this part.
    pub(super) fn others(&self, name: &str) -> impl Iterator<Item = &(String, String)> {
        self.pairs.iter().filter(move |(known, _)| known != name)
    }

    /// Returns the query of this view.
    pub(super) fn query(&self) -> String {
        self.changed(&[])
    }

    /// Returns the address of this view with changed parts. `None` removes a part. `section` is the id of the section to which
    /// the page scrolls.
    pub(super) fn link(&self, changes: &[(&str, Option<&str>)], section: &str) -> String {
        format!("/?{}#{section}", self.changed(changes))
    }

    /// Returns the query of this view with changed parts. `None` removes a part.
    pub(super) fn changed(&self, changes: &[(&str, Option<&str>)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let is_changed = |name: &str| changes.iter().any(|(changed, _)| *changed == name);
        for (name, value) in self.pairs.iter().filter(|(name, _)| !is_changed(name)) {
            query.append_pair(name, value);
        }
        for (name, value) in changes {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        query.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_keeps_every_other_part_and_encodes_all() {
        let view = View::of(Some("lang=vi&cause=a%26b&x=%22%3E"), &HeaderMap::new());
        assert_eq!(view.part("cause"), Some("a&b"));
        assert_eq!(view.part("none"), None);
        let link = view.link(&[("cause", None), ("replay", Some("c=1&d"))], "trouble");
        assert_eq!(link, "/?lang=vi&x=%22%3E&replay=c%3D1%26d#trouble");
    }
}
