//! The reads and changes of one decision. A decision can read its own changes.

use std::borrow::Cow;

use duet_events::EventName;

use super::{
    Arrival, Books, Changes, Class, DeadLetter, DedupKey, HeldEvent, HeldId, Layered, LetterId,
    Lookup, Payment, Remember, Remembered, To, lookup::key_text,
};
use crate::{
    clock::Times,
    history::Trace,
    limits,
    orders::{Held, Order},
    outcome::Outcome,
    payments::Name,
};

/// The stored data and the changes of one decision. A read returns the stored data as the changes would leave it.
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

    /// Returns the order with this id, unless it has expired.
    pub(super) fn order(&self, id: &str) -> Result<Option<Order>, B::Error> {
        let order = self.books().order(id)?;
        Ok(order.filter(|order| !order.is_over(self.now.expiry_ms)))
    }

    /// Returns the orders that are found under this name and have not expired.
    pub(super) fn orders_found(&self, name: &Lookup) -> Result<Vec<Order>, B::Error> {
        let mut orders = Vec::new();
        for id in self.books().found(name)? {
            orders.extend(self.order(&id)?);
        }
        Ok(orders)
    }

    pub(super) fn keep(&mut self, order: Order) -> Result<(), B::Error> {
        let id = order.id().to_owned();
        let code = Lookup::code(&id);
        if order.is_begun() && code != Lookup::Code(String::new()) {
            self.name(code, &id)?;
        }
        if order.is_paid() {
            let known = self.books().order(&id)?;
            let was_unreported = known.is_some_and(|known| known.is_unreported());
            let change = i64::from(order.is_unreported()) - i64::from(was_unreported);
            self.changes.counts.unreported += change;
        }
        self.changes.records.orders.insert(id, Some(order));
        Ok(())
    }

    /// Removes an order and its names.
    pub(super) fn forget(&mut self, order: &Order) -> Result<(), B::Error> {
        let id = order.id();
        self.unname(Lookup::code(id), id)?;
        for (provider, code) in order.references() {
            let [provider, code] = [provider, code].map(Clone::clone);
            self.unname(Lookup::Reference { provider, code }, id)?;
        }
        for event_id in order.withdrawn() {
            self.unname(Lookup::Withdrawn(event_id.clone()), id)?;
        }
        self.changes.counts.unreported -= i64::from(order.is_unreported());
        self.changes.records.orders.insert(id.to_owned(), None);
        Ok(())
    }

    /// Stores that the record `found` is found under a name.
    pub(super) fn name(&mut self, name: Lookup, found: &str) -> Result<(), B::Error> {
        let mut all = self.books().found(&name)?;
        if all.iter().all(|known| known != found) {
            all.push(found.to_owned());
            self.changes.records.lookups.insert(name, all);
        }
        Ok(())
    }

    /// Removes the record `found` from the records under a name.
    pub(super) fn unname(&mut self, name: Lookup, found: &str) -> Result<(), B::Error> {
        let mut all = self.books().found(&name)?;
        if all.iter().any(|known| known == found) {
            all.retain(|known| known != found);
            self.changes.records.lookups.insert(name, all);
        }
        Ok(())
    }

    /// Writes a payment. Also writes the names under which the payment is found: its other ids, and the names that it
    /// waits for.
    pub(super) fn record(&mut self, payment: Payment) -> Result<(), B::Error> {
        let key = payment.key();
        for id in &payment.also {
            self.name(also(&payment.provider, id), &payment.id)?;
        }
        for name in &payment.waits_for {
            self.name(Lookup::Waiting(name.clone()), &key_text(&key))?;
        }
        self.changes.records.payments.insert(key, Some(payment));
        Ok(())
    }

    /// Makes a payment wait no longer. Removes the payment from the names for which it has waited.
    pub(super) fn waits_no_longer(&mut self, payment: &mut Payment) -> Result<(), B::Error> {
        let key = key_text(&payment.key());
        for name in std::mem::take(&mut payment.waits_for) {
            self.unname(Lookup::Waiting(name), &key)?;
        }
        Ok(())
    }

    /// Removes a payment, and its entries under all names.
    pub(super) fn forget_payment(&mut self, mut payment: Payment) -> Result<(), B::Error> {
        self.waits_no_longer(&mut payment)?;
        for id in &payment.also {
            self.unname(also(&payment.provider, id), &payment.id)?;
        }
        self.changes.records.payments.insert(payment.key(), None);
        Ok(())
    }

    /// Returns the payment with this id. `id` can be the payment's own id, or another id under which its provider can
    /// report the payment.
    pub(super) fn payment_told(
        &self,
        provider: &str,
        id: &str,
    ) -> Result<Option<Payment>, B::Error> {
        let known = self.books().payment(provider, id)?;
        if known.is_some() {
            return Ok(known);
        }
        for id in self.books().found(&also(provider, id))? {
            if let Some(payment) = self.books().payment(provider, &id)? {
                return Ok(Some(payment));
            }
        }
        Ok(None)
    }

    /// Returns the order with this name, if the order was begun and so can be paid.
    pub(super) fn order_named(&self, name: &Name) -> Result<Option<Order>, B::Error> {
        let id = match name {
            Name::Order(id) => Some(id.clone()),
            Name::Reference { provider, code } => {
                let [provider, code] = [provider, code].map(Clone::clone);
                let found = self.orders_found(&Lookup::Reference { provider, code })?;
                found.first().map(|order| order.id().to_owned())
            }
            Name::Transfer { provider, id } => {
                let payment = self.payment_told(provider, id)?;
                payment.and_then(|payment| payment.order_id)
            }
        };
        let order = id.map(|id| self.order(&id)).transpose()?.flatten();
        Ok(order.filter(Order::is_begun))
    }

    /// Holds an event until its order is paid.
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
        let pixel_id = Some(event.destination.pixel_id.clone());
        self.changes.records.held.insert(id, Some(event));
        self.changes.counts.held += 1;
        order.hold(Held {
            name: name.canonical().to_owned(),
            until_ms,
            sequence,
            is_derived: order.derives(name, event_id),
            pixel_id,
        });
    }

    /// Removes a held event and returns it.
    pub(super) fn release(&mut self, id: HeldId) -> Result<Option<HeldEvent>, B::Error> {
        let held = self.books().held(id)?;
        if held.is_some() {
            self.changes.records.held.insert(id, None);
            self.changes.counts.held -= 1;
        }
        Ok(held)
    }

    /// Ends a held event as a dead letter.
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
            trace: held.trace,
        };
        let id = LetterId::new(self.now.stamp_ms, sequence);
        let end = letter.end(&self.books.salt());
        self.changes.records.ends.insert(id, end);
        self.changes.records.letters.insert(id, Some(letter));
        self.changes.counts.ended(outcome.label(), 1);
    }

    /// Returns whether an event with this key was accepted before and is still remembered.
    pub(super) fn knows(&self, key: &DedupKey) -> Result<bool, B::Error> {
        self.books().knows(key, self.now.expiry_ms)
    }

    pub(super) fn learn(&mut self, key: DedupKey, remember: Remember) {
        let until_ms = self.now.stamp_ms.saturating_add(remember.ms());
        let known = Remembered { remember, until_ms };
        self.changes.records.keys.insert(key, known);
    }

    /// Adds an event to its lane.
    pub(super) fn deliver(
        &mut self,
        to: &To,
        class: Class,
        event: impl Into<Cow<'a, [u8]>>,
        trace: Trace,
    ) {
        self.changes.arrivals.push(Arrival {
            destination: To::clone(to),
            class,
            event: event.into(),
            trace,
        });
    }

    fn number(&mut self) -> u64 {
        let number = self.books().next_number();
        self.changes.numbers += 1;
        number
    }
}

pub(super) fn also(provider: &str, id: &str) -> Lookup {
    Lookup::Also {
        provider: provider.to_owned(),
        id: id.to_owned(),
    }
}
