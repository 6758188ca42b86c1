//! Decisions: what a call changes, and what it is answered. Pure.
//!
//! A [`Decision`] is made from the call, from what [`Books`] contains, and from the time. It returns [`Changes`] and a
//! reply, and touches nothing: no clock, no disk, no process, no log. A store writes the changes of several calls in one commit;
//! [`Layered`] lets the later calls read what the earlier ones have changed. So the same calls in the same order lead to
//! the same state, however they are grouped into commits and however often the process restarts.
//!
//! | Call | Decides |
//! |---|---|
//! | [`Admit`] | which events are new, which are held until their order is paid |
//! | [`Register`], [`Pay`], [`Withdraw`] | the state of an order, and which events report it |
//! | [`TakeBack`] | what an order learns when its event becomes a dead letter |
//! | [`Replay`], [`Remove`] | which dead letters are sent again or removed |
//! | [`GiveUp`], [`Forget`] | which held events, orders and payments have expired |
//!
//! [`Decision::reads`] names every record that a call can read, from the call alone: a database can lock and load them
//! before the decision.

use std::{collections::BTreeSet, sync::Arc};

use crate::clock::Times;

mod admit;
mod books;
mod changes;
mod destination;
mod key;
mod letter;
mod letters;
mod money;
mod payment;
mod sweep;
mod transaction;

pub use admit::{Admit, Enqueued, Event, Note, Part};
pub use books::{Books, Layered};
pub use changes::{Arrival, Changes, Counts, HeldEvent, HeldId, Keys, Notice, Records, Remembered};
pub use destination::{Class, Destination};
pub use key::{DedupKey, Remember};
pub use letter::{DeadLetter, LetterId, Named};
pub use letters::{Remove, Replay, TakeBack};
pub use money::{Pay, Receipt, Register, Registered, Taken, Withdraw};
pub use payment::{Became, Payment};
pub use sweep::{Forget, GiveUp};

/// One call that changes what is stored.
pub trait Decision<'a> {
    /// What the caller is answered.
    type Reply;

    /// The records that [`Decision::decide`] may read.
    fn reads(&self) -> Reads;

    /// Decides.
    ///
    /// # Errors
    /// Those of the books, and a [`Fault`] of the call or of a record. Then nothing is changed.
    fn decide<B: Books + ?Sized>(
        &self,
        books: &B,
        now: Times,
    ) -> Result<(Changes<'a>, Self::Reply), B::Error>;
}

/// The records that a call may read, known before it is decided. An order is read with its held events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Orders by their ids.
    pub orders: BTreeSet<String>,
    /// Normalized order ids as [`Books::ids_that_read`] takes them; the orders they name are read too.
    pub codes: BTreeSet<String>,
    /// Payments by provider and id.
    pub payments: BTreeSet<(String, String)>,
    /// Deduplication keys.
    pub keys: BTreeSet<DedupKey>,
    /// Dead letters.
    pub letters: BTreeSet<LetterId>,
}

impl Reads {
    /// An order, and the orders whose ids read like its id in a memo.
    fn order(&mut self, id: &str) {
        self.orders.insert(id.to_owned());
        self.codes.insert(crate::payments::memo::normalised(id));
    }
}

/// Why a call cannot be decided. It is rejected alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The call's own data cannot be written.
    #[error("the event cannot be written as JSON")]
    Unwritable,
    /// A stored record cannot be read.
    #[error("a stored record cannot be read")]
    Corrupt,
}

/// Where the events of a call go.
type To = Arc<Destination>;

#[cfg(test)]
mod tests;
