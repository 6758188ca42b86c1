//! One complete and valid event, in the form for TikTok.

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{EventId, EventName, Page, Properties, User};

/// An event that has passed every check. The event serialises to an element of `data` in TikTok's Events API 2.0.
#[derive(Clone, Debug)]
pub struct Event {
    /// The event's name.
    pub name: EventName,
    /// The deduplication key of both legs.
    pub id: EventId,
    /// The time of the event, in Unix seconds.
    pub time: i64,
    /// The person.
    pub user: User,
    /// The page of the event.
    pub page: Page,
    /// The event's properties.
    pub properties: Properties,
    /// Whether the sender asked for Limited Data Use.
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
