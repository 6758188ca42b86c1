//! Decides what a registration of an order changes, and which events report a paid order.

use duet_events::{EventId, EventName, order::Order as Registration};

use super::{
    Books, Changes, Class, Decision, DedupKey, Destinations, Enqueued, Fault, HeldEvent, Lookup,
    Reads, Remember, To, pay::Reporting, transaction::Transaction,
};
use crate::{
    clock::Times,
    history::Trace,
    orders::{Conversion, EventText, Gate, Order, Unregistered, with_payment},
    outcome::Outcome,
    payments::Name,
};

/// Registers an order as the shop's server describes it.
#[derive(Clone, Copy, Debug)]
pub struct Register<'a> {
    /// The order.
    pub order: &'a Registration,
    /// How payments that wait for the order are reported.
    pub reports: &'a Reports,
}

/// How the payments of an order are reported.
#[derive(Clone, Debug)]
pub struct Reports {
    /// The possible destinations for the events.
    pub destinations: Destinations,
    /// The name of the event that reports a renewal. `None` if renewals are not reported.
    pub renewals: Option<EventName>,
}

/// The order after the registration, or the reason why the registration changed nothing.
pub type Registered = Result<Order, Unregistered>;

/// Removes an order, and ends its held events as dead letters. The reply is the number of these events, or `None` for an
/// unknown order.
#[derive(Clone, Copy, Debug)]
pub struct Withdraw<'a>(pub &'a str);

impl From<To> for Reports {
    fn from(first: To) -> Self {
        Self {
            destinations: first.into(),
            renewals: None,
        }
    }
}

impl<'a> Decision<'a> for Register<'_> {
    type Reply = Registered;

    fn reads(&self) -> Reads {
        let mut reads = Reads::default();
        reads.order(&self.order.order_id);
        reads.named(&Name::Order(self.order.order_id.clone()));
        for (provider, code) in references(self.order) {
            reads.named(&Name::Reference { provider, code });
        }
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
        for (provider, code) in references(self.order) {
            let others = transaction.orders_found(&Lookup::Reference { provider, code })?;
            if others.iter().any(|other| other.id() != id) {
                return Ok((transaction.changes, Err(Unregistered::ReferenceTaken)));
            }
        }
        let before = order.references().clone();
        if let Err(unregistered) = order.register(self.order, now.stamp_ms) {
            return Ok((transaction.changes, Err(unregistered)));
        }
        for (provider, code) in before {
            transaction.unname(Lookup::Reference { provider, code }, id)?;
        }
        for (provider, code) in references(self.order) {
            transaction.name(Lookup::Reference { provider, code }, id)?;
        }
        let Reports {
            destinations,
            renewals,
        } = self.reports;
        let reporting = Reporting {
            destinations,
            renewals: renewals.as_ref(),
        };
        transaction.find_all(&mut order, reporting)?;
        if order.pay_off(now.stamp_ms).is_some() {
            transaction.report(&mut order, destinations)?;
        }
        transaction.keep(order.clone())?;
        Ok((transaction.changes, Ok(order)))
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
        let order = books.salt().order(self.0);
        let covered = &mut transaction.changes.records.covered;
        covered.insert(order, now.stamp_ms);
        let Some(mut order) = transaction.order(self.0)? else {
            return Ok((transaction.changes, None));
        };
        let held = order.release();
        for one in &held {
            let event = transaction.release(one.id())?;
            let event = event.ok_or(Fault::Corrupt)?;
            transaction.bury(&Outcome::Withdrawn, one.sequence, event);
        }
        transaction.forget(&order)?;
        Ok((transaction.changes, Some(held.len())))
    }
}

impl<B: Books + ?Sized> Transaction<'_, '_, B> {
    /// Decides whether a page's event that reports a payment is held, sent or a duplicate.
    pub(super) fn judge(
        &mut self,
        order: &mut Order,
        destination: &To,
        text: &EventText<'_>,
        (event, trace): (&[u8], &Trace),
    ) -> Result<Enqueued, B::Error> {
        let name = text.name().ok_or(Fault::Unwritable)?;
        match order.gate(&name, &text.event_id, &destination.pixel_id) {
            Gate::Repeat => Ok(Enqueued::Duplicate),
            Gate::Pass { received } => {
                let paid = with_payment(event, received).ok_or(Fault::Unwritable)?;
                self.deliver(destination, Class::First, paid, trace.clone());
                order.reports(&text.event, &text.event_id, &destination.pixel_id);
                Ok(Enqueued::Accepted)
            }
            Gate::Hold => {
                let held = HeldEvent {
                    order_id: order.id().to_owned(),
                    destination: To::clone(destination),
                    event: serde_json::from_slice(event).map_err(|_| Fault::Unwritable)?,
                    held_at_ms: self.now.stamp_ms,
                    trace: trace.clone(),
                };
                self.hold(order, &name, &text.event_id, held);
                Ok(Enqueued::Held)
            }
        }
    }

