//! One event as its sender states it: every field checked, none believed yet.

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

/// One event of a request, opened but not judged.
#[derive(Clone, Debug)]
pub struct Stated<'a> {
    fields: Option<Fields<'a>>,
    /// The body it came in held malformed Unicode.
    pub(crate) is_mended: bool,
    /// What is to be said of the body it came in.
    pub(crate) warnings: Vec<Invalid>,
}

impl<'a> Stated<'a> {
    /// Of one member of `events`.
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

/// What a sender says of one event.
#[derive(Clone, Debug)]
pub struct Claim {
    /// What happened.
    pub name: EventName,
    /// The sender's own id, if it has one.
    pub id: Option<EventId>,
    /// When it happened by the sender's clock, in Unix seconds.
    pub time: Option<i64>,
    /// When it was sent by the same clock, in Unix milliseconds.
    pub sent_at_ms: Option<i64>,
    /// Who it is about. `ip` and `user_agent` are what the sender says they are.
    pub user: User,
    /// Where it happened.
    pub page: Page,
    /// What it was about.
    pub properties: Properties,
    /// Limited Data Use was asked for.
    pub limited_data_use: bool,
    /// What became of the Pixel's copy.
    pub pixel: Option<PixelLeg>,
    /// Which pixel it is for, where there are several.
    pub pixel_id: Option<String>,
    /// The code that makes it a test event.
    pub test_event_code: Option<TestCode>,
    /// What was repaired, left out or looks odd.
    pub warnings: Vec<Invalid>,
}

/// What became of the Pixel's copy of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PixelLeg {
    /// The Pixel took it.
    Fired,
    /// The Pixel's script could not load.
    Blocked,
    /// The page has no Pixel.
    Absent,
    /// The page did not ask for it.
    Off,
}

/// A test event code as its sender states it. Only a server may; so only a server's can be wrong.
#[derive(Clone, Debug)]
pub enum TestCode {
    /// Text, without blanks around it.
    Text(String),
    /// It is something else.
    Unusable(Invalid),
}

/// An event that is not taken, and why.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The sender's own id, as far as it could be read.
    pub event_id: Option<String>,
    /// Every rule it broke; at least one.
    pub errors: Vec<Invalid>,
}

impl Claim {
    /// Reads one event of a request. `country` is for phone numbers without a country code.
    ///
    /// # Errors
    /// Everything at once for which it is rejected: it cannot be reported, or that might be against somebody's will
    /// or money. Anything else is repaired or left out, and a warning says so.
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

    /// The event, under the id and the time the proxy settled on.
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

    /// Checks that a page may use the id it gives, see [`EventId::check_reserved`].
    ///
    /// # Errors
    /// `reserved_id` on `event_id`.
    pub fn check_id(&self) -> Result<(), Invalid> {
        let order_id = self.properties.order_id.as_deref();
        match &self.id {
            Some(id) => id.check_reserved(self.name.as_str(), order_id),
            None => Ok(()),
        }
    }
}

impl PixelLeg {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fired => "fired",
            Self::Blocked => "blocked",
            Self::Absent => "absent",
            Self::Off => "off",
        }
    }
}
