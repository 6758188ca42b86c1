//! Reads the fields of an event, one by one.

use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
};

use super::{PixelLeg, TestCode};
use crate::{
    EventId, EventName, Invalid,
    fields::{Fields, Place, Problems, Scalar, Value},
    invalid::MAX_WARNINGS,
    near, nobody, plain,
    rule::{leave_out, reject, repair},
};

/// The fields of an event.
const FIELDS: [&str; 12] = [
    "event",
    "event_id",
    "event_time",
    "properties",
    "user",
    "page",
    "consent",
    "limited_data_use",
    "pixel",
    "pixel_id",
    "test_event_code",
    "sent_at",
];

/// The fields that decide whether and where an event is sent. If such a field is misspelt, the event is rejected.
pub(crate) const GUARDED: [&str; 4] =
    ["consent", "limited_data_use", "pixel_id", "test_event_code"];

/// Field names of other requests that look like a misspelt `consent`.
const FOREIGN: [&str; 6] = [
    "connect", "constant", "content", "contents", "contest", "context",
];

/// The values that senders use for consent.
const CONSENTS: [&str; 7] = [
    "granted",
    "denied",
    "pending",
    "refused",
    "rejected",
    "revoked",
    "withdrawn",
];

pub(super) fn name(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<EventName> {
    let before = problems.errors.len();
    let Some(name) = fields.strict_text("event", problems) else {
        if problems.errors.len() == before {
            problems.reject("event", &reject::REQUIRED);
        }
        return None;
    };
    let trimmed = plain::trim(&name);
    if trimmed.len() < name.len() {
        problems.warn("event", &repair::BLANKS);
    }
    problems.keep(EventName::parse(trimmed))
}

/// Reads the event id. An integer becomes text. A word such as `undefined` is rejected, because all events with this word would
/// share one id.
pub(super) fn event_id(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<EventId> {
    let stated = fields.take("event_id")?.scalar();
    let got = stated.got();
    let text = match stated {
        Scalar::Text(text) if text.is_empty() => return None,
        Scalar::Text(text) => Some(text.into_owned()),
        Scalar::Number(number) => number.integer().map(|integer| {
            problems.warn_of_number("event_id", number);
            integer.to_string()
        }),
        _ => None,
    };
    let Some(text) = text else {
        problems.reject_got("event_id".to_owned(), &reject::STRING, got);
        return None;
    };
    if nobody::is_word(&text) {
        problems.reject("event_id", &reject::EVENT_ID);
        return None;
    }
    problems.keep(EventId::parse(&text))
}

/// Rejects an event that was sent without consent. An event without the field is not rejected, because a page that does not
/// ask for consent sends no such field.
pub(super) fn consent(fields: &mut Fields<'_>, problems: &mut Problems) {
    let stated = fields.take_even_null("consent").map(Value::text);
    if stated.is_some_and(|word| word.as_deref() != Some("granted")) {
        problems.reject("consent", &reject::CONSENT);
    }
}

/// Reads the properties. The properties of an event about money must be an object, because the event would mean something else
/// without them.
pub(super) fn properties<'a>(
    fields: &mut Fields<'a>,
    name: Option<&EventName>,
    problems: &mut Problems,
) -> Option<Fields<'a>> {
    let stated = fields.take("properties")?;
    let path = "properties".to_owned();
    match Fields::read(stated, Place::Member("properties")) {
        Ok(properties) => return Some(properties),
        Err(got) if name.is_some_and(EventName::is_money) => {
            problems.reject_got(path, &reject::OBJECT, got);
        }
        Err(got) => problems.warn_got(path, &leave_out::OBJECT, got),
    }
    None
}

