//! The part of the database that one commit has locked and read.
//!
//! Before a commit reads a record, it locks the record. The lock is an advisory lock of the transaction on a number that
//! is made from the record's name. A record that does not exist yet can therefore be locked too. The numbers that are
//! known in advance are locked by one statement, in ascending order. If the records that were read lead to more records,
//! the transaction starts again and locks those as well. Deduplication keys are locked last, in their own order. Two
//! commits therefore never wait for each other in a circle, with one exception: a decision reads a record that it has not
//! named in advance. In this case PostgreSQL ends one of the two commits.

use std::collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry};

use sha2::{Digest as _, Sha256};
use tokio_postgres::types::Type;

use super::{
    link::{Link, Session, Trip, value},
    uuid::Uuid,
};
use crate::{
    decide::{DedupKey, LetterId, Payment, Reads, Remember},
    orders::Order,
    store::{
        Ahead, Error,
        keys::{held_key, lookup_key, order_key, payment_key, read},
    },
};

/// How many lock numbers there are. Several records can share a number.
const STRIPES: u32 = 4_096;
/// A commit that needs more lock numbers than this locks all records with one lock. PostgreSQL has room for some thousand
/// locks.
const MOST_STRIPES: usize = 512;
/// How often a transaction starts again to lock more records. After the last start, it locks each missing record when the
/// record is read, in any order.
const STARTS: usize = 8;
pub(super) const BEGIN: &str = "begin; set local lock_timeout = '4s'; set local idle_in_transaction_session_timeout = '10s'; set local synchronous_commit = on";

/// The records that an open transaction has locked and read.
#[derive(Default)]
pub(super) struct Loaded {
    /// The first number of the commit's own block of event numbers.
    pub(super) first: u64,
    records: HashMap<Vec<u8>, Option<Vec<u8>>>,
    letters: HashMap<LetterId, Option<Vec<u8>>>,
    /// The keys that the calls of the commit can read. A key that was new has now been written, and its value is the time
    /// at which it expires, in Unix seconds. A key that was already remembered has the value `None`.
    pub(super) keys: BTreeMap<DedupKey, Option<i64>>,
    /// The epochs of this process's leases.
    pub(super) epochs: BTreeMap<Vec<u8>, u64>,
    stripes: BTreeSet<i32>,
}

impl Loaded {
    /// Begins a transaction, and locks and reads everything that `ahead` names.
    pub(super) fn begin(
        link: &Link,
        session: &Session,
        owner: Uuid,
        ahead: &Ahead,
        now: (i64, i64),
    ) -> Result<Self, Error> {
        let (keys, none) = (&ahead.reads.keys, BTreeMap::new());
        let leases: Vec<_> = ahead.settled.iter().map(super::lease_name).collect();
        let mut reads = ahead.reads.clone();
        let mut wanted = names_of(&reads);
        let mut stripes: BTreeSet<i32> = wanted.iter().filter_map(|key| stripe(key)).collect();
        let mut loaded = Self::default();
        for start in 0..STARTS {
            loaded = Self {
                stripes: stripes.clone(),
                ..Self::default()
            };
            let again = if start == 0 { "" } else { "rollback" };
            let trip = loaded.first_trip(again, &leases, owner, &wanted, &reads.letters);
            // If there are no records to lock, the keys can be locked in the first trip.
            let first = if wanted.is_empty() { keys } else { &none };
            let rows = link.trip(session, reserve(trip, first, now))?;
            let mut rows = rows.into_iter().rev();
            loaded.take_keys(first, now, rows.next().unwrap_or_default());
            loaded.take_letters(&reads, rows.next().unwrap_or_default())?;
            loaded.take_records(&wanted, rows.next().unwrap_or_default());
            for row in rows.next().unwrap_or_default() {
                loaded.epochs.insert(row.get(0), number(row.get(1)));
            }
            let drawn = rows.next().unwrap_or_default();
            loaded.first = number(drawn.first().ok_or(Error::Corrupt)?.get(0));
            let is_whole = loaded.follow(link, session, &mut reads)?;
            wanted = names_of(&reads);
            if is_whole {
                break;
            }
            stripes.extend(wanted.iter().filter_map(|key| stripe(key)));
        }
        if loaded.keys.len() < keys.len() {
            let rows = link.trip(session, reserve(Trip::new(), keys, now))?;
            loaded.take_keys(keys, now, rows.into_iter().flatten().collect());
        }
        Ok(loaded)
    }

