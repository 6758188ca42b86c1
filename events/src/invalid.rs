//! What was wrong with a value, in words a page author understands.

use alloc::borrow::Cow;

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

    /// The rule's name.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// The field's name.
    pub fn field(&self) -> &str {
        &self.field
    }
}
