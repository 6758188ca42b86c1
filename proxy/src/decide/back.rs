//! Money that goes back: refunds, chargebacks and voids.

use super::{Became, Books, Lookup, Payment, returned::Returned, transaction::Transaction};
use crate::{
    limits::DELIVERY_MS,
    money::{Kind, Money},
    orders::Order,
    outcome::Outcome,
    payments::Name,
};

impl<B: Books + ?Sized> Transaction<'_, '_, B> {
    /// Records that money went back. If no money of the sale is left, also withdraws the event of the sale. `is_taken`
    /// states that the order already lost this money before its payment was known. In this case the order does not lose
    /// the money again.
    pub(super) fn take_back(
        &mut self,
        order: &mut Order,
        back: &mut Payment,
        is_taken: bool,
    ) -> Result<(), B::Error> {
        let amount;
        let mut is_of_sale = true;
        if let Some(mut payment) = self.taken_back(order, back)? {
            amount = payment.returned.add(back.amount, back.share);
            // The money of a second payment is not part of the sale.
            is_of_sale = payment.became != Became::PaidBefore;
            if !is_of_sale {
                order.repays(&payment.key(), back.kind, amount);
                if is_taken {
                    // The refund arrived before its payment was known, and was subtracted from the sale. The metric of
                    // refunds cannot fall, so the metric of payments rises by the same amount, and the difference of the
                    // two is right.
                    order.remove(back.kind, amount);
                    self.changes.counts.money.push((Kind::First, amount));
                }
            }
            self.withdraw_renewal(order, &payment)?;
            if payment.became == Became::Partial && !order.is_sold() {
                order.returns_before_sale(amount);
            }
            self.record(payment)?;
        } else {
            amount = self.beyond_others(order, back)?;
            back.waits_for.clone_from(&back.takes_back);
        }
        if is_taken || !is_of_sale || amount.is_zero() {
            return Ok(());
        }
        self.add(order, back.kind, amount);
        self.use_owed(order)?;
        self.withdraw_sale(order)
    }

    /// Returns the payment of the order that the refund `back` names.
    fn taken_back(&self, order: &Order, back: &Payment) -> Result<Option<Payment>, B::Error> {
        for name in &back.takes_back {
            if let Name::Transfer { provider, id } = name
                && let Some(payment) = self.payment_told(provider, id)?
                && payment.order_id.as_deref() == Some(order.id())
            {
                return Ok(Some(payment));
            }
        }
        Ok(None)
    }

    /// Returns how much of this refund the order still has to lose. The payment of the refund is still unknown, and the
    /// amount of this refund can overlap with other refunds of this payment that the order has already lost.
    fn beyond_others(&self, order: &Order, back: &Payment) -> Result<Money, B::Error> {
        let mut returned = Returned::default();
        for other in self.waiting_for(back.takes_back.iter().cloned(), Kind::is_back)? {
            if other.order_id.as_deref() == Some(order.id()) && other.key() != back.key() {
                returned.add(other.amount, other.share);
            }
        }
        Ok(returned.add(back.amount, back.share))
    }

    /// Whether refunds that arrived before the payment cover its whole amount.
    pub(super) fn went_back_before(&self, payment: &Payment) -> Result<bool, B::Error> {
        let mut returned = Returned::default();
        for back in self.waiting_for(payment.names(), Kind::is_back)? {
            returned.add(back.amount, back.share);
        }
        Ok(returned.covers(payment.amount))
    }

    /// Makes second payments the payment of the sale, as long as all other money of the sale went back.
    pub(super) fn use_owed(&mut self, order: &mut Order) -> Result<(), B::Error> {
        while let Some(owed) = order.uses_owed() {
            self.changes.counts.money.push((Kind::First, owed.left));
            let (provider, id) = &owed.key;
            if let Some(mut payment) = self.books().payment(provider, id)? {
                payment.became = Became::Paid;
                self.record(payment)?;
            }
        }
        Ok(())
    }

    /// Withdraws the event of a renewal whose whole amount went back. An event that was already sent stays sent.
    fn withdraw_renewal(&mut self, order: &mut Order, payment: &Payment) -> Result<(), B::Error> {
        let is_recent = self.now.stamp_ms < payment.at_ms + DELIVERY_MS;
        let event_id = payment.event_id.as_ref();
        if let Some(event_id) = event_id.filter(|_| is_recent && payment.is_returned()) {
            order.withdraw_event(event_id);
            self.name(Lookup::Withdrawn(event_id.clone()), order.id())?;
        }
        Ok(())
    }

    /// Withdraws the event of a sale whose whole amount went back. An event that was already sent stays sent: the event's
    /// lane checks for a withdrawal only before the first attempt. The order's held events end too.
    fn withdraw_sale(&mut self, order: &mut Order) -> Result<(), B::Error> {
        if !order.is_returned() {
            return Ok(());
        }
        for event_id in order.withdraw_sale(self.now.stamp_ms) {
            self.name(Lookup::Withdrawn(event_id), order.id())?;
        }
        self.bury_held(order)
    }

    /// Removes the withdrawal of the events of a sale, because another payment pays for the sale now.
    pub(super) fn restore_sale(&mut self, order: &mut Order, own: &[&str]) -> Result<(), B::Error> {
        for event_id in order.restore_sale(own) {
            self.unname(Lookup::Withdrawn(event_id.clone()), order.id())?;
            self.changes.restored.push(event_id);
        }
        Ok(())
    }

    /// Ends the held events of an order as dead letters.
    pub(super) fn bury_held(&mut self, order: &mut Order) -> Result<(), B::Error> {
        for one in order.release() {
            if let Some(held) = self.release(one.id())? {
                self.bury(&Outcome::Withdrawn, one.sequence, held);
            }
        }
        Ok(())
    }
}
