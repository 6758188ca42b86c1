//! One event of the live view.

use duet_events::{claim::PixelLeg, wire::Status};
use maud::{Markup, html};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    console::{
        show::{self, Row, State},
        texts::Texts,
        view::View,
        why,
    },
    history::{Digest, End, Ended, Key, Keys, Sender, Trace, is_delivered},
    live::{Answered, Rejected},
    money::Money,
};

/// The match keys that a row shows, with their letters.
const LETTERS: [(Key, &str); 7] = [
    (Key::Ttclid, "C"),
    (Key::Ttp, "P"),
    (Key::Email, "E"),
    (Key::Phone, "T"),
    (Key::ExternalId, "X"),
    (Key::Ip, "I"),
    (Key::UserAgent, "U"),
];

/// One event, with everything that the notes have said about it.
#[derive(Clone, Debug, Serialize)]
pub(in crate::console) struct Entry {
    #[serde(skip)]
    pub(super) digest: Option<Digest>,
    /// The number of the entry in its ring.
    #[serde(skip)]
    pub(super) number: u64,
    /// Whether the event has moved to the ring of events that were rejected or ended without delivery. This entry is
    /// then hidden.
    #[serde(skip)]
    pub(super) is_moved: bool,
    /// Whether the proxy answered the event since the start of the console.
    #[serde(skip)]
    pub(super) is_answered: bool,
    pub(super) at_ms: i64,
    pub(super) event: String,
    pub(super) event_id: Option<String>,
    pub(super) order_id: Option<String>,
    pub(super) pixel_id: String,
    pub(super) is_test: bool,
    /// `accepted`, `held`, `duplicate` or `rejected`. `None` if the event was answered before the console started.
    pub(super) answer: Option<&'static str>,
    /// How many repeats of the event arrived.
    pub(super) repeats: u64,
    /// What happened to the Pixel's copy.
    pub(super) pixel: &'static str,
    sender: Option<Sender>,
    value: Option<Box<RawValue>>,
    currency: Option<&'static str>,
    #[serde(skip)]
    money: Option<Money>,
    /// The match keys that TikTok receives.
    #[serde(serialize_with = "names")]
    pub(super) keys: Keys,
    /// The rules of the event's warnings. For a rejected event, the rules that it breaks.
    pub(super) rules: Vec<String>,
    pub(super) end: Option<Finish>,
}

/// How an event ended.
#[derive(Clone, Debug, Serialize)]
pub(in crate::console) struct Finish {
    pub(super) outcome: String,
    code: Option<i64>,
    request_id: Option<String>,
    at_ms: i64,
    attempts: u32,
    batch: u32,
}

impl Entry {
    fn new(at_ms: i64) -> Self {
        Self {
            digest: None,
            number: 0,
            is_moved: false,
            is_answered: false,
            at_ms,
            event: String::new(),
            event_id: None,
            order_id: None,
            pixel_id: String::new(),
            is_test: false,
            answer: None,
            repeats: 0,
            pixel: "unknown",
            sender: None,
            value: None,
            currency: None,
            money: None,
            keys: Keys::default(),
            rules: Vec::new(),
            end: None,
        }
    }

    pub(super) fn of_answer(answered: Answered) -> Self {
        let entry = Self {
            digest: Some(answered.event),
            is_answered: true,
            event: answered.name,
            event_id: Some(answered.event_id),
            order_id: answered.order_id,
            pixel_id: answered.pixel_id,
            is_test: answered.is_test,
            answer: Some(word(answered.status)),
            keys: answered.keys,
            ..Self::new(answered.at_ms)
        };
        entry.arrived(&answered.trace, answered.value)
    }

    pub(super) fn of_rejection(rejected: Rejected) -> Self {
        let rules = rejected.errors.into_iter();
        Self {
            is_answered: true,
            event_id: rejected.event_id,
            answer: Some(word(Status::Invalid)),
            rules: rules
                .map(|(field, rule)| format!("{field}: {rule}"))
                .collect(),
            ..Self::new(rejected.at_ms)
        }
    }

    pub(super) fn of_end(end: &End, event: &Ended) -> Self {
        let entry = Self {
            digest: Some(event.event),
            event: event.name.clone(),
            pixel_id: end.pixel_id.clone(),
            is_test: end.is_test,
            keys: event.keys,
            ..Self::new(event.accepted_ms)
        };
        let mut entry = entry.arrived(&event.trace, event.value);
        entry.ends(end);
        entry
    }

    fn arrived(self, trace: &Trace, value: Option<Money>) -> Self {
        Self {
            pixel: trace.pixel.map_or("unknown", PixelLeg::as_str),
            sender: trace.sender,
            rules: trace.rules().map(str::to_owned).collect(),
            value: value.and_then(Money::json),
            currency: value.map(|value| value.currency().as_str()),
            money: value,
            ..self
        }
    }

