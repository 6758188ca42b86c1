//! What an order remembers: what is to be paid, what has been, who began it, and what was reported of it. Pure:
//! time comes in as an argument, and what follows goes out as a value.
//!
//! An order is registered by the shop's server, or begun by the page's own events. It is paid by transfers, and by
//! nothing else. Money here is whole dong: that is what every provider moves.
//!
//! Whether a paid order is reported to TikTok is decided by the order alone, from what it remembers as reported. The
//! queue's deduplication memory has no say: it knows an event's id long after the event was given up.

use std::collections::BTreeMap;

use duet_events::{EventId, EventName};
use serde::{Deserialize, Serialize};

use crate::limits::{PAID_ORDER_MS, UNPAID_ORDER_MS};

mod bill;
mod conversion;
mod event_text;
mod summary;
mod visitor;

use bill::Bill;
pub use bill::Unregistered;
pub use conversion::{Conversion, with_payment};
pub use event_text::EventText;
pub use summary::Summary;
pub use visitor::{By, Visitor};

/// The names that report a payment, as [`EventName::canonical`] gives them.
const SALES: [&str; 2] = ["Purchase", "Subscribe"];

/// One order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    id: String,
    /// When it was last heard of, in Unix milliseconds.
    touched_ms: i64,
    /// An event names it, but it is not begun: no transfer can pay it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    only_noted: bool,
    /// When it was begun, in Unix milliseconds; `None` also for orders that an older version began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begun_ms: Option<i64>,
    /// What the shop's server registered; `None` while only pages named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bill: Option<Bill>,
    /// Digests of the registrations that the present one replaced, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    former: Vec<String>,
    #[serde(default)]
    plan: Plan,
    #[serde(default)]
    visitor: Visitor,
    /// What has come so far, in dong.
    #[serde(default)]
    received: i64,
    /// When it was paid, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paid_ms: Option<i64>,
    /// Where its events wait that are reported once it is paid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    held: Vec<Held>,
    /// What was reported of it: the id under each event's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    reported: BTreeMap<String, String>,
}

/// What is bought, where it is a plan.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Plan {
    /// The shop's own id of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What the shop calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How often it is paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_cycle: Option<String>,
}

/// An event that waits for the payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Its name in TikTok's memory.
    pub name: String,
    /// When it is given up, in Unix milliseconds.
    pub until_ms: i64,
    /// Its number in the queue.
    pub sequence: u64,
    /// Whether it has the id that is derived from the order, which the Pixel's copy has unless a page chose another.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_derived: bool,
}

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nobody has named it.
    Unknown,
    /// Nothing has come.
    Pending,
    /// Less has come than is to be paid.
    Partial,
    /// It is paid.
    Paid,
}

/// What a transfer does to its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// The order is paid by it; `over` dong too much have come.
    Paid {
        /// In dong.
        over: i64,
    },
    /// More has to come.
    Partial,
    /// The order was paid before: somebody is owed this money.
    PaidBefore,
    /// The order is in another currency.
    OtherCurrency,
}

/// What becomes of a page's word for a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It waits for the payment.
    Hold,
    /// The order is paid: it goes out, with the bank's amount.
    Pass {
        /// In dong.
        received: i64,
    },
    /// This order has such an event already.
    Repeat,
}

impl Order {
    /// An order that is named for the first time.
    pub fn begin(id: &str, now_ms: i64) -> Self {
        Self {
            id: id.to_owned(),
            touched_ms: now_ms,
            only_noted: false,
            begun_ms: Some(now_ms),
            bill: None,
            former: Vec::new(),
            plan: Plan::default(),
            visitor: Visitor::default(),
            received: 0,
            paid_ms: None,
            held: Vec::new(),
            reported: BTreeMap::new(),
        }
    }

    /// An order that an event names without beginning it. It keeps what was reported of it and the events that wait
    /// for its payment, should it be begun later.
    pub fn note(id: &str, now_ms: i64) -> Self {
        Self {
            only_noted: true,
            begun_ms: None,
            ..Self::begin(id, now_ms)
        }
    }

    /// Makes an order that was only noted one that can be paid.
    pub fn begins(&mut self, now_ms: i64) {
        if self.only_noted {
            self.only_noted = false;
            self.begun_ms = Some(now_ms);
        }
    }

    /// When it was begun, in Unix milliseconds; 0 if an older version began it.
    pub fn begun_ms(&self) -> i64 {
        self.begun_ms.unwrap_or_default()
    }

    /// Whether it was begun or registered, so that it can be paid.
    pub fn is_begun(&self) -> bool {
        !self.only_noted
    }

    /// Whether there is anything to keep of it.
    pub fn is_worth_keeping(&self) -> bool {
        self.is_begun() || !self.held.is_empty() || !self.reported.is_empty()
    }

    /// The shop's own id of it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether the shop's server spoke of it.
    pub fn is_registered(&self) -> bool {
        self.bill.is_some()
    }

    /// How far it is.
    pub fn status(&self) -> Status {
        match (self.paid_ms, self.received) {
            _ if self.only_noted => Status::Unknown,
            (Some(_), _) => Status::Paid,
            (None, 0) => Status::Pending,
            (None, _) => Status::Partial,
        }
    }

    /// What was reported of it: the id under each event's name.
    pub fn reported(&self) -> &BTreeMap<String, String> {
        &self.reported
    }

