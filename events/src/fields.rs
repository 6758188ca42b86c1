//! Reads the members of a JSON object one by one, and checks each member against its rule. The reader does not stop at the
//! first problem, but collects all problems.

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

/// The problems of an event. An event with an error is rejected. Warnings report fields that were repaired, left out or look
/// odd.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    pub(crate) errors: Vec<Invalid>,
    pub(crate) warnings: Vec<Invalid>,
    /// Whether the body contained malformed Unicode, which was replaced by U+FFFD.
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

    /// Warns that a number became text, and warns if the number might have been rounded before.
    pub(crate) fn warn_of_number(&mut self, field: &str, number: Number) {
        self.warn(field.to_owned(), &repair::NUMBER_AS_TEXT);
        if number.may_be_rounded() {
            self.warn(field.to_owned(), &remark::LARGE_INTEGER);
        }
    }

    /// Warns about a text in which malformed Unicode was replaced.
    pub(crate) fn warn_of_mended(&mut self, text: &str, field: impl FnOnce() -> String) {
        if self.is_mended && text.contains(char::REPLACEMENT_CHARACTER) {
            self.warn(field(), &repair::UNICODE);
        }
    }

    /// Adds a warning, unless the event already has the maximum number of warnings.
    pub(crate) fn warn_of(&mut self, warning: impl FnOnce() -> Invalid) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(warning());
        }
    }

    /// Returns the value, or records its rejection as an error.
    pub(crate) fn keep<T>(&mut self, result: Result<T, Invalid>) -> Option<T> {
        result.map_err(|broken| self.errors.push(broken)).ok()
    }
}

/// The position of an object in the body. The path is made as a text only if there is a problem to report.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// The object is the event or the batch.
    Outermost,
    /// The object is the member with this name.
    Member(&'static str),
    /// The object is an element of the array with this name.
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

/// The unread members of an object. `null` counts as absent, except for numbers.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    place: Place,
    members: Vec<Member<'a>>,
    left: usize,
}

impl<'a> Fields<'a> {
    /// Parses the text of the outermost object. Returns `None` if the text is not an object.
    pub(crate) fn outermost(text: &'a str, kind: Kind) -> Option<Self> {
        let members = value::open(text, kind).ok()?;
        Some(Self::of(members, Place::Outermost))
    }

    /// Reads an object as its members.
    ///
    /// # Errors
    /// Returns the actual type in words if `value` is not an object.
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

    /// Takes a member. `null` counts as absent.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value<'a>> {
        self.take_even_null(name).filter(|value| !value.is_null())
    }

    /// Takes a member, also if it is `null`. If the object has the member twice, takes the last one, as a browser does.
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

    /// Returns the members that were not read, as they were written.
    pub(crate) fn rest(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.unread().filter_map(|(name, value)| match value {
            Value::Raw(raw) if !value.is_null() => Some((name, *raw)),
            _ => None,
        })
    }

    /// Returns the names of the members that were not read.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = &str> {
        self.unread().map(|(name, _)| name)
    }

    /// Returns whether the object has an unread member `name`, for whose value `is` returns true.
    pub(crate) fn holds(&self, name: &str, is: impl Fn(&Scalar<'_>) -> bool) -> bool {
        let mut unread = self.unread().filter(|(unread, _)| *unread == name);
        unread.any(|(_, value)| is(&value.clone().scalar()))
    }

    /// Warns about every unread member, and names the nearest of `known`.
    pub(crate) fn warn_of_unknown(&self, known: &[&str], problems: &mut Problems) {
        for name in self.unknown() {
            self.warn_of_one(name, known, problems);
        }
    }

    pub(crate) fn warn_of_one(&self, name: &str, known: &[&str], problems: &mut Problems) {
        problems.warn_of(|| {
            let near = near::nearest(name, known);
            let detail = format!("; the nearest known field is {near}");
            Invalid::with(&leave_out::UNKNOWN_FIELD, self.path_of(name), &detail)
        });
    }

    fn unread(&self) -> impl Iterator<Item = (&str, &Value<'a>)> {
        let members = self.members.iter();
        members.filter_map(|(name, value)| Some((name.as_ref(), value.as_ref()?)))
    }
}

/// Members that are passed on unchanged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extra(Vec<(Cow<'static, str>, Box<RawValue>)>);

impl Extra {
    pub(crate) fn add(&mut self, name: impl Into<Cow<'static, str>>, raw: &RawValue) {
        self.0.push((name.into(), raw.to_owned()));
    }

    /// Adds a member's value as JSON.
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

/// Returns whether a text contains a control character.
pub(crate) fn has_controls(text: &str) -> bool {
    // It is faster to check all bytes than to stop at the first byte that is not plain.
    let is_plain = text
        .bytes()
        .fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'));
    !is_plain && text.contains(char::is_control)
}
