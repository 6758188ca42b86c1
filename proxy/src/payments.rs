//! Money that arrived, as its providers tell it.
//!
//! A provider is one module beside [`sepay`]: it proves who speaks, reads its own formats and hands out a
//! [`Notification`]. What follows from one is decided elsewhere, once for all of them.

pub mod amount;
pub mod matching;
pub mod memo;
pub mod sepay;

use duet_events::Invalid;

use memo::Memo;

/// Money that a provider says has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Who says so, as a fixed word such as `sepay`.
    pub provider: &'static str,
    /// What the provider calls this transfer: unique within the provider, at most 128 characters. A second
    /// notification with this id is a repeat.
    pub id: String,
    /// Whole dong, from 1 to [`amount::MAX`]; 0 only in [`Notification::Parked`].
    pub amount: i64,
    /// The last four characters of the account it came to, for operators.
    pub account: Option<String>,
    /// The bank's or the gateway's own reference, for operators; at most 128 characters.
    pub reference: Option<String>,
    /// How it names its order.
    pub hint: OrderHint,
}

/// How a transfer names the order that it pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderHint {
    /// By the order's id, as the shop gave it.
    Exact(String),
    /// By a memo that people and banks have written on, to be searched.
    Memo(Memo),
}

/// What an authentic notification asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notification {
    /// Money came, perhaps for an order.
    Paid(Transfer),
    /// There is nothing to do. The reason is a fixed word for logs and metrics.
    Ignored(&'static str),
    /// Money came that pays no order, whatever its memo says; an operator should know of it. The reason is
    /// a fixed word.
    Parked(Transfer, &'static str),
}

/// Why a notification is not believed, or not understood.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// It does not prove that the provider sent it.
    Unauthorised,
    /// It is not JSON.
    NotJson,
    /// It is JSON that breaks these rules.
    Invalid(Vec<Invalid>),
}
