//! Notifications of payment providers about money that moved.
//!
//! Each provider is one module beside [`sepay`] and implements [`Provider`](provider::Provider). The module checks who
//! sent a request, reads the provider's own formats and returns a [`Notification`]. The module `decide` then decides what
//! the notification changes, in the same way for all providers.

mod fields;
mod javascript;
pub mod matching;
pub mod memo;
pub mod payos;
pub mod polar;
pub mod proof;
pub mod provider;
pub mod sepay;
pub mod stripe;
pub mod vnpay;

#[cfg(test)]
mod forgeries;
#[cfg(test)]
mod samples;

use duet_events::Invalid;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use crate::money::Kind;
use crate::money::Money;
use memo::Memo;

/// Money that a provider says has moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The provider that reports the transfer, as a fixed word such as `sepay`.
    pub provider: &'static str,
    /// The provider's id of this transfer. The provider's module ensures that the id is unique among the provider's
    /// transfers and has at most 128 characters. A second notification with the same id is a repeat.
    pub id: String,
    /// Other ids under which the provider can report the same transfer, for example the id of a session and the id of its
    /// invoice. The provider's module must leave out an id that several transfers of the same kind have. Of the payments
    /// of a subscription, only the first may have the subscription's id here.
    pub also: Vec<String>,
    /// The amount that came. For a refund, a chargeback or a void, the amount that goes back.
    pub money: Money,
    /// The reason for the transfer.
    pub kind: Kind,
    /// The last four characters of the receiving account's number, for operators.
    pub account: Option<String>,
    /// The reference of the bank or the gateway, for operators. The provider's module limits the reference to 128
    /// characters.
    pub reference: Option<String>,
    /// How the transfer names its order.
    pub hint: OrderHint,
    /// For money that goes back: how the amount relates to the other refunds of the same payment.
    pub share: Share,
    /// Whether the provider itself decides that the order is paid, whatever the amount is. Otherwise the proxy compares
    /// the amount with the order's amount.
    pub knows: bool,
    /// Whether the provider is in its test mode, in which no money moves.
    pub is_test: bool,
}

/// How the amount of a refund relates to the other refunds of the same payment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    /// The amount is not contained in the sums of refunds that the provider states.
    #[default]
    Alone,
    /// The amount is contained in the sums of refunds that the provider states.
    Part,
    /// The provider states this sum of all refunds of the payment so far.
    Sum(Money),
}

/// How a transfer names its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderHint {
    /// By exact names. The first name that belongs to a registered order is used, or else the first name that belongs to
    /// an order that a page began.
    Exact(Vec<Name>),
    /// By a memo with text from the payer and the banks. The proxy searches the memo for an order's id.
    Memo(Memo),
}

/// An exact name of an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Name {
    /// The shop's own id of the order, as [`clean_id`](duet_events::order::clean_id) returns it.
    Order(String),
    /// A provider's id of the order, from the order's `references`.
    Reference {
        /// The provider.
        provider: String,
        /// The id.
        code: String,
    },
    /// The id of another transfer by the same provider that belongs to the order, for example the id of the refunded
    /// payment.
    Transfer {
        /// The provider.
        provider: String,
        /// The transfer's own id, or one of [`Transfer::also`].
        id: String,
    },
}

/// What an authentic notification asks the proxy to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notification {
    /// Money moved, perhaps for an order.
    Paid(Transfer),
    /// There is nothing to do. The reason is a fixed word for logs and metrics.
    Ignored(&'static str),
    /// Money came that pays no order, even if its memo names one. An operator must be able to find this money. The reason
    /// is a fixed word.
    Parked(Transfer, &'static str),
}

/// Why the proxy rejects a notification.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// The notification does not prove that the provider sent it.
    Unauthorised,
    /// The notification is not JSON.
    NotJson,
    /// The notification is JSON but breaks these rules.
    Invalid(Vec<Invalid>),
}

impl Transfer {
    /// Creates a transfer for a sale. The proxy will compare the transfer's amount with the order's amount. All other
    /// fields are empty.
    pub fn new(provider: &'static str, id: String, money: Money, hint: OrderHint) -> Self {
        Self {
            provider,
            id,
            also: Vec::new(),
            money,
            kind: Kind::First,
            share: Share::Alone,
            account: None,
            reference: None,
            hint,
            knows: false,
            is_test: false,
        }
    }
}

impl Kind {
    /// Returns the name for logs, metrics and lists.
    pub fn label(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Renewal => "renewal",
            Self::Refund => "refund",
            Self::Chargeback => "chargeback",
            Self::Void => "void",
        }
    }

    /// Whether a transfer of this kind takes money back.
    pub fn is_back(self) -> bool {
        matches!(self, Self::Refund | Self::Chargeback | Self::Void)
    }
}

impl OrderHint {
    /// Creates a name from the id that the shop chose for the order.
    pub fn order(id: impl Into<String>) -> Self {
        Self::Exact(vec![Name::Order(id.into())])
    }
}

impl Name {
    /// Creates a name from the id by which `provider` knows the order.
    fn reference(provider: &str, code: String) -> Self {
        let provider = provider.to_owned();
        Self::Reference { provider, code }
    }

    /// Creates a name from another transfer by `provider` that belongs to the order.
    fn transfer(provider: &str, id: String) -> Self {
        let provider = provider.to_owned();
        Self::Transfer { provider, id }
    }
}

/// Parses the body as a JSON object.
fn object(body: &[u8]) -> Result<Map<String, Value>, Refused> {
    match serde_json::from_slice(body).map_err(|_| Refused::NotJson)? {
        Value::Object(map) => Ok(map),
        _ => Err(Refused::Invalid(vec![Invalid::new(
            "body",
            "object",
            "the body must be a JSON object",
        )])),
    }
}

/// Returns the kind of a payment by its `billing_reason`. Polar and Stripe use the same words.
fn kind_of(payment: &fields::Fields<'_>) -> Kind {
    let reason = payment.text(&["billing_reason"]).unwrap_or_default();
    if reason.starts_with("subscription_") && reason != "subscription_create" {
        Kind::Renewal
    } else {
        Kind::First
    }
}

/// Returns the transfer. Returns an error if rules were broken, and [`Notification::Ignored`] if there is no transfer.
fn unless_nothing(
    transfer: Option<Transfer>,
    problems: Vec<Invalid>,
) -> Result<Notification, Refused> {
    match transfer {
        _ if !problems.is_empty() => Err(Refused::Invalid(problems)),
        None => Ok(Notification::Ignored("not_a_payment")),
        Some(transfer) => Ok(Notification::Paid(transfer)),
    }
}