    /// Stores the answer to an event that has an entry already, because its end was noted first.
    pub(super) fn is_answered_again(&mut self, answered: Answered) {
        let (number, end) = (self.number, self.end.take());
        *self = Self {
            number,
            end,
            ..Self::of_answer(answered)
        };
    }

    pub(super) fn ends(&mut self, end: &End) {
        self.end = Some(Finish {
            outcome: end.outcome.clone(),
            code: end.code,
            request_id: end.request_id.clone(),
            at_ms: end.at_ms,
            attempts: end.sent.attempts,
            batch: end.sent.batch,
        });
    }

    /// Returns whether the event ended without being delivered to TikTok.
    pub(super) fn is_troubled(&self) -> bool {
        let end = self.end.as_ref();
        end.is_some_and(|end| !is_delivered(&end.outcome))
    }

    pub(super) fn row(&self, view: &View) -> Row {
        let texts = view.texts();
        let key = self
            .digest
            .map_or_else(|| format!("r{}", self.number), |digest| digest.to_string());
        let is_open = view.part("event") == Some(&key);
        let link = view.link(&[("event", (!is_open).then_some(key.as_str()))], "live");
        let name = if self.event.is_empty() {
            texts.unreadable_event
        } else {
            &self.event
        };
        Row {
            id: format!("event-{key}"),
            cells: vec![
                html! {
                    a.row href=(link) aria-expanded=(is_open) { (name) }
                    @if self.is_test { " " span.tag { (texts.test_event) } }
                    @if is_open { (self.opened(view)) }
                },
                self.server_leg(view),
                html! { (texts.pixel_leg(self.pixel)) },
                html! {
                    @match (&self.order_id, self.money) {
                        (None, None) => "–",
                        (order_id, money) => {
                            @if let Some(order_id) = order_id { span.id { (order_id) } " " }
                            @if let Some(money) = money { (show::amount(money, view.language)) }
                        }
                    }
                },
                self.keys(texts),
                show::time(self.at_ms),
            ],
        }
    }

    /// Returns what happened to the copy that the proxy sends.
    fn server_leg(&self, view: &View) -> Markup {
        let texts = view.texts();
        let state = match (&self.end, self.answer) {
            (Some(end), _) if is_delivered(&end.outcome) => {
                let after = show::brief(end.at_ms - self.at_ms, texts);
                State::new("good", format!("{} ({after})", texts.delivered))
            }
            (Some(end), _) => {
                let code = end.code.map(|code| format!(" ({code})"));
                let words = texts.outcome(&end.outcome);
                State::new("bad", words + &code.unwrap_or_default())
            }
            (None, Some("rejected")) => State::new("bad", texts.rejected),
            (None, Some("held")) => State::new("odd", texts.held_event),
            (None, Some("duplicate")) => State::new("good", texts.duplicate),
            (None, _) => State::new("odd", texts.accepted),
        };
        html! {
            (state)
            @if self.repeats > 0 { " " span.said { (texts.repeats) " " (show::count(self.repeats, view.language)) } }
        }
    }

    fn keys(&self, texts: &Texts) -> Markup {
        let had: Vec<_> = self.keys.iter().map(Key::as_str).collect();
        let had = if had.is_empty() {
            texts.none.to_owned()
        } else {
            had.join(", ")
        };
        html! {
            span.keys aria-hidden="true" title=(had) {
                @for (key, letter) in LETTERS { span data-had=(self.keys.has(key)) { (letter) } }
            }
            span.unseen { (had) }
        }
    }

    fn opened(&self, view: &View) -> Markup {
        let texts = view.texts();
        html! {
            dl.opened {
                @if let Some(event_id) = &self.event_id { dt { (texts.event_id) } dd { (why::link(view, event_id)) } }
                @if !self.pixel_id.is_empty() { dt { "Pixel" } dd { code { (self.pixel_id) } } }
                @if !self.rules.is_empty() { dt { (texts.rules) } dd { (self.rules.join(", ")) } }
                @if let Some(end) = &self.end {
                    dt { (texts.ended) } dd { (show::time(end.at_ms)) }
                    @if end.attempts > 0 {
                        dt { (texts.attempts) } dd { (end.attempts) " (" (texts.batch_of) " " (end.batch) ")" }
                    }
                    @if let Some(id) = &end.request_id { dt { (texts.request_id) } dd { code { (id) } } }
                }
            }
        }
    }
}

/// Returns what the letters of the match keys mean.
pub(super) fn legend(texts: &Texts) -> Markup {
    html! {
        p #legend { (texts.key_legend) }
        ul.keys role="list" aria-labelledby="legend" {
            @for ((_, letter), name) in LETTERS.into_iter().zip(texts.key_names) {
                li { span { (letter) } " " (name) }
            }
        }
    }
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Accepted => "accepted",
        Status::Held => "held",
        Status::Duplicate => "duplicate",
        Status::Invalid => "rejected",
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn names<S: serde::Serializer>(keys: &Keys, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(keys.iter().map(Key::as_str))
}
