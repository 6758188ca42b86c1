//! The store in a PostgreSQL database, for several proxies.
//!
//! The proxies do not communicate with each other. If two of them must not do something at the same time, each takes a lock
//! in the database first: see [`loaded`] for the locks on records of a commit, and [`leases`] for the right to deliver.
//! [`schema`] lists the tables.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio_postgres::{Row as Entry, types::Type};

use super::{
    Ends, Error, Found, LaneId, Letters, Most, Position, Process, Reader, Row, Source, end, keys,
    log, row,
};
use crate::{
    decide::{DeadLetter, HeldEvent, LetterId, Logged, Lookup, Payment},
    history::{Digest, End, Hour, Salt, Wanted},
    limits,
    orders::Order,
};

mod leases;
mod link;
mod loaded;
mod moving;
mod options;
mod place;
mod schema;
mod slot;
mod sweep;
mod tls;
mod uuid;
mod writer;

pub(super) use moving::Contents;
pub use options::Options;

use keys::CHANGE;
use leases::lease_name;
use link::{Link, Session, Trip, value};
use uuid::Uuid;
use writer::Writer;

/// How long a search may take.
const SEARCH: Duration = Duration::from_secs(30);
/// How many rows of pending events one read returns at most.
const ROWS: i64 = 1_000;
/// How many idle connections of readers are kept.
const IDLE: usize = 2;

/// The store, shared by the writer and the readers of one process.
#[derive(Clone)]
pub struct Postgres {
    link: Link,
    owner: Uuid,
    salt: Salt,
    idle: Arc<Mutex<Vec<Session>>>,
}

impl Postgres {
    /// Returns the store in the database at `options`. Creates its tables if needed.
    ///
    /// # Errors
    /// [`Error::Unsuitable`] if the database could lose committed data, or if another version wrote its tables,
    /// [`Error::Database`] if the database cannot be used.
    pub fn at(options: &Options) -> Result<Self, Error> {
        let owner = Uuid::random();
        let owner = owner.map_err(|error| Error::Folder(std::io::Error::other(error)))?;
        let link = Link::new(options)?;
        let session = link.connect()?;
        schema::check(&link, &session)?;
        let salt = schema::prepare(&link, &session)?;
        Ok(Self {
            link,
            owner,
            salt,
            idle: Arc::default(),
        })
    }

    /// Checks the database, and returns the format of its tables, or `None` if it has no tables yet.
    ///
    /// # Errors
    /// The same as those of [`Postgres::at`].
    pub fn format_of(options: &Options) -> Result<Option<i32>, Error> {
        let link = Link::new(options)?;
        let session = link.connect()?;
        schema::check(&link, &session)?;
        schema::format(&link, &session)
    }

    /// Returns advice: the settings of the database that should be different, and what to do about them. Also compares
    /// the clock of the database with `now_ms`, which returns the time of this machine in Unix milliseconds.
    ///
    /// # Errors
    /// The same as those of [`Postgres::at`].
    pub fn advice(options: &Options, now_ms: fn() -> i64) -> Result<Vec<String>, Error> {
        let link = Link::new(options)?;
        let session = link.connect()?;
        schema::advice(&link, &session, now_ms)
    }

    fn read(&self, trip: Trip) -> Result<Vec<Entry>, Error> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop().filter(|session| !session.is_broken());
        let session = match kept {
            Some(session) => session,
            None => self.link.connect()?,
        };
        let rows = self.link.trip(&session, trip)?;
        let mut idle = idle();
        if idle.len() < IDLE {
            idle.push(session);
        }
        Ok(rows.into_iter().flatten().collect())
    }

    fn record<T: serde::de::DeserializeOwned>(&self, key: Vec<u8>) -> Result<Option<T>, Error> {
        let trip = Trip::new().query(
            "select value from duet.records where key = $1",
            vec![value(key, Type::BYTEA)],
        );
        let rows = self.read(trip)?;
        rows.first().map(|row| keys::read(row.get(0))).transpose()
    }

    fn all_covered(&self) -> Result<end::Covered, Error> {
        let trip = Trip::new().query("select digest, at_ms from duet.covered", Vec::new());
        let rows = self.read(trip)?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    fn with_text<T: serde::de::DeserializeOwned>(
        &self,
        kind: u8,
        texts: &[String],
    ) -> Result<Vec<T>, Error> {
        let texts: Vec<_> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
        let trip = Trip::within(SEARCH).query(
            "select value from duet.records where key >= $1 and key < $3 and exists (select from unnest($2::bytea[]) text where position(text in value) > 0)",
            vec![
                value(vec![kind], Type::BYTEA),
                value(texts, Type::BYTEA_ARRAY),
                value(vec![kind + 1], Type::BYTEA),
            ],
        );
        let rows = self.read(trip)?;
        rows.iter().map(|row| keys::read(row.get(0))).collect()
    }
}

