//! The visitor who began an order: data about the person, the browser and the page from the order's events. Values are
//! hashed where TikTok expects digests. The payment's event includes this data, because a bank sends no such data.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use duet_events::User;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::EventText;

/// Match keys by their names in the Events API.
type Keys = BTreeMap<String, Box<RawValue>>;

/// The sender of an event of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A page, which can send any value.
    Page,
    /// The shop's own server.
    Server,
}

/// The stored data about the visitor who began an order. This type cannot be printed.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Visitor {
    /// The last values that pages sent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    by_page: Keys,
    /// The values that the shop's server sent. They take precedence over the values of pages.
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
    /// Stores the values of an event. The stored values of keys that the event does not have stay unchanged.
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

    /// Stores the values about the person that the shop's server sent.
    pub(super) fn is_known_as(&mut self, user: &User) {
        let keys = serde_json::to_string(user).ok();
        let keys: Option<Keys> = keys.and_then(|text| serde_json::from_str(&text).ok());
        self.by_server.extend(keys.unwrap_or_default());
    }

    /// Returns the match keys for the payment's event.
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
