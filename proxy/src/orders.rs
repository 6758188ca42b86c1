//! An order stores the amount to pay, the received money, the visitor who began it, and the events that were reported. This
//! module is pure: callers pass the time as an argument, and functions return their results as values.
//!
//! The shop's server registers an order, or a page's event begins the order. Only transfers can pay an order.
//!
//! The order alone decides whether a payment is reported to TikTok. An order has a list of its own reported events. It
//! does not use the queue's deduplication memory, because this memory still contains the id of an event long after the
//! event has expired.

use std::collections::BTreeMap;

use duet_events::{EventId, EventName};
use serde::{Deserialize, Serialize};

use crate::{
    limits::{PAID_ORDER_MS, UNPAID_ORDER_MS},
    money::Money,
};

mod bill;
mod conversion;
mod event_text;
mod ledger;
mod pixels;
mod summary;
mod visitor;

use bill::Bill;
pub use bill::Unregistered;
pub use conversion::{Conversion, Renewal, with_payment};
pub use event_text::EventText;
use ledger::FirstPayment;
pub use ledger::{Owed, Received, Sum};
use pixels::Pixels;
pub use summary::{Moved, Summary};
pub use visitor::{By, Visitor};

/// An order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    id: String,
    /// When the order last changed or was named, in Unix milliseconds.
    touched_ms: i64,
    /// Whether events have named the order, but no event has begun it. No transfer can pay such an order.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    only_noted: bool,
    /// When the order was begun, in Unix milliseconds. `None` if nothing has begun the order yet, or if an older version
    /// began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begun_ms: Option<i64>,
    /// The registration by the shop's server. `None` while only pages have named the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bill: Option<Bill>,
    /// Digests of the earlier registrations, which the current registration has replaced, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    former: Vec<String>,
    /// The ids by which payment providers know the order, one for each provider.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    references: BTreeMap<String, String>,
    #[serde(default)]
    plan: Plan,
    #[serde(default)]
    visitor: Visitor,
    /// The money that has come for the sale so far. Second payments for a sale that is already paid are not included.
    #[serde(default, deserialize_with = "ledger::received")]
    received: Option<Money>,
    /// All other money: later payments of a subscription, and money that went back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sums: Vec<Sum>,
    /// The second payments for the same sale, the oldest first. The shop must pay their money back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    owed: Vec<Owed>,
    /// For a subscription: whether its first payment has come or can still come. `None` if the first payment has paid the
    /// order, or if nothing is known about the first payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<FirstPayment>,
    /// When an event last described the visitor, in Unix milliseconds. `None` for orders of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    named_ms: Option<i64>,
    /// When the order was paid, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paid_ms: Option<i64>,
    /// Whether all money of the paid order went back, and the money that has come since then is less than the amount to
    /// pay.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_reopened: bool,
    /// The events that are held until the order is paid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    held: Vec<Held>,
    /// The names of the events that were reported to any pixel, each with the event's id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    reported: BTreeMap<String, String>,
    /// The pixels to which events of the order were reported, and the pixels for the payment's event.
    #[serde(default, skip_serializing_if = "Pixels::is_empty")]
    pixels: Pixels,
    /// The ids of the order's events that must not be sent any more. An event that was sent before its withdrawal stays
    /// sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    withdrawn: Vec<String>,
}

/// The plan that the order buys, if any.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Plan {
    /// The shop's own id of the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The shop's name for the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How often the plan is paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_cycle: Option<String>,
}

/// An event that is held until the order is paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The canonical form of the event's name, see [`EventName::canonical`].
    pub name: String,
    /// When the event expires, in Unix milliseconds.
    pub until_ms: i64,
    /// The event's number in the queue.
    pub sequence: u64,
    /// Whether the event has the id that is derived from the order. The Pixel's copy has this id too, unless the page
    /// chose another id.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_derived: bool,
    /// The event's pixel. `None` if an older version held the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pixel_id: Option<String>,
}

/// The payment status of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// No request has named the order.
    Unknown,
    /// No money has come.
    Pending,
    /// Some money has come, but less than the amount to pay.
    Partial,
    /// The order is paid.
    Paid,
}

/// How to handle a page's event that reports a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// The event is held until the order is paid.
    Hold,
    /// The order is paid. The event is sent with the provider's amount.
    Pass {
        /// The money that has come for the sale.
        received: Money,
    },
    /// The order already has an event with this name for this pixel, or its money went back. The new event is a
    /// duplicate.
    Repeat,
}

impl Order {
    /// Creates an order that is named for the first time, and begins it.
    pub fn begin(id: &str, now_ms: i64) -> Self {
        Self {
            id: id.to_owned(),
            touched_ms: now_ms,
            only_noted: false,
            begun_ms: Some(now_ms),
            bill: None,
            former: Vec::new(),
            references: BTreeMap::new(),
            plan: Plan::default(),
            visitor: Visitor::default(),
            received: None,
            sums: Vec::new(),
            owed: Vec::new(),
            first: None,
            named_ms: None,
            paid_ms: None,
            is_reopened: false,
            held: Vec::new(),
            reported: BTreeMap::new(),
            pixels: Pixels::default(),
            withdrawn: Vec::new(),
        }
    }

    /// Creates an order for an event that names the order but does not begin it. The order stores its reported events
    /// and its held events. These events are needed if another event, or the shop's server, begins the order later.
    pub fn note(id: &str, now_ms: i64) -> Self {
        Self {
            only_noted: true,
            begun_ms: None,
            ..Self::begin(id, now_ms)
        }
    }

