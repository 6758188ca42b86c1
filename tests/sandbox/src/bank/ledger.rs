//! What the bank has sent, and what it was answered.

use std::collections::VecDeque;

use serde::Serialize;

use super::instruction::{Auth, Flaw, Format};

/// How many transfers are kept.
const KEPT: usize = 1_000;

/// A payment, and how telling the shop of it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Counts up from 1.
    pub number: u64,
    /// SePay's number of the transaction.
    pub transaction_id: u64,
    /// When it happened, in milliseconds since 1970.
    pub at_ms: u64,
    /// Whom it was told.
    pub webhook_url: String,
    /// The format it was told in.
    pub format: Format,
    /// How it proved itself.
    pub auth: Auth,
    /// What was wrong with it.
    pub flaw: Option<Flaw>,
    /// The order that was meant.
    pub order_id: String,
    /// How much, in dong.
    pub amount: i64,
    /// In how many copies.
    pub copies: u32,
    /// The body as it was sent; its beginning where it is long.
    pub body: String,
    /// How far it is.
    pub state: Telling,
    /// Every request made.
    pub attempts: Vec<Attempt>,
}

/// How far the bank is with telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Telling {
    /// Not all is answered yet.
    Underway,
    /// Every copy was taken.
    Delivered,
    /// A copy was never taken.
    Failed,
}

/// One request to the webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// Which copy this was, from 1.
    pub copy: u32,
    /// When it was answered, or given up, in milliseconds since 1970.
    pub at_ms: u64,
    /// Whether SePay counts it as delivered.
    pub taken: bool,
    /// The status answered.
    pub status: Option<u16>,
    /// The body answered.
    pub answer: Option<String>,
    /// Why there is no answer.
    pub trouble: Option<String>,
}

impl Told {
    /// Every attempt has been made.
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

/// The first transaction's number.
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

    /// Enters a transfer and gives its number.
    pub(super) fn enter(&mut self, mut told: Told) -> u64 {
        self.numbered += 1;
        told.number = self.numbered;
        if self.kept.len() >= KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(told);
        self.numbered
    }

    /// Changes a transfer that is still kept.
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

    /// Forgets all, and goes on counting.
    pub(super) fn clear(&mut self) {
        self.kept.clear();
    }
}