    fn first_trip(
        &self,
        again: &'static str,
        leases: &[Vec<u8>],
        owner: Uuid,
        wanted: &BTreeSet<Vec<u8>>,
        letters: &BTreeSet<LetterId>,
    ) -> Trip {
        let letters: Vec<_> = letters.iter().map(|id| id.to_bytes().to_vec()).collect();
        let wanted: Vec<_> = wanted.iter().cloned().collect();
        let mut trip = Trip::new().run(again).run(BEGIN);
        if self.stripes.len() > MOST_STRIPES {
            trip = trip.query("select pg_advisory_xact_lock(7321, 0)", Vec::new());
        } else if !self.stripes.is_empty() {
            let stripes: Vec<_> = self.stripes.iter().copied().collect();
            trip = trip
                .query("select pg_advisory_xact_lock_shared(7321, 0)", Vec::new())
                .query(LOCK, vec![value(stripes, Type::INT4_ARRAY)]);
        }
        trip.query("select nextval('duet.numbers')", Vec::new())
            .query_if(
                !leases.is_empty(),
                "select name, epoch from duet.leases where name = any($1) and owner = $2 order by name for share",
                vec![
                    value(leases.to_vec(), Type::BYTEA_ARRAY),
                    value(owner, Type::UUID),
                ],
            )
            .query_if(
                !wanted.is_empty(),
                RECORDS,
                vec![value(wanted, Type::BYTEA_ARRAY)],
            )
            .query_if(
                !letters.is_empty(),
                "select id, value from duet.dead where id = any($1)",
                vec![value(letters, Type::BYTEA_ARRAY)],
            )
    }

    /// Reads more records: the records to which the records read so far lead, until there are no more. Returns false if
    /// one of them is not locked.
    fn follow(&mut self, link: &Link, session: &Session, reads: &mut Reads) -> Result<bool, Error> {
        loop {
            let held = self.lead(reads);
            let mut missing = names_of(reads);
            missing.extend(held);
            missing.retain(|key| !self.records.contains_key(key));
            if missing.is_empty() {
                return Ok(true);
            }
            if !missing
                .iter()
                .filter_map(|key| stripe(key))
                .all(|stripe| self.is_locked(stripe))
            {
                return Ok(false);
            }
            self.read(link, session, &missing)?;
        }
    }

    /// Adds the names of the records to which the records read so far lead. Returns the keys of the orders' held events.
    fn lead(&self, reads: &mut Reads) -> Vec<Vec<u8>> {
        let mut held = Vec::new();
        let known = reads.clone();
        for id in &known.orders {
            if let Some(order) = self.known::<Order>(&order_key(id)) {
                reads.with_order(&order);
                let ids = order.clone().release().into_iter();
                held.extend(ids.map(|held| held_key(held.id())));
            }
        }
        for (provider, id) in &known.payments {
            if let Some(payment) = self.known::<Payment>(&payment_key(provider, id)) {
                reads.with_payment(&payment);
            }
        }
        for name in &known.lookups {
            if let Some(found) = self.known::<Vec<String>>(&lookup_key(name)) {
                reads.with_found(name, &found);
            }
        }
        held
    }

    fn known<T: serde::de::DeserializeOwned>(&self, key: &[u8]) -> Option<T> {
        let value = self.records.get(key).and_then(Option::as_ref);
        // A record that cannot be read is an error only for a call that needs it.
        value.and_then(|value| read(value).ok())
    }

    fn read(
        &mut self,
        link: &Link,
        session: &Session,
        wanted: &BTreeSet<Vec<u8>>,
    ) -> Result<(), Error> {
        let keys: Vec<_> = wanted.iter().cloned().collect();
        let trip = Trip::new().query(RECORDS, vec![value(keys, Type::BYTEA_ARRAY)]);
        let rows = link.trip(session, trip)?;
        self.take_records(wanted, rows.into_iter().next().unwrap_or_default());
        Ok(())
    }

    fn take_records(&mut self, wanted: &BTreeSet<Vec<u8>>, rows: Vec<tokio_postgres::Row>) {
        self.records
            .extend(wanted.iter().map(|key| (key.clone(), None)));
        for row in rows {
            self.records.insert(row.get(0), Some(row.get(1)));
        }
    }

    fn take_letters(&mut self, reads: &Reads, rows: Vec<tokio_postgres::Row>) -> Result<(), Error> {
        self.letters
            .extend(reads.letters.iter().map(|id| (*id, None)));
        for row in rows {
            let id = LetterId::from_bytes(row.get(0)).ok_or(Error::Corrupt)?;
            self.letters.insert(id, Some(row.get(1)));
        }
        Ok(())
    }

