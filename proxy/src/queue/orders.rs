//! The part of the queue for orders and payments. Each change is on disk before it is answered. A change and the events that it
//! causes are one commit.

use std::sync::Arc;

use super::writer::{Call, Handle};
use crate::{
    clock::Clock,
    decide::{Payment, Receipt, Registered, Reports, Taken},
    orders::Order,
    store::{Error, Reader},
};

/// The orders and their payments.
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

    /// Returns the order with this id. Returns `None` if no event or registration has named it, or if it has expired. Reads
    /// from the disk, like [`DeadLetters::page`](super::DeadLetters::page).
    ///
    /// # Errors
    /// [`Error::Stopped`] and [`Error::Store`] if the disk fails.
    pub fn find(&self, id: &str) -> Result<Option<Order>, Error> {
        let order = self.store.order(id)?;
        let expiry_ms = self.clock.times().expiry_ms;
        Ok(order.filter(|order| !order.is_over(expiry_ms)))
    }

    /// Returns the id of the order that differs from this id only in capital and small letters. Returns `None` if there are
    /// several.
    ///
    /// # Errors
    /// The same as those of [`Orders::find`].
    pub fn spelt_otherwise(&self, id: &str) -> Result<Option<String>, Error> {
        let mut ids = self.store.orders_like(id)?;
        ids.retain(|known| known != id && known.to_lowercase() == id.to_lowercase());
        Ok(ids.pop().filter(|_| ids.is_empty()))
    }

    /// Registers an order as the shop's server states it.
    ///
    /// # Errors
    /// The same as those of [`Intake::enqueue`](super::Intake::enqueue).
    pub async fn register(
        &self,
        order: duet_events::order::Order,
        reports: Reports,
    ) -> Result<Registered, Error> {
        let order = Box::new(order);
        self.writer
            .ask(|answer| Call::Register(order, reports, answer))
            .await
    }

    /// Applies a transfer once. A repeat changes nothing.
    ///
    /// # Errors
    /// The same as those of [`Intake::enqueue`](super::Intake::enqueue).
    pub async fn pay(&self, receipt: Receipt) -> Result<Taken, Error> {
        let receipt = Box::new(receipt);
        self.writer.ask(|answer| Call::Pay(receipt, answer)).await
    }

    /// Deletes an order and everything known about it. Its held events become dead letters. Returns how many events were held,
    /// or `None` if no order has this id.
    ///
    /// # Errors
    /// [`Error::Stopped`] if the disk fails.
    pub async fn withdraw(&self, order_id: String) -> Result<Option<usize>, Error> {
        self.writer
            .ask(|answer| Call::Withdraw(order_id, answer))
            .await
    }

    /// Returns every stored payment, in no particular order.
    ///
    /// # Errors
    /// [`Error::Stopped`] and [`Error::Store`] if the disk fails.
    pub fn payments(&self) -> Result<Vec<Payment>, Error> {
        self.store.payments()
    }
}
