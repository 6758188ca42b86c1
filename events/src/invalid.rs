//! What was wrong with a value, in words a page author understands.

#[cfg(feature = "serde")]
use alloc::borrow::Cow;

/// Fields of a body are known only when it is read.
#[cfg(feature = "serde")]
type Text = Cow<'static, str>;
#[cfg(not(feature = "serde"))]
type Text = &'static str;

/// One broken rule.
///
/// `message` never repeats the offending value: it may be personal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Invalid {
    /// The field as it stands in the body, dotted: `properties.contents.0.content_id`.
    pub field: Text,
    /// A stable name for the rule, for programs: `unknown_field`, `e164`, `too_old` ...
    pub rule: Text,
    /// The rule as a sentence, for people. The page goes without: sentences would be a tenth of it.
    #[cfg(feature = "serde")]
    pub message: Text,
}

#[cfg(feature = "serde")]
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

#[cfg(not(feature = "serde"))]
impl Invalid {
    /// `field` broke `rule`.
    pub const fn new(field: &'static str, rule: &'static str, _message: &'static str) -> Self {
        Self { field, rule }
    }

    /// The rule's name.
    pub const fn rule(&self) -> &'static str {
        self.rule
    }

    /// The field's name.
    pub const fn field(&self) -> &'static str {
        self.field
    }
}
