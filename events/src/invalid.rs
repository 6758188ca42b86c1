//! Describes a wrong value in words that the author of a page understands.

use alloc::{borrow::Cow, format, string::String};

use crate::Rule;

/// The largest number of warnings for one event.
pub const MAX_WARNINGS: usize = 20;
/// The longest path of a field, in characters.
const MAX_PATH: usize = 64;

/// One broken rule. The texts can be owned, because some field names come from the body. The page's module does not use this
/// type, because it has no room for sentences. On a page, types such as [`phone::Flaw`](crate::phone::Flaw) are used instead.
///
/// `message` never repeats the wrong value, because the value may be personal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Invalid {
    /// The path of the field in the body, with dots: `properties.contents.0.content_id`.
    pub field: Cow<'static, str>,
    /// A stable name of the rule, for programs: `unknown_field`, `e164`, `too_old` ...
    pub rule: Cow<'static, str>,
    /// The rule as a sentence, for people.
    pub message: Cow<'static, str>,
}

impl Invalid {
    /// Reports that `field` broke `rule`. `message` states the correct form.
    pub const fn new(field: &'static str, rule: &'static str, message: &'static str) -> Self {
        Self {
            field: Cow::Borrowed(field),
            rule: Cow::Borrowed(rule),
            message: Cow::Borrowed(message),
        }
    }

    /// Reports that `field` broke `rule`. The rule states what must hold and what was done.
    pub fn of(rule: &Rule, field: impl Into<Cow<'static, str>>) -> Self {
        Self::with(rule, field, "")
    }

    /// Does what [`Invalid::of`] does, and inserts a detail such as `, got a number` before the text that says what Duet did.
    pub fn with(rule: &Rule, field: impl Into<Cow<'static, str>>, detail: &str) -> Self {
        let field = printable(field.into());
        let Rule { name, must, done } = *rule;
        let subject = if field.is_empty() {
            "the body"
        } else {
            &*field
        };
        let semicolon = if done.is_empty() { "" } else { "; " };
        Self {
            message: Cow::Owned(format!("{subject} {must}{detail}{semicolon}{done}")),
            rule: Cow::Borrowed(name),
            field,
        }
    }

    /// Returns the rule's name.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// Returns the field's name.
    pub fn field(&self) -> &str {
        &self.field
    }
}

/// Makes a path safe to show: printable, short and without an e-mail address. This is needed because a path can contain names
/// that the sender has chosen.
fn printable(path: Cow<'static, str>) -> Cow<'static, str> {
    let plain = |c: char| c.is_ascii_graphic() && c != '@';
    if path.len() <= MAX_PATH && path.chars().all(plain) {
        return path;
    }
    let letter = |c: char| c.is_alphanumeric() || c.is_ascii_graphic() && c != '@' || c == ' ';
    let chars = path.chars().take(MAX_PATH);
    Cow::Owned(
        chars
            .map(|c| if letter(c) { c } else { '_' })
            .collect::<String>(),
    )
}