    fn take_keys(
        &mut self,
        keys: &BTreeMap<DedupKey, Remember>,
        (now_ms, _): (i64, i64),
        rows: Vec<tokio_postgres::Row>,
    ) {
        self.keys.extend(keys.keys().map(|key| (*key, None)));
        for row in rows {
            let key = row.get::<_, Uuid>(0).into();
            let end = keys.get(&key).map(|remember| until(now_ms, *remember));
            self.keys.insert(key, end);
        }
    }

    fn is_locked(&self, stripe: i32) -> bool {
        self.stripes.len() > MOST_STRIPES || self.stripes.contains(&stripe)
    }

    /// Returns a record. Locks and reads the record now if no call has named it in advance.
    pub(super) fn record(
        &mut self,
        link: &Link,
        session: &Session,
        key: &[u8],
    ) -> Result<Option<&Vec<u8>>, Error> {
        if !self.records.contains_key(key) {
            if let Some(stripe) = stripe(key).filter(|stripe| !self.is_locked(*stripe)) {
                let trip = Trip::new().query(LOCK, vec![value(vec![stripe], Type::INT4_ARRAY)]);
                link.trip(session, trip)?;
                self.stripes.insert(stripe);
            }
            self.read(link, session, &BTreeSet::from([key.to_vec()]))?;
        }
        Ok(self.records.get(key).and_then(Option::as_ref))
    }

    /// Returns a dead letter. Reads the dead letter now if no call has named it in advance.
    pub(super) fn letter(
        &mut self,
        link: &Link,
        session: &Session,
        id: LetterId,
    ) -> Result<Option<&Vec<u8>>, Error> {
        let letter = match self.letters.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let trip = Trip::new().query(
                    "select value from duet.dead where id = $1",
                    vec![value(id.to_bytes().to_vec(), Type::BYTEA)],
                );
                let rows = link.trip(session, trip)?;
                let row = rows.into_iter().flatten().next();
                unknown.insert(row.map(|row| row.get(0)))
            }
        };
        Ok(letter.as_ref())
    }

    /// Returns whether the record was in the database before this commit.
    pub(super) fn was_there(&self, key: &[u8]) -> bool {
        self.records.get(key).is_some_and(Option::is_some)
    }
}

const LOCK: &str = "select pg_advisory_xact_lock(7321, s + 2) from unnest($1::int[]) s";
const RECORDS: &str = "select key, value from duet.records where key = any($1)";

/// Adds a statement that writes the keys that are new or have expired. The statement also locks the keys that are still
/// remembered. This lock makes the transaction a writing one, so its answer waits for the standby. Otherwise, the answer
/// "repeat" could refer to an event that no standby has.
fn reserve(
    trip: Trip,
    keys: &BTreeMap<DedupKey, Remember>,
    (now_ms, expiry_ms): (i64, i64),
) -> Trip {
    let (uuids, ends): (Vec<_>, Vec<_>) = keys
        .iter()
        .map(|(key, remember)| (Uuid::from(*key), until(now_ms, *remember)))
        .unzip();
    trip.query_if(
        !keys.is_empty(),
        "insert into duet.seen as s (key, until) select * from unnest($1::uuid[], $2::bigint[])
         on conflict (key) do update set until = excluded.until where s.until <= $3 returning key",
        vec![
            value(uuids, Type::UUID_ARRAY),
            value(ends, Type::INT8_ARRAY),
            value(expiry_ms / 1000, Type::INT8),
        ],
    )
}

/// Returns the time until which a key is remembered, in Unix seconds.
fn until(now_ms: i64, remember: Remember) -> i64 {
    now_ms.saturating_add(remember.ms()) / 1000
}

fn names_of(reads: &Reads) -> BTreeSet<Vec<u8>> {
    let orders = reads.orders.iter().map(|id| order_key(id));
    let lookups = reads.lookups.iter().map(lookup_key);
    let payments = reads.payments.iter();
    let payments = payments.map(|(provider, id)| payment_key(provider, id));
    orders.chain(lookups).chain(payments).collect()
}

/// Returns the number whose advisory lock protects a record. An order and the payments that wait for the order's id have
/// the same number. Held events and withdrawn event ids have no number of their own, because the lock on their order
/// protects them.
fn stripe(key: &[u8]) -> Option<i32> {
    let name = match key.first()? {
        b'h' | b'x' => return None,
        b'w' => key.get(2..),
        _ => key.get(1..),
    };
    let digest = Sha256::digest(name?);
    let number = digest
        .first_chunk()
        .map(|bytes| u32::from_be_bytes(*bytes) % STRIPES);
    i32::try_from(number?).ok()
}

pub(super) fn number(value: i64) -> u64 {
    value.unsigned_abs()
}
