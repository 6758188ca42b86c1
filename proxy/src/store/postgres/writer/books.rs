//! The data that a decision reads: the records of the open transaction.

use serde::de::DeserializeOwned;
use tokio_postgres::types::Type;

use super::{Link, Loaded, Session, Trip, Uuid, Writer, value};
use crate::{
    decide::{Books, DeadLetter, DedupKey, HeldEvent, HeldId, LetterId, Lookup, Payment},
    history::Salt,
    orders::Order,
    store::{
        Error,
        keys::{held_key, lookup_key, order_key, payment_key, read},
    },
};

impl Books for Writer {
    type Error = Error;

    fn order(&self, id: &str) -> Result<Option<Order>, Error> {
        self.record(&order_key(id))
    }

    fn found(&self, name: &Lookup) -> Result<Vec<String>, Error> {
        Ok(self.record(&lookup_key(name))?.unwrap_or_default())
    }

    fn payment(&self, provider: &str, id: &str) -> Result<Option<Payment>, Error> {
        self.record(&payment_key(provider, id))
    }

    fn held(&self, id: HeldId) -> Result<Option<HeldEvent>, Error> {
        self.record(&held_key(id))
    }

    fn letter(&self, id: LetterId) -> Result<Option<DeadLetter>, Error> {
        self.loaded(|loaded, link, session| {
            let letter = loaded.letter(link, session, id)?;
            letter.map(|letter| read(letter)).transpose()
        })
    }

    fn has_letter(&self, id: LetterId) -> Result<bool, Error> {
        self.loaded(|loaded, link, session| Ok(loaded.letter(link, session, id)?.is_some()))
    }

    fn knows(&self, key: &DedupKey, expiry_ms: i64) -> Result<bool, Error> {
        let asked = self.open.borrow();
        let asked = asked.as_ref().and_then(|loaded| loaded.keys.get(key));
        if let Some(until) = asked {
            return Ok(until.is_none());
        }
        let trip = Trip::new().query(
            "select key from duet.seen where key = $1 and until > $2 for update",
            vec![
                value(Uuid::from(*key), Type::UUID),
                value(expiry_ms / 1000, Type::INT8),
            ],
        );
        Ok(!self.rows_of(trip)?.is_empty())
    }

    fn salt(&self) -> Salt {
        self.salt
    }

    fn next_number(&self) -> u64 {
        let open = self.open.borrow();
        open.as_ref().map_or(0, |loaded| loaded.first)
    }
}

impl Writer {
    /// Reads from the open transaction, which keeps each record for the next read. If no transaction is open, reads
    /// from the database, and keeps nothing.
    fn loaded<T>(
        &self,
        read: impl FnOnce(&mut Loaded, &Link, &Session) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut open = self.open.borrow_mut();
        let mut nothing = Loaded::default();
        let loaded = open.as_mut().unwrap_or(&mut nothing);
        read(loaded, &self.link, &self.session)
    }

    fn record<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, Error> {
        self.loaded(|loaded, link, session| {
            let value = loaded.record(link, session, key)?;
            value.map(|value| read(value)).transpose()
        })
    }
}
