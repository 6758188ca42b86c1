//! An order as an operator sees it, without personal data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Order, Plan, Status, Sum};
use crate::money::{Currency, Kind, Money};

/// The fields of an order that are shown.
#[derive(Debug, Serialize, Deserialize)]
pub struct Summary {
    /// The shop's own id of the order.
    pub order_id: String,
    /// The payment status.
    pub status: Status,
    /// The amount to pay, in units of `currency`. `None` while only pages have named the order.
    pub amount: Option<Box<RawValue>>,
    /// The currency of `amount`.
    pub currency: Option<String>,
    /// The money that has come for the sale so far, in units of `received_currency`, or 0.
    pub received: Option<Box<RawValue>>,
    /// The currency of `received` and `net_value`.
    pub received_currency: Option<String>,
    /// The money of the order that is left after all payments and refunds, in the currency of the sale.
    pub net_value: Option<Box<RawValue>>,
    /// All money that has moved, by kind.
    pub kinds: Vec<Moved>,
    /// The ids by which payment providers know the order, one for each provider.
    pub references: BTreeMap<String, String>,
    /// The plan that the order buys, if any.
    pub plan: Plan,
    /// How many events are held until the order is paid.
    pub events_held: usize,
    /// The pixels of the events that began the order, or, if there are none, the pixels in the order's registration.
    #[serde(default)]
    pub pixel_ids: Vec<String>,
    /// The ids of the reported events, by event name.
    pub event_ids: BTreeMap<String, String>,
    /// The names of the match keys that the payment's event will have.
    pub match_keys: Vec<String>,
    /// When the order last changed or was named, in Unix milliseconds.
    pub touched_ms: i64,
    /// When the order was paid, in Unix milliseconds.
    pub paid_ms: Option<i64>,
}

/// The money of one kind in one currency.
#[derive(Debug, Serialize, Deserialize)]
pub struct Moved {
    /// The kind of the transfers.
    pub kind: Kind,
    /// The amount, in units of `currency`.
    pub value: Option<Box<RawValue>>,
    /// The currency of `value`.
    pub currency: String,
}

impl From<Sum> for Moved {
    fn from(Sum { kind, money }: Sum) -> Self {
        Self {
            kind,
            value: money.json(),
            currency: money.currency().as_str().to_owned(),
        }
    }
}

impl Order {
    /// Returns the order as an operator sees it.
    pub fn summary(self) -> Summary {
        let nothing = Money::zero(Currency::VND);
        let code = |money: Money| money.currency().as_str().to_owned();
        Summary {
            status: self.status(),
            pixel_ids: {
                let [begun, registered] = self.pixel_ids();
                if begun.is_empty() { registered } else { begun }.to_vec()
            },
            match_keys: self
                .visitor
                .user()
                .keys()
                .map(ToString::to_string)
                .collect(),
            amount: self.due().and_then(Money::json),
            currency: self.due().map(code),
            received_currency: self.received.map(code),
            net_value: self.net().and_then(Money::json),
            kinds: self.sums().into_iter().map(Moved::from).collect(),
            references: self.references,
            order_id: self.id,
            received: self.received.unwrap_or(nothing).json(),
            plan: self.plan,
            events_held: self.held.len(),
            event_ids: self.reported,
            touched_ms: self.touched_ms,
            paid_ms: self.paid_ms,
        }
    }
}
