//! Reads the members of a JSON object one by one, each against its rule, and collects every problem
//! instead of stopping at the first.

use alloc::{
    borrow::{Cow, ToOwned},
    boxed::Box,
    format,
    string::String,
    vec::Vec,
};

use serde_json::value::RawValue;

use crate::Invalid;

mod value;

use value::Member;
pub(crate) use value::{Kind, Value};

/// What is wrong (the event is refused) and what was left out or looks odd (the event goes on).
#[derive(Debug, Default)]
pub(crate) struct Problems {
    pub(crate) errors: Vec<Invalid>,
    pub(crate) warnings: Vec<Invalid>,
}

impl Problems {
    pub(crate) fn error(&mut self, field: String, rule: &'static str, message: &'static str) {
        self.errors.push(invalid(field, rule, message));
    }

    pub(crate) fn warn(&mut self, field: String, rule: &'static str, message: &'static str) {
        self.warnings.push(invalid(field, rule, message));
    }

    /// Keeps the value, or files its refusal as an error.
    pub(crate) fn keep<T>(&mut self, result: Result<T, Invalid>) -> Option<T> {
        result.map_err(|broken| self.errors.push(broken)).ok()
    }

    /// Keeps the value, or files its refusal as a warning: the event goes on without it.
    pub(crate) fn keep_or_drop<T>(&mut self, result: Result<T, Invalid>) -> Option<T> {
        result.map_err(|broken| self.warnings.push(broken)).ok()
    }
}

fn invalid(field: String, rule: &'static str, message: &'static str) -> Invalid {
    Invalid {
        field: Cow::Owned(field),
        rule: Cow::Borrowed(rule),
        message: Cow::Borrowed(message),
    }
}

/// Where an object stands in the body. It is written out only where something is wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// It is the event or the batch.
    Outermost,
    /// It is the member of that name.
    Member(&'static str),
    /// It is an element of the array of that name.
    Element(&'static str, usize),
}

impl Place {
    fn path(self) -> String {
        match self {
            Self::Outermost => String::new(),
            Self::Member(name) => name.to_owned(),
            Self::Element(array, index) => format!("{array}.{index}"),
        }
    }
}

/// An object's members that have not been read yet; `null` counts as absent.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    place: Place,
    members: Vec<Member<'a>>,
    left: usize,
}

impl<'a> Fields<'a> {
    /// Opens the text of an object that is outermost; `None` when it is something else.
    pub(crate) fn outermost(text: &'a str, kind: Kind) -> Option<Self> {
        let members = value::open(text, kind).ok()?;
        Some(Self::of(members, Place::Outermost))
    }

    /// # Errors
    /// `object` when `value` is something else.
    pub(crate) fn read(value: Value<'a>, place: Place) -> Result<Self, Invalid> {
        let members = match value {
            Value::Object(members) => Some(members),
            Value::Raw(raw) => value::open(raw.get(), Kind::Sealed).ok(),
            _ => None,
        };
        members
            .map(|members| Self::of(members, place))
            .ok_or_else(|| invalid(place.path(), "object", "this is a JSON object"))
    }

    fn of(members: Vec<Member<'a>>, place: Place) -> Self {
        Self {
            place,
            left: members.len(),
            members,
        }
    }

    pub(crate) fn path_of(&self, name: &str) -> String {
        match self.place {
            Place::Outermost => name.to_owned(),
            place => format!("{}.{name}", place.path()),
        }
    }

