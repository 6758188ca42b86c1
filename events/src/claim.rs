//! One event as its sender states it: every field checked, none believed yet.

use alloc::{
    borrow::{Cow, ToOwned},
    string::String,
    vec::Vec,
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    Country, Event, EventId, EventName, Invalid, Page, Properties, User,
    fields::{Fields, Kind, Place, Problems, Value},
};

/// The oldest event TikTok is sent.
const OLDEST_S: i64 = 7 * 24 * 60 * 60;
/// How far ahead of the proxy's clock an event may be.
const AHEAD_S: i64 = 10 * 60;
/// A client clock is corrected when it is off by more than this; less is the way through the network.
const CLOCK_SLACK_MS: i64 = 5_000;
/// Times from here on are milliseconds: as seconds they would lie past the year 5000.
const MILLISECONDS: i64 = 100_000_000_000;

/// One event of a request, opened but not judged.
#[derive(Clone, Debug)]
pub struct Stated<'a>(Option<Fields<'a>>);

impl<'a> Stated<'a> {
    /// Of one member of `events`.
    pub(crate) fn of(value: Value<'a>) -> Self {
        Self(Fields::read(value, Place::Outermost).ok())
    }

    pub(crate) fn single(fields: Fields<'a>) -> Self {
        Self(Some(fields))
    }
}

impl<'a> From<&'a RawValue> for Stated<'a> {
    fn from(raw: &'a RawValue) -> Self {
        Self(Fields::outermost(raw.get(), Kind::Event))
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
    pub test_event_code: Option<String>,
    /// What was left out or looks odd.
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
    /// Everything that is wrong with it at once. A match key that breaks its rule is no reason to
    /// refuse an event: it is left out, and a warning says so.
    pub fn read(stated: Stated<'_>, country: Option<Country>) -> Result<Self, Refusal> {
        let mut problems = Problems::default();
        let Stated(Some(mut fields)) = stated else {
            let broken = Invalid::new("", "object", "an event is a JSON object");
            return Err(Refusal {
                event_id: None,
                errors: Vec::from([broken]),
            });
        };
        let event_id = fields.text("event_id", &mut problems);
        let id = event_id
            .as_deref()
            .and_then(|id| problems.keep(EventId::parse(id)));
        let name = name(&mut fields, &mut problems);
        consent(&mut fields, &mut problems);
        let time = fields.integer("event_time", &mut problems);
        let sent_at_ms = fields.integer("sent_at", &mut problems);
        let user = fields.object("user", &mut problems);
        let user = user.map(|user| User::read(user, country, &mut problems));
        let page = fields.object("page", &mut problems);
        let page = page.map(|page| Page::read(page, &mut problems));
        let properties = fields.object("properties", &mut problems);
        let properties = properties.map(|properties| Properties::read(properties, &mut problems));
        let limited_data_use = fields.boolean("limited_data_use", &mut problems);
        let pixel = pixel(&mut fields, &mut problems);
        let pixel_id = fields.text("pixel_id", &mut problems);
        let test_event_code = fields.text("test_event_code", &mut problems);
        for path in fields.unknown() {
            problems.error(path, "unknown_field", "an event has no such field");
        }
        let Problems { errors, warnings } = problems;
        match name {
            Some(name) if errors.is_empty() => Ok(Self {
                name,
                id,
                time,
                sent_at_ms,
                user: user.unwrap_or_default(),
                page: page.unwrap_or_default(),
                properties: properties.unwrap_or_default(),
                limited_data_use: limited_data_use.unwrap_or_default(),
                pixel,
                pixel_id: pixel_id.map(Cow::into_owned),
                test_event_code: test_event_code.map(Cow::into_owned),
                warnings,
            }),
            _ => Err(Refusal {
                event_id: event_id.filter(|_| id.is_some()).map(Cow::into_owned),
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

    /// When the event happened by the proxy's clock, in Unix seconds; now, where its sender does not say.
    ///
    /// # Errors
    /// `unix_seconds`, `too_old` (7 days) or `too_new` (10 minutes ahead) on `event_time`.
    pub fn happened_at(&self, sent_at_ms: Option<i64>, now_ms: i64) -> Result<i64, Invalid> {
        let now = now_ms / 1000;
        let Some(time) = self.time else {
            return Ok(now);
        };
        if time >= MILLISECONDS {
            return Err(Invalid::new(
                "event_time",
                "unix_seconds",
                "event_time is in seconds, not milliseconds",
            ));
        }
        let behind_ms = self
            .sent_at_ms
            .or(sent_at_ms)
            .map_or(0, |sent| now_ms.saturating_sub(sent));
        let corrected = if behind_ms.saturating_abs() > CLOCK_SLACK_MS {
            time.saturating_add(behind_ms / 1000)
        } else {
            time
        };
        if corrected < now - OLDEST_S {
            return Err(Invalid::new(
                "event_time",
                "too_old",
                "an event is reported within 7 days",
            ));
        }
        if corrected > now + AHEAD_S {
            return Err(Invalid::new(
                "event_time",
                "too_new",
                "event_time is more than 10 minutes ahead",
            ));
        }
        Ok(corrected)
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

fn name(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<EventName> {
    let before = problems.errors.len();
    if let Some(name) = fields.text("event", problems) {
        return problems.keep(EventName::parse(&name));
    }
    if problems.errors.len() == before {
        problems.error("event".to_owned(), "required", "an event has a name");
    }
    None
}

/// Only an event whose person agreed is taken; no word means that the page asks for no consent.
fn consent(fields: &mut Fields<'_>, problems: &mut Problems) {
    match fields.text("consent", problems).as_deref() {
        None | Some("granted") => {}
        Some("denied" | "pending") => problems.error(
            "consent".to_owned(),
            "consent",
            "an event is sent once consent is granted, not before",
        ),
        Some(_) => problems.error(
            "consent".to_owned(),
            "consent",
            "this is granted, denied or pending",
        ),
    }
}

fn pixel(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<PixelLeg> {
    let word = fields.text("pixel", problems)?;
    let legs = [
        PixelLeg::Fired,
        PixelLeg::Blocked,
        PixelLeg::Absent,
        PixelLeg::Off,
    ];
    let leg = legs.into_iter().find(|leg| leg.as_str() == word);
    if leg.is_none() {
        problems.error(
            "pixel".to_owned(),
            "pixel",
            "this is fired, blocked, absent or off",
        );
    }
    leg
}
