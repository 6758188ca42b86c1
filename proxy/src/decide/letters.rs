//! Dead letters: what an order learns of them, and which are sent again.

use super::{
    Books, Changes, Class, DeadLetter, Decision, Enqueued, Fault, LetterId, Notice, Reads,
    transaction::Transaction,
};
use crate::{
    clock::Times,
    orders::{EventText, Order},
};

/// Has the order that a dead letter reported as paid know that TikTok does not have the event.
#[derive(Clone, Copy, Debug)]
pub struct TakeBack<'a>(pub &'a DeadLetter);

/// Sends dead letters again, or holds them again; the reply is the number of those that were there.
#[derive(Clone, Copy, Debug)]
pub struct Replay<'a>(pub &'a [(LetterId, DeadLetter)]);

/// Removes dead letters; the reply is the number of those that were there.
#[derive(Clone, Copy, Debug)]
pub struct Remove<'a>(pub &'a [LetterId]);

impl<'a> Decision<'a> for TakeBack<'_> {
    type Reply = ();

    fn reads(&self) -> Reads {
        let mut reads = Reads::default();
        if let Some((_, order_id)) = sale(self.0) {
            reads.order(&order_id);
        }
        reads
    }

    fn decide<B: Books + ?Sized>(
        &self,
        books: &B,
        now: Times,
    ) -> Result<(Changes<'a>, ()), B::Error> {
        let mut transaction = Transaction::new(books, now);
        if let Some((text, order_id)) = sale(self.0)
            && let Some(mut order) = transaction.order(&order_id)?
            && order.takes_back(&text.event, &text.event_id)
        {
            if order.is_unreported() {
                transaction.changes.counts.unreported += 1;
                transaction.changes.notices.push(Notice::Unreported {
                    order_id,
                    outcome: self.0.outcome.clone(),
                });
            }
            transaction.keep(order)?;
        }
        Ok((transaction.changes, ()))
    }
}

impl<'a> Decision<'a> for Replay<'a> {
    type Reply = usize;

    fn reads(&self) -> Reads {
        let mut reads = Reads::default();
        for (id, letter) in self.0 {
            reads.letters.insert(*id);
            if let Some((_, order_id)) = sale(letter) {
                reads.order(&order_id);
            }
        }
        reads
    }

    fn decide<B: Books + ?Sized>(
        &self,
        books: &B,
        now: Times,
    ) -> Result<(Changes<'a>, usize), B::Error> {
        let mut transaction = Transaction::new(books, now);
        let mut replayed = 0;
        for (id, letter) in self.0 {
            // Another replay, or this one, may have sent it.
            if transaction.books().letter(*id)?.is_some() {
                transaction.send_again(letter)?;
                transaction.changes.records.letters.insert(*id, None);
                replayed += 1;
            }
        }
        Ok((transaction.changes, replayed))
    }
}

impl<'a> Decision<'a> for Remove<'_> {
    type Reply = usize;

    fn reads(&self) -> Reads {
        Reads {
            letters: self.0.iter().copied().collect(),
            ..Reads::default()
        }
    }

    fn decide<B: Books + ?Sized>(
        &self,
        books: &B,
        now: Times,
    ) -> Result<(Changes<'a>, usize), B::Error> {
        let mut transaction = Transaction::new(books, now);
        let mut removed = 0;
        for id in self.0 {
            if transaction.books().has_letter(*id)? {
                transaction.changes.records.letters.insert(*id, None);
                removed += 1;
            }
        }
        Ok((transaction.changes, removed))
    }
}

impl<'a, B: Books + ?Sized> Transaction<'a, '_, B> {
    /// Sends a dead letter again. Where it says that an order is paid, the order decides: it is sent unless the order
    /// is reported already; and what a page said of a payment waits again until it is true.
    fn send_again(&mut self, letter: &'a DeadLetter) -> Result<(), B::Error> {
        let event = letter.event.get().as_bytes();
        let Some((text, order_id)) = sale(letter) else {
            // However many an operator replays, they are in nobody's way.
            self.deliver(&letter.destination, Class::Second, event);
            self.changes.counts.replayed += 1;
            return Ok(());
        };
        let known = self.order(&order_id)?;
        let mut order = known.unwrap_or_else(|| Order::note(&order_id, self.now.stamp_ms));
        let was_unreported = order.is_unreported();
        let name = text.name().ok_or(Fault::Corrupt)?;
        let is_sent = if letter.waited_for_payment() {
            self.judge(&mut order, &letter.destination, &text, event)? != Enqueued::Duplicate
        } else if order.has_reported(name.canonical()) {
            false
        } else {
            self.deliver(&letter.destination, Class::Second, event);
            order.reports(&text.event, &text.event_id);
            true
        };
        if is_sent {
            self.changes.counts.replayed += 1;
        } else {
            self.changes.notices.push(Notice::NotSentAgain {
                order_id,
                event_id: text.event_id.clone().into_owned(),
            });
        }
        if was_unreported && !order.is_unreported() {
            self.changes.counts.unreported -= 1;
        }
        if order.is_worth_keeping() {
            self.keep(order)?;
        }
        Ok(())
    }
}

/// An event that reports a real order as paid, and that order's id.
fn sale(letter: &DeadLetter) -> Option<(EventText<'_>, String)> {
    // A rehearsal says nothing of real orders.
    if letter.destination.test_event_code.is_some() {
        return None;
    }
    let text = EventText::of(letter.event.get().as_bytes())?;
    let order_id = text.property("order_id")?;
    text.name()?.is_money().then_some((text, order_id))
}
