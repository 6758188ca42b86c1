//! The part of the queue for orders and payments. Each change is on disk before its caller gets the answer. One commit
//! writes a change together with the events that the change causes.

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

    /// Returns the order with this id. Returns `None` if no event or registration has named the order, or if the order
    /// has expired. The caller must not call this on the runtime's thread, because it reads from the disk.
    ///
    /// # Errors
    /// [`Error::Stopped`] and [`Error::Store`] if the disk fails.
    pub fn find(&self, id: &str) -> Result<Option<Order>, Error> {
        let order = self.store.order(id)?;
        let expiry_ms = self.clock.times().expiry_ms;
        Ok(order.filter(|order| !order.is_over(expiry_ms)))
    }

    /// Returns the id of the order that differs from this id only in capital and small letters. Returns `None` if there
    /// is no such order, or if there are several.
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

    /// Applies a transfer. A transfer that was applied before changes nothing.
    ///
    /// # Errors
    /// The same as those of [`Intake::enqueue`](super::Intake::enqueue).
    pub async fn pay(&self, receipt: Receipt) -> Result<Taken, Error> {
        let receipt = Box::new(receipt);
        self.writer.ask(|answer| Call::Pay(receipt, answer)).await
    }

    /// Deletes an order and everything that is stored about it. Its held events become dead letters. Returns the number
    /// of these events, or `None` if no order has this id.
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