    /// Reports a paid order to TikTok. Sends the held events of the order, and the payment's own event. If two of these
    /// events mean the same sale, only one is sent to each pixel. The payment's event is sent even if an event with its
    /// id was accepted before, because that event may have expired. Returns true if the report has no data about the
    /// payer.
    pub(super) fn report(
        &mut self,
        order: &mut Order,
        destinations: &Destinations,
    ) -> Result<bool, B::Error> {
        // All money went back before the payment was known, so nothing is reported.
        if order.is_returned() {
            self.bury_held(order)?;
            return Ok(false);
        }
        let conversion = order.conversion(self.now.day_ms).ok_or(Fault::Unwritable)?;
        let received = order.received().ok_or(Fault::Unwritable)?;
        let own = conversion.other_id.iter().chain([&conversion.id]);
        let own: Vec<_> = own.map(EventId::as_str).collect();
        self.restore_sale(order, &own)?;
        for one in order.release() {
            let Some(held) = self.release(one.id())? else {
                continue;
            };
            let event = held.event.get().as_bytes();
            let text = EventText::of(event).ok_or(Fault::Corrupt)?;
            let pixel_id = held.destination.pixel_id.as_str();
            // A payment is reported only once to each pixel, and another event with this name was already reported.
            if order.has_reported(&one.name, pixel_id) {
                self.bury(&Outcome::Unverified, one.sequence, held.clone());
                continue;
            }
            // This held event has the same name and id as the payment's own event. The payment's own event has more data,
            // so it is sent instead.
            if text.event_id == conversion.id.as_str() && text.event == conversion.name.as_str() {
                let json = conversion.json.clone();
                self.deliver(&held.destination, Class::First, json, held.trace.clone());
            } else {
                let paid = with_payment(event, received).ok_or(Fault::Corrupt)?;
                self.deliver(&held.destination, Class::First, paid, held.trace.clone());
            }
            order.reports(&text.event, &text.event_id, pixel_id);
        }
        for destination in told(order, destinations) {
            self.convert(order, &destination, &conversion);
        }
        Ok(!conversion.is_attributed)
    }

    /// Reports a payment to one destination. Does nothing if an event of the same sale was already reported to this
    /// destination.
    fn convert(&mut self, order: &mut Order, destination: &To, conversion: &Conversion) {
        let Conversion { name, id, .. } = conversion;
        // The shop's server may report the same sale later, under one of these ids. Such an event must count as a repeat.
        for id in conversion.other_id.iter().chain([id]) {
            let key = DedupKey::of(destination, name, id);
            self.learn(key, Remember::Days90);
        }
        if !order.has_reported(name.canonical(), &destination.pixel_id) {
            let json = conversion.json.clone();
            self.deliver(destination, Class::First, json, Trace::of_payment());
            // No browser sent this event, so there is no copy by the Pixel.
            self.changes.counts.accepted("off", 1);
            order.reports(name.as_str(), id.as_str(), &destination.pixel_id);
        }
    }
}

/// Returns the destinations for the payment's event: the pixels of the events that began the order. If none of these
/// pixels is configured any more, returns the pixels in the order's registration. If none of them is configured either,
/// returns the first pixel.
pub(super) fn told(order: &Order, destinations: &Destinations) -> Vec<To> {
    let configured = |ids: &[String]| {
        let known = ids.iter().filter_map(|id| destinations.of(id));
        known.cloned().collect::<Vec<_>>()
    };
    let named = order.pixel_ids().map(configured).into_iter();
    let mut named = named.filter(|named| !named.is_empty());
    let first = || vec![To::clone(&destinations.first)];
    named.next().unwrap_or_else(first)
}

/// Returns the references of a registration. Each is a provider and the provider's id of the order.
fn references(order: &Registration) -> impl Iterator<Item = (String, String)> {
    let references = order.references.iter();
    references.map(|(provider, code)| (provider.clone(), code.clone()))
}
