//! What a decision may read.

use super::{DeadLetter, DedupKey, Fault, HeldEvent, HeldId, LetterId, Payment, Records};
use crate::orders::Order;

/// What is stored, as far as a decision may read it.
pub trait Books {
    /// Why something cannot be read.
    type Error: From<Fault>;

    /// The order with this id, expired or not.
    ///
    /// # Errors
    /// When it cannot be read, as in all of these.
    fn order(&self, id: &str) -> Result<Option<Order>, Self::Error>;

    /// The ids of the orders that read like `code` in a memo.
    ///
    /// # Errors
    /// As [`Books::order`].
    fn ids_that_read(&self, code: &str) -> Result<Vec<String>, Self::Error>;

    /// The payment with this id.
    ///
    /// # Errors
    /// As [`Books::order`].
    fn payment(&self, provider: &str, id: &str) -> Result<Option<Payment>, Self::Error>;

    /// The event that is held under this id.
    ///
    /// # Errors
    /// As [`Books::order`].
    fn held(&self, id: HeldId) -> Result<Option<HeldEvent>, Self::Error>;

    /// The dead letter with this id.
    ///
    /// # Errors
    /// As [`Books::order`].
    fn letter(&self, id: LetterId) -> Result<Option<DeadLetter>, Self::Error>;

    /// Whether there is a dead letter with this id.
    ///
    /// # Errors
    /// As [`Books::order`].
    fn has_letter(&self, id: LetterId) -> Result<bool, Self::Error>;

    /// Whether an event with this key was accepted, and is remembered longer than until `expiry_ms`.
    ///
    /// # Errors
    /// As [`Books::order`].
    fn knows(&self, key: &DedupKey, expiry_ms: i64) -> Result<bool, Self::Error>;

    /// The number of the next event. No held event and no dead letter has it yet.
    fn next_number(&self) -> u64;
}

/// Books with changes that are not written yet.
pub struct Layered<'a, B: ?Sized> {
    /// What is stored.
    pub below: &'a B,
    /// What has been changed.
    pub above: &'a Records,
    /// How many numbers the changes have used.
    pub numbers: u64,
}

impl<B: Books + ?Sized> Books for Layered<'_, B> {
    type Error = B::Error;

    fn order(&self, id: &str) -> Result<Option<Order>, Self::Error> {
        match self.above.orders.get(id) {
            Some(order) => Ok(order.clone()),
            None => self.below.order(id),
        }
    }

    fn ids_that_read(&self, code: &str) -> Result<Vec<String>, Self::Error> {
        match self.above.codes.get(code) {
            Some(ids) => Ok(ids.clone()),
            None => self.below.ids_that_read(code),
        }
    }

    fn payment(&self, provider: &str, id: &str) -> Result<Option<Payment>, Self::Error> {
        if self.above.payments.is_empty() {
            return self.below.payment(provider, id);
        }
        let key = (provider.to_owned(), id.to_owned());
        match self.above.payments.get(&key) {
            Some(payment) => Ok(payment.clone()),
            None => self.below.payment(provider, id),
        }
    }

    fn held(&self, id: HeldId) -> Result<Option<HeldEvent>, Self::Error> {
        match self.above.held.get(&id) {
            Some(held) => Ok(held.clone()),
            None => self.below.held(id),
        }
    }

    fn letter(&self, id: LetterId) -> Result<Option<DeadLetter>, Self::Error> {
        match self.above.letters.get(&id) {
            Some(letter) => Ok(letter.clone()),
            None => self.below.letter(id),
        }
    }

    fn has_letter(&self, id: LetterId) -> Result<bool, Self::Error> {
        match self.above.letters.get(&id) {
            Some(letter) => Ok(letter.is_some()),
            None => self.below.has_letter(id),
        }
    }

    fn knows(&self, key: &DedupKey, expiry_ms: i64) -> Result<bool, Self::Error> {
        match self.above.keys.get(key) {
            Some(known) if known.until_ms > expiry_ms => Ok(true),
            _ => self.below.knows(key, expiry_ms),
        }
    }

    fn next_number(&self) -> u64 {
        self.below.next_number() + self.numbers
    }
}
