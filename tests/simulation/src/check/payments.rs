//! Checks the payments, refunds and renewals of orders.

use duet_events::EventId;
use duet_proxy::{decide::Became, money::Kind, orders::Status};

use crate::{
    process::Process,
    shop::{Paying, ShopOrder},
    world::World,
};

impl World {
    /// Returns the later payments and refunds of an order that the proxy has accepted.
    fn taken<'a>(&'a self, order: &'a ShopOrder) -> impl Iterator<Item = &'a Paying> {
        let others = order.others.iter().map(|paying| &self.payings[*paying]);
        others.filter(|paying| paying.became.is_some())
    }

    /// Returns whether the refunds of the order have reached the order's whole amount.
    pub(crate) fn is_taken_back(&self, order: &ShopOrder) -> bool {
        let back = self.taken(order).filter(|paying| paying.kind.is_back());
        back.map(|paying| paying.amount).sum::<i64>() >= order.amount
    }

    /// Checks card payments. A card payment can arrive before or after the registration of its order, and its notifications
    /// can have several ids. Renewals must be reported only if the shop wants them. The order must have the right remaining
    /// amount.
    pub(super) fn check_cards(&self) -> Result<(), String> {
        if self.started_wrong {
            return Ok(());
        }
        let by_card = |order: &&ShopOrder| !order.is_withdrawn && order.card.is_some();
        for order in self.orders.iter().filter(by_card) {
            let id = &order.id;
            let mut payments = order.transfers.iter().map(|paying| &self.payings[*paying]);
            let is_taken = payments.any(|paying| paying.became.is_some());
            let is_paid = self.paid.contains_key(id);
            if order.is_registered && is_taken && !is_paid {
                return Err(format!(
                    "{id} is registered and its payment came, but the order is not paid"
                ));
            }
            let Some(known) = self.process().and_then(|process| process.order(id)) else {
                continue;
            };
            if !is_paid {
                continue;
            }
            // If the whole sale was refunded, a later renewal can become the sale.
            let is_counted = |paying: &&Paying| {
                paying.kind.is_back()
                    || paying.became.is_some_and(|(became, _)| {
                        became == Became::Renewed || paying.kind == Kind::Renewal
                    })
            };
            let moved = self.taken(order).filter(is_counted).map(|paying| {
                let sign = if paying.kind.is_back() { -1 } else { 1 };
                sign * paying.amount
            });
            let left = order.amount + moved.sum::<i64>();
            let net = known.net().map(duet_proxy::money::Money::minor_units);
            if net != Some(left) && self.knows_renewals(order) {
                return Err(format!(
                    "{left} of {id} must be left, but the order has {net:?}"
                ));
            }
            self.check_renewals(order)?;
        }
        Ok(())
    }

    /// Returns whether each renewal came after its order was paid. A renewal that comes earlier is only recorded.
    fn knows_renewals(&self, order: &ShopOrder) -> bool {
        let paid_ms = self.paid.get(&order.id).copied().unwrap_or(i64::MAX);
        let mut renewals = self
            .taken(order)
            .filter(|paying| paying.kind == Kind::Renewal);
        renewals.all(|paying| paying.became.is_some_and(|(_, at_ms)| at_ms > paid_ms))
    }

    fn check_renewals(&self, order: &ShopOrder) -> Result<(), String> {
        let dead = self.process().map(Process::dead_letters);
        let dead = dead.unwrap_or_default();
        for paying in self
            .taken(order)
            .filter(|paying| paying.kind == Kind::Renewal)
        {
            let own = format!("{}/{}", order.id, paying.id);
            let event_id = EventId::derive("Subscribe", &own);
            let stored = self.tiktok.stored.keys();
            let times = stored.filter(|named| named.id == event_id.as_str()).count();
            let is_dead = dead
                .iter()
                .any(|(_, letter)| letter.event.get().contains(&own));
            let became = paying.became.map(|(became, _)| became);
            let is_renewed = became == Some(Became::Renewed) && self.knows_renewals(order);
            let is_due = self.plan.reports_renewals && is_renewed;
            // Each pixel of the order must have the renewal once. An order can have fewer pixels than the plan, so only the
            // range is checked.
            let is_once = (1..=self.plan.pixels).contains(&times);
            if is_due && !is_once && !is_dead || !self.plan.reports_renewals && times > 0 {
                return Err(format!(
                    "the renewal {own} must be reported once to each pixel or not at all, but was reported {times} times"
                ));
            }
        }
        Ok(())
    }

    /// Checks that each order gets all its transfers. Orders that the proxy did not know when a transfer came are left out.
    pub(super) fn check_payments(&self) -> Result<(), String> {
        // If a process started with a wrong clock, the proxy may know a wrong age of an order, so nothing is checked.
        if self.started_wrong {
            return Ok(());
        }
        let by_bank = |order: &&ShopOrder| !order.is_withdrawn && order.card.is_none();
        for order in self.orders.iter().filter(by_bank) {
            let of_order = || order.transfers.iter().map(|paying| &self.payings[*paying]);
            if of_order().count() == 0 || !of_order().all(|paying| paying.was_known) {
                continue;
            }
            let sum: i64 = of_order().map(|paying| paying.amount).sum();
            let is_paid = self.paid.contains_key(&order.id);
            if order.registers && is_paid != (sum >= order.amount) || !order.registers && !is_paid {
                return Err(format!(
                    "{} costs {} and {sum} was paid, but the order is {}",
                    order.id,
                    order.amount,
                    if is_paid { "paid" } else { "not paid" }
                ));
            }
            let known = self.process().and_then(|process| process.order(&order.id));
            if is_paid && known.is_some_and(|order| order.status() != Status::Paid) {
                return Err(format!("{} was paid, but is not paid any more", order.id));
            }
        }
        Ok(())
    }
}
