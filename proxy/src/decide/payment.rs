//! What is kept of a payment: enough for an operator to find it at its provider, and no name, memo or account
//! number of anybody.

use serde::{Deserialize, Serialize};

use crate::limits;

/// A transfer and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Who says that it came.
    pub provider: String,
    /// The provider's own id of it.
    pub id: String,
    /// In dong.
    pub amount: i64,
    /// When the proxy heard of it, in Unix milliseconds.
    pub at_ms: i64,
    /// The last digits of the account it came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The bank's own reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The order it is for, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// What became of it.
    pub became: Became,
    /// Its provider's word for why it is not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What became of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    /// It paid its order.
    Paid,
    /// It paid its order, and more has come than was to be paid.
    Overpaid,
    /// More has to come.
    Partial,
    /// It names no order that is known.
    Unmatched,
    /// It names several orders that are not paid.
    Ambiguous,
    /// Its order was paid before: somebody is owed this money.
    PaidBefore,
    /// Its order is in another currency.
    OtherCurrency,
    /// Whatever it names, it pays nothing: it came to another account, say.
    NotCounted,
}

impl Became {
    /// The name in logs, metrics and lists.
    pub fn label(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Overpaid => "overpaid",
            Self::Partial => "partial",
            Self::Unmatched => "unmatched",
            Self::Ambiguous => "ambiguous",
            Self::PaidBefore => "paid_before",
            Self::OtherCurrency => "other_currency",
            Self::NotCounted => "not_counted",
        }
    }

    /// Whether an operator has to look at it.
    pub fn is_parked(self) -> bool {
        !matches!(self, Self::Paid | Self::Partial)
    }
}

impl Payment {
    /// Whether it is forgotten by now.
    pub(crate) fn is_over(&self, now_ms: i64) -> bool {
        now_ms >= self.at_ms + limits::PAYMENT_MS
    }
}
