//! Names by which records are found.

use crate::{
    orders::Order,
    payments::{Name, memo::normalised},
};

/// A name under which records are found, with its kind. Several records can have the same name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lookup {
    /// The normalised form of an order's id, as the id appears in a memo. Under this name are the ids of all orders that
    /// look like this in a memo.
    Code(String),
    /// A provider's id of an order. Under this name is the shop's id of the order.
    Reference {
        /// The provider.
        provider: String,
        /// The id.
        code: String,
    },
    /// Another id under which a provider may report a payment. Under this name is the payment's id.
    Also {
        /// The provider.
        provider: String,
        /// The other id.
        id: String,
    },
    /// A name of an order or of a payment. Under this name are the payments that wait for it, each as `provider`, NUL,
    /// `id`.
    Waiting(Name),
    /// The id of a withdrawn event. Under this name is the id of the event's order. While this name exists, the courier
    /// ends the event without sending it, unless the event was sent before.
    Withdrawn(String),
}

impl Lookup {
    /// Returns the name under which orders are found whose ids look like `order_id` in a memo.
    pub fn code(order_id: &str) -> Self {
        Self::Code(normalised(order_id))
    }
}

/// Returns every name by which a payment can name the order exactly: the order's id and its references.
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

/// Returns a payment's provider and id as one text, for lists of payments.
pub(super) fn key_text((provider, id): &(String, String)) -> String {
    format!("{provider}\0{id}")
}

/// Reads a text that [`key_text`] returned.
pub(super) fn key_of(text: &str) -> Option<(String, String)> {
    let (provider, id) = text.split_once('\0')?;
    Some((provider.to_owned(), id.to_owned()))
}
