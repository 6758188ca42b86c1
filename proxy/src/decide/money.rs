//! What orders and payments change: what is paid, and which events report it.

use std::collections::BTreeSet;

use super::{
    Became, Books, Changes, Class, Decision, DedupKey, Enqueued, Fault, HeldEvent, Payment, Reads,
    Remember, To, transaction::Transaction,
};
use crate::{
    clock::Times,
    orders::{EventText, Gate, Order, Received, Unregistered, with_payment},
    outcome::Outcome,
    payments::{
        OrderHint, Transfer,
        matching::{Match, matched},
        memo::OrderPattern,
    },
};

/// Takes what the shop's server says of an order.
#[derive(Clone, Copy, Debug)]
pub struct Register<'a> {
    /// The order.
    pub order: &'a duet_events::order::Order,
    /// Where the event of its payment goes.
    pub destination: &'a To,
}

/// The order as it is now, or why the registration changed nothing.
pub type Registered = Result<Order, Unregistered>;

/// Takes a transfer, once.
#[derive(Clone, Copy, Debug)]
pub struct Pay<'a>(pub &'a Receipt);

/// Removes an order and ends its held events. Replies with the number of those events, or `None` for an unknown order.
#[derive(Clone, Copy, Debug)]
pub struct Withdraw<'a>(pub &'a str);

/// A transfer on its way in.
#[derive(Debug)]
pub struct Receipt {
    /// The transfer.
    pub transfer: Transfer,
    /// The provider's reason why this transfer must not pay any order; `None` if it may.
    pub parked: Option<&'static str>,
    /// How the shop's order ids look in a memo.
    pub pattern: Option<OrderPattern>,
    /// Where the event of a payment goes.
    pub destination: To,
}

/// What became of a receipt.
#[derive(Debug)]
pub struct Taken {
    /// The payment, as it is on record.
    pub payment: Payment,
    /// It was on record already, and nothing was changed.
    pub is_repeat: bool,
    /// It was reported, and nothing is known of who paid.
    pub is_unattributed: bool,
}

impl<'a> Decision<'a> for Register<'_> {
    type Reply = Registered;

    fn reads(&self) -> Reads {
        let mut reads = Reads::default();
        reads.order(&self.order.order_id);
        reads
    }

    fn decide<B: Books + ?Sized>(
        &self,
        books: &B,
        now: Times,
    ) -> Result<(Changes<'a>, Registered), B::Error> {
        let mut transaction = Transaction::new(books, now);
        let id = &self.order.order_id;
        let known = transaction.order(id)?;
        let mut order = known.unwrap_or_else(|| Order::begin(id, now.stamp_ms));
        if let Err(unregistered) = order.register(self.order, now.stamp_ms) {
            return Ok((transaction.changes, Err(unregistered)));
        }
        if order.pay_off(now.stamp_ms).is_some() {
            transaction.report(&mut order, self.destination)?;
        }
        transaction.keep(order.clone())?;
        Ok((transaction.changes, Ok(order)))
    }
}

impl<'a> Decision<'a> for Pay<'_> {
    type Reply = Taken;

    fn reads(&self) -> Reads {
        let Receipt {
            transfer, pattern, ..
        } = self.0;
        let mut reads = Reads::default();
        let payment = (transfer.provider.to_owned(), transfer.id.clone());
        reads.payments.insert(payment);
        match &transfer.hint {
            OrderHint::Exact(id) => reads.order(id),
            OrderHint::Memo(memo) => {
                let candidates = memo.candidates(pattern.as_ref());
                let codes: BTreeSet<_> = candidates.map(|candidate| candidate.text).collect();
                reads.codes.extend(codes);
            }
        }
        reads
    }

    fn decide<B: Books + ?Sized>(
        &self,
        books: &B,
        now: Times,
    ) -> Result<(Changes<'a>, Taken), B::Error> {
        let mut transaction = Transaction::new(books, now);
        let transfer = &self.0.transfer;
        let known = transaction
            .books()
            .payment(transfer.provider, &transfer.id)?;
        if let Some(payment) = known {
            let taken = Taken {
                payment,
                is_repeat: true,
                is_unattributed: false,
            };
            return Ok((transaction.changes, taken));
        }
        let mut taken = Taken {
            payment: Payment {
                provider: transfer.provider.to_owned(),
                id: transfer.id.clone(),
                amount: transfer.amount,
                at_ms: now.stamp_ms,
                account: transfer.account.clone(),
                reference: transfer.reference.clone(),
                order_id: None,
                became: Became::NotCounted,
                reason: self.0.parked.map(str::to_owned),
            },
            is_repeat: false,
            is_unattributed: false,
        };
        if self.0.parked.is_none() {
            transaction.count(self.0, &mut taken)?;
        }
        let key = (transfer.provider.to_owned(), transfer.id.clone());
        let payments = &mut transaction.changes.records.payments;
        payments.insert(key, Some(taken.payment.clone()));
        Ok((transaction.changes, taken))
    }
}