impl Source for Postgres {
    type Store = Writer;

    fn open(&self) -> Result<Writer, Error> {
        let session = self.link.connect()?;
        // The new connection may lead to another server, with other settings.
        schema::check(&self.link, &session)?;
        let salt = schema::prepare(&self.link, &session)?;
        Writer::new(self.link.clone(), session, self.owner, salt)
    }
}

impl Reader for Postgres {
    fn is_shared(&self) -> bool {
        true
    }

    fn processes(&self) -> Result<Vec<Process>, Error> {
        // Every write of a process sets the column `until` of its slot to 60 s later. The age of the last write is
        // therefore computed from `until`.
        let trip = Trip::new().query(
            "select slot, owner = $1, greatest(0, extract(epoch from now() - until + interval '60 s') * 1000)::bigint,
               array(select name from duet.leases lease where lease.owner = slots.owner and lease.until > now() order by name)
             from duet.slots where until > now() - interval '1 hour' order by slot",
            vec![value(self.owner, Type::UUID)],
        );
        let process = |row: &Entry| {
            let names: Vec<Vec<u8>> = row.get(3);
            // One lease has no destination: the lease of the right to remove expired entries.
            let delivers = names
                .iter()
                .filter_map(|name| serde_json::from_slice(name).ok());
            Process {
                number: row.get(0),
                is_this: row.get(1),
                silent_ms: row.get(2),
                delivers: delivers.collect(),
            }
        };
        Ok(self.read(trip)?.iter().map(process).collect())
    }

