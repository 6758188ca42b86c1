//! Chooses events by words such as `event:Purchase is:refused -is:test key:-ttclid`. A minus in front of a word excludes the
//! events that the word matches.

use super::Entry;
use crate::history::Key;

/// The words of a filter. An event must pass all of them.
pub(super) struct Filter(Vec<Word>);

struct Word {
    is_excluded: bool,
    rule: Rule,
}

enum Rule {
    Event(String),
    Order(String),
    Id(String),
    Is(String),
    /// The event has this key, or lacks it.
    Key(String, bool),
    /// Any text that is a part of the event's name, its order id or its event id.
    Any(String),
}

impl Filter {
    pub(super) fn read(text: &str) -> Self {
        Self(text.split_whitespace().map(Word::read).collect())
    }

    pub(super) fn wants(&self, entry: &Entry) -> bool {
        !entry.is_moved
            && self
                .0
                .iter()
                .all(|word| word.rule.holds(entry) != word.is_excluded)
    }
}

impl Word {
    fn read(text: &str) -> Self {
        let (is_excluded, text) = text
            .strip_prefix('-')
            .map_or((false, text), |rest| (true, rest));
        let rule = match text.split_once(':') {
            Some(("event", value)) => Rule::Event(value.to_lowercase()),
            Some(("order", value)) => Rule::Order(value.to_owned()),
            Some(("id", value)) => Rule::Id(value.to_owned()),
            Some(("is", value)) => Rule::Is(value.to_lowercase()),
            Some(("key", value)) => match value.strip_prefix('-') {
                Some(key) => Rule::Key(key.to_lowercase(), false),
                None => Rule::Key(value.to_lowercase(), true),
            },
            _ => Rule::Any(text.to_lowercase()),
        };
        Self { is_excluded, rule }
    }
}

impl Rule {
    fn holds(&self, entry: &Entry) -> bool {
        let is = |text: &Option<String>, value: &String| text.as_ref() == Some(value);
        match self {
            Self::Event(name) => entry.event.to_lowercase() == *name,
            Self::Order(order) => is(&entry.order_id, order),
            Self::Id(id) => is(&entry.event_id, id),
            Self::Is(word) => states(entry).any(|state| state == word),
            Self::Key(name, had) => {
                let key = Key::ALL.into_iter().find(|key| key.as_str() == name);
                key.is_some_and(|key| entry.keys.has(key) == *had)
            }
            Self::Any(part) => {
                let texts = [
                    Some(&entry.event),
                    entry.order_id.as_ref(),
                    entry.event_id.as_ref(),
                ];
                let mut texts = texts.into_iter().flatten();
                texts.any(|text| text.to_lowercase().contains(part))
            }
        }
    }
}

/// Returns all words after `is:` that match this event.
fn states(entry: &Entry) -> impl Iterator<Item = &str> {
    let end = entry.end.as_ref().map(|end| end.outcome.as_str());
    let waits = (end.is_none() && entry.answer == Some("accepted")).then_some("waiting");
    let test = entry.is_test.then_some("test");
    let repeated = (entry.repeats > 0).then_some("duplicate");
    let warned = (!entry.rules.is_empty()).then_some("warned");
    [
        entry.answer,
        end,
        waits,
        test,
        repeated,
        warned,
        Some(entry.pixel),
    ]
    .into_iter()
    .flatten()
}