    /// Where the same member is given twice, the last one counts, as it does in a browser.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value<'a>> {
        if self.left == 0 {
            return None;
        }
        let mut found = None;
        for (known, value) in &mut self.members {
            if value.is_some() && known == name {
                found = value.take();
                self.left -= 1;
            }
        }
        found.filter(|value| !value.is_null())
    }

    /// A string; `""` counts as absent.
    pub(crate) fn text(&mut self, name: &str, problems: &mut Problems) -> Option<Cow<'a, str>> {
        let read = self.take(name)?.text();
        if read.is_none() {
            problems.error(self.path_of(name), "string", "this is a JSON string");
        }
        read.filter(|text| !text.is_empty())
    }

    /// As [`Fields::text`], the way it was written.
    pub(crate) fn raw_text(&mut self, name: &str, problems: &mut Problems) -> Option<&'a RawValue> {
        let raw = self.take(name)?.raw();
        let text = raw.and_then(|raw| Value::Raw(raw).text());
        if text.is_none() {
            problems.error(self.path_of(name), "string", "this is a JSON string");
        }
        raw.filter(|_| text.is_some_and(|text| !text.is_empty()))
    }

    /// One string or an array of them.
    pub(crate) fn texts(&mut self, name: &str, problems: &mut Problems) -> Vec<Cow<'a, str>> {
        let Some(value) = self.take(name) else {
            return Vec::new();
        };
        let read = match value.array() {
            Ok(items) => items.into_iter().map(Value::text).collect(),
            Err(one) => one.text().map(|text| Vec::from([text])),
        };
        if read.is_none() {
            problems.error(
                self.path_of(name),
                "string",
                "this is a JSON string, or an array of them",
            );
        }
        let mut texts: Vec<_> = read.unwrap_or_default();
        texts.retain(|text| !text.is_empty());
        texts
    }

    /// A finite number of at least 0, rounded to four decimals: no currency has more, and a sum of
    /// prices in a page carries the noise of binary fractions.
    pub(crate) fn amount(&mut self, name: &str, problems: &mut Problems) -> Option<f64> {
        const LARGEST: f64 = 1e15;
        match self.take(name)?.parse::<f64>() {
            Some(number) if (0.0..=LARGEST).contains(&number) => Some(four_decimals(number)),
            Some(_) => {
                problems.error(
                    self.path_of(name),
                    "range",
                    "this is a number from 0 to 10^15",
                );
                None
            }
            None => {
                problems.error(self.path_of(name), "number", "this is a JSON number");
                None
            }
        }
    }

    pub(crate) fn integer(&mut self, name: &str, problems: &mut Problems) -> Option<i64> {
        let read = self.take(name)?.parse();
        if read.is_none() {
            problems.error(self.path_of(name), "integer", "this is a JSON integer");
        }
        read
    }

    pub(crate) fn boolean(&mut self, name: &str, problems: &mut Problems) -> Option<bool> {
        let read = self.take(name)?.parse();
        if read.is_none() {
            problems.error(self.path_of(name), "boolean", "this is true or false");
        }
        read
    }

    pub(crate) fn list(&mut self, name: &str, problems: &mut Problems) -> Option<Vec<Value<'a>>> {
        let read = self.take(name)?.array().ok();
        if read.is_none() {
            problems.error(self.path_of(name), "array", "this is a JSON array");
        }
        read
    }

    /// A member of the outermost object that is an object itself.
    pub(crate) fn object(
        &mut self,
        name: &'static str,
        problems: &mut Problems,
    ) -> Option<Fields<'a>> {
        let value = self.take(name)?;
        problems.keep(Fields::read(value, Place::Member(name)))
    }

    /// What nobody asked for, the way it was written.
    pub(crate) fn rest(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.unread().filter_map(|(name, value)| match value {
            Value::Raw(raw) if !value.is_null() => Some((name, *raw)),
            _ => None,
        })
    }

    /// Names what nobody asked for.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = String> {
        self.unread().map(|(name, _)| self.path_of(name))
    }

    fn unread(&self) -> impl Iterator<Item = (&str, &Value<'a>)> {
        let members = self.members.iter();
        members.filter_map(|(name, value)| Some((name.as_ref(), value.as_ref()?)))
    }
}

/// Members that travel on as they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extra(Vec<(Cow<'static, str>, Box<RawValue>)>);

impl Extra {
    pub(crate) fn add(&mut self, name: impl Into<Cow<'static, str>>, raw: &RawValue) {
        self.0.push((name.into(), raw.to_owned()));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn write<M: serde::ser::SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.0
            .iter()
            .try_for_each(|(name, raw)| map.serialize_entry(name, raw))
    }
}

/// An amount on the wire: without a fraction where it has none.
pub(crate) struct Amount(pub(crate) f64);

impl serde::Serialize for Amount {
    #[allow(clippy::cast_possible_truncation, reason = "amounts end at 10^15")]
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let whole = self.0 as i64;
        if is_whole(self.0) {
            serializer.serialize_i64(whole)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "amounts end at 10^15"
)]
pub(crate) fn is_whole(amount: f64) -> bool {
    (amount as i64) as f64 >= amount
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "10^15 with four decimals is below 2^64"
)]
fn four_decimals(amount: f64) -> f64 {
    // Beyond this, a binary fraction no longer holds four decimals.
    const FINE: f64 = 1e11;
    if amount > FINE {
        amount
    } else {
        (amount * 1e4 + 0.5) as i64 as f64 / 1e4
    }
}

/// Whether there is a control character in a text.
pub(crate) fn has_controls(text: &str) -> bool {
    // To look at all bytes is quicker than to stop at the first that is not plain.
    let is_plain = text
        .bytes()
        .fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'));
    !is_plain && text.contains(char::is_control)
}
