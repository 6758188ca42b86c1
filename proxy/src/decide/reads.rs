//! The records that a call can read, as the call names them in advance.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    DedupKey, LetterId, Lookup, Payment, Remember,
    lookup::{key_of, names_of},
    transaction::also,
};
use crate::{orders::Order, payments::Name};

/// The records that a call can read, known before its decision. An order is always read together with its held events. A
/// record that was read can lead to more records: see [`Reads::with_order`], [`Reads::with_payment`] and
/// [`Reads::with_found`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Orders by their ids.
    pub orders: BTreeSet<String>,
    /// Names under which records are found.
    pub lookups: BTreeSet<Lookup>,
    /// Payments by provider and id.
    pub payments: BTreeSet<(String, String)>,
    /// Deduplication keys, and how long each is remembered if its event is accepted.
    pub keys: BTreeMap<DedupKey, Remember>,
    /// Dead letters.
    pub letters: BTreeSet<LetterId>,
}

impl Reads {
    /// Adds the records of another call.
    pub fn extend(&mut self, other: Self) {
        let Self {
            orders,
            lookups,
            payments,
            keys,
            letters,
        } = other;
        self.orders.extend(orders);
        self.lookups.extend(lookups);
        self.payments.extend(payments);
        self.keys.extend(keys);
        self.letters.extend(letters);
    }

    /// Adds the records to which an order leads: its second payments, and the records that are found under its names.
    pub fn with_order(&mut self, order: &Order) {
        self.payments.extend(order.owed().cloned());
        self.lookups.extend(names_of(order).map(Lookup::Waiting));
        for (provider, code) in order.references().clone() {
            self.lookups.insert(Lookup::Reference { provider, code });
        }
        let withdrawn = order.reported().values().chain(order.withdrawn());
        self.lookups
            .extend(withdrawn.cloned().map(Lookup::Withdrawn));
    }

    /// Adds the records to which a payment leads: its order, and the records that are found under its names. The id of
    /// the payment's event is one of these names.
    pub fn with_payment(&mut self, payment: &Payment) {
        for id in payment.also.iter().chain([&payment.id]) {
            self.lookups.insert(also(&payment.provider, id));
        }
        self.lookups.extend(payment.names().map(Lookup::Waiting));
        let waiting = payment.waits_for.iter().cloned().map(Lookup::Waiting);
        self.lookups.extend(waiting);
        for name in &payment.takes_back {
            self.named(name);
        }
        let event_id = payment.event_id.clone().map(Lookup::Withdrawn);
        self.lookups.extend(event_id);
        if let Some(id) = &payment.order_id {
            self.order(id);
        }
    }

    /// Adds the records whose ids the store has under the lookup `name`. `found` has these ids.
    pub fn with_found(&mut self, name: &Lookup, found: &[String]) {
        for id in found {
            match name {
                Lookup::Code(_) | Lookup::Reference { .. } | Lookup::Withdrawn(_) => self.order(id),
                Lookup::Also { provider, .. } => {
                    self.payments.insert((provider.clone(), id.clone()));
                }
                Lookup::Waiting(_) => self.payments.extend(key_of(id)),
            }
        }
    }

    /// Adds an order, and the name under which orders with similar ids are found.
    pub(super) fn order(&mut self, id: &str) {
        self.orders.insert(id.to_owned());
        self.lookups.insert(Lookup::code(id));
    }

    /// Adds a payment, and the name under which the payment is found if this is one of its other ids.
    pub(super) fn payment(&mut self, provider: &str, id: &str) {
        self.payments.insert((provider.to_owned(), id.to_owned()));
        self.lookups.insert(also(provider, id));
    }

    pub(super) fn waiting(&mut self, name: Name) {
        self.lookups.insert(Lookup::Waiting(name));
    }

    /// Adds the order or payment with this name, and the payments that wait for it.
    pub(super) fn named(&mut self, name: &Name) {
        match name {
            Name::Order(id) => self.order(id),
            Name::Reference { provider, code } => {
                let [provider, code] = [provider, code].map(Clone::clone);
                self.lookups.insert(Lookup::Reference { provider, code });
            }
            Name::Transfer { provider, id } => self.payment(provider, id),
        }
        self.waiting(name.clone());
    }
}
