//! Orders, payments and held events as rows of one table. The keys of the rows are made by [`keys`].

use fjall::OwnedWriteBatch;
use memchr::memmem::Finder;
use serde::de::DeserializeOwned;

use super::table::Table;
use crate::{
    decide::{HeldEvent, HeldId, Lookup, Payment, Records},
    history::{Digest, Salt},
    orders::Order,
    store::{
        Error, Scanned,
        keys::{self, held_key, lookup_key, order_key, payment_key, read, read_held_key},
    },
};

pub(super) fn order(rows: &Table, id: &str) -> Result<Option<Order>, Error> {
    find(rows, &order_key(id))
}

pub(super) fn found(rows: &Table, name: &Lookup) -> Result<Vec<String>, Error> {
    Ok(find(rows, &lookup_key(name))?.unwrap_or_default())
}

/// Returns the ids of all withdrawn events.
pub(super) fn withdrawn(rows: &Table) -> Result<Vec<String>, Error> {
    let id = |key: &[u8]| String::from_utf8(key.get(1..)?.to_vec()).ok();
    rows.prefix("x")
        .map(|row| id(&row.key()?).ok_or(Error::Corrupt))
        .collect()
}

pub(super) fn payment(rows: &Table, provider: &str, id: &str) -> Result<Option<Payment>, Error> {
    find(rows, &payment_key(provider, id))
}

/// Returns the payment with this id. `id` can be the payment's own id, or another id under which its provider can
/// report the payment.
pub(super) fn payment_told(
    rows: &Table,
    provider: &str,
    id: &str,
) -> Result<Option<Payment>, Error> {
    if let Some(payment) = payment(rows, provider, id)? {
        return Ok(Some(payment));
    }
    let (provider, id) = (provider.to_owned(), id.to_owned());
    let also = found(
        rows,
        &Lookup::Also {
            provider: provider.clone(),
            id,
        },
    )?;
    let Some(id) = also.first() else {
        return Ok(None);
    };
    payment(rows, &provider, id)
}

pub(super) fn payments(rows: &Table) -> Result<Vec<Payment>, Error> {
    rows.prefix("p")
        .map(|row| read(&row.into_inner()?.1))
        .collect()
}

pub(super) fn held(rows: &Table, id: HeldId) -> Result<Option<HeldEvent>, Error> {
    find(rows, &held_key(id))
}

/// Returns the payments that belong to the order with this id. Parses only payments whose JSON contains the id.
pub(super) fn payments_of(rows: &Table, id: &str) -> Result<Vec<Payment>, Error> {
    let text = serde_json::Value::from(id).to_string();
    let finder = Finder::new(&text);
    let mut found = Vec::new();
    for row in rows.prefix("p") {
        let (_, value) = row.into_inner()?;
        if finder.find(&value).is_some() {
            let payment: Payment = read(&value)?;
            found.extend(Some(payment).filter(|payment| payment.belongs_to(id)));
        }
    }
    Ok(found)
}

/// Returns the id of the order with this digest.
pub(super) fn order_of(rows: &Table, digest: Digest, salt: Salt) -> Result<Option<String>, Error> {
    for row in rows.prefix("o") {
        let key = row.key()?;
        let id = key.get(1..).and_then(|id| std::str::from_utf8(id).ok());
        if let Some(id) = id.filter(|id| salt.order(id) == digest) {
            return Ok(Some(id.to_owned()));
        }
    }
    Ok(None)
}

/// Returns the held events whose stored text contains one of `texts`.
pub(super) fn find_held(rows: &Table, texts: &[String]) -> Result<Vec<HeldEvent>, Error> {
    let finders: Vec<_> = texts.iter().map(Finder::new).collect();
    let mut found = Vec::new();
    for row in rows.prefix("h") {
        let (_, value) = row.into_inner()?;
        if finders.iter().any(|finder| finder.find(&value).is_some()) {
            found.push(read(&value)?);
        }
    }
    Ok(found)
}

/// Returns at most `most` held events that were to be held until a time before `ms`. Events that cannot be read stay in
/// the store.
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
                "held event cannot be read; the event stays in the store"
            ),
        }
    }
    Ok(found)
}

/// Visits the orders and payments among the next `most` rows, starting at `cursor`. Returns the key at which the next page
/// starts.
pub(super) fn scan(
    rows: &Table,
    cursor: &[u8],
    most: usize,
    visit: &mut dyn FnMut(Scanned<'_>),
) -> Result<Vec<u8>, Error> {
    let rows = rows.range(cursor.to_vec()..).take(most);
    let entries: Vec<_> = rows
        .map(fjall::Guard::into_inner)
        .collect::<Result<_, _>>()?;
    let entries = entries.iter().map(|(key, value)| (&**key, &**value));
    Ok(keys::scan(entries, most, visit))
}

/// Adds changed records to a commit.
pub(super) fn write(
    rows: &Table,
    batch: &mut OwnedWriteBatch,
    records: &Records,
) -> Result<(), Error> {
    for (key, value) in keys::changed(records)? {
        match value {
            Some(value) => rows.insert(batch, key, value)?,
            None => rows.remove(batch, key),
        }
    }
    Ok(())
}

fn find<T: DeserializeOwned>(rows: &Table, key: &[u8]) -> Result<Option<T>, Error> {
    rows.get(key)?.map(|value| read(&value)).transpose()
}
