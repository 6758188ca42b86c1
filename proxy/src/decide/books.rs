//! The data that a decision can read.

use super::{DeadLetter, DedupKey, Fault, HeldEvent, HeldId, LetterId, Lookup, Payment, Records};
use crate::{history::Salt, orders::Order};

/// The stored data that a decision can read. Stores implement this trait.
pub trait Books {
    /// The error of a read.
    type Error: From<Fault>;

    /// Returns the order with this id, even if it has expired.
    ///
    /// # Errors
    /// An error if the record cannot be read. All methods of this trait return this error.
    fn order(&self, id: &str) -> Result<Option<Order>, Self::Error>;

    /// Returns the ids of the records that are found under this name.
    ///
    /// # Errors
    /// The same as those of [`Books::order`].
    fn found(&self, name: &Lookup) -> Result<Vec<String>, Self::Error>;

    /// Returns the payment with this id.
    ///
    /// # Errors
    /// The same as those of [`Books::order`].
    fn payment(&self, provider: &str, id: &str) -> Result<Option<Payment>, Self::Error>;

    /// Returns the held event with this id.
    ///
    /// # Errors
    /// The same as those of [`Books::order`].
    fn held(&self, id: HeldId) -> Result<Option<HeldEvent>, Self::Error>;

    /// Returns the dead letter with this id.
    ///
    /// # Errors
    /// The same as those of [`Books::order`].
    fn letter(&self, id: LetterId) -> Result<Option<DeadLetter>, Self::Error>;

    /// Returns whether there is a dead letter with this id.
    ///
    /// # Errors
    /// The same as those of [`Books::order`].
    fn has_letter(&self, id: LetterId) -> Result<bool, Self::Error>;

    /// Returns whether an event with this key was accepted, and the key is remembered until a time after `expiry_ms`.
    ///
    /// # Errors
    /// The same as those of [`Books::order`].
    fn knows(&self, key: &DedupKey, expiry_ms: i64) -> Result<bool, Self::Error>;

    /// Returns the salt of the history's digests.
    fn salt(&self) -> Salt;

    /// Returns the number of the next event. No held event and no dead letter has this number yet.
    fn next_number(&self) -> u64;
}

/// The stored data, together with changes that are not written yet. A change hides the stored record that it replaces.
pub struct Layered<'a, B: ?Sized> {
    /// The stored data.
    pub below: &'a B,
    /// The changes.
    pub above: &'a Records,
    /// How many event numbers the changes have used.
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

    fn found(&self, name: &Lookup) -> Result<Vec<String>, Self::Error> {
        match self.above.lookups.get(name) {
            Some(found) => Ok(found.clone()),
            None => self.below.found(name),
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

    fn salt(&self) -> Salt {
        self.below.salt()
    }

    fn next_number(&self) -> u64 {
        self.below.next_number() + self.numbers
    }
}
