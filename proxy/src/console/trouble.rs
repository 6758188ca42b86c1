//! The section *Trouble*: the dead letters, grouped by cause. Newer good events cannot push dead letters out of the list.

use std::collections::BTreeMap;

use base16ct::lower;
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    show::{self, Row, State},
    texts::Texts,
    view::View,
    why,
};
use crate::{
    decide::{DeadLetter, LetterId},
    queue::{DeadLetters, Error},
};

mod replay;

pub(super) use replay::{Question, plan, replay};

/// The largest number of dead letters that are read for the list of causes. If the store has more, the page says so.
const MOST_LETTERS: usize = 100_000;
/// The largest number of dead letters that are listed for one cause.
const LISTED: usize = 100;

/// The causes of all dead letters, the most recent first.
#[derive(Default, Serialize)]
pub(super) struct Trouble {
    /// The number of dead letters that were read.
    letters: usize,
    /// Whether these are all dead letters of the store.
    is_complete: bool,
    pub(super) causes: Vec<Cause>,
}

/// Dead letters with the same cause.
#[derive(Serialize)]
pub(super) struct Cause {
    /// The id of the cause. The same cause has the same id in every reading.
    pub(super) id: String,
    outcome: String,
    code: Option<i64>,
    /// The message of the newest letter.
    message: Option<String>,
    pub(super) letters: usize,
    first_ms: i64,
    last_ms: i64,
    /// The number of letters of each event name.
    events: BTreeMap<String, usize>,
    /// The newest letters.
    newest: Vec<Letter>,
}

/// One dead letter, without the data of a person.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Letter {
    id: String,
    ended_at_ms: i64,
    event: String,
    event_id: String,
    order_id: Option<String>,
    pixel_id: String,
    #[serde(skip)]
    is_test: bool,
    outcome: String,
    code: Option<i64>,
    message: Option<String>,
    request_id: Option<String>,
}

/// The parts of an event that are shown.
#[derive(Default, Deserialize)]
struct Shown {
    #[serde(default)]
    event: String,
    #[serde(default)]
    event_id: String,
    #[serde(default)]
    properties: Properties,
}

#[derive(Default, Deserialize)]
struct Properties {
    #[serde(default)]
    order_id: Option<String>,
}

impl Trouble {
    /// Reads the letters from the disk.
    pub(super) fn read(letters: &DeadLetters) -> Result<Self, Error> {
        let mut trouble = Self::default();
        let mut by_id: BTreeMap<String, Cause> = BTreeMap::new();
        let mut before = None;
        while trouble.letters < MOST_LETTERS {
            let page = letters.page(before)?;
            let Some((last, _)) = page.last() else {
                trouble.is_complete = true;
                break;
            };
            before = Some(*last);
            trouble.letters += page.len();
            for (id, letter) in page {
                let cause = cause_of(&letter);
                let letter = Letter::of(id, letter);
                by_id
                    .entry(cause.clone())
                    .or_insert_with(|| Cause::of(cause, &letter))
                    .add(letter);
            }
        }
        trouble.causes = by_id.into_values().collect();
        trouble
            .causes
            .sort_by_key(|cause| std::cmp::Reverse(cause.last_ms));
        Ok(trouble)
    }

    /// Returns the newest letters of every cause, for an export.
    pub(super) fn listed(&self) -> impl Iterator<Item = &Letter> {
        self.causes.iter().flat_map(|cause| &cause.newest)
    }

