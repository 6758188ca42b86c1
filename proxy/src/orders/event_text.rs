//! An event as the queue holds it: its JSON, opened as far as an order needs it.

use std::{borrow::Cow, collections::BTreeMap};

use duet_events::EventName;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The parts of an event. It writes itself as TikTok gets it.
#[derive(Deserialize, Serialize)]
pub struct EventText<'a> {
    /// What happened.
    #[serde(borrow)]
    pub event: Cow<'a, str>,
    /// When, in Unix seconds.
    pub event_time: i64,
    /// The key both legs share.
    #[serde(borrow)]
    pub event_id: Cow<'a, str>,
    /// The match keys, hashed.
    #[serde(borrow)]
    pub user: BTreeMap<Cow<'a, str>, Cow<'a, RawValue>>,
    /// What it was about.
    #[serde(borrow, default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<Cow<'a, str>, Cow<'a, RawValue>>,
    /// Where.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub page: Option<Cow<'a, RawValue>>,
    /// Limited Data Use was asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub limited_data_use: bool,
}

impl<'a> EventText<'a> {
    /// Opens the JSON of an event; `None` where it is not one of ours.
    pub fn of(json: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    /// Its name, as the vocabulary knows it.
    pub fn name(&self) -> Option<EventName> {
        EventName::parse(&self.event).ok()
    }

    /// A property that is a text and not empty.
    pub fn property(&self, name: &str) -> Option<String> {
        let text: String = serde_json::from_str(self.properties.get(name)?.get()).ok()?;
        (!text.is_empty()).then_some(text)
    }
}
