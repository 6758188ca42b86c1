//! Names by which records are found.

use crate::{
    orders::Order,
    payments::{Name, memo::normalised},
};

/// A name and its kind. Several records can have the same name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lookup {
    /// A normalised order id as it appears in a memo. It finds the ids of the orders that look like this.
    Code(String),
    /// A provider's id of an order. It finds the id of the order.
    Reference {
        /// The provider.
        provider: String,
        /// The id.
        code: String,
    },
    /// Another id under which a provider may report a payment. It finds the id of the payment.
    Also {
        /// The provider.
        provider: String,
        /// The other id.
        id: String,
    },
    /// A name of an order. It finds the payments that wait for this order, as `provider`, NUL, `id`.
    Waiting(Name),
    /// The id of a withdrawn event. It finds the id of the event's order. The event ends when its lane claims it, unless it was
    /// already sent.
    Withdrawn(String),
}

impl Lookup {
    /// Returns the name under which the orders of a memo's candidate are found.
    pub fn code(order_id: &str) -> Self {
        Self::Code(normalised(order_id))
    }
}

/// Returns the exact names of an order.
pub(super) fn names_of(order: &Order) -> impl Iterator<Item = Name> {
    let references = order
        .references()
        .iter()
        .map(|(provider, code)| Name::Reference {
            provider: provider.clone(),
            code: code.clone(),
        });
    std::iter::once(Name::Order(order.id().to_owned())).chain(references)
}

/// Returns the text of a payment in a list.
pub(super) fn key_text((provider, id): &(String, String)) -> String {
    format!("{provider}\0{id}")
}

/// Reads [`key_text`].
pub(super) fn key_of(text: &str) -> Option<(String, String)> {
    let (provider, id) = text.split_once('\0')?;
    Some((provider.to_owned(), id.to_owned()))
}