    fn rows(&self, lane: &LaneId, from: u64, bytes: usize) -> Result<Vec<Found>, Error> {
        let trip = Trip::new().query(
            "select id, settled, body from (
               select *, sum(octet_length(body)) over (order by id) - octet_length(body) as before from (
                 select id, settled, body from duet.waiting where lane = $1 and id >= $2 order by id limit $4) rows) counted
             where before < $3 order by id",
            vec![
                value(row::prefix(&lane.destination, lane.class), Type::BYTEA),
                value(i64::try_from(from).unwrap_or(i64::MAX), Type::INT8),
                value(i64::try_from(bytes).unwrap_or(i64::MAX), Type::INT8),
                value(ROWS, Type::INT8),
            ],
        );
        Ok(found(&self.read(trip)?))
    }

    fn late(&self, lane: &LaneId, before: u64, known: &[u64]) -> Result<Vec<Found>, Error> {
        let known = known
            .iter()
            .map(|id| i64::try_from(*id).unwrap_or(i64::MAX));
        let trip = Trip::new().query(
            "select id, settled, body from duet.waiting where lane = $1 and id < $2 and id <> all($3) order by id limit $4",
            vec![
                value(row::prefix(&lane.destination, lane.class), Type::BYTEA),
                value(i64::try_from(before).unwrap_or(i64::MAX), Type::INT8),
                value(known.collect::<Vec<_>>(), Type::INT8_ARRAY),
                value(ROWS, Type::INT8),
            ],
        );
        Ok(found(&self.read(trip)?))
    }

    fn order(&self, id: &str) -> Result<Option<Order>, Error> {
        self.record(keys::order_key(id))
    }

    fn payments(&self) -> Result<Vec<Payment>, Error> {
        self.with_text(b'p', &[String::new()])
    }

    fn letters(&self, before: Option<LetterId>, most: Most) -> Result<Letters, Error> {
        let trip = Trip::within(SEARCH).query(
            "select id, value from duet.dead where id < $1 order by id desc limit $2",
            vec![
                value(end_of(before), Type::BYTEA),
                value(count(most.count), Type::INT8),
            ],
        );
        let rows = self.read(trip)?;
        let letters = rows.iter().filter_map(|row| {
            let id = LetterId::from_bytes(row.get(0))?;
            let letter = keys::read::<DeadLetter>(row.get(1)).ok();
            if letter.is_none() {
                tracing::error!(
                    id = %id,
                    "dead letter cannot be read; remove it with `dead-letters drop`"
                );
            }
            Some(Ok((id, letter?)))
        });
        most.of(letters, |(_, letter)| letter.event.get().len())
    }

    fn letter(&self, id: LetterId) -> Result<Option<DeadLetter>, Error> {
        let trip = Trip::new().query(
            "select value from duet.dead where id = $1",
            vec![value(id.to_bytes().to_vec(), Type::BYTEA)],
        );
        let rows = self.read(trip)?;
        rows.first().map(|row| keys::read(row.get(0))).transpose()
    }

    fn letter_ids(&self, after: Option<LetterId>, most: Most) -> Result<Vec<LetterId>, Error> {
        let after = after.map_or_else(Vec::new, |id| id.to_bytes().to_vec());
        let trip = Trip::new().query(
            "select id, octet_length(value)::bigint from duet.dead where id > $1 order by id limit $2",
            vec![value(after, Type::BYTEA), value(count(most.count), Type::INT8)],
        );
        let rows = self.read(trip)?;
        let ids = rows.iter().map(|row| {
            let id = LetterId::from_bytes(row.get(0)).ok_or(Error::Corrupt)?;
            Ok((
                id,
                usize::try_from(row.get::<_, i64>(1)).unwrap_or_default(),
            ))
        });
        let ids = most.of(ids, |(_, length)| *length)?;
        Ok(ids.into_iter().map(|(id, _)| id).collect())
    }

    fn place(&self) -> Result<Position, Error> {
        let session = self.link.connect()?;
        let next = Trip::new().query("select nextval('duet.numbers')", Vec::new());
        let next = self.link.trip(&session, next)?;
        let next: Option<i64> = next.iter().flatten().next().map(|row| row.get(0));
        Ok(Position {
            next: next.ok_or(Error::Corrupt)?.unsigned_abs(),
            ..slot::position(&self.link, &session)?
        })
    }

    fn payments_of(&self, id: &str) -> Result<Vec<Payment>, Error> {
        let text = serde_json::Value::from(id).to_string();
        let mut payments: Vec<Payment> = self.with_text(b'p', &[text])?;
        payments.retain(|payment| payment.belongs_to(id));
        Ok(payments)
    }

    fn orders_like(&self, id: &str) -> Result<Vec<String>, Error> {
        let ids = self.record(keys::lookup_key(&Lookup::code(id)))?;
        Ok(ids.unwrap_or_default())
    }

    fn order_of(&self, digest: Digest) -> Result<Option<String>, Error> {
        let salt = self.salt;
        let trip = Trip::within(SEARCH).query(
            "select substr(key, 2) from duet.records where key >= 'o' and key < 'p'",
            Vec::new(),
        );
        let rows = self.read(trip)?;
        let ids = rows.iter().map(|row| std::str::from_utf8(row.get(0)));
        let mut ids = ids.filter_map(Result::ok);
        Ok(ids.find(|id| salt.order(id) == digest).map(str::to_owned))
    }

    fn find_held(&self, texts: &[String]) -> Result<Vec<HeldEvent>, Error> {
        self.with_text(b'h', texts)
    }

    fn oldest_end(&self) -> Result<Option<i64>, Error> {
        let trip = Trip::new().query("select id from duet.ends order by id limit 1", Vec::new());
        let rows = self.read(trip)?;
        let id = rows
            .first()
            .map(|row| LetterId::from_bytes(row.get(0)).ok_or(Error::Corrupt));
        Ok(id.transpose()?.map(LetterId::ended_at_ms))
    }

    fn payment(&self, provider: &str, id: &str) -> Result<Option<Payment>, Error> {
        let known = self.record(keys::payment_key(provider, id))?;
        if known.is_some() {
            return Ok(known);
        }
        let name = Lookup::Also {
            provider: provider.to_owned(),
            id: id.to_owned(),
        };
        let also: Option<Vec<String>> = self.record(keys::lookup_key(&name))?;
        match also.as_ref().and_then(|also| also.first()) {
            Some(id) => self.record(keys::payment_key(provider, id)),
            None => Ok(None),
        }
    }

    fn ends(&self, before: Option<LetterId>, most: Most) -> Result<Ends, Error> {
        let covered = self.all_covered()?;
        let trip = Trip::within(SEARCH).query(
            "select id, value from (
               select *, sum(events) over (order by id desc) - events as newer from (
                 select id, events, value from duet.ends where id < $1 order by id desc limit $2) newest) counted
             where newer < $2 order by id desc",
            vec![value(end_of(before), Type::BYTEA), value(count(most.count), Type::INT8)],
        );
        let mut bytes = 0;
        let mut ends = Ends::new();
        for row in self.read(trip)? {
            let (id, mut end) = end_in(&row)?;
            let at_ms = end.at_ms;
            end.events
                .retain(|ended| !end::is_covered(&covered, ended, at_ms));
            bytes += row.get::<_, &[u8]>(1).len();
            if !end.events.is_empty() {
                ends.push((id, end));
            }
            if bytes >= most.bytes {
                break;
            }
        }
        Ok(ends)
    }

    fn find_ends(&self, wanted: &Wanted, most: usize) -> Result<Ends, Error> {
        let covered = self.all_covered()?;
        let search = wanted.search();
        let mut ends = Ends::new();
        let (mut events, mut before) = (0, None);
        while events < most {
            let trip = Trip::within(SEARCH).query(
                "select id, value from duet.ends where id < $1 order by id desc limit 5000",
                vec![value(end_of(before), Type::BYTEA)],
            );
            let rows = self.read(trip)?;
            let Some(last) = rows.last() else { break };
            before = LetterId::from_bytes(last.get(0));
            for row in &rows {
                let text = end::text(row.get(1))?;
                if !search.finds(&text) {
                    continue;
                }
                let (id, end) = end_in(row)?;
                let at_ms = end.at_ms;
                let is_covered = |ended: &_| end::is_covered(&covered, ended, at_ms);
                if let Some(end) = wanted.pick(end, is_covered) {
                    events += end.events.len();
                    ends.push((id, end));
                }
                if events >= most {
                    break;
                }
            }
        }
        Ok(ends)
    }

    fn hours(&self, starts: Range<i64>) -> Result<Vec<(i64, Hour)>, Error> {
        let trip = Trip::within(SEARCH).query(
            "select start_ms, value from duet.hours where start_ms >= $1 and start_ms < $2 order by start_ms, slot",
            vec![value(starts.start, Type::INT8), value(starts.end, Type::INT8)],
        );
        let mut hours = Vec::new();
        add_hours(&mut hours, &self.read(trip)?)?;
        Ok(hours)
    }

    fn covered(&self, order: Digest) -> Result<Option<i64>, Error> {
        let trip = Trip::new().query(
            "select at_ms from duet.covered where digest = $1",
            vec![value(order.as_bytes().to_vec(), Type::BYTEA)],
        );
        Ok(self.read(trip)?.first().map(|row| row.get(0)))
    }

    fn change_log(&self) -> Result<Logged, Error> {
        let trip = Trip::new().query(
            "select key, value from duet.records where key = $1
             union all (select key, value from duet.records where key > $1 and key < 'm' order by key desc limit $2)",
            vec![
                value(CHANGE.to_vec(), Type::BYTEA),
                value(count(limits::CHANGES), Type::INT8),
            ],
        );
        let mut logged = Logged::default();
        for row in self.read(trip)? {
            match row.get::<_, &[u8]>(0) {
                CHANGE => logged.fingerprints = keys::read(row.get(1)).ok(),
                key => log::add(&mut logged, key, CHANGE, row.get(1)),
            }
        }
        Ok(logged)
    }
}