/// Reads the field for Limited Data Use, which some senders put into the properties. Every value that is not clearly "off"
/// counts as "on".
pub(super) fn limited_data_use(
    fields: &mut Fields<'_>,
    properties: Option<&mut Fields<'_>>,
    problems: &mut Problems,
) -> bool {
    const NAME: &str = "limited_data_use";
    let own = fields.take(NAME);
    let is_on = own.is_some_and(|stated| is_on(stated, NAME, problems));
    let Some(properties) = properties else {
        return is_on;
    };
    let inner = properties.take(NAME);
    inner.is_some_and(|stated| {
        problems.warn(properties.path_of(NAME), &repair::BESIDE);
        is_on_quietly(&stated.scalar())
    }) || is_on
}

fn is_on(stated: Value<'_>, name: &'static str, problems: &mut Problems) -> bool {
    let stated = stated.scalar();
    if !matches!(stated, Scalar::Bool(_)) {
        problems.warn(name, &repair::BOOLEAN);
    }
    is_on_quietly(&stated)
}

fn is_on_quietly(stated: &Scalar<'_>) -> bool {
    match stated {
        Scalar::Bool(bool) => *bool,
        Scalar::Number(number) => number.value != 0.0,
        Scalar::Text(text) => !matches!(&**text, "false" | "0"),
        Scalar::Other(_) => true,
    }
}

pub(super) fn pixel(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<PixelLeg> {
    let word = fields.take("pixel")?.text().unwrap_or_default();
    let legs = [
        PixelLeg::Fired,
        PixelLeg::Blocked,
        PixelLeg::Absent,
        PixelLeg::Off,
    ];
    let leg = legs.into_iter().find(|leg| leg.as_str() == word);
    if leg.is_none() {
        problems.warn("pixel", &leave_out::PIXEL);
    }
    leg
}

pub(super) fn pixel_id(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<String> {
    let text = fields.strict_text("pixel_id", problems)?;
    Some(trimmed(&text, "pixel_id", problems))
}

pub(super) fn test_event_code(
    fields: &mut Fields<'_>,
    problems: &mut Problems,
) -> Option<TestCode> {
    const NAME: &str = "test_event_code";
    match fields.take(NAME)?.scalar() {
        Scalar::Text(text) if text.is_empty() => None,
        Scalar::Text(text) => Some(TestCode::Text(trimmed(&text, NAME, problems))),
        other => {
            let got = format!(", got {}", other.got());
            let broken = Invalid::with(&reject::STRING, NAME, &got);
            Some(TestCode::Unusable(broken))
        }
    }
}

fn trimmed(text: &str, name: &'static str, problems: &mut Problems) -> String {
    let trimmed = text.trim();
    if trimmed.len() < text.len() {
        problems.warn(name, &repair::BLANKS);
    }
    trimmed.to_owned()
}

/// Returns the guarded field that the sender of an unknown name probably meant. A name in `FOREIGN`, which belongs to other
/// kinds of requests, counts as a misspelt `consent` only if the field's value can be a consent.
pub(crate) fn misspelt(fields: &Fields<'_>, name: &str) -> Option<&'static str> {
    let is_foreign = FOREIGN.contains(&name) && !fields.holds(name, is_consent);
    near::misspelt(name, &GUARDED).filter(|_| !is_foreign)
}

fn is_consent(stated: &Scalar<'_>) -> bool {
    match stated {
        Scalar::Text(word) => near::misspelt(word, &CONSENTS).is_some(),
        Scalar::Bool(_) => true,
        Scalar::Number(_) | Scalar::Other(_) => false,
    }
}

pub(super) fn unknown(fields: &Fields<'_>, problems: &mut Problems) {
    for name in fields.unknown() {
        match misspelt(fields, name) {
            Some(guarded) if problems.errors.len() < MAX_WARNINGS => {
                let near = format!(": {guarded}");
                let broken = Invalid::with(&reject::MISSPELT, fields.path_of(name), &near);
                problems.errors.push(broken);
            }
            Some(_) => {}
            None => fields.warn_of_one(name, &FIELDS, problems),
        }
    }
}
