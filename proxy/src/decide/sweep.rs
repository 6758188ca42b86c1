//! Removes expired entries.

use super::{Books, Changes, Decision, HeldId, Reads, transaction::Transaction};
use crate::{clock::Times, outcome::Outcome};

/// Ends an event that was held for too long. The reply is whether the event was ended.
#[derive(Clone, Copy, Debug)]
pub struct GiveUp<'a> {
    /// The event.
    pub id: HeldId,
    /// The order of the event.
    pub order_id: &'a str,
}

/// Removes the orders and payments in these lists that have expired, and keeps the others.
#[derive(Clone, Copy, Debug)]
pub struct Forget<'a> {
    /// Orders by their ids.
    pub orders: &'a [String],
    /// Payments by provider and id.
    pub payments: &'a [(String, String)],
}

impl<'a> Decision<'a> for GiveUp<'_> {
    type Reply = bool;

    fn reads(&self) -> Reads {
        let mut reads = Reads::default();
        reads.order(self.order_id);
        reads
    }

    fn decide<B: Books + ?Sized>(
        &self,
        books: &B,
        now: Times,
    ) -> Result<(Changes<'a>, bool), B::Error> {
        let mut transaction = Transaction::new(books, now);
        if self.id.until_ms >= now.expiry_ms {
            return Ok((transaction.changes, false));
        }
        let Some(held) = transaction.release(self.id)? else {
            return Ok((transaction.changes, false));
        };
        if let Some(mut order) = transaction.order(self.order_id)? {
            order.give_up(self.id.sequence);
            transaction.keep(order)?;
        }
        transaction.bury(&Outcome::Unverified, self.id.sequence, held);
        Ok((transaction.changes, true))
    }
}

impl<'a> Decision<'a> for Forget<'_> {
    type Reply = ();

    fn reads(&self) -> Reads {
        let mut reads = Reads {
            payments: self.payments.iter().cloned().collect(),
            ..Reads::default()
        };
        for id in self.orders {
            reads.order(id);
        }
        reads
    }

    fn decide<B: Books + ?Sized>(
        &self,
        books: &B,
        now: Times,
    ) -> Result<(Changes<'a>, ()), B::Error> {
        let mut transaction = Transaction::new(books, now);
        for id in self.orders {
            let order = transaction.books().order(id)?;
            if let Some(order) = order.filter(|order| order.is_over(now.expiry_ms)) {
                transaction.forget(&order)?;
            }
        }
        for key in self.payments {
            let payment = transaction.books().payment(&key.0, &key.1)?;
            if let Some(payment) = payment.filter(|payment| payment.is_over(now.expiry_ms)) {
                transaction.forget_payment(payment)?;
            }
        }
        Ok((transaction.changes, ()))
    }
}
