//! The fields of a notification. What only informs is read leniently: money that came is never lost to the
//! wrong type of a remark.

use std::borrow::Cow;

use duet_events::{Invalid, order::clean_id, rule::reject};
use serde_json::{Map, Value};

use crate::payments::amount;

/// The longest id of an order and the longest reference, in characters.
const MAX_ID: usize = 128;
/// The longest id of a transaction, to which a word is added.
const MAX_TRANSACTION: usize = 100;

pub(super) struct Fields<'a>(pub(super) &'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// The object of this name; an empty one where there is none.
    pub(super) fn object(&self, name: &str) -> Option<Fields<'a>> {
        match self.0.get(name) {
            Some(Value::Object(map)) => Some(Fields(map)),
            _ => None,
        }
    }

    /// The first of these fields that has a text or a number, without white space around it.
    pub(super) fn text(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| match self.0.get(*name)? {
            Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
    }

    /// A text for operators, cut to what is kept, with nothing that a terminal would obey.
    pub(super) fn remark(&self, names: &[&str]) -> Option<String> {
        let text = self.text(names)?;
        let printable = text.chars().filter(|char| !char.is_control());
        Some(printable.take(MAX_ID).collect())
    }

    /// The order's id, which has to be there and can be kept as a whole.
    pub(super) fn order_id(
        &self,
        names: &[&'static str],
        problems: &mut Vec<Invalid>,
    ) -> Option<String> {
        let text = self.text(names);
        let id = text.and_then(|id| clean_id(&id).map(Cow::into_owned));
        if id.is_none() {
            let name = names.first().copied().unwrap_or_default();
            problems.push(Invalid::of(&reject::ORDER_ID, name));
        }
        id
    }

    /// The transaction's id, likewise.
    pub(super) fn transaction_id(
        &self,
        names: &[&'static str],
        problems: &mut Vec<Invalid>,
    ) -> Option<String> {
        let rule = "the transaction's id must be 1 to 100 printable characters";
        self.id(names, MAX_TRANSACTION, rule, problems)
    }

    fn id(
        &self,
        names: &[&'static str],
        most: usize,
        rule: &'static str,
        problems: &mut Vec<Invalid>,
    ) -> Option<String> {
        let id = self
            .text(names)
            .filter(|id| id.chars().count() <= most && !id.chars().any(char::is_control));
        if id.is_none() {
            let name = names.first().copied().unwrap_or_default();
            problems.push(Invalid::new(name, "id", rule));
        }
        id
    }

    /// Whole dong, in the first of these fields that is there.
    pub(super) fn amount(
        &self,
        names: &[&'static str],
        problems: &mut Vec<Invalid>,
    ) -> Option<i64> {
        let value = names.iter().find_map(|name| self.0.get(*name));
        let dong = value.and_then(amount::whole_dong);
        if dong.is_none() {
            problems.push(Invalid::new(
                names.first().copied().unwrap_or_default(),
                "amount",
                "the amount must be a whole number of dong, at least 0, without thousands separators",
            ));
        }
        dong
    }

    /// Whether the text of this field is `word`, in any case.
    pub(super) fn is(&self, name: &str, word: &str) -> bool {
        let text = self.text(&[name]);
        text.is_some_and(|text| text.eq_ignore_ascii_case(word))
    }
}
