//! What was wrong with a value, in words a page author understands.

use alloc::{borrow::Cow, format, string::String};

use crate::Rule;

/// The most warnings that one event brings back.
pub const MAX_WARNINGS: usize = 20;
/// The longest path of a field, in characters.
const MAX_PATH: usize = 64;

/// One broken rule. Fields of a body are known only when it is read, so its texts may be owned; the page,
/// which has no room for sentences, goes by the rules' own types.
///
/// `message` never repeats the offending value: it may be personal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Invalid {
    /// The field as it stands in the body, dotted: `properties.contents.0.content_id`.
    pub field: Cow<'static, str>,
    /// A stable name for the rule, for programs: `unknown_field`, `e164`, `too_old` ...
    pub rule: Cow<'static, str>,
    /// The rule as a sentence, for people.
    pub message: Cow<'static, str>,
}

impl Invalid {
    /// `field` broke `rule`; `message` says what would have been right.
    pub const fn new(field: &'static str, rule: &'static str, message: &'static str) -> Self {
        Self {
            field: Cow::Borrowed(field),
            rule: Cow::Borrowed(rule),
            message: Cow::Borrowed(message),
        }
    }

    /// `field` broke `rule`, which says itself what must hold and what was done.
    pub fn of(rule: &Rule, field: impl Into<Cow<'static, str>>) -> Self {
        Self::with(rule, field, "")
    }

    /// As [`Invalid::of`], with a few words between the rule and what was done: `, got a number`.
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

    /// The rule's name.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// The field's name.
    pub fn field(&self) -> &str {
        &self.field
    }
}

/// A path as it may be repeated: its sender's own names in it are printable, short, and no e-mail address.
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
