//! An order as an operator sees it: nothing of it is personal.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Order, Plan, Status};

/// What is shown of an order.
#[derive(Debug, Serialize, Deserialize)]
pub struct Summary {
    /// The shop's own id of it.
    pub order_id: String,
    /// How far it is.
    pub status: Status,
    /// What is to be paid, in major units; `None` while only pages named it.
    pub amount: Option<f64>,
    /// The currency of `amount`.
    pub currency: Option<String>,
    /// What has come so far, in dong.
    pub received: i64,
    /// What is bought, where it is a plan.
    pub plan: Plan,
    /// How many events wait for the payment.
    pub events_held: usize,
    /// The id of what was reported, under each event's name.
    pub event_ids: BTreeMap<String, String>,
    /// The names of the match keys its payment will carry.
    pub match_keys: Vec<String>,
    /// When it was last heard of, in Unix milliseconds.
    pub touched_ms: i64,
    /// When it was paid, in Unix milliseconds.
    pub paid_ms: Option<i64>,
}

impl Order {
    /// What an operator sees of it.
    pub fn summary(self) -> Summary {
        Summary {
            status: self.status(),
            match_keys: self
                .visitor
                .user()
                .keys()
                .map(ToString::to_string)
                .collect(),
            amount: self.bill.as_ref().map(|bill| bill.amount),
            currency: self.bill.map(|bill| bill.currency),
            order_id: self.id,
            received: self.received,
            plan: self.plan,
            events_held: self.held.len(),
            event_ids: self.reported,
            touched_ms: self.touched_ms,
            paid_ms: self.paid_ms,
        }
    }
}