    /// Returns the section. `since_ms` is the start of the view's period.
    pub(super) fn html(&self, view: &View, since_ms: i64) -> Markup {
        let texts = view.texts();
        let chosen = view.part("cause");
        let content = html! {
                @if self.causes.is_empty() {
                    p { (texts.no_trouble) }
                } @else {
                    (show::table("causes", texts.causes, &texts.cause_columns, self.rows(view)))
                    @if !self.is_complete {
                        p { (texts.newest_letters) " " (show::count(self.letters as u64, view.language)) }
                    }
                    p.actions { (replay::since_links(view)) }
                }
                @if let Some(cause) = self.causes.iter().find(|cause| Some(cause.id.as_str()) == chosen) {
                    (opened(view, "cause", cause.newest.iter()))
                }
                @if let Some(name) = view.part("lost") {
                    (opened(view, "lost", self.lost(name, since_ms)))
                }
                p.export {
                    a href="/console/api/trouble?format=csv" download { "CSV" } " "
                    a href="/console/api/trouble?format=ndjson" download { "NDJSON" }
                }
        };
        let parts = ["cause", "lost", "replay"];
        let section = show::Section {
            id: "trouble",
            title: texts.trouble,
            note: Some(html! { (show::count(self.letters as u64, view.language)) }),
            is_open: parts.iter().any(|part| view.part(part).is_some()),
        };
        section.of(&content)
    }

    /// Returns how many events TikTok refused, or did not get in time. A person has to look at these.
    pub(super) fn to_review(&self) -> usize {
        let is_meant = |cause: &&Cause| ["refused", "expired"].contains(&cause.outcome.as_str());
        let causes = self.causes.iter().filter(is_meant);
        causes.map(|cause| cause.letters).sum()
    }

    /// Returns the dead letters of events with this name that ended in the period. The section *Counted* counts the same
    /// events.
    fn lost(&self, name: &str, since_ms: i64) -> impl Iterator<Item = &Letter> {
        self.listed().filter(move |letter| {
            letter.event == name && letter.ended_at_ms >= since_ms && !letter.is_test
        })
    }

    fn rows(&self, view: &View) -> Vec<Row> {
        let (texts, language) = (view.texts(), view.language);
        let row = |cause: &Cause| {
            let is_open = view.part("cause") == Some(&cause.id);
            let open = (!is_open).then_some(cause.id.as_str());
            let events = cause.events.iter();
            let events: Vec<_> = events
                .map(|(name, letters)| format!("{name} {}", show::count(*letters as u64, language)))
                .collect();
            let link = view.link(&[("cause", open), ("replay", None)], "trouble");
            Row {
                id: format!("cause-{}", cause.id),
                cells: vec![
                    html! {
                        a.row href=(link) aria-expanded=(is_open) { (cause.state(texts)) }
                        @if let Some(message) = &cause.message { " " span.said { (message) } }
                    },
                    html! { @if let Some(code) = cause.code { (code) } @else { "–" } },
                    html! { (show::count(cause.letters as u64, language)) },
                    html! { (events.join(", ")) },
                    show::time(cause.first_ms),
                    show::time(cause.last_ms),
                    replay::link(view, &format!("cause:{}", cause.id), texts.send_all_again),
                ],
            }
        };
        self.causes.iter().map(row).collect()
    }
}

impl Cause {
    fn of(id: String, newest: &Letter) -> Self {
        Self {
            id,
            outcome: newest.outcome.clone(),
            code: newest.code,
            message: newest.message.clone(),
            letters: 0,
            first_ms: newest.ended_at_ms,
            last_ms: newest.ended_at_ms,
            events: BTreeMap::new(),
            newest: Vec::new(),
        }
    }

    fn add(&mut self, letter: Letter) {
        self.letters += 1;
        self.first_ms = self.first_ms.min(letter.ended_at_ms);
        self.last_ms = self.last_ms.max(letter.ended_at_ms);
        *self.events.entry(letter.event.clone()).or_default() += 1;
        if self.newest.len() < LISTED {
            self.newest.push(letter);
        }
    }

    fn state(&self, texts: &Texts) -> State {
        State::new("bad", texts.outcome(&self.outcome))
    }
}

