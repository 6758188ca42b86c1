//! One decision under way: it reads its own changes.

use std::borrow::Cow;

use duet_events::EventName;

use super::{
    Arrival, Books, Changes, Class, DeadLetter, DedupKey, HeldEvent, HeldId, Layered, LetterId,
    Remember, Remembered, To,
};
use crate::{
    clock::Times,
    limits,
    orders::{Held, Order},
    outcome::Outcome,
    payments::memo::normalised,
};

/// Reads through the changes of its own decision.
pub(super) struct Transaction<'a, 'b, B: ?Sized> {
    books: &'b B,
    pub(super) now: Times,
    pub(super) changes: Changes<'a>,
}

impl<'a, 'b, B: Books + ?Sized> Transaction<'a, 'b, B> {
    pub(super) fn new(books: &'b B, now: Times) -> Self {
        Self {
            books,
            now,
            changes: Changes::default(),
        }
    }

    pub(super) fn books(&self) -> Layered<'_, B> {
        Layered {
            below: self.books,
            above: &self.changes.records,
            numbers: self.changes.numbers,
        }
    }

    /// The order with this id, unless it has expired.
    pub(super) fn order(&self, id: &str) -> Result<Option<Order>, B::Error> {
        let order = self.books().order(id)?;
        Ok(order.filter(|order| !order.is_over(self.now.expiry_ms)))
    }

    /// The orders that read like `code` in a memo.
    pub(super) fn orders_that_read(&self, code: &str) -> Result<Vec<Order>, B::Error> {
        let mut orders = Vec::new();
        for id in self.books().ids_that_read(code)? {
            orders.extend(self.order(&id)?);
        }
        Ok(orders)
    }

    pub(super) fn keep(&mut self, order: Order) -> Result<(), B::Error> {
        let id = order.id().to_owned();
        let code = normalised(&id);
        if order.is_begun() && !code.is_empty() {
            let mut ids = self.books().ids_that_read(&code)?;
            if !ids.contains(&id) {
                ids.push(id.clone());
                self.changes.records.codes.insert(code, ids);
            }
        }
        self.changes.records.orders.insert(id, Some(order));
        Ok(())
    }

    pub(super) fn forget(&mut self, id: &str) -> Result<(), B::Error> {
        let code = normalised(id);
        let mut ids = self.books().ids_that_read(&code)?;
        if ids.iter().any(|known| known == id) {
            ids.retain(|known| known != id);
            self.changes.records.codes.insert(code, ids);
        }
        self.changes.records.orders.insert(id.to_owned(), None);
        Ok(())
    }

    /// Has an event wait for the payment of its order.
    pub(super) fn hold(
        &mut self,
        order: &mut Order,
        name: &EventName,
        event_id: &str,
        event: HeldEvent,
    ) {
        let sequence = self.number();
        let until_ms = self.now.stamp_ms + limits::HOLD_MS;
        let id = HeldId { until_ms, sequence };
        self.changes.records.held.insert(id, Some(event));
        self.changes.counts.held += 1;
        order.hold(Held {
            name: name.canonical().to_owned(),
            until_ms,
            sequence,
            is_derived: order.derives(name, event_id),
        });
    }

    /// Takes out an event that is held.
    pub(super) fn release(&mut self, id: HeldId) -> Result<Option<HeldEvent>, B::Error> {
        let held = self.books().held(id)?;
        if held.is_some() {
            self.changes.records.held.insert(id, None);
            self.changes.counts.held -= 1;
        }
        Ok(held)
    }

    /// Ends an event that was held.
    pub(super) fn bury(&mut self, outcome: &Outcome, sequence: u64, held: HeldEvent) {
        let letter = DeadLetter {
            outcome: outcome.label().to_owned(),
            ended_at_ms: self.now.stamp_ms,
            code: None,
            message: None,
            request_id: None,
            accepted_at_ms: held.held_at_ms,
            destination: held.destination,
            event: held.event,
        };
        let id = LetterId::new(self.now.stamp_ms, sequence);
        self.changes.records.letters.insert(id, Some(letter));
        self.changes.counts.ended(outcome.label(), 1);
    }

    /// Whether an event with this key was accepted before and is still remembered.
    pub(super) fn knows(&self, key: &DedupKey) -> Result<bool, B::Error> {
        self.books().knows(key, self.now.expiry_ms)
    }

    pub(super) fn learn(&mut self, key: DedupKey, remember: Remember) {
        let until_ms = self.now.stamp_ms.saturating_add(remember.ms());
        let known = Remembered { remember, until_ms };
        self.changes.records.keys.insert(key, known);
    }

    /// Has an event join its lane.
    pub(super) fn deliver(&mut self, to: &To, class: Class, event: impl Into<Cow<'a, [u8]>>) {
        self.changes.arrivals.push(Arrival {
            destination: To::clone(to),
            class,
            event: event.into(),
        });
    }

    fn number(&mut self) -> u64 {
        let number = self.books().next_number();
        self.changes.numbers += 1;
        number
    }
}
