//! The money that has moved for an order: payments for the sale, later payments, refunds, chargebacks and voids.

use serde::{Deserialize, Deserializer, Serialize};

use super::Order;
use crate::{
    limits::DELIVERY_MS,
    money::{Kind, Money},
};

/// The total of all transfers of one kind in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// The kind of the transfers.
    pub kind: Kind,
    /// The total amount.
    pub money: Money,
}

/// A second payment for a sale that was already paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    /// The payment's provider and id.
    pub key: (String, String),
    /// The part of the payment that was not refunded.
    pub left: Money,
    /// The refunds of the payment, by kind and currency.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub back: Vec<Sum>,
}

/// The state of a subscription's first payment, if it did not pay the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FirstPayment {
    /// A renewal paid the order. The first payment can still come.
    Due,
    /// The first payment has come. It was free, or it came after a renewal that paid the order.
    Came,
}

/// The effect of a transfer on its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// The transfer pays the order.
    Paid,
    /// The transfer pays the order, and more money came than the registered amount.
    Overpaid,
    /// The provider states that the transfer pays the order, but the amount differs from the registered amount.
    Differs,
    /// The order needs more money before it is paid.
    Partial,
    /// The order was already paid. The shop must pay this money back to the payer.
    PaidBefore,
    /// The order is in another currency.
    OtherCurrency,
}

impl Received {
    /// Whether the transfer pays the order.
    pub fn pays(self) -> bool {
        matches!(self, Self::Paid | Self::Overpaid | Self::Differs)
    }
}

impl Order {
    /// Returns the money that has come for the sale so far.
    pub fn received(&self) -> Option<Money> {
        self.received
    }

    /// Adds a transfer to the sale. Transfers add up until they reach the registered amount. An order that only pages
    /// named has no trusted amount, so its first transfer pays the order. If all money of a paid order went back, later
    /// transfers pay the order again.
    pub fn receive(&mut self, money: Money, now_ms: i64) -> Received {
        let due = self.due();
        if self.is_sold() && !self.reopens() {
            return Received::PaidBefore;
        }
        if due.is_some_and(|due| due.currency() != money.currency()) {
            return Received::OtherCurrency;
        }
        let sum = self.received.and_then(|received| received.plus(money));
        self.replace_received(sum.unwrap_or(money), sum.is_none());
        self.touched_ms = now_ms;
        self.pay_off(now_ms).unwrap_or(Received::Partial)
    }

    /// Adds a transfer that pays the order because its provider says so. The transfer pays the order even if its amount
    /// differs from the registered amount.
    pub fn receive_whole(&mut self, money: Money, now_ms: i64) -> Received {
        if self.is_sold() && !self.reopens() {
            return Received::PaidBefore;
        }
        self.replace_received(money, true);
        self.touched_ms = now_ms;
        self.is_sold_at(now_ms);
        match self.due() {
            Some(due) if due != money => Received::Differs,
            _ => Received::Paid,
        }
    }

    /// Marks the order as paid if enough money has come. This is also needed after a registration, because the money can
    /// come before the registration.
    pub fn pay_off(&mut self, now_ms: i64) -> Option<Received> {
        let received = self.received.filter(|received| !received.is_zero())?;
        let due = self.due().unwrap_or(received);
        if self.is_sold() || !received.covers(due)? {
            return None;
        }
        self.is_sold_at(now_ms);
        Some(if received == due {
            Received::Paid
        } else {
            Received::Overpaid
        })
    }

    /// Returns all money that has moved, by kind and currency. The money of the sale comes first.
    pub fn sums(&self) -> Vec<Sum> {
        let mut sums = Vec::new();
        if let Some(received) = self.received {
            add(&mut sums, Kind::First, received);
        }
        for sum in &self.sums {
            add(&mut sums, sum.kind, sum.money);
        }
        sums
    }

    /// Returns the money of the order that is left after all payments and refunds, in the currency of the sale.
    pub fn net(&self) -> Option<Money> {
        let sums = self.sums();
        let sale = sums.iter().find(|sum| sum.kind == Kind::First)?;
        let nothing = Money::zero(sale.money.currency());
        Some(sums.iter().fold(nothing, |net, sum| {
            let next = if sum.kind.is_back() {
                net.minus(sum.money)
            } else {
                net.plus(sum.money)
            };
            next.unwrap_or(net)
        }))
    }

    /// Whether the order was paid, and all money of the order went back.
    pub fn is_returned(&self) -> bool {
        let is_back = self.sums.iter().any(|sum| sum.kind.is_back());
        let is_left = |net: Money| net.minor_units() > 0;
        self.is_paid() && is_back && !self.net().is_some_and(is_left)
    }

    /// Withdraws the events that reported the sale. Returns the ids of all withdrawn events of the order. Returns no ids
    /// if the sale is so old that none of its events can still be pending.
    pub fn withdraw_sale(&mut self, now_ms: i64) -> Vec<String> {
        if self
            .paid_ms
            .is_none_or(|paid_ms| now_ms >= paid_ms + DELIVERY_MS)
        {
            return Vec::new();
        }
        let mut event_ids: Vec<_> = self.reported_ids().cloned().collect();
        event_ids.append(&mut self.withdrawn);
        event_ids.sort_unstable();
        event_ids.dedup();
        self.withdrawn.clone_from(&event_ids);
        event_ids
    }

    /// Opens a paid order for a new payment if all its money went back. The next money then pays for the sale again.
    /// Returns whether the order is open.
    fn reopens(&mut self) -> bool {
        self.is_reopened = self.is_returned();
        if self.is_reopened
            && let Some(before) = self.received.take()
        {
            self.add(Kind::First, before);
        }
        self.is_reopened
    }

