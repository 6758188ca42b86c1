//! The notifications that the bank has sent, and the shop's answers to them.

use std::collections::VecDeque;

use serde::Serialize;

use super::instruction::{Auth, Flaw, Format, Provider};

/// How many payments are kept.
const KEPT: usize = 1_000;

/// A payment and the state of its notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The number of this entry. Numbers begin at 1.
    pub number: u64,
    /// The number of the transaction.
    pub transaction_id: u64,
    /// The time of the payment, in milliseconds since 1970.
    pub at_ms: u64,
    /// The webhook that received the notification.
    pub webhook_url: String,
    /// The provider of the notification.
    pub provider: Provider,
    /// The format of the notification. The field has a meaning only for SePay.
    pub format: Format,
    /// How the notification proves that it comes from SePay.
    pub auth: Auth,
    /// The error in the notification, if any.
    pub flaw: Option<Flaw>,
    /// The order of the payment.
    pub order_id: String,
    /// The amount in minor units.
    pub amount: i64,
    /// The currency.
    pub currency: String,
    /// The number of copies.
    pub copies: u32,
    /// The sent body. A long body is cut.
    pub body: String,
    /// The state of the notification.
    pub state: Telling,
    /// All requests for the notification.
    pub attempts: Vec<Attempt>,
}

/// The state of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Telling {
    /// Some copies have not been answered yet.
    Underway,
    /// The shop accepted every copy.
    Delivered,
    /// At least one copy was never accepted by the shop.
    Failed,
}

/// One request to the webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// The number of the copy. Numbers begin at 1.
    pub copy: u32,
    /// The time at which the answer came or the bank gave up waiting, in milliseconds since 1970.
    pub at_ms: u64,
    /// Whether SePay would count the copy as delivered after this answer.
    pub taken: bool,
    /// The status of the answer.
    pub status: Option<u16>,
    /// The body of the answer.
    pub answer: Option<String>,
    /// The reason why there is no answer.
    pub trouble: Option<String>,
}

impl Told {
    /// Sets the final state. The caller must call this after the last attempt.
    pub(super) fn conclude(&mut self) {
        let taken = |copy| {
            let mut attempts = self.attempts.iter();
            attempts.any(|attempt| attempt.copy == copy && attempt.taken)
        };
        self.state = if (1..=self.copies).all(taken) {
            Telling::Delivered
        } else {
            Telling::Failed
        };
    }
}

/// The number of the first transaction.
const FIRST: u64 = 92_704;

#[derive(Debug, Default)]
pub(super) struct Ledger {
    kept: VecDeque<Told>,
    numbered: u64,
    transactions: u64,
}

impl Ledger {
    pub(super) fn next_transaction(&mut self) -> u64 {
        self.transactions += 1;
        FIRST + self.transactions - 1
    }

    /// Adds an entry and returns its number.
    pub(super) fn enter(&mut self, mut told: Told) -> u64 {
        self.numbered += 1;
        told.number = self.numbered;
        if self.kept.len() >= KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(told);
        self.numbered
    }

    /// Changes an entry if it is still kept.
    pub(super) fn change(&mut self, number: u64, change: impl FnOnce(&mut Told)) {
        let found = self.kept.iter_mut().find(|told| told.number == number);
        if let Some(told) = found {
            change(told);
        }
    }

    pub(super) fn find(&self, number: u64) -> Option<&Told> {
        self.kept.iter().find(|told| told.number == number)
    }

    pub(super) fn kept(&self) -> impl Iterator<Item = &Told> {
        self.kept.iter()
    }

    /// Removes all entries. Later entries continue the numbers.
    pub(super) fn clear(&mut self) {
        self.kept.clear();
    }
}
