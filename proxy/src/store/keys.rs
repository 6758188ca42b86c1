//! Orders, payments and held events as entries with a key and a value.
//!
//! | Key | Value |
//! |---|---|
//! | `o`, order id | [`Order`](crate::orders::Order) as JSON |
//! | the key of a [`Lookup`], see [`lookup_key`] | the ids that are found under this name, as JSON |
//! | `p`, provider, NUL, payment id | [`Payment`](crate::decide::Payment) as JSON |
//! | `l`, [`LetterId`](crate::decide::LetterId) | only in a database: an entry of the change log as JSON (see [`log`](super::log)) |
//! | `l` | only in a database: the fingerprints of the last start's settings as JSON |
//! | `h`, when the held event expires (ms), sequence number | [`HeldEvent`](crate::decide::HeldEvent) as JSON |

use serde::{Serialize, de::DeserializeOwned};

use super::{Error, Scanned};
use crate::decide::{HeldId, Lookup, Name, Records};

/// The first letter of the change log's keys in a database.
pub(super) const CHANGE: &[u8] = b"l";

/// A key, and its value after a change. The value `None` means that the change removes the entry.
pub(super) type Changed = (Vec<u8>, Option<Vec<u8>>);

/// Returns the changed entries.
pub(super) fn changed(records: &Records) -> Result<Vec<Changed>, Error> {
    let mut changed = Vec::new();
    for (id, order) in &records.orders {
        changed.push((order_key(id), value(order.as_ref())?));
    }
    for (name, found) in &records.lookups {
        let found = Some(found).filter(|found| !found.is_empty());
        changed.push((lookup_key(name), value(found)?));
    }
    for ((provider, id), payment) in &records.payments {
        changed.push((payment_key(provider, id), value(payment.as_ref())?));
    }
    for (id, held) in &records.held {
        changed.push((held_key(*id), value(held.as_ref())?));
    }
    Ok(changed)
}

/// Visits the orders and payments among the first `most` entries. Skips entries that cannot be read. Returns the key at which
/// the next page starts.
pub(super) fn scan<'a>(
    entries: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    most: usize,
    visit: &mut dyn FnMut(Scanned<'_>),
) -> Vec<u8> {
    let mut next = Vec::new();
    let (mut count, mut unreadable) = (0, 0);
    for (key, value) in entries {
        let read = match key.first() {
            Some(b'o') => read(value).map(|order| visit(Scanned::Order(&order))),
            Some(b'p') => read(value).map(|payment| visit(Scanned::Payment(&payment))),
            _ => Ok(()),
        };
        unreadable += usize::from(read.is_err());
        next = key.to_vec();
        count += 1;
    }
    if unreadable > 0 {
        tracing::error!(
            rows = unreadable,
            "orders or payments cannot be read; they stay in the store"
        );
    }
    if count < most {
        next.clear();
    } else {
        next.push(0);
    }
    next
}

fn value<T: Serialize>(record: Option<&T>) -> Result<Option<Vec<u8>>, Error> {
    let value = record.map(serde_json::to_vec).transpose();
    value.map_err(|_| Error::Unwritable)
}

pub(super) fn read<T: DeserializeOwned>(value: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(value).map_err(|_| Error::Corrupt)
}

pub(super) fn order_key(id: &str) -> Vec<u8> {
    ["o", id].concat().into_bytes()
}

/// Returns the key of a lookup: a letter or two for the kind of the name, then the parts of the name with NUL between them.
pub(super) fn lookup_key(name: &Lookup) -> Vec<u8> {
    let parts: &[&str] = match name {
        Lookup::Code(code) => &["c", code],
        Lookup::Reference { provider, code } => &["r", provider, "\0", code],
        Lookup::Also { provider, id } => &["a", provider, "\0", id],
        Lookup::Waiting(Name::Order(id)) => &["wo", id],
        Lookup::Waiting(Name::Reference { provider, code }) => &["wr", provider, "\0", code],
        Lookup::Waiting(Name::Transfer { provider, id }) => &["wt", provider, "\0", id],
        Lookup::Withdrawn(event_id) => &["x", event_id],
    };
    parts.concat().into_bytes()
}

pub(super) fn payment_key(provider: &str, id: &str) -> Vec<u8> {
    ["p", provider, "\0", id].concat().into_bytes()
}

pub(super) fn held_key(id: HeldId) -> Vec<u8> {
    let until = id.until_ms.unsigned_abs().to_be_bytes();
    [b"h".as_slice(), &until, &id.sequence.to_be_bytes()].concat()
}

pub(super) fn read_held_key(key: &[u8]) -> Option<HeldId> {
    let (until, rest) = key.strip_prefix(b"h")?.split_first_chunk()?;
    Some(HeldId {
        until_ms: i64::try_from(u64::from_be_bytes(*until)).ok()?,
        sequence: u64::from_be_bytes(rest.try_into().ok()?),
    })
}
