//! The stored data of a payment. With this data an operator can find the payment at its provider. The data contains no
//! person's name, no memo and no full account number.

use serde::{Deserialize, Serialize};

use super::returned::Returned;
use crate::{
    limits,
    money::{Kind, Money},
    orders::Received,
    payments::{Name, OrderHint, Share, Transfer},
};

/// A transfer, with the result of processing it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// The provider that reported the transfer.
    pub provider: String,
    /// The provider's own id of the transfer.
    pub id: String,
    /// Other ids under which the provider can report the transfer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// The amount.
    pub amount: Money,
    /// The kind of the transfer, as the provider states it.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub kind: Kind,
    /// Whether the provider itself decides that this transfer pays its order, whatever the amount is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub knows: bool,
    /// When the proxy received the notification, in Unix milliseconds.
    pub at_ms: i64,
    /// The last digits of the receiving account's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The bank's own reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The order that the transfer is for, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// The names by which the transfer's order or payment can appear later. When the first of these names appears, the
    /// transfer is matched. Empty if the transfer waits for nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<Name>,
    /// Names of the earlier transfer whose money this transfer takes back. The proxy finds the earlier transfer by the
    /// first of these names that it knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub takes_back: Vec<Name>,
    /// How the amount relates to other refunds of the same transfer.
    #[serde(default, skip_serializing_if = "is_alone")]
    pub share: Share,
    /// How much of this transfer's money went back.
    #[serde(default, skip_serializing_if = "Returned::is_nothing")]
    pub returned: Returned,
    /// The id of the event that reports this transfer as a renewal, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The result of the transfer.
    pub became: Became,
    /// The provider's reason why the transfer is not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The result of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    /// The transfer paid its order.
    Paid,
    /// The transfer paid its order, and more money came than the registered amount.
    Overpaid,
    /// The provider states that the transfer paid its order, but the amount differs from the registered amount. Reasons are a
    /// tax, a discount or another currency.
    AmountDiffers,
    /// The order needs more money before it is paid.
    Partial,
    /// The transfer is a later payment of an order that is or was paid.
    Renewed,
    /// The transfer takes money back.
    Returned,
    /// The amount of the transfer is zero.
    Free,
    /// The transfer names no order that the proxy knows.
    Unmatched,
    /// The transfer names several unpaid orders.
    Ambiguous,
    /// The order was already paid. The shop must pay this money back to the payer.
    PaidBefore,
    /// The order is in another currency.
    OtherCurrency,
    /// The payment provider is in test mode, but this proxy is not, so the proxy does not count the payment.
    Test,
    /// The transfer pays no order, even if it names one. For example, the money came to another account.
    NotCounted,
}

impl Became {
    pub(super) fn of(received: Received) -> Self {
        match received {
            Received::Paid => Self::Paid,
            Received::Overpaid => Self::Overpaid,
            Received::Differs => Self::AmountDiffers,
            Received::Partial => Self::Partial,
            Received::PaidBefore => Self::PaidBefore,
            Received::OtherCurrency => Self::OtherCurrency,
        }
    }

    /// Returns the name for logs, metrics and lists.
    pub fn label(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Overpaid => "overpaid",
            Self::AmountDiffers => "amount_differs",
            Self::Partial => "partial",
            Self::Renewed => "renewed",
            Self::Returned => "returned",
            Self::Free => "free",
            Self::Unmatched => "unmatched",
            Self::Ambiguous => "ambiguous",
            Self::PaidBefore => "paid_before",
            Self::OtherCurrency => "other_currency",
            Self::Test => "test",
            Self::NotCounted => "not_counted",
        }
    }

    /// Whether an operator must review the payment.
    pub fn is_parked(self) -> bool {
        match self {
            Self::Paid
            | Self::AmountDiffers
            | Self::Partial
            | Self::Renewed
            | Self::Returned
            | Self::Free => false,
            Self::Overpaid
            | Self::Unmatched
            | Self::Ambiguous
            | Self::PaidBefore
            | Self::OtherCurrency
            | Self::Test
            | Self::NotCounted => true,
        }
    }
}

impl Payment {
    /// Creates the record of a transfer that was not processed yet.
    pub(super) fn of(transfer: &Transfer, parked: Option<&'static str>, now_ms: i64) -> Self {
        let is_transfer = |name: &&Name| matches!(name, Name::Transfer { .. });
        let takes_back = match &transfer.hint {
            OrderHint::Exact(names) if transfer.kind.is_back() => {
                names.iter().filter(is_transfer).cloned().collect()
            }
            _ => Vec::new(),
        };
        Self {
            provider: transfer.provider.to_owned(),
            id: transfer.id.clone(),
            also: transfer.also.clone(),
            amount: transfer.money,
            kind: transfer.kind,
            knows: transfer.knows,
            at_ms: now_ms,
            account: transfer.account.clone(),
            reference: transfer.reference.clone(),
            order_id: None,
            waits_for: Vec::new(),
            takes_back,
            share: transfer.share,
            returned: Returned::default(),
            event_id: None,
            became: Became::NotCounted,
            reason: parked.map(str::to_owned),
        }
    }

    /// Returns the payment's provider and id.
    pub(super) fn key(&self) -> (String, String) {
        (self.provider.clone(), self.id.clone())
    }

    /// Stores the ids under which this report names the payment. Returns whether any id is new.
    pub(super) fn is_told_as(&mut self, transfer: &Transfer) -> bool {
        let before = self.also.len();
        for id in std::iter::once(&transfer.id).chain(&transfer.also) {
            if *id != self.id && !self.also.contains(id) {
                self.also.push(id.clone());
            }
        }
        self.also.len() > before
    }

    /// Makes the payment wait for one of these names. A renewal that waits needs no review, because its order may simply
    /// have expired.
    pub(super) fn waits_for_one_of(&mut self, names: &[Name]) {
        self.became = match self.kind {
            _ if self.amount.is_zero() => Became::Free,
            Kind::Renewal => Became::Renewed,
            Kind::First | Kind::Refund | Kind::Chargeback | Kind::Void => Became::Unmatched,
        };
        for name in names {
            if !self.waits_for.contains(name) {
                self.waits_for.push(name.clone());
            }
        }
    }

    /// Whether the payment could pay an order, but no order was found.
    pub(super) fn is_without_order(&self) -> bool {
        let may_find = matches!(
            self.became,
            Became::Unmatched | Became::Renewed | Became::Free
        );
        may_find && self.order_id.is_none()
    }

    /// Whether the payment belongs to the order with this id, or has this id as its bank reference.
    pub fn belongs_to(&self, id: &str) -> bool {
        [&self.order_id, &self.reference]
            .iter()
            .any(|known| known.as_deref() == Some(id))
    }

    /// Whether the whole amount of the payment went back.
    pub(crate) fn is_returned(&self) -> bool {
        self.returned.covers(self.amount)
    }

    /// Returns every id under which the provider can report the payment, each as a [`Name`].
    pub(super) fn names(&self) -> impl Iterator<Item = Name> {
        let ids = std::iter::once(&self.id).chain(&self.also);
        ids.map(|id| Name::Transfer {
            provider: self.provider.clone(),
            id: id.clone(),
        })
    }

    /// Whether the payment has expired.
    pub(crate) fn is_over(&self, now_ms: i64) -> bool {
        now_ms >= self.at_ms + limits::PAYMENT_MS
    }
}

fn is_alone(share: &Share) -> bool {
    *share == Share::Alone
}

fn first() -> Kind {
    Kind::First
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_first(kind: &Kind) -> bool {
    *kind == Kind::First
}
