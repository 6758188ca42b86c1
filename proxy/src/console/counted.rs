//! The section *Counted*: how many orders were paid, accepted and delivered, how much money they brought, and what happened to
//! the events.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    recount::{Events, Period, Recount},
    show::{self, Row, State},
    view::View,
    why,
};
use crate::{
    money::Money,
    paid::{Fate, Paid},
};

/// The largest number of orders that are listed.
const LISTED: usize = 100;

/// The counts of a period.
#[derive(Serialize)]
pub(super) struct Counted {
    period: Period,
    paid: Step,
    accepted: Step,
    delivered: Step,
    /// The newest paid orders that TikTok has not counted.
    pub(super) missing: Vec<Missing>,
    events: BTreeMap<String, OfEvent>,
}

/// The orders that have reached one step, and their money by currency.
#[derive(Serialize)]
struct Step {
    orders: u64,
    values: BTreeMap<&'static str, Option<Box<RawValue>>>,
    #[serde(skip)]
    sums: BTreeMap<&'static str, Money>,
}

/// A paid order that TikTok has not counted.
#[derive(Serialize)]
pub(super) struct Missing {
    order_id: String,
    paid_ms: i64,
    value: Option<Box<RawValue>>,
    currency: &'static str,
    /// `waiting`, `unreported`, or the outcome of the order's event.
    state: String,
    code: Option<i64>,
    #[serde(skip)]
    money: Money,
}

/// The ended events with one name.
#[derive(Serialize)]
struct OfEvent {
    ended: u64,
    delivered: u64,
    both_legs: u64,
    outcomes: BTreeMap<String, u64>,
    values: BTreeMap<&'static str, Option<Box<RawValue>>>,
    #[serde(skip)]
    sums: BTreeMap<&'static str, Money>,
}

impl Counted {
    pub(super) fn of(recount: &Recount, period: Period) -> Self {
        let missing = recount
            .sales
            .orders
            .iter()
            .filter(|paid| paid.fate != Fate::Delivered);
        let mut missing: Vec<_> = missing.map(Missing::of).collect();
        missing.sort_by_key(|missing| std::cmp::Reverse(missing.paid_ms));
        missing.truncate(LISTED);
        let events = recount.events.iter();
        Self {
            period,
            paid: Step::of(recount, |_| true),
            accepted: Step::of(recount, |fate| *fate != Fate::Unreported),
            delivered: Step::of(recount, |fate| *fate == Fate::Delivered),
            missing,
            events: events
                .map(|(name, events)| (name.clone(), OfEvent::of(events)))
                .collect(),
        }
    }

    pub(super) fn html(&self, view: &View) -> Markup {
        let texts = view.texts();
        let content = html! {
                p.filters {
                    @for period in Period::ALL {
                        a href=(view.link(&[("period", Some(period.name()))], "counted"))
                            aria-current=[(period == self.period).then_some("true")] {
                            (texts.last) " " (show::span(period.lasts_ms(), texts))
                        }
                        " "
                    }
                }
                @if self.paid.orders == 0 {
                    p { (texts.no_paid_orders) }
                } @else {
                    (show::table("steps", texts.steps, &texts.step_columns, self.step_rows(view)))
                }
                @if !self.missing.is_empty() {
                    @if view.part("gap").is_some() { a.close href=(view.link(&[("gap", None)], "missing")) { (texts.close) } }
                    (show::table("missing", texts.missing, &texts.missing_columns, self.missing_rows(view)))
                }
                @if !self.events.is_empty() {
                    (show::table("counted-events", texts.counted_events, &texts.counted_columns, self.event_rows(view)))
                }
                p.export {
                    a href=(format!("/console/api/counted?format=csv&period={}", self.period.name())) download { "CSV" } " "
                    a href=(format!("/console/api/counted?format=ndjson&period={}", self.period.name())) download { "NDJSON" }
                }
        };
        let count = |orders| show::count(orders, view.language);
        let (delivered, paid) = (count(self.delivered.orders), count(self.paid.orders));
        let section = show::Section {
            id: "counted",
            title: texts.counted,
            note: (self.paid.orders > 0).then(|| html! { (delivered) " / " (paid) }),
            is_open: ["period", "gap"]
                .iter()
                .any(|part| view.part(part).is_some()),
        };
        section.of(&content)
    }

