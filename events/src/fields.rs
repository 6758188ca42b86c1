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

use crate::{
    Invalid, Rule,
    invalid::MAX_WARNINGS,
    near,
    rule::{leave_out, remark, repair},
};

mod amount;
mod read;
mod value;

pub(crate) use amount::{Amount, Stated, is_whole};
pub(crate) use read::digits;
use value::Member;
pub(crate) use value::{Kind, Number, Scalar, Value};

/// What rejects the event, and what was repaired, left out or looks odd while it goes on.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    pub(crate) errors: Vec<Invalid>,
    pub(crate) warnings: Vec<Invalid>,
    /// The body held malformed Unicode, which is U+FFFD now.
    pub(crate) is_mended: bool,
}

impl Problems {
    pub(crate) fn reject(&mut self, field: impl Into<Cow<'static, str>>, rule: &Rule) {
        self.errors.push(Invalid::of(rule, field));
    }

    pub(crate) fn reject_got(&mut self, field: String, rule: &Rule, got: &str) {
        self.errors
            .push(Invalid::with(rule, field, &format!(", got {got}")));
    }

    pub(crate) fn warn(&mut self, field: impl Into<Cow<'static, str>>, rule: &Rule) {
        self.warn_of(|| Invalid::of(rule, field));
    }

    pub(crate) fn warn_got(&mut self, field: String, rule: &Rule, got: &str) {
        self.warn_of(|| Invalid::with(rule, field, &format!(", got {got}")));
    }

    /// Warns of a number that became text, and that it may have been another one.
    pub(crate) fn warn_of_number(&mut self, field: &str, number: Number) {
        self.warn(field.to_owned(), &repair::NUMBER_AS_TEXT);
        if number.may_be_rounded() {
            self.warn(field.to_owned(), &remark::LARGE_INTEGER);
        }
    }

    /// Warns of a text that was mended.
    pub(crate) fn warn_of_mended(&mut self, text: &str, field: impl FnOnce() -> String) {
        if self.is_mended && text.contains(char::REPLACEMENT_CHARACTER) {
            self.warn(field(), &repair::UNICODE);
        }
    }

    /// One event brings back so many warnings and no more.
    pub(crate) fn warn_of(&mut self, warning: impl FnOnce() -> Invalid) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(warning());
        }
    }

    /// Keeps the value, or files its rejection as an error.
    pub(crate) fn keep<T>(&mut self, result: Result<T, Invalid>) -> Option<T> {
        result.map_err(|broken| self.errors.push(broken)).ok()
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
    pub(crate) fn path(self) -> String {
        match self {
            Self::Outermost => String::new(),
            Self::Member(name) => name.to_owned(),
            Self::Element(array, index) => format!("{array}.{index}"),
        }
    }
}

/// An object's members that have not been read yet; `null` counts as absent, but for numbers.
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
    /// What it is instead, in words, when `value` is no object.
    pub(crate) fn read(value: Value<'a>, place: Place) -> Result<Self, &'static str> {
        let members = match value {
            Value::Object(members) => members,
            Value::Raw(raw) if raw.get().starts_with('{') => {
                value::open(raw.get(), Kind::Sealed).map_err(|_| "malformed JSON")?
            }
            other => return Err(other.scalar().got()),
        };
        Ok(Self::of(members, place))
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

    /// A member; `null` counts as absent.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value<'a>> {
        self.take_even_null(name).filter(|value| !value.is_null())
    }

    /// Where the same member is given twice, the last one counts, as it does in a browser.
    pub(crate) fn take_even_null(&mut self, name: &str) -> Option<Value<'a>> {
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
        found
    }

    /// What nobody asked for, the way it was written.
    pub(crate) fn rest(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.unread().filter_map(|(name, value)| match value {
            Value::Raw(raw) if !value.is_null() => Some((name, *raw)),
            _ => None,
        })
    }

    /// The names nobody asked for.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = &str> {
        self.unread().map(|(name, _)| name)
    }

    /// Whether a member that nobody asked for holds such a value.
    pub(crate) fn holds(&self, name: &str, is: impl Fn(&Scalar<'_>) -> bool) -> bool {
        let mut unread = self.unread().filter(|(unread, _)| *unread == name);
        unread.any(|(_, value)| is(&value.clone().scalar()))
    }

    /// Warns of every member nobody asked for, naming the nearest of `known`.
    pub(crate) fn warn_of_unknown(&self, known: &[&str], problems: &mut Problems) {
        for name in self.unknown() {
            self.warn_of_one(name, known, problems);
        }
    }

    pub(crate) fn warn_of_one(&self, name: &str, known: &[&str], problems: &mut Problems) {
        problems.warn_of(|| {
            let near = near::nearest(name, known);
            let detail = format!("; the nearest one is {near}");
            Invalid::with(&leave_out::UNKNOWN_FIELD, self.path_of(name), &detail)
        });
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

    /// Adds what was read of a member, as JSON.
    pub(crate) fn put(&mut self, name: impl Into<Cow<'static, str>>, read: &impl serde::Serialize) {
        if let Ok(raw) = serde_json::value::to_raw_value(read) {
            self.0.push((name.into(), raw));
        }
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

/// Whether there is a control character in a text.
pub(crate) fn has_controls(text: &str) -> bool {
    // To look at all bytes is quicker than to stop at the first that is not plain.
    let is_plain = text
        .bytes()
        .fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'));
    !is_plain && text.contains(char::is_control)
}