    /// Begins an order that events have only named. After this the order can be paid.
    pub fn begins(&mut self, now_ms: i64) {
        if self.only_noted {
            self.only_noted = false;
            self.begun_ms = Some(now_ms);
        }
    }

    /// Returns when the order was begun, in Unix milliseconds, or 0 if an older version began it.
    pub fn begun_ms(&self) -> i64 {
        self.begun_ms.unwrap_or_default()
    }

    /// Whether the order was begun or registered. Only such an order can be paid.
    pub fn is_begun(&self) -> bool {
        !self.only_noted
    }

    /// Whether the order has any data to store.
    pub fn is_worth_keeping(&self) -> bool {
        self.is_begun() || !self.held.is_empty() || !self.reported.is_empty()
    }

    /// Returns the shop's own id of the order.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether the shop's server has registered the order.
    pub fn is_registered(&self) -> bool {
        self.bill.is_some()
    }

    /// Returns the order's payment status.
    pub fn status(&self) -> Status {
        match (self.paid_ms, self.received) {
            _ if self.only_noted => Status::Unknown,
            (Some(_), _) => Status::Paid,
            (None, None) => Status::Pending,
            (None, Some(_)) => Status::Partial,
        }
    }

    /// Whether the order is paid.
    pub fn is_paid(&self) -> bool {
        self.paid_ms.is_some()
    }

    /// Whether the order is paid, and was not opened again for a new payment after all its money went back.
    pub fn is_sold(&self) -> bool {
        self.is_paid() && !self.is_reopened
    }

    /// Returns when the order was paid, in Unix milliseconds.
    pub fn paid_ms(&self) -> Option<i64> {
        self.paid_ms
    }

    /// Returns the ids by which payment providers know the order, one for each provider.
    pub fn references(&self) -> &BTreeMap<String, String> {
        &self.references
    }

    /// Returns the amount to pay, or `None` while only pages have named the order.
    pub fn due(&self) -> Option<Money> {
        self.bill.as_ref().map(|bill| bill.due)
    }

    /// Whether the order has expired.
    pub fn is_over(&self, now_ms: i64) -> bool {
        let end = match self.paid_ms {
            Some(paid) => paid + PAID_ORDER_MS,
            None if self.reported.is_empty() => self.touched_ms + UNPAID_ORDER_MS,
            None => self.touched_ms + PAID_ORDER_MS,
        };
        now_ms >= end
    }

    /// Stores the data about the visitor from an event that names the order. Does nothing if the order is paid: anybody
    /// who has the address of a paid order's page can open the page. The page then sends such an event, which would
    /// replace the data about the payer.
    pub fn is_named_by(&mut self, event: &EventText<'_>, by: By, now_ms: i64) {
        if self.paid_ms.is_some() {
            return;
        }
        self.touched_ms = now_ms;
        self.named_ms = Some(now_ms);
        self.visitor.came_with(event, by);
        if self.bill.is_none() {
            self.plan.read(event);
        }
    }

    /// Decides how to handle a page's event that reports the payment, by the event's name, id and pixel. For each name
    /// and pixel, one event is held. If its id is not the id that is derived from the order, that event may come from a
    /// stranger. In this case an event with the derived id is held as well.
    pub fn gate(&self, name: &EventName, event_id: &str, pixel_id: &str) -> Gate {
        let mut held = self
            .held
            .iter()
            .filter(|held| held.is_like(name.canonical(), pixel_id));
        let is_derived = self.derives(name, event_id);
        let is_held = held.any(|held| held.is_derived || !is_derived);
        if is_held || self.has_reported(name.canonical(), pixel_id) || self.is_returned() {
            Gate::Repeat
        } else if let (true, Some(received)) = (self.is_sold(), self.received) {
            Gate::Pass { received }
        } else {
            Gate::Hold
        }
    }

    /// Whether `event_id` is the id that both legs derive from the order for an event with this name.
    pub fn derives(&self, name: &EventName, event_id: &str) -> bool {
        EventId::derive(name.as_str(), &self.id).as_str() == event_id
    }

    /// Holds an event until the order is paid.
    pub fn hold(&mut self, held: Held) {
        self.held.push(held);
    }

    /// Removes and returns the held events. Events with the derived id come first.
    pub fn release(&mut self) -> Vec<Held> {
        let mut held = std::mem::take(&mut self.held);
        held.sort_by_key(|held| !held.is_derived);
        held
    }

    /// Removes and returns the held events with this name and pixel, in the order in which they were held.
    pub fn release_named(&mut self, canonical: &str, pixel_id: &str) -> Vec<Held> {
        let is_named = |held: &mut Held| held.is_like(canonical, pixel_id);
        self.held.extract_if(.., is_named).collect()
    }

    /// Removes the held event with this sequence number.
    pub fn give_up(&mut self, sequence: u64) {
        self.held.retain(|held| held.sequence != sequence);
    }
}

impl Held {
    fn is_like(&self, canonical: &str, pixel_id: &str) -> bool {
        let of_pixel = self.pixel_id.as_deref();
        self.name == canonical && of_pixel.is_none_or(|known| known == pixel_id)
    }
}

impl Plan {
    /// Whether the order names a plan. The payment of such an order is a subscription.
    fn is_named(&self) -> bool {
        self.id.is_some() || self.name.is_some() || self.billing_cycle.is_some()
    }

    /// Reads the plan from the properties of a page's event.
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
