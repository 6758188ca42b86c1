//! Orders, payments and held events as rows of one table.
//!
//! | Key | Value |
//! |---|---|
//! | `o`, order id | [`Order`] as JSON |
//! | `c`, normalised order id (see [`memo`](crate::payments::memo)) | the ids of begun orders that read the same in a memo, as JSON |
//! | `p`, provider, NUL, payment id | [`Payment`] as JSON |
//! | `h`, when it is given up (ms), sequence number | [`HeldEvent`] as JSON |

use fjall::OwnedWriteBatch;
use serde::{Serialize, de::DeserializeOwned};

use super::table::Table;
use crate::{
    decide::{HeldEvent, HeldId, Payment, Records},
    orders::Order,
    store::{Error, Page},
};

pub(super) fn order(rows: &Table, id: &str) -> Result<Option<Order>, Error> {
    find(rows, &order_key(id))
}

pub(super) fn ids_that_read(rows: &Table, code: &str) -> Result<Vec<String>, Error> {
    Ok(find(rows, &code_key(code))?.unwrap_or_default())
}

pub(super) fn payment(rows: &Table, provider: &str, id: &str) -> Result<Option<Payment>, Error> {
    find(rows, &payment_key(provider, id))
}

pub(super) fn payments(rows: &Table) -> Result<Vec<Payment>, Error> {
    rows.prefix("p")
        .map(|row| read(&row.into_inner()?.1))
        .collect()
}

pub(super) fn held(rows: &Table, id: HeldId) -> Result<Option<HeldEvent>, Error> {
    find(rows, &held_key(id))
}

/// At most `most` events that were to be held until before `ms`. Those that cannot be read stay where they are.
pub(super) fn held_until(
    rows: &Table,
    ms: i64,
    most: usize,
) -> Result<Vec<(HeldId, String)>, Error> {
    let [first, end] = [0, ms].map(|until_ms| {
        held_key(HeldId {
            until_ms,
            sequence: 0,
        })
    });
    let mut found = Vec::new();
    for row in rows.range(first..end) {
        if found.len() >= most {
            break;
        }
        let (key, value) = row.into_inner()?;
        let id = read_held_key(&key).ok_or(Error::Corrupt);
        match id.and_then(|id| Ok((id, read::<HeldEvent>(&value)?.order_id))) {
            Ok(held) => found.push(held),
            Err(error) => tracing::error!(
                error = ?error,
                "a held event cannot be read; it stays where it is"
            ),
        }
    }
    Ok(found)
}

/// The next `most` rows from `cursor` on, as far as they are orders or payments and can be read.
pub(super) fn page(rows: &Table, cursor: &[u8], most: usize) -> Result<Page, Error> {
    let mut page = Page::default();
    let (mut count, mut unreadable) = (0, 0);
    for row in rows.range(cursor.to_vec()..).take(most) {
        let (key, value) = row.into_inner()?;
        let read = match key.first() {
            Some(b'o') => read(&value).map(|order| page.orders.push(order)),
            Some(b'p') => read(&value).map(|payment| page.payments.push(payment)),
            _ => Ok(()),
        };
        unreadable += usize::from(read.is_err());
        page.next = key.to_vec();
        count += 1;
    }
    if unreadable > 0 {
        tracing::error!(
            rows = unreadable,
            "orders or payments cannot be read; they stay where they are"
        );
    }
    if count < most {
        page.next.clear();
    } else {
        page.next.push(0);
    }
    Ok(page)
}

/// Adds changed records to a commit.
pub(super) fn write(
    rows: &Table,
    batch: &mut OwnedWriteBatch,
    records: &Records,
) -> Result<(), Error> {
    for (id, order) in &records.orders {
        put(rows, batch, order_key(id), order.as_ref())?;
    }
    for (code, ids) in &records.codes {
        let ids = Some(ids).filter(|ids| !ids.is_empty());
        put(rows, batch, code_key(code), ids)?;
    }
    for ((provider, id), payment) in &records.payments {
        put(rows, batch, payment_key(provider, id), payment.as_ref())?;
    }
    for (id, held) in &records.held {
        put(rows, batch, held_key(*id), held.as_ref())?;
    }
    Ok(())
}

fn put<T: Serialize>(
    rows: &Table,
    batch: &mut OwnedWriteBatch,
    key: Vec<u8>,
    record: Option<&T>,
) -> Result<(), Error> {
    if let Some(record) = record {
        let value = serde_json::to_vec(record).map_err(|_| Error::Unwritable)?;
        return rows.insert(batch, key, value);
    }
    rows.remove(batch, key);
    Ok(())
}

fn find<T: DeserializeOwned>(rows: &Table, key: &[u8]) -> Result<Option<T>, Error> {
    rows.get(key)?.map(|value| read(&value)).transpose()
}

fn read<T: DeserializeOwned>(value: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(value).map_err(|_| Error::Corrupt)
}

fn order_key(id: &str) -> Vec<u8> {
    ["o", id].concat().into_bytes()
}

fn code_key(code: &str) -> Vec<u8> {
    ["c", code].concat().into_bytes()
}

fn payment_key(provider: &str, id: &str) -> Vec<u8> {
    ["p", provider, "\0", id].concat().into_bytes()
}

fn held_key(id: HeldId) -> Vec<u8> {
    let until = id.until_ms.unsigned_abs().to_be_bytes();
    [b"h".as_slice(), &until, &id.sequence.to_be_bytes()].concat()
}

fn read_held_key(key: &[u8]) -> Option<HeldId> {
    let (until, rest) = key.strip_prefix(b"h")?.split_first_chunk()?;
    Some(HeldId {
        until_ms: i64::try_from(u64::from_be_bytes(*until)).ok()?,
        sequence: u64::from_be_bytes(rest.try_into().ok()?),
    })
}