/// Returns the table of the dead letters that a part of the view has opened.
fn opened<'a>(view: &View, part: &str, letters: impl Iterator<Item = &'a Letter>) -> Markup {
    let texts = view.texts();
    let (close, id) = (
        view.link(&[(part, None)], "trouble"),
        format!("{part}-letters"),
    );
    let rows = letters.map(|letter| letter.row(view, part)).collect();
    html! {
        div.opened id=(part) {
            a.close href=(close) { (texts.close) }
            (show::table(&id, texts.letters, &texts.letter_columns, rows))
        }
    }
}

impl Letter {
    fn of(id: LetterId, letter: DeadLetter) -> Self {
        let shown: Shown = serde_json::from_str(letter.event.get()).unwrap_or_default();
        Self {
            id: id.to_string(),
            ended_at_ms: letter.ended_at_ms,
            event: shown.event,
            event_id: shown.event_id,
            order_id: shown.properties.order_id,
            pixel_id: letter.destination.pixel_id.clone(),
            is_test: letter.destination.test_event_code.is_some(),
            outcome: letter.outcome,
            code: letter.code,
            message: letter.message,
            request_id: letter.request_id,
        }
    }

    fn row(&self, view: &View, part: &str) -> Row {
        let dash = || "–".to_owned();
        Row {
            id: format!("{part}-{}", self.id),
            cells: vec![
                html! { (self.event) },
                why::link(view, &self.event_id),
                html! { span.id { (self.order_id.clone().unwrap_or_else(dash)) } },
                show::time(self.ended_at_ms),
                html! { span.said { (self.message.clone().unwrap_or_else(dash)) } },
                html! { code { (self.request_id.clone().unwrap_or_else(dash)) } },
                replay::link(
                    view,
                    &format!("letter:{}", self.id),
                    view.texts().send_again,
                ),
            ],
        }
    }
}

/// Returns the id of a dead letter's cause. The cause consists of the outcome, TikTok's code and TikTok's message without its
/// digits, because the numbers in a message differ between events with the same cause.
fn cause_of(letter: &DeadLetter) -> String {
    let message = letter.message.as_deref().unwrap_or_default();
    let words = message.split(|c: char| c.is_ascii_digit());
    let words: Vec<_> = words.filter(|part| !part.is_empty()).collect();
    let code = letter.code.map(|code| code.to_string());
    let text = [
        letter.outcome.as_str(),
        &code.unwrap_or_default(),
        &words.join("#"),
    ]
    .join("\n");
    let digest = Sha256::digest(text);
    lower::encode_string(digest.get(..8).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::value::RawValue;

    use super::*;
    use crate::decide::Destination;

    fn letter(outcome: &str, code: Option<i64>, message: &str) -> DeadLetter {
        DeadLetter {
            outcome: outcome.to_owned(),
            ended_at_ms: 1,
            code,
            message: Some(message.to_owned()),
            request_id: None,
            accepted_at_ms: 0,
            destination: Arc::new(Destination {
                pixel_id: "P".to_owned(),
                test_event_code: None,
            }),
            event: RawValue::from_string("{}".to_owned()).unwrap(),
            trace: crate::history::Trace::default(),
        }
    }

    #[test]
    fn numbers_in_a_message_do_not_make_another_cause() {
        let cause = |outcome, code, message| cause_of(&letter(outcome, code, message));
        let one = cause("refused", Some(40002), "data[3].value: must be a number");
        let same = cause("refused", Some(40002), "data[17].value: must be a number");
        assert_eq!(one, same);
        for other in [
            cause("expired", Some(40002), "data[3].value: must be a number"),
            cause("refused", Some(40001), "data[3].value: must be a number"),
            cause("refused", Some(40002), "data[3].event: must be a number"),
            cause("refused", None, "data[3].value: must be a number"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn an_event_of_another_form_still_has_a_row() {
        let id = "5-7".parse().unwrap();
        let shown = Letter::of(id, letter("refused", None, "m"));
        assert_eq!((shown.id.as_str(), shown.event.as_str()), ("5-7", ""));
    }
}