    fn is_sold_at(&mut self, now_ms: i64) {
        self.paid_ms = Some(now_ms);
        self.is_reopened = false;
    }

    /// Removes the withdrawal of the events that report the sale: the reported events, and the events with the ids in
    /// `own`. Returns the ids of the events whose withdrawal it has removed.
    pub fn restore_sale(&mut self, own: &[&str]) -> Vec<String> {
        let reported: Vec<_> = self.reported_ids().cloned().collect();
        let is_of_sale = |id: &mut String| reported.contains(id) || own.contains(&id.as_str());
        self.withdrawn.extract_if(.., is_of_sale).collect()
    }

    /// Returns the ids of the order's withdrawn events.
    pub fn withdrawn(&self) -> &[String] {
        &self.withdrawn
    }

    /// Stores that the first payment of the subscription was free. The next payment is then the sale.
    pub fn is_free_at_first(&mut self) {
        self.first = Some(FirstPayment::Came);
    }

    /// Stores that a renewal paid the order. The first payment can still come later, unless it was free.
    pub fn is_paid_by_renewal(&mut self) {
        self.first.get_or_insert(FirstPayment::Due);
    }

    /// Returns whether this first payment comes after a renewal that paid the order. Returns true only once, because the
    /// first payment comes only once.
    pub fn takes_late_first(&mut self) -> bool {
        let is_late = self.first == Some(FirstPayment::Due);
        if is_late {
            self.first = Some(FirstPayment::Came);
        }
        is_late
    }

    /// Adds a second payment. Does nothing if its currency differs from the currency of the sale.
    pub fn owes(&mut self, key: (String, String), money: Money) {
        let is_like = |sale: Money| sale.currency() == money.currency();
        if self.received.is_some_and(is_like) {
            self.owed.push(Owed {
                key,
                left: money,
                back: Vec::new(),
            });
        }
    }

    /// Returns the providers and ids of the second payments.
    pub fn owed(&self) -> impl Iterator<Item = &(String, String)> {
        self.owed.iter().map(|owed| &owed.key)
    }

    /// Subtracts a refund from the money received for the sale. The caller must ensure that the order is not paid yet.
    pub fn returns_before_sale(&mut self, money: Money) {
        if let Some(left) = self.received.and_then(|received| received.minus(money)) {
            self.received = Some(left).filter(|left| left.minor_units() > 0);
            self.add(Kind::First, money);
        }
    }

    /// Subtracts a refund from a second payment.
    pub fn repays(&mut self, key: &(String, String), kind: Kind, money: Money) {
        for owed in self.owed.iter_mut().filter(|owed| owed.key == *key) {
            if let Some(left) = owed.left.minus(money) {
                owed.left = left;
                add(&mut owed.back, kind, money);
            }
        }
        self.owed.retain(|owed| owed.left.minor_units() > 0);
    }

    /// Makes the oldest second payment the payment of the sale, if all other money of the sale went back. Returns this
    /// payment.
    pub fn uses_owed(&mut self) -> Option<Owed> {
        if self.owed.is_empty() || !self.is_returned() {
            return None;
        }
        let owed = self.owed.remove(0);
        let back = owed.back.iter().map(|sum| sum.money);
        let whole = back.fold(owed.left, |whole, back| whole.plus(back).unwrap_or(whole));
        self.replace_received(whole, true);
        for sum in &owed.back {
            self.add(sum.kind, sum.money);
        }
        Some(owed)
    }

    /// Adds a payment that was refunded completely, if all money of the sale went back too. The payment does not become
    /// the sale. Returns whether the payment was added.
    pub fn receive_returned(&mut self, money: Money) -> bool {
        let is_spent = self.is_sold() && self.is_returned();
        if is_spent {
            self.add(Kind::First, money);
        }
        is_spent
    }

    /// Stores that one event of the order is withdrawn, such as the event of a renewal.
    pub fn withdraw_event(&mut self, event_id: &str) {
        if self.withdrawn.iter().all(|known| known != event_id) {
            self.withdrawn.push(event_id.to_owned());
        }
    }

    /// Sets the money that has come for the sale. With `is_apart`, the earlier money is kept as a separate sum.
    fn replace_received(&mut self, money: Money, is_apart: bool) {
        if let Some(before) = self.received.replace(money).filter(|_| is_apart) {
            self.add(Kind::First, before);
        }
    }

    /// Adds money that does not count as received money of the sale.
    pub fn add(&mut self, kind: Kind, money: Money) {
        add(&mut self.sums, kind, money);
    }

    /// Subtracts money from the sum of this kind, because it turned out not to belong to the sale.
    pub fn remove(&mut self, kind: Kind, money: Money) {
        for sum in self.sums.iter_mut().filter(|sum| sum.kind == kind) {
            sum.money = sum.money.minus(money).unwrap_or(sum.money);
        }
        self.sums.retain(|sum| sum.money.minor_units() > 0);
    }
}

/// Adds money to the sum of its kind and currency.
fn add(sums: &mut Vec<Sum>, kind: Kind, money: Money) {
    let is_same = |sum: &&mut Sum| sum.kind == kind && sum.money.currency() == money.currency();
    match sums.iter_mut().find(is_same) {
        Some(sum) => sum.money = sum.money.plus(money).unwrap_or(sum.money),
        None => sums.push(Sum { kind, money }),
    }
}

/// Reads the received money. An older version stored 0 dong for no money.
pub(super) fn received<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Money>, D::Error> {
    let received = Option::<Money>::deserialize(from)?;
    Ok(received.filter(|money| !money.is_zero()))
}
