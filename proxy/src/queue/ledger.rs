//! Orders, their payments and the events that wait for them, as one commit sees and changes them.
//!
//! | Key | Value |
//! |---|---|
//! | `o`, order id | [`Order`] as JSON |
//! | `c`, normalised order id (see [`memo`]) | the ids of begun orders that read the same in a memo, as JSON |
//! | `p`, provider, NUL, transfer id | [`Payment`] as JSON |
//! | `h`, when it is given up (ms), sequence number | [`Waiting`] as JSON: an event that waits for a payment |

use std::{collections::BTreeMap, sync::Arc};

use fjall::OwnedWriteBatch;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{Destination, Error, payment::Payment, table::Table};
use crate::{
    orders::{Held, Order},
    payments::memo,
};

/// An event that waits for a payment.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) order_id: String,
    pub(super) destination: Arc<Destination>,
    pub(super) event: Box<RawValue>,
    pub(super) held_at_ms: i64,
}

/// Rows as they will be once the commit is done.
pub(super) struct Ledger<'a> {
    rows: &'a Table,
    changed: BTreeMap<Vec<u8>, Value>,
    /// What stood in `changed` before each change since [`Ledger::mark`], where something did.
    undo: Vec<(Vec<u8>, Option<Value>)>,
}

/// A row's value, where there is a row.
type Value = Option<Vec<u8>>;

impl<'a> Ledger<'a> {
    pub(super) fn new(rows: &'a Table) -> Self {
        Self {
            rows,
            changed: BTreeMap::new(),
            undo: Vec::new(),
        }
    }

    /// From here on, changes can be taken back.
    pub(super) fn mark(&mut self) {
        self.undo.clear();
    }

    /// Takes back every change since [`Ledger::mark`].
    pub(super) fn go_back(&mut self) {
        while let Some((key, before)) = self.undo.pop() {
            match before {
                Some(before) => self.changed.insert(key, before),
                None => self.changed.remove(&key),
            };
        }
    }

    fn change(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let before = self.changed.insert(key.clone(), value);
        self.undo.push((key, before));
    }

    pub(super) fn find(&self, id: &str, now_ms: i64) -> Result<Option<Order>, Error> {
        let order: Option<Order> = self.read(&order_key(id))?;
        Ok(order.filter(|order| !order.is_over(now_ms)))
    }

    /// Orders that read like `code` in a memo.
    pub(super) fn that_read(&self, code: &str, now_ms: i64) -> Result<Vec<Order>, Error> {
        let ids: Vec<String> = self.read(&code_key(code))?.unwrap_or_default();
        let mut orders = Vec::new();
        for id in ids {
            orders.extend(self.find(&id, now_ms)?);
        }
        Ok(orders)
    }

    /// Whether a live order reads like `id` in a memo.
    pub(super) fn has_lookalike(&self, id: &str, now_ms: i64) -> Result<bool, Error> {
        Ok(!self.that_read(&memo::normalised(id), now_ms)?.is_empty())
    }

    pub(super) fn keep(&mut self, order: &Order) -> Result<(), Error> {
        if order.is_begun() {
            self.keep_code(order.id())?;
        }
        self.write(order_key(order.id()), order)
    }

    fn keep_code(&mut self, id: &str) -> Result<(), Error> {
        let code = memo::normalised(id);
        if code.is_empty() {
            return Ok(());
        }
        let mut ids: Vec<String> = self.read(&code_key(&code))?.unwrap_or_default();
        if ids.iter().any(|known| known == id) {
            return Ok(());
        }
        ids.push(id.to_owned());
        self.write(code_key(&code), &ids)
    }

    pub(super) fn forget(&mut self, id: &str) -> Result<(), Error> {
        let code = code_key(&memo::normalised(id));
        let mut ids: Vec<String> = self.read(&code)?.unwrap_or_default();
        ids.retain(|known| known != id);
        if ids.is_empty() {
            self.change(code, None);
        } else {
            self.write(code, &ids)?;
        }
        self.change(order_key(id), None);
        Ok(())
    }

    pub(super) fn payment(&self, provider: &str, id: &str) -> Result<Option<Payment>, Error> {
        self.read(&payment_key(provider, id))
    }

    pub(super) fn keep_payment(&mut self, payment: &Payment) -> Result<(), Error> {
        self.write(payment_key(&payment.provider, &payment.id), payment)
    }