/// Reads rows of pending events. Leaves out rows that cannot be read.
fn found(rows: &[Entry]) -> Vec<Found> {
    let read = |entry: &Entry| {
        let sequence = loaded::number(entry.get(0));
        let settled: Vec<i32> = entry.get(1);
        match Row::read(sequence, entry.get(2)) {
            Ok(row) => Some((row, ranges(&settled))),
            Err(error) => {
                tracing::error!(
                    error = ?error,
                    sequence,
                    "a row of pending events cannot be read; the row stays in the store, and its events are not sent"
                );
                None
            }
        }
    };
    rows.iter().filter_map(read).collect()
}

fn ranges(settled: &[i32]) -> Vec<Range<u32>> {
    let index = |at: i32| u32::try_from(at).unwrap_or_default();
    let pairs = settled.chunks_exact(2);
    pairs
        .filter_map(|pair| Some(index(*pair.first()?)..index(*pair.last()?)))
        .collect()
}

/// Adds the hours of all proxies to `sums`. Rows with the same start become one hour. The caller must pass the rows in the
/// order of their starts.
fn add_hours(sums: &mut Vec<(i64, Hour)>, rows: &[Entry]) -> Result<(), Error> {
    for row in rows {
        let (start_ms, hour) = (row.get(0), keys::read::<Hour>(row.get(1))?);
        match sums.last_mut().filter(|(last, _)| *last == start_ms) {
            Some((_, sum)) => sum.extend(hour),
            None => sums.push((start_ms, hour)),
        }
    }
    Ok(())
}

fn end_in(row: &Entry) -> Result<(LetterId, End), Error> {
    let id = LetterId::from_bytes(row.get(0)).ok_or(Error::Corrupt)?;
    Ok((id, end::read(row.get(1))?))
}

/// Returns the id before which entries are read: the given one, or else the largest possible id.
fn end_of(before: Option<LetterId>) -> Vec<u8> {
    before.map_or_else(|| vec![u8::MAX; 17], |id| id.to_bytes().to_vec())
}

fn count(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}
