//! The section *Money*: the transfers that payment providers reported, the result of each transfer, and the state of its order.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    show::{self, Row, State},
    view::View,
    why,
};
use crate::{
    decide::{Became, Payment},
    money::Kind,
    orders::{self, Order},
    queue::{Error, Orders},
};

/// The largest number of transfers that are listed.
const LISTED: usize = 100;

/// The transfers of the last 90 days.
#[derive(Default, Serialize)]
pub(super) struct Money {
    /// The number of transfers of each result.
    became: BTreeMap<&'static str, usize>,
    /// The number of transfers that need manual review.
    pub(super) to_review: usize,
    /// The newest transfers.
    pub(super) newest: Vec<Transfer>,
    /// The newest transfers that need manual review.
    pub(super) review: Vec<Transfer>,
    /// The providers that have reported at least one stored transfer.
    #[serde(skip)]
    pub(super) providers: BTreeSet<String>,
}

/// One transfer. It has no memo, no name and no account number.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Transfer {
    at_ms: i64,
    provider: String,
    id: String,
    reference: Option<String>,
    kind: Kind,
    amount: Option<Box<RawValue>>,
    currency: &'static str,
    became: Became,
    reason: Option<String>,
    order_id: Option<String>,
    order: Option<OfOrder>,
    #[serde(skip)]
    money: crate::money::Money,
}

/// The order that a transfer is for.
#[derive(Clone, Debug, Serialize)]
struct OfOrder {
    status: orders::Status,
    /// The events that were reported for the order, by name.
    event_ids: BTreeMap<String, String>,
    /// The amount to pay. `None` while only pages have named the order.
    #[serde(skip)]
    due: Option<crate::money::Money>,
}

impl Money {
    /// Reads the transfers and their orders from the disk.
    pub(super) fn read(orders: &Orders) -> Result<Self, Error> {
        let mut payments = orders.payments()?;
        payments.sort_by_key(|payment| std::cmp::Reverse(payment.at_ms));
        let mut money = Self::default();
        for payment in &payments {
            *money.became.entry(payment.became.label()).or_default() += 1;
            money.to_review += usize::from(payment.became.is_parked());
            money.providers.insert(payment.provider.clone());
        }
        let is_parked = |payment: &&Payment| payment.became.is_parked();
        let of = |payment| Transfer::of(payment, orders);
        money.newest = payments
            .iter()
            .take(LISTED)
            .map(of)
            .collect::<Result<_, _>>()?;
        let parked = payments.iter().filter(is_parked).take(LISTED);
        money.review = parked.map(of).collect::<Result<_, _>>()?;
        Ok(money)
    }

    pub(super) fn html(&self, view: &View) -> Markup {
        let texts = view.texts();
        let is_review = view.part("transfers") == Some("review");
        let shown = if is_review {
            &self.review
        } else {
            &self.newest
        };
        let all: usize = self.became.values().sum();
        let number = |number: usize| show::count(number as u64, view.language);
        let content = html! {
                p.filters {
                    a href=(view.link(&[("transfers", None)], "money")) aria-current=[(!is_review).then_some("true")] {
                        (texts.all_transfers) " " (number(all))
                    }
                    " "
                    a href=(view.link(&[("transfers", Some("review"))], "money")) aria-current=[is_review.then_some("true")] {
                        (texts.to_review) " " (number(self.to_review))
                    }
                }
                @if shown.is_empty() {
                    p { @if is_review { (texts.nothing_unmatched) } @else { (texts.no_transfers) } }
                } @else {
                    (show::table("transfers", texts.transfers, &texts.transfer_columns, shown.iter().map(|transfer| transfer.row(view)).collect()))
                }
                p.export {
                    a href="/console/api/money?format=csv" download { "CSV" } " "
                    a href="/console/api/money?format=ndjson" download { "NDJSON" }
                }
        };
        let section = show::Section {
            id: "money",
            title: texts.money,
            note: Some(html! { (texts.to_review) " " (number(self.to_review)) }),
            is_open: view.part("transfers").is_some(),
        };
        section.of(&content)
    }
}

impl Transfer {
    fn of(payment: &Payment, orders: &Orders) -> Result<Self, Error> {
        let order = payment.order_id.as_deref().map(|id| orders.find(id));
        let order = order.transpose()?.flatten().map(OfOrder::of);
        Ok(Self {
            at_ms: payment.at_ms,
            provider: payment.provider.clone(),
            id: payment.id.clone(),
            reference: payment.reference.clone(),
            kind: payment.kind,
            amount: payment.amount.json(),
            currency: payment.amount.currency().as_str(),
            became: payment.became,
            reason: payment.reason.clone(),
            order_id: payment.order_id.clone(),
            order,
            money: payment.amount,
        })
    }

    fn row(&self, view: &View) -> Row {
        let texts = view.texts();
        let kind = if self.became.is_parked() {
            "odd"
        } else {
            "good"
        };
        let id = format!("{}:{}", self.provider, self.id);
        Row {
            id: format!("transfer-{id}"),
            cells: vec![
                html! { (show::amount(self.money, view.language)) },
                html! {
                    (State::new(kind, texts.became(self.became)))
                    @if let Some(reason) = &self.reason { " " span.said { (reason) } }
                },
                html! { @match &self.order_id { Some(id) => (why::link(view, id)), None => "–" } },
                html! {
                    @if let Some(order) = &self.order { (order.html(view)) } @else { "–" }
                },
                html! { (self.provider) " " code { (self.id) } },
                show::time(self.at_ms),
            ],
        }
    }
}

impl OfOrder {
    fn of(order: Order) -> Self {
        Self {
            status: order.status(),
            due: order.due(),
            event_ids: order.summary().event_ids,
        }
    }

    /// Returns the order's status and the events that were reported for it.
    fn html(&self, view: &View) -> Markup {
        let texts = view.texts();
        html! {
            (texts.order_status(self.status))
            @if let Some(due) = self.due { " (" (show::amount(due, view.language)) ")" }
            @if !self.event_ids.is_empty() {
                ", " (texts.reported) " "
                (self.event_ids.keys().map(String::as_str).collect::<Vec<_>>().join(", "))
            }
        }
    }
}
