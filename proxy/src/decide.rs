//! Decisions: which changes a call makes, and which answer its caller gets. All decisions are pure functions.
//!
//! A [`Decision`] is made from the call, the contents of [`Books`] and the time. A decision returns [`Changes`] and a
//! reply, and uses no clock, disk, process or log. A store writes the changes of several calls in one commit. With
//! [`Layered`], later calls of the commit read the changes of earlier calls. The same calls in the same sequence
//! therefore lead to the same state, no matter how they are grouped into commits and how often the proxy restarts.
//!
//! | Call | Decides |
//! |---|---|
//! | [`Admit`] | which events are new, which are held until their order is paid |
//! | [`Register`], [`Pay`], [`Withdraw`] | the state of an order, and which events report it |
//! | [`TakeBack`] | how an order changes when its event becomes a dead letter |
//! | [`Replay`], [`Remove`] | which dead letters are sent again or removed |
//! | [`GiveUp`], [`Forget`] | which held events, orders and payments have expired |
//! | [`Log`] | nothing, because it only adds an entry to the change log |
//!
//! [`Decision::reads`] names every record that a call can read. This function needs only the call itself, so a database
//! can lock and load the records before the decision.

use std::sync::Arc;

use crate::clock::Times;

mod admit;
mod back;
mod books;
mod change_log;
mod changes;
mod destination;
mod key;
mod letter;
mod letters;
mod lookup;
mod money;
mod pay;
mod payment;
mod reads;
mod returned;
mod sweep;
mod transaction;
mod waiting;

pub use admit::{Admit, Enqueued, Event, Note, Part};
pub use books::{Books, Layered};
pub use change_log::Log;
pub use changes::{
    Arrival, Changes, Counts, HeldEvent, HeldId, Keys, Logged, Notice, Records, Remembered,
};
pub use destination::{Class, Destination, Destinations};
pub use key::{DedupKey, Remember};
pub use letter::{DeadLetter, LetterId, Named};
pub use letters::{Remove, Replay, TakeBack};
pub use lookup::Lookup;
pub use money::{Register, Registered, Reports, Withdraw};
pub use pay::{Pay, Receipt, Taken};
pub use payment::{Became, Payment};
pub use reads::Reads;
pub use sweep::{Forget, GiveUp};

pub use crate::payments::Name;

/// One call that changes stored data.
pub trait Decision<'a> {
    /// The answer for the caller.
    type Reply;

    /// Returns the records that [`Decision::decide`] can read.
    fn reads(&self) -> Reads;

    /// Decides about the call.
    ///
    /// # Errors
    /// The errors of the books, and a [`Fault`] of the call or of a record. After an error, the call has changed nothing.
    fn decide<B: Books + ?Sized>(
        &self,
        books: &B,
        now: Times,
    ) -> Result<(Changes<'a>, Self::Reply), B::Error>;
}

/// Why a call cannot be decided. Only this call is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The call's own data cannot be written.
    #[error("the event cannot be written as JSON")]
    Unwritable,
    /// A stored record cannot be read.
    #[error("a stored record cannot be read")]
    Corrupt,
}

/// The destination of the events of a call.
type To = Arc<Destination>;

#[cfg(test)]
mod tests;