    /// Returns the missing orders. If the view has opened the orders that are missing between two steps, returns only these
    /// orders.
    fn missing_rows(&self, view: &View) -> Vec<Row> {
        let gap = view.part("gap");
        let is_meant = |missing: &&Missing| gap.is_none_or(|gap| gap == missing.gap());
        let missing = self.missing.iter().filter(is_meant);
        missing.map(|missing| missing.row(view)).collect()
    }

    fn step_rows(&self, view: &View) -> Vec<Row> {
        let texts = view.texts();
        let steps = [
            ("paid", texts.paid_orders, &self.paid, None),
            (
                "accepted",
                texts.accepted_orders,
                &self.accepted,
                Some(&self.paid),
            ),
            (
                "delivered",
                texts.delivered_orders,
                &self.delivered,
                Some(&self.accepted),
            ),
        ];
        let row = |(id, name, step, before): (&str, &str, &Step, Option<&Step>)| {
            let gap = before.map_or(0, |before| before.orders - step.orders);
            Row {
                id: format!("step-{id}"),
                cells: vec![
                    html! { (name) },
                    html! { (show::count(step.orders, view.language)) },
                    html! { (show::amounts(&step.sums, view.language)) },
                    html! {
                        @if gap > 0 { a href=(view.link(&[("gap", Some(id))], "missing")) { (show::count(gap, view.language)) " " (texts.are_missing) } }
                        @else { "–" }
                    },
                ],
            }
        };
        steps.into_iter().map(row).collect()
    }

    fn event_rows(&self, view: &View) -> Vec<Row> {
        let number = |number: u64| html! { (show::count(number, view.language)) };
        let row = |(name, events): (&String, &OfEvent)| Row {
            id: format!("counted-{name}"),
            cells: vec![
                html! { span.id { (name) } },
                number(events.both_legs),
                number(events.delivered - events.both_legs),
                number(events.delivered),
                html! {
                    @let lost = events.ended - events.delivered;
                    @if lost > 0 { a href=(view.link(&[("lost", Some(name))], "lost")) { (number(lost)) } } @else { "0" }
                },
                html! { (show::amounts(&events.sums, view.language)) },
            ],
        };
        self.events.iter().map(row).collect()
    }
}

impl Step {
    fn of(recount: &Recount, is_meant: impl Fn(&Fate) -> bool) -> Self {
        let (orders, sums) = recount.sum(is_meant);
        Self {
            orders,
            values: json(&sums),
            sums,
        }
    }
}

impl OfEvent {
    fn of(events: &Events) -> Self {
        Self {
            ended: events.ended(),
            delivered: events.delivered(),
            both_legs: events.both_legs,
            outcomes: events.outcomes.clone(),
            values: json(&events.values),
            sums: events.values.clone(),
        }
    }
}

impl Missing {
    fn of(paid: &Paid) -> Self {
        let (state, code) = match &paid.fate {
            Fate::Delivered => ("delivered".to_owned(), None),
            Fate::Waiting => ("waiting".to_owned(), None),
            Fate::Unreported => ("unreported".to_owned(), None),
            Fate::Ended { outcome, code } => (outcome.clone(), *code),
        };
        Self {
            order_id: paid.order_id.clone(),
            paid_ms: paid.at_ms,
            value: paid.money.json(),
            currency: paid.money.currency().as_str(),
            state,
            code,
            money: paid.money,
        }
    }

    /// Returns the first step that the order has not reached.
    fn gap(&self) -> &'static str {
        if self.state == "unreported" {
            "accepted"
        } else {
            "delivered"
        }
    }

    fn row(&self, view: &View) -> Row {
        let texts = view.texts();
        let kind = if self.state == "waiting" {
            "odd"
        } else {
            "bad"
        };
        let code = self
            .code
            .map(|code| format!(" ({code})"))
            .unwrap_or_default();
        Row {
            id: format!("missing-{}", self.order_id),
            cells: vec![
                why::link(view, &self.order_id),
                html! { (show::amount(self.money, view.language)) },
                html! { (State::new(kind, texts.outcome(&self.state) + &code)) },
                show::time(self.paid_ms),
            ],
        }
    }
}

fn json(sums: &BTreeMap<&'static str, Money>) -> BTreeMap<&'static str, Option<Box<RawValue>>> {
    sums.iter()
        .map(|(currency, sum)| (*currency, sum.json()))
        .collect()
}
