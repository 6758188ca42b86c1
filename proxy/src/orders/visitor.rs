//! Who began an order: what its events said of the person, the browser and the page, hashed where TikTok wants
//! digests. It joins the payment's event, which comes from a bank that knows none of it.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use duet_events::User;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::EventText;

/// Match keys by their names in the Events API.
type Keys = BTreeMap<String, Box<RawValue>>;

/// Who spoke of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A page, which may say anything.
    Page,
    /// The shop's own server.
    Server,
}

/// What is remembered of whoever began an order. It does not print.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Visitor {
    /// What pages said, the last word on each key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    by_page: Keys,
    /// What the shop's server said, which wins.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    by_server: Keys,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    page: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contents: Option<Box<RawValue>>,
    #[serde(default)]
    limited_data_use: bool,
}

impl fmt::Debug for Visitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Visitor [redacted]")
    }
}

impl Visitor {
    /// Remembers what an event says; what it is silent about stays.
    pub(super) fn came_with(&mut self, event: &EventText<'_>, by: By) {
        let keys = match by {
            By::Page => &mut self.by_page,
            By::Server => &mut self.by_server,
        };
        for (name, value) in &event.user {
            keys.insert(name.clone().into_owned(), value.clone().into_owned());
        }
        if let Some(page) = &event.page {
            self.page = Some(page.clone().into_owned());
        }
        if let Some(contents) = event.properties.get("contents") {
            self.contents = Some(contents.clone().into_owned());
        }
        self.limited_data_use = event.limited_data_use;
    }

    /// Remembers what the shop's server knows of the person.
    pub(super) fn is_known_as(&mut self, user: &User) {
        let keys = serde_json::to_string(user).ok();
        let keys: Option<Keys> = keys.and_then(|text| serde_json::from_str(&text).ok());
        self.by_server.extend(keys.unwrap_or_default());
    }

    /// The match keys of a payment.
    pub(super) fn user(&self) -> BTreeMap<Cow<'_, str>, Cow<'_, RawValue>> {
        self.by_page
            .iter()
            .chain(&self.by_server)
            .map(|(name, value)| (Cow::from(name), Cow::Borrowed(&**value)))
            .collect()
    }

    pub(super) fn page(&self) -> Option<Cow<'_, RawValue>> {
        self.page.as_deref().map(Cow::Borrowed)
    }

    pub(super) fn contents(&self) -> Option<Cow<'_, RawValue>> {
        self.contents.as_deref().map(Cow::Borrowed)
    }

    pub(super) fn limited_data_use(&self) -> bool {
        self.limited_data_use
    }
}