    /// What is to be paid, in major units of a currency; `None` while only pages named it.
    pub fn amount(&self) -> Option<(f64, &str)> {
        let bill = self.bill.as_ref()?;
        Some((bill.amount, &bill.currency))
    }

    /// What has come so far, in dong.
    pub fn received(&self) -> i64 {
        self.received
    }

    /// Whether it is forgotten by now.
    pub fn is_over(&self, now_ms: i64) -> bool {
        let end = match self.paid_ms {
            Some(paid) => paid + PAID_ORDER_MS,
            None if self.reported.is_empty() => self.touched_ms + UNPAID_ORDER_MS,
            None => self.touched_ms + PAID_ORDER_MS,
        };
        now_ms >= end
    }

    /// Remembers who named it, unless it is paid: then the page is read by whoever has its address.
    pub fn is_named_by(&mut self, event: &EventText<'_>, by: By, now_ms: i64) {
        if self.paid_ms.is_some() {
            return;
        }
        self.touched_ms = now_ms;
        self.visitor.came_with(event, by);
        if self.bill.is_none() {
            self.plan.read(event);
        }
    }

    /// Notes that an event was reported of it.
    pub fn reports(&mut self, name: &str, event_id: &str) {
        self.reported.insert(name.to_owned(), event_id.to_owned());
    }

    /// Takes back that an event was reported of it, because TikTok does not have it; whether anything changed.
    pub fn takes_back(&mut self, name: &str, event_id: &str) -> bool {
        let is_known = self.reported.get(name).is_some_and(|id| id == event_id);
        if is_known {
            self.reported.remove(name);
        }
        is_known
    }

    /// Whether it is paid and TikTok has not been told, nor will be.
    pub fn is_unreported(&self) -> bool {
        self.paid_ms.is_some() && !SALES.into_iter().any(|name| self.has_reported(name))
    }

    /// What becomes of a page's word that it was paid, in an event with this name and id. One event of each name is held;
    /// beside one with an id of its own, which may be a stranger's, also the one with the derived id.
    pub fn gate(&self, name: &EventName, event_id: &str) -> Gate {
        let mut held = self
            .held
            .iter()
            .filter(|held| held.name == name.canonical());
        let is_derived = self.derives(name, event_id);
        let is_held = held.any(|held| held.is_derived || !is_derived);
        if is_held || self.has_reported(name.canonical()) {
            Gate::Repeat
        } else if self.paid_ms.is_some() {
            Gate::Pass {
                received: self.received,
            }
        } else {
            Gate::Hold
        }
    }

    /// Whether an event that TikTok takes for the same was reported of it.
    pub fn has_reported(&self, canonical: &str) -> bool {
        let name = |name: &String| EventName::parse(name).ok();
        self.reported
            .keys()
            .filter_map(name)
            .any(|name| name.canonical() == canonical)
    }

    /// Whether the id is the one that both legs derive from this order.
    pub fn derives(&self, name: &EventName, event_id: &str) -> bool {
        EventId::derive(name.as_str(), &self.id).as_str() == event_id
    }

    /// Has an event wait for the payment.
    pub fn hold(&mut self, held: Held) {
        self.held.push(held);
    }

    /// Returns the held events, which are held no longer. Those with the derived id come first.
    pub fn release(&mut self) -> Vec<Held> {
        let mut held = std::mem::take(&mut self.held);
        held.sort_by_key(|held| !held.is_derived);
        held
    }

    /// As [`Order::release`], of the events with this name.
    pub fn release_named(&mut self, canonical: &str) -> Vec<Held> {
        let is_named = |held: &mut Held| held.name == canonical;
        self.held.extract_if(.., is_named).collect()
    }

    /// Gives up one event that waits.
    pub fn give_up(&mut self, sequence: u64) {
        self.held.retain(|held| held.sequence != sequence);
    }

    /// Takes a transfer of `dong`. Transfers add up until the registered amount is reached; an order that only
    /// pages named has no amount that could be relied on, and is paid by its first.
    pub fn receive(&mut self, dong: i64, now_ms: i64) -> Received {
        if self.paid_ms.is_some() {
            return Received::PaidBefore;
        }
        if self.bill.as_ref().is_some_and(|bill| bill.dong().is_none()) {
            return Received::OtherCurrency;
        }
        self.received = self.received.saturating_add(dong);
        self.touched_ms = now_ms;
        match self.pay_off(now_ms) {
            Some(over) => Received::Paid { over },
            None => Received::Partial,
        }
    }

    /// Calls it paid where what has come is enough; how much more than that it is, in dong. A registration may
    /// come after the money.
    pub fn pay_off(&mut self, now_ms: i64) -> Option<i64> {
        let due = match &self.bill {
            None => self.received,
            Some(bill) => bill.dong()?,
        };
        if self.paid_ms.is_some() || self.received == 0 || self.received < due {
            return None;
        }
        self.paid_ms = Some(now_ms);
        Some(self.received - due)
    }
}

impl Plan {
    /// What makes its payment a subscription.
    fn is_named(&self) -> bool {
        self.id.is_some() || self.name.is_some() || self.billing_cycle.is_some()
    }

    /// Pages name it in the properties of their events.
    fn read(&mut self, event: &EventText<'_>) {
        for (place, name) in [
            (&mut self.id, "plan_id"),
            (&mut self.name, "plan_name"),
            (&mut self.billing_cycle, "billing_cycle"),
        ] {
            if let Some(text) = event.property(name) {
                *place = Some(text);
            }
        }
    }
}

#[cfg(test)]
mod tests;