impl<'a> Decision<'a> for Withdraw<'_> {
    type Reply = Option<usize>;

    fn reads(&self) -> Reads {
        let mut reads = Reads::default();
        reads.order(self.0);
        reads
    }

    fn decide<B: Books + ?Sized>(
        &self,
        books: &B,
        now: Times,
    ) -> Result<(Changes<'a>, Option<usize>), B::Error> {
        let mut transaction = Transaction::new(books, now);
        let Some(mut order) = transaction.order(self.0)? else {
            return Ok((transaction.changes, None));
        };
        let held = order.release();
        for one in &held {
            let event = transaction.release(one.id())?;
            let event = event.ok_or(Fault::Corrupt)?;
            transaction.bury(&Outcome::Withdrawn, one.sequence, event);
        }
        if order.is_unreported() {
            transaction.changes.counts.unreported -= 1;
        }
        transaction.forget(self.0)?;
        Ok((transaction.changes, Some(held.len())))
    }
}

impl<B: Books + ?Sized> Transaction<'_, '_, B> {
    /// Decides what becomes of a page's word for a payment.
    pub(super) fn judge(
        &mut self,
        order: &mut Order,
        destination: &To,
        text: &EventText<'_>,
        event: &[u8],
    ) -> Result<Enqueued, B::Error> {
        let name = text.name().ok_or(Fault::Unwritable)?;
        match order.gate(&name, &text.event_id) {
            Gate::Repeat => Ok(Enqueued::Duplicate),
            Gate::Pass { received } => {
                let paid = with_payment(event, received).ok_or(Fault::Unwritable)?;
                self.deliver(destination, Class::First, paid);
                order.reports(&text.event, &text.event_id);
                Ok(Enqueued::Accepted)
            }
            Gate::Hold => {
                let held = HeldEvent {
                    order_id: order.id().to_owned(),
                    destination: To::clone(destination),
                    event: serde_json::from_slice(event).map_err(|_| Fault::Unwritable)?,
                    held_at_ms: self.now.stamp_ms,
                };
                self.hold(order, &name, &text.event_id, held);
                Ok(Enqueued::Held)
            }
        }
    }

    fn count(&mut self, receipt: &Receipt, taken: &mut Taken) -> Result<(), B::Error> {
        let mut order = match self.order_of(receipt)? {
            Match::One(order) => order,
            Match::None => {
                taken.payment.became = Became::Unmatched;
                return Ok(());
            }
            Match::Several => {
                taken.payment.became = Became::Ambiguous;
                return Ok(());
            }
        };
        taken.payment.order_id = Some(order.id().to_owned());
        taken.payment.became = match order.receive(receipt.transfer.amount, self.now.stamp_ms) {
            Received::Paid { over } => {
                taken.is_unattributed = self.report(&mut order, &receipt.destination)?;
                if over > 0 {
                    Became::Overpaid
                } else {
                    Became::Paid
                }
            }
            Received::Partial => Became::Partial,
            Received::PaidBefore => Became::PaidBefore,
            Received::OtherCurrency => Became::OtherCurrency,
        };
        self.keep(*order)
    }

    fn order_of(
        &self,
        Receipt {
            transfer, pattern, ..
        }: &Receipt,
    ) -> Result<Match, B::Error> {
        let Transfer { hint, .. } = transfer;
        match hint {
            OrderHint::Exact(id) => {
                let order = self.order(id)?.filter(Order::is_begun);
                Ok(order.map_or(Match::None, |order| Match::One(Box::new(order))))
            }
            OrderHint::Memo(memo) => {
                matched(memo, pattern.as_ref(), |code| self.orders_that_read(code))
            }
        }
    }

    /// Has TikTok told of a paid order: by the payment's own event, and by those that waited for it. Where one of
    /// them means the same, there is one. That the payment's event has an id which was accepted before is no reason to
    /// keep it back: the event of then may have waited in vain. Whether nothing is known of who paid.
    fn report(&mut self, order: &mut Order, destination: &To) -> Result<bool, B::Error> {
        let conversion = order.conversion(self.now.day_ms).ok_or(Fault::Unwritable)?;
        let mut is_told = order.has_reported(conversion.name.canonical());
        for one in order.release() {
            let Some(held) = self.release(one.id())? else {
                continue;
            };
            let event = held.event.get().as_bytes();
            let text = EventText::of(event).ok_or(Fault::Corrupt)?;
            // Another event of this name was sent: one payment is reported once.
            if order.has_reported(&one.name) {
                self.bury(&Outcome::Unverified, one.sequence, held.clone());
                continue;
            }
            // The same event, of which the bank knows more.
            if text.event_id == conversion.id.as_str() && text.event == conversion.name.as_str() {
                let json = conversion.json.clone();
                self.deliver(&held.destination, Class::First, json);
                is_told = true;
            } else {
                let paid = with_payment(event, order.received()).ok_or(Fault::Corrupt)?;
                self.deliver(&held.destination, Class::First, paid);
                is_told |= one.name == conversion.name.canonical();
            }
            order.reports(&text.event, &text.event_id);
        }
        // The shop's server may report the same sale later, under the name and id that it derives.
        for id in conversion.other_id.iter().chain([&conversion.id]) {
            let key = DedupKey::of(destination, &conversion.name, id);
            self.learn(key, Remember::Days90);
        }
        if !is_told {
            self.deliver(destination, Class::First, conversion.json);
            // No browser sent it.
            self.changes.counts.accepted("off", 1);
            order.reports(conversion.name.as_str(), conversion.id.as_str());
        }
        Ok(!conversion.is_attributed)
    }
}
