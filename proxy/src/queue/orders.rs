//! The half for orders and payments: each change is durable when it is answered, and one commit with the events that
//! it causes.

use std::sync::Arc;

use super::writer::{Call, Handle};
use crate::{
    clock::Clock,
    decide::{Destination, Payment, Receipt, Registered, Taken},
    orders::Order,
    store::{Error, Reader},
};

/// Orders and their payments.
#[derive(Clone)]
pub struct Orders {
    store: Arc<dyn Reader>,
    writer: Handle,
    clock: Clock,
}

impl Orders {
    pub(super) fn new(store: Arc<dyn Reader>, writer: Handle, clock: Clock) -> Self {
        Self {
            store,
            writer,
            clock,
        }
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The order of this id, unless nobody has named it or it is forgotten. Reads from the disk, as
    /// [`DeadLetters::page`](super::DeadLetters::page).
    ///
    /// # Errors
    /// [`Error::Stopped`] and [`Error::Store`] when the disk refuses.
    pub fn find(&self, id: &str) -> Result<Option<Order>, Error> {
        let order = self.store.order(id)?;
        let expiry_ms = self.clock.times().expiry_ms;
        Ok(order.filter(|order| !order.is_over(expiry_ms)))
    }

    /// Takes what the shop's server says of an order.
    ///
    /// # Errors
    /// As [`Intake::enqueue`](super::Intake::enqueue).
    pub async fn register(
        &self,
        order: duet_events::order::Order,
        destination: Arc<Destination>,
    ) -> Result<Registered, Error> {
        let order = Box::new(order);
        self.writer
            .ask(|answer| Call::Register(order, destination, answer))
            .await
    }

    /// Takes a transfer, once: a repeat changes nothing.
    ///
    /// # Errors
    /// As [`Intake::enqueue`](super::Intake::enqueue).
    pub async fn pay(&self, receipt: Receipt) -> Result<Taken, Error> {
        let receipt = Box::new(receipt);
        self.writer.ask(|answer| Call::Pay(receipt, answer)).await
    }

    /// Forgets an order with all that is known of it; the events that waited for its payment become dead letters. The
    /// number of them, and `None` where there is no such order.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the disk refuses.
    pub async fn withdraw(&self, order_id: String) -> Result<Option<usize>, Error> {
        self.writer
            .ask(|answer| Call::Withdraw(order_id, answer))
            .await
    }

    /// Every payment on record, in no order that means anything.
    ///
    /// # Errors
    /// [`Error::Stopped`] and [`Error::Store`] when the disk refuses.
    pub fn payments(&self) -> Result<Vec<Payment>, Error> {
        self.store.payments()
    }
}
