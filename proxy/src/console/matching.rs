//! The section *Match*: which match keys the delivered events had, why keys were missing, and which key would help most.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde::Serialize;

use super::{
    recount::{Events, Gap, Period, Recount},
    show::{self, Row},
    view::View,
};
use crate::history::Key;

/// The weight of each key in the estimate, out of 100. TikTok does not publish its weights, so these are Duet's own. The
/// IP address counts only for events that also have the user agent.
const WEIGHTS: [(Key, u64); 6] = [
    (Key::Ttclid, 35),
    (Key::Email, 20),
    (Key::Phone, 20),
    (Key::ExternalId, 10),
    (Key::Ttp, 10),
    (Key::Ip, 5),
];
/// The smallest number of events for which an estimate is shown.
const FEWEST: u64 = 20;

/// The match keys of a period.
#[derive(Serialize)]
pub(super) struct Match {
    period: Period,
    /// The weights of the estimate, out of 100.
    weights: BTreeMap<&'static str, u64>,
    events: BTreeMap<String, Coverage>,
}

/// The match keys of the delivered events with one name.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Coverage {
    events: u64,
    /// How many events had each key.
    keys: BTreeMap<&'static str, u64>,
    /// The most frequent reason why each key was missing, with the number of events.
    gaps: BTreeMap<&'static str, (Gap, u64)>,
    /// Duet's estimate, 0 to 10. `None` for fewer than 20 events.
    estimate: Option<f64>,
    /// The key that would raise the estimate most.
    best_next: Option<&'static str>,
}

impl Match {
    pub(super) fn of(recount: &Recount, period: Period) -> Self {
        let events = recount.events.iter();
        let delivered = events.filter(|(_, events)| events.delivered() > 0);
        Self {
            period,
            weights: WEIGHTS.map(|(key, weight)| (key.as_str(), weight)).into(),
            events: delivered
                .map(|(name, events)| (name.clone(), Coverage::of(events)))
                .collect(),
        }
    }

    pub(super) fn html(&self, view: &View) -> Markup {
        let texts = view.texts();
        let content = html! {
                @if self.events.is_empty() {
                    p { (texts.no_delivered) }
                } @else {
                    (show::table("coverage", texts.coverage, &texts.coverage_columns, self.rows(view)))
                    p.said {
                        (texts.estimate_note) " "
                        @for (key, weight) in WEIGHTS { (key_name(key)) " " (weight) ", " }
                        (texts.of_hundred)
                    }
                }
        };
        let section = show::Section {
            id: "match",
            title: texts.match_keys,
            note: None,
            is_open: false,
        };
        section.of(&content)
    }

    fn rows(&self, view: &View) -> Vec<Row> {
        self.events
            .iter()
            .map(|(name, coverage)| coverage.row(name, view))
            .collect()
    }
}

impl Coverage {
    fn of(events: &Events) -> Self {
        let all = events.delivered();
        let had = |key: Key| match key {
            Key::Ip => events.address_and_browser,
            key => events.keys.get(&key).copied().unwrap_or(0),
        };
        let gap = |key: Key| {
            let gaps = events.gaps.iter().filter(move |((of, _), _)| *of == key);
            let most = gaps.max_by_key(|(_, events)| **events);
            most.map(|((_, gap), events)| (key.as_str(), (*gap, *events)))
        };
        let keys = || WEIGHTS.into_iter();
        let points: u64 = keys().map(|(key, weight)| weight * had(key)).sum();
        let lost = |(key, weight): &(Key, u64)| weight * (all - had(*key));
        let best = keys().max_by_key(lost).filter(|best| lost(best) > 0);
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 events")]
        let estimate = (points as f64 / all as f64).round() / 10.0;
        Self {
            events: all,
            keys: keys().map(|(key, _)| (key.as_str(), had(key))).collect(),
            gaps: keys().filter_map(|(key, _)| gap(key)).collect(),
            estimate: (all >= FEWEST).then_some(estimate),
            best_next: best.map(|(key, _)| key.as_str()),
        }
    }

    fn row(&self, name: &str, view: &View) -> Row {
        let texts = view.texts();
        let mut cells = vec![
            html! { span.id { (name) } },
            html! { (show::count(self.events, view.language)) },
        ];
        cells.extend(WEIGHTS.map(|(key, _)| {
            let had = self.keys.get(key.as_str()).copied().unwrap_or(0);
            let percent = had * 100 / self.events.max(1);
            html! {
                (percent) " %"
                meter min="0" max="100" value=(percent) aria-hidden="true" {}
            }
        }));
        cells.push(html! {
            @match self.estimate {
                Some(estimate) => (format!("{estimate:.1}")),
                None => (texts.too_few),
            }
        });
        cells.push(html! {
            @if let Some(key) = self.best_next {
                strong { (key) }
                @if let Some((gap, _)) = self.gaps.get(key) { ": " (texts.gap(*gap)) }
            } @else { "–" }
        });
        Row {
            id: format!("coverage-{name}"),
            cells,
        }
    }
}

fn key_name(key: Key) -> &'static str {
    match key {
        Key::Ip => "ip + user_agent",
        key => key.as_str(),
    }
}
