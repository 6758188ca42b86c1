//! One event as its sender states it. Every field is checked, but no field is trusted yet.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    Country, Event, EventId, EventName, Invalid, Page, Properties, User,
    fields::{Fields, Kind, Place, Problems, Value},
    rule::reject,
};

mod read;
mod time;

pub(crate) use read::misspelt;
pub(crate) use time::sent_at;

/// One event of a request, parsed but not checked.
#[derive(Clone, Debug)]
pub struct Stated<'a> {
    fields: Option<Fields<'a>>,
    /// Whether the body with this event contained malformed Unicode.
    pub(crate) is_mended: bool,
    /// The warnings about the body of this event.
    pub(crate) warnings: Vec<Invalid>,
}

impl<'a> Stated<'a> {
    /// Wraps one member of `events`.
    pub(crate) fn of(value: Value<'a>) -> Self {
        Self::new(Fields::read(value, Place::Outermost).ok())
    }

    pub(crate) fn single(fields: Fields<'a>) -> Self {
        Self::new(Some(fields))
    }

    fn new(fields: Option<Fields<'a>>) -> Self {
        Self {
            fields,
            is_mended: false,
            warnings: Vec::new(),
        }
    }
}

impl<'a> From<&'a RawValue> for Stated<'a> {
    fn from(raw: &'a RawValue) -> Self {
        Self::new(Fields::outermost(raw.get(), Kind::Event))
    }
}

/// The content of one event, as its sender states it.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The event's name.
    pub name: EventName,
    /// The sender's own event id, if the sender gave an id.
    pub id: Option<EventId>,
    /// The time of the event by the sender's clock, in Unix seconds.
    pub time: Option<i64>,
    /// The time of sending by the same clock, in Unix milliseconds.
    pub sent_at_ms: Option<i64>,
    /// The person. `ip` and `user_agent` are the sender's statements and are not verified.
    pub user: User,
    /// The page of the event.
    pub page: Page,
    /// The event's properties.
    pub properties: Properties,
    /// Whether the sender asked for Limited Data Use.
    pub limited_data_use: bool,
    /// The result of the Pixel's copy of the event.
    pub pixel: Option<PixelLeg>,
    /// The pixel that receives the event, if there are several pixels.
    pub pixel_id: Option<String>,
    /// The code that makes this a test event.
    pub test_event_code: Option<TestCode>,
    /// Warnings about fields that were repaired, left out or look odd.
    pub warnings: Vec<Invalid>,
}

/// The result of the Pixel's copy of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PixelLeg {
    /// The Pixel accepted the event.
    Fired,
    /// The Pixel's script could not load.
    Blocked,
    /// The page has no Pixel.
    Absent,
    /// The page turned the Pixel's copy off.
    Off,
}

/// A test event code as its sender states it. A wrong code is an error only if a server sends the event, because a page's code
/// is ignored.
#[derive(Clone, Debug)]
pub enum TestCode {
    /// Text without blanks around it.
    Text(String),
    /// A value that is not a test event code.
    Unusable(Invalid),
}

/// A rejected event, with the reasons for the rejection.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The sender's own event id, if it is readable.
    pub event_id: Option<String>,
    /// Every rule that the event breaks. There is at least one.
    pub errors: Vec<Invalid>,
}

impl Claim {
    /// Reads one event of a request. `country` is for phone numbers without a country code.
    ///
    /// # Errors
    /// Returns every reason for a rejection at once. An event is rejected if it cannot be reported, or if a report of the event
    /// might be against a person's will or cost money. Any other wrong field is repaired or left out, with a warning.
    pub fn read(stated: Stated<'_>, country: Option<Country>) -> Result<Self, Refusal> {
        let mut problems = Problems {
            is_mended: stated.is_mended,
            warnings: stated.warnings,
            ..Problems::default()
        };
        let Some(mut fields) = stated.fields else {
            return Err(Refusal {
                event_id: None,
                errors: Vec::from([Invalid::of(&reject::OBJECT, "")]),
            });
        };
        let id = read::event_id(&mut fields, &mut problems);
        let name = read::name(&mut fields, &mut problems);
        read::consent(&mut fields, &mut problems);
        let time = time::event_time(&mut fields, &mut problems);
        let sent_at_ms = time::sent_at(&mut fields, &mut problems);
        let user = fields.object("user", &mut problems);
        let user = user.map(|user| User::read(user, country, &mut problems));
        let page = fields.object("page", &mut problems);
        let page = page.map(|page| Page::read(page, &mut problems));
        let mut properties = read::properties(&mut fields, name.as_ref(), &mut problems);
        let limited_data_use =
            read::limited_data_use(&mut fields, properties.as_mut(), &mut problems);
        let properties =
            properties.map(|properties| Properties::read(properties, name.as_ref(), &mut problems));
        let pixel = read::pixel(&mut fields, &mut problems);
        let pixel_id = read::pixel_id(&mut fields, &mut problems);
        let test_event_code = read::test_event_code(&mut fields, &mut problems);
        read::unknown(&fields, &mut problems);
        let Problems {
            errors, warnings, ..
        } = problems;
        match name {
            Some(name) if errors.is_empty() => Ok(Self {
                name,
                id,
                time,
                sent_at_ms,
                user: user.unwrap_or_default(),
                page: page.unwrap_or_default(),
                properties: properties.unwrap_or_default(),
                limited_data_use,
                pixel,
                pixel_id,
                test_event_code,
                warnings,
            }),
            _ => Err(Refusal {
                event_id: id.map(String::from),
                errors,
            }),
        }
    }

    /// Builds the event with the id and the time that the proxy chose.
    pub fn into_event(self, id: EventId, time: i64) -> Event {
        Event {
            name: self.name,
            id,
            time,
            user: self.user,
            page: self.page,
            properties: self.properties,
            limited_data_use: self.limited_data_use,
        }
    }

    /// Checks that a page is allowed to use this event id, by the rule of [`EventId::check_reserved`].
    ///
    /// # Errors
    /// Returns `reserved_id` on `event_id`.
    pub fn check_id(&self) -> Result<(), Invalid> {
        let order_id = self.properties.order_id.as_deref();
        match &self.id {
            Some(id) => id.check_reserved(self.name.as_str(), order_id),
            None => Ok(()),
        }
    }
}

impl PixelLeg {
    /// Returns the name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fired => "fired",
            Self::Blocked => "blocked",
            Self::Absent => "absent",
            Self::Off => "off",
        }
    }
}