    pub(super) fn hold(&mut self, held: &Held, waiting: &Waiting) -> Result<(), Error> {
        self.write(held_key(held.until_ms, held.sequence), waiting)
    }

    /// Takes an event that waits out of the store: the one of this number, to be given up at `until_ms`.
    pub(super) fn take(&mut self, until_ms: i64, sequence: u64) -> Result<Option<Waiting>, Error> {
        let key = held_key(until_ms, sequence);
        let waiting = self.read(&key)?;
        self.change(key, None);
        Ok(waiting)
    }

    /// When at most `most` events that have waited long enough by `now_ms` were to be given up, and their numbers.
    pub(super) fn waited_in_vain(
        &self,
        now_ms: i64,
        most: usize,
    ) -> Result<Vec<(i64, u64)>, Error> {
        let due = self.rows.range(held_key(0, 0)..held_key(now_ms, 0));
        due.take(most)
            .map(|row| read_held_key(&row.key()?).ok_or(Error::Corrupt))
            .collect()
    }

    /// Forgets what has had its time among the next `most` orders and payments behind `cursor`. Where to go on,
    /// nothing where there are no more, and how many of those that stay are paid orders that report nothing.
    pub(super) fn sweep(
        &mut self,
        cursor: Vec<u8>,
        most: usize,
        now_ms: i64,
    ) -> Result<(Vec<u8>, usize), Error> {
        let mut last = Vec::new();
        let (mut rows, mut unreported) = (0, 0);
        let mut over = Vec::new();
        let mut unreadable = 0;
        for row in self.rows.range(cursor..).take(most) {
            let (key, value) = row.into_inner()?;
            last = key.to_vec();
            match key.first() {
                Some(b'o') => match read::<Order>(&value) {
                    Ok(order) if order.is_over(now_ms) => over.push(order.id().to_owned()),
                    Ok(order) => unreported += usize::from(order.is_unreported()),
                    Err(_) => unreadable += 1,
                },
                Some(b'p') => match read::<Payment>(&value) {
                    Ok(payment) if payment.is_over(now_ms) => self.change(key.to_vec(), None),
                    Ok(_) => {}
                    Err(_) => unreadable += 1,
                },
                _ => {}
            }
            rows += 1;
        }
        for id in over {
            match self.forget(&id) {
                Err(error) if error.is_of_the_disk() => return Err(error),
                Err(_) => unreadable += 1,
                Ok(()) => {}
            }
        }
        if unreadable > 0 {
            tracing::error!(
                rows = unreadable,
                "orders or payments do not read back; they stay where they are"
            );
        }
        if rows < most {
            last.clear();
        } else {
            last.push(0);
        }
        Ok((last, unreported))
    }

    pub(super) fn write_to(self, batch: &mut OwnedWriteBatch) -> Result<(), Error> {
        for (key, value) in self.changed {
            match value {
                Some(value) => self.rows.insert(batch, key, value)?,
                None => self.rows.remove(batch, key),
            }
        }
        Ok(())
    }

    fn bytes(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        match self.changed.get(key) {
            Some(changed) => Ok(changed.clone()),
            None => Ok(self.rows.get(key)?.map(|value| value.to_vec())),
        }
    }

    fn read<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, Error> {
        self.bytes(key)?.map(|value| read(&value)).transpose()
    }

    fn write<T: Serialize>(&mut self, key: Vec<u8>, value: &T) -> Result<(), Error> {
        let value = serde_json::to_vec(value).map_err(|_| Error::Unwritable)?;
        self.change(key, Some(value));
        Ok(())
    }
}

/// The payments on record, newest last as far as their providers number them.
pub(super) fn payments(rows: &Table) -> impl Iterator<Item = Result<Payment, Error>> {
    rows.prefix("p").map(|row| read(&row.into_inner()?.1))
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

fn held_key(until_ms: i64, sequence: u64) -> Vec<u8> {
    let until = until_ms.unsigned_abs().to_be_bytes();
    [b"h".as_slice(), &until, &sequence.to_be_bytes()].concat()
}

fn read_held_key(key: &[u8]) -> Option<(i64, u64)> {
    let (until, rest) = key.strip_prefix(b"h")?.split_first_chunk()?;
    let until = i64::try_from(u64::from_be_bytes(*until)).ok()?;
    Some((until, u64::from_be_bytes(rest.try_into().ok()?)))
}
