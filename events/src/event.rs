//! One event, complete and correct, as TikTok gets it.

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{EventId, EventName, Page, Properties, User};

/// An event that cannot be wrong any more. It serialises to an element of `data` in TikTok's
/// Events API 2.0.
#[derive(Clone, Debug)]
pub struct Event {
    /// What happened.
    pub name: EventName,
    /// The key both legs share.
    pub id: EventId,
    /// When it happened, in Unix seconds.
    pub time: i64,
    /// Who it is about.
    pub user: User,
    /// Where it happened.
    pub page: Page,
    /// What it was about.
    pub properties: Properties,
    /// Limited Data Use was asked for.
    pub limited_data_use: bool,
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("event", &self.name)?;
        map.serialize_entry("event_time", &self.time)?;
        map.serialize_entry("event_id", &self.id)?;
        map.serialize_entry("user", &self.user)?;
        if !self.properties.is_empty() {
            map.serialize_entry("properties", &self.properties)?;
        }
        if !self.page.is_empty() {
            map.serialize_entry("page", &self.page)?;
        }
        if self.limited_data_use {
            map.serialize_entry("limited_data_use", &true)?;
        }
        map.end()
    }
}
