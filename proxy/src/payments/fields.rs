//! The fields of a notification. Fields that only inform the operator may have any type, because a remark of the wrong
//! type must not make the proxy miss a payment.

use std::borrow::Cow;

use duet_events::{Invalid, order::clean_id, rule::reject};
use serde_json::{Map, Value};

use super::Name;
use crate::money::{Currency, Money};

/// The most characters of an order's id and of a reference.
const MAX_ID: usize = 128;
/// The most characters of a transaction's id. The limit is smaller, because the proxy adds a word to the id.
const MAX_TRANSACTION: usize = 100;

/// How many characters of an account's number are stored.
const SHOWN: usize = 4;

/// The fields of a JSON object.
pub(crate) struct Fields<'a>(pub(crate) &'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// Returns the object with this name.
    pub(crate) fn object(&self, name: &str) -> Option<Fields<'a>> {
        match self.0.get(name) {
            Some(Value::Object(map)) => Some(Fields(map)),
            _ => None,
        }
    }

    /// Returns the first of these fields that has a text or a number, as text without white space around it.
    pub(crate) fn text(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| match self.0.get(*name)? {
            Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
    }

    /// Returns a text that is shown to operators. The text is cut to the stored length, and has no control characters,
    /// which could disturb a terminal.
    pub(crate) fn remark(&self, names: &[&str]) -> Option<String> {
        let text = self.text(names)?;
        let printable = text.chars().filter(|char| !char.is_control());
        Some(printable.take(MAX_ID).collect())
    }

    /// Returns the order's id. Adds a problem if the id is missing or too long to store.
    pub(crate) fn order_id(
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

    /// Returns the transaction's id. Adds a problem if the id is missing or too long to store.
    pub(crate) fn transaction_id(
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
        let id = self.text(names).filter(|id| is_id(id, most));
        if id.is_none() {
            let name = names.first().copied().unwrap_or_default();
            problems.push(Invalid::new(name, "id", rule));
        }
        id
    }

    /// Returns whole dong from the first of these fields that is present.
    pub(crate) fn dong(
        &self,
        names: &[&'static str],
        problems: &mut Vec<Invalid>,
    ) -> Option<Money> {
        let value = names.iter().find_map(|name| self.0.get(*name));
        let dong = value.and_then(Money::dong);
        if dong.is_none() {
            problems.push(Invalid::new(
                names.first().copied().unwrap_or_default(),
                "amount",
                "the amount must be a whole number of dong, at least 0, without thousands separators",
            ));
        }
        dong
    }

    /// Returns the object with this name. Adds a problem if the object is missing.
    pub(crate) fn part(
        &self,
        name: &'static str,
        problems: &mut Vec<Invalid>,
    ) -> Option<Fields<'a>> {
        let object = self.object(name);
        if object.is_none() {
            problems.push(Invalid::of(&reject::OBJECT, name));
        }
        object
    }

    /// Returns the ids in these fields that are present and short enough to store.
    pub(crate) fn ids(&self, names: &[&str]) -> Vec<String> {
        let texts = names.iter().filter_map(|name| self.text(&[name]));
        texts.filter(|text| is_id(text, MAX_TRANSACTION)).collect()
    }

    /// Returns the order's id, if it is present and short enough to store.
    pub(crate) fn clean_id(&self, name: &str) -> Option<String> {
        clean_id(&self.text(&[name])?).map(Cow::into_owned)
    }

    /// Returns the order whose id the shop has put into the provider's metadata, if any.
    pub(crate) fn order_of_metadata(&self) -> Option<Name> {
        let id = self.object("metadata")?.clean_id("order_id")?;
        Some(Name::Order(id))
    }

    /// Returns the last characters of an account's number.
    pub(crate) fn account(&self, names: &[&str]) -> Option<String> {
        let account = self.text(names)?;
        let skipped = account.chars().count().saturating_sub(SHOWN);
        Some(account.chars().skip(skipped).collect())
    }

    /// Returns the sum of the amounts in these fields. The amounts are in minor units of the currency that the field
    /// `currency` names. Adds a problem if the first field has no such amount. The other fields can be missing. `others`
    /// has the currencies for which the provider uses another number of decimals than ISO 4217.
    pub(crate) fn minor(
        &self,
        names: &[&'static str],
        others: &[(&str, usize)],
        problems: &mut Vec<Invalid>,
    ) -> Option<Money> {
        let code = self.text(&["currency"]).unwrap_or_default();
        let Some(currency) = Currency::parse(&code) else {
            let message = "currency must be a code of ISO 4217, such as USD";
            problems.push(Invalid::new("currency", "currency", message));
            return None;
        };
        self.money(names, (currency, decimals(currency, others)), problems)
    }

    /// Returns the sum of the amounts in these fields. An amount is a whole number of the smallest unit, of which
    /// 10^`decimals` are one unit of the currency. Adds a problem if the first field has no such amount. The other
    /// fields can be missing.
    pub(crate) fn money(
        &self,
        names: &[&'static str],
        (currency, decimals): (Currency, usize),
        problems: &mut Vec<Invalid>,
    ) -> Option<Money> {
        let (first, others) = names.split_first()?;
        let amount = |name: &str| Money::minor_of(self.0.get(name)?, currency, decimals);
        let Some(money) = amount(first) else {
            let message =
                "the amount must be a whole number of the currency's minor units, at least 0";
            problems.push(Invalid::new(first, "amount", message));
            return None;
        };
        let mut others = others.iter().filter_map(|name| amount(name));
        others.try_fold(money, Money::plus)
    }

    /// Whether the field is `true`.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Bool(true))
    }

    /// Whether the text of the field is `word`, in upper or lower case.
    pub(crate) fn is(&self, name: &str, word: &str) -> bool {
        let text = self.text(&[name]);
        text.is_some_and(|text| text.eq_ignore_ascii_case(word))
    }
}

/// Returns how many decimals the provider uses for amounts in this currency. `others` has the currencies for which this
/// number differs from ISO 4217.
pub(crate) fn decimals(currency: Currency, others: &[(&str, usize)]) -> usize {
    let mut others = others.iter();
    let other = others.find(|(code, _)| *code == currency.as_str());
    other.map_or_else(|| currency.decimals(), |(_, decimals)| *decimals)
}

fn is_id(text: &str, most: usize) -> bool {
    text.chars().count() <= most && !text.chars().any(char::is_control)
}
