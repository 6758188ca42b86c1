//! An event as the queue stores it: JSON, parsed only as far as an order needs it.

use std::{borrow::Cow, collections::BTreeMap};

use duet_events::EventName;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The parts of an event. Serializing this type gives the JSON that TikTok receives.
#[derive(Deserialize, Serialize)]
pub struct EventText<'a> {
    /// The event's name.
    #[serde(borrow)]
    pub event: Cow<'a, str>,
    /// When the event happened, in Unix seconds.
    pub event_time: i64,
    /// The event's id. Both legs share this id.
    #[serde(borrow)]
    pub event_id: Cow<'a, str>,
    /// The match keys, hashed.
    #[serde(borrow)]
    pub user: BTreeMap<Cow<'a, str>, Cow<'a, RawValue>>,
    /// The event's properties, such as its value and its contents.
    #[serde(borrow, default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<Cow<'a, str>, Cow<'a, RawValue>>,
    /// The page of the event.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub page: Option<Cow<'a, RawValue>>,
    /// Whether Limited Data Use is requested.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub limited_data_use: bool,
}

impl<'a> EventText<'a> {
    /// Parses the JSON of an event. Returns `None` if the JSON is not an event of Duet.
    pub fn of(json: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    /// Returns the event's name, if it can be parsed.
    pub fn name(&self) -> Option<EventName> {
        EventName::parse(&self.event).ok()
    }

    /// Returns a property if it is a text and not empty.
    pub fn property(&self, name: &str) -> Option<String> {
        let text: String = serde_json::from_str(self.properties.get(name)?.get()).ok()?;
        (!text.is_empty()).then_some(text)
    }
}
