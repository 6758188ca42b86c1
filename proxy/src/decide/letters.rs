//! Dead letters: decides how a dead letter changes its order, and which dead letters are sent again.

use super::{
    Books, Changes, Class, DeadLetter, Decision, Enqueued, Fault, LetterId, Lookup, Notice, Reads,
    transaction::Transaction,
};
use crate::{
    clock::Times,
    orders::{EventText, Order},
};

/// Handles a dead letter whose event reported an order as paid: stores in the order that TikTok does not have the event.
#[derive(Clone, Copy, Debug)]
pub struct TakeBack<'a>(pub &'a DeadLetter);

/// Sends dead letters again, or holds their events until the order is paid. The reply is how many events are sent or
/// held.
#[derive(Clone, Copy, Debug)]
pub struct Replay<'a>(pub &'a [(LetterId, DeadLetter)]);

/// Removes dead letters. The reply is how many of the letters existed.
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
            && order.takes_back(&text.event, &text.event_id, &self.0.destination.pixel_id)
        {
            if order.is_unreported() {
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
            if let Some((text, order_id)) = sale(letter) {
                reads.order(&order_id);
                let event_id = text.event_id.into_owned();
                reads.lookups.insert(Lookup::Withdrawn(event_id));
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
            // Another replay, or an earlier letter of this replay, may have sent the event already.
            if transaction.books().letter(*id)?.is_some() {
                replayed += usize::from(transaction.send_again(letter)?);
                transaction.changes.records.letters.insert(*id, None);
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
    /// Sends a dead letter again. If the letter's event reports an order as paid, the order decides: the event is sent
    /// only if the order has no such report yet. If only a page had reported the payment, the event is held again until a
    /// payment arrives. Returns whether the event is sent or held.
    fn send_again(&mut self, letter: &'a DeadLetter) -> Result<bool, B::Error> {
        let event = letter.event.get().as_bytes();
        let Some((text, order_id)) = sale(letter) else {
            // Replayed events get the second class, so that they delay no first-class events.
            let trace = letter.trace.clone();
            self.deliver(&letter.destination, Class::Second, event, trace);
            self.changes.counts.replayed += 1;
            return Ok(true);
        };
        let known = self.order(&order_id)?;
        // If the order has no record, the event is the event of a renewal. Its withdrawal is then stored only under the
        // event's id.
        let is_withdrawn = known.is_none() && self.is_withdrawn(&text.event_id)?;
        let mut order = known.unwrap_or_else(|| Order::note(&order_id, self.now.stamp_ms));
        let name = text.name().ok_or(Fault::Corrupt)?;
        let pixel_id = letter.destination.pixel_id.as_str();
        let is_sent = if is_withdrawn {
            false
        } else if letter.waited_for_payment() {
            self.judge(
                &mut order,
                &letter.destination,
                &text,
                (event, &letter.trace),
            )? != Enqueued::Duplicate
        } else if order.has_reported(name.canonical(), pixel_id) || order.is_returned() {
            false
        } else {
            let trace = letter.trace.clone();
            self.deliver(&letter.destination, Class::Second, event, trace);
            order.reports(&text.event, &text.event_id, pixel_id);
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
        if order.is_worth_keeping() {
            self.keep(order)?;
        }
        Ok(is_sent)
    }

    /// Whether a refund has withdrawn the event with this id.
    fn is_withdrawn(&self, event_id: &str) -> Result<bool, B::Error> {
        let name = Lookup::Withdrawn(event_id.to_owned());
        Ok(!self.books().found(&name)?.is_empty())
    }
}

/// Returns the event of the letter and its order's id, if the event reports a real order as paid.
fn sale(letter: &DeadLetter) -> Option<(EventText<'_>, String)> {
    // The caller alone can mark an event as a test, so a test event must not change a real order.
    if letter.destination.test_event_code.is_some() {
        return None;
    }
    let text = EventText::of(letter.event.get().as_bytes())?;
    let order_id = text.property("order_id")?;
    text.name()?.is_money().then_some((text, order_id))
}
