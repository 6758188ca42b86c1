//! Reads a member as the type of its field. A value of another type is repaired if its meaning is certain, and left out
//! otherwise. Each repair and each removal adds a warning.

use alloc::{
    borrow::{Cow, ToOwned},
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    Fields, Place, Problems,
    value::{Number, Scalar, Value},
};
use crate::rule::{leave_out, reject, repair};

const BYTE_ORDER_MARK: char = '\u{feff}';

impl<'a> Fields<'a> {
    /// Reads a text. An empty text counts as absent. A number becomes text.
    pub(crate) fn text(&mut self, name: &str, problems: &mut Problems) -> Option<Cow<'a, str>> {
        let value = self.take(name)?;
        self.text_of(value, name, problems)
    }

    /// Reads the value of the member `name` as text.
    pub(crate) fn text_of(
        &self,
        value: Value<'a>,
        name: &str,
        problems: &mut Problems,
    ) -> Option<Cow<'a, str>> {
        match value.scalar() {
            Scalar::Text(text) => self.plain(text, name, problems),
            Scalar::Number(number) => {
                let text = written(number);
                if text.is_some() {
                    problems.warn_of_number(&self.path_of(name), number);
                } else {
                    let got = "a number with more digits than can be read";
                    problems.warn_got(self.path_of(name), &leave_out::STRING, got);
                }
                text.map(Cow::Owned)
            }
            other => {
                problems.warn_got(self.path_of(name), &leave_out::STRING, other.got());
                None
            }
        }
    }

    /// Reads a text, and rejects every other type. An empty text counts as absent.
    pub(crate) fn strict_text(
        &mut self,
        name: &str,
        problems: &mut Problems,
    ) -> Option<Cow<'a, str>> {
        match self.take(name)?.scalar() {
            Scalar::Text(text) => self.plain(text, name, problems),
            other => {
                problems.reject_got(self.path_of(name), &reject::STRING, other.got());
                None
            }
        }
    }

    /// Reads one text or an array of texts. Members of the array that are not texts are left out. `null` and an empty text
    /// count as absent.
    pub(crate) fn texts(&mut self, name: &str, problems: &mut Problems) -> Vec<Cow<'a, str>> {
        let Some(value) = self.take(name) else {
            return Vec::new();
        };
        let values = value.array().unwrap_or_else(|one| Vec::from([one]));
        let values = values.into_iter().filter(|value| !value.is_null());
        values
            .filter_map(|value| self.text_of(value, name, problems))
            .collect()
    }

    /// Reads a whole number of at least 0: 2.0 and `"2"` are 2. `null` gets a warning, because JavaScript writes NaN as
    /// `null`.
    pub(crate) fn integer(&mut self, name: &str, problems: &mut Problems) -> Option<i64> {
        let scalar = self.take_even_null(name)?.scalar();
        let (number, repaired) = match &scalar {
            Scalar::Number(number) => (number.integer(), number.is_fractional()),
            Scalar::Text(text) => (digits(text.trim()), true),
            _ => (None, false),
        };
        let number = number.and_then(|number| i64::try_from(number).ok());
        let number = number.filter(|number| *number >= 0);
        if number.is_none() {
            problems.warn_got(self.path_of(name), &leave_out::INTEGER, scalar.got());
        } else if repaired {
            let rule = match scalar {
                Scalar::Text(_) => &repair::TEXT_AS_NUMBER,
                _ => &repair::WHOLE_NUMBER,
            };
            problems.warn(self.path_of(name), rule);
        }
        number
    }

    /// Reads an object that is a member of the outermost object. Any other type is left out.
    pub(crate) fn object(
        &mut self,
        name: &'static str,
        problems: &mut Problems,
    ) -> Option<Fields<'a>> {
        Fields::read(self.take(name)?, Place::Member(name))
            .map_err(|got| problems.warn_got(name.to_owned(), &leave_out::OBJECT, got))
            .ok()
    }

    /// Removes a byte order mark, and adds a warning if malformed Unicode was replaced in this text.
    fn plain(
        &self,
        text: Cow<'a, str>,
        name: &str,
        problems: &mut Problems,
    ) -> Option<Cow<'a, str>> {
        problems.warn_of_mended(&text, || self.path_of(name));
        let text = if text.starts_with(BYTE_ORDER_MARK) {
            problems.warn(self.path_of(name), &repair::BYTE_ORDER_MARK);
            Cow::Owned(text.trim_start_matches(BYTE_ORDER_MARK).to_owned())
        } else {
            text
        };
        (!text.is_empty()).then_some(text)
    }
}

/// Returns a number as text. Returns `None` if the digits of the number are not known.
fn written(number: Number) -> Option<String> {
    match number.integer() {
        Some(integer) => Some(integer.to_string()),
        None if number.may_be_rounded() => None,
        None => Some(format!("{}", number.value)),
    }
}

/// Reads an integer that has only digits.
pub(crate) fn digits(text: &str) -> Option<i128> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| text.parse().ok()).flatten()
}
