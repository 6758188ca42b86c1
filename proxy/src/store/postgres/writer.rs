//! The writer's part of a store in PostgreSQL. A commit is one transaction in two round trips. The first trip locks and
//! reads everything that the calls can read, and the second trip writes and commits. Calls that read records need more
//! trips. Every transaction also writes the slot of this writer. If another process has taken the slot, the transaction
//! fails. And because every transaction writes, every answer waits for the standby, also the answer to a repeat.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tokio_postgres::types::Type;

use super::{
    leases::{Leases, name_of},
    link::{Link, Session, Trip, value},
    loaded::{BEGIN, Loaded},
    place::Counts,
    schema,
    slot::{Slot, position},
    sweep,
    uuid::Uuid,
};
use crate::{
    decide::{Destination, HeldEvent, HeldId},
    history::{Hour, Salt},
    store::{
        Ahead, Commit, Error, Expired, Lease, Position, Scanned, Sight, Store,
        keys::{held_key, read, read_held_key, scan},
    },
};

mod books;
mod ends;
mod keys;
mod records;
mod rows;

/// How often the withdrawn events are read.
const WITHDRAWN_EVERY: Duration = Duration::from_secs(1);

/// The writer of one process.
pub struct Writer {
    link: Link,
    session: Session,
    owner: Uuid,
    slot: Slot,
    salt: Salt,
    /// The hours to which this writer has added events.
    hours: BTreeMap<i64, Hour>,
    leases: Leases,
    open: RefCell<Option<Loaded>>,
    read_withdrawn: Option<Instant>,
    swept_to: i64,
}

impl Writer {
    pub(super) fn new(
        link: Link,
        session: Session,
        owner: Uuid,
        salt: Salt,
    ) -> Result<Self, Error> {
        Ok(Self {
            leases: Leases::new(owner),
            slot: Slot::take(&link, &session, owner)?,
            link,
            session,
            owner,
            salt,
            hours: BTreeMap::new(),
            open: RefCell::new(None),
            read_withdrawn: None,
            swept_to: 0,
        })
    }

    fn rows_of(&self, trip: Trip) -> Result<Vec<tokio_postgres::Row>, Error> {
        let rows = self.link.trip(&self.session, trip)?;
        Ok(rows.into_iter().flatten().collect())
    }
}

impl Store for Writer {
    fn position(&self) -> Result<Position, Error> {
        position(&self.link, &self.session)
    }

    fn begin(
        &mut self,
        ahead: impl FnOnce() -> Ahead,
        position: &mut Position,
        now: (i64, i64),
    ) -> Result<(), Error> {
        let ahead = ahead();
        if ahead.is_empty() {
            return Ok(());
        }
        let begun = Loaded::begin(&self.link, &self.session, self.owner, &ahead, now);
        let loaded = match begun {
            // The connection was lost, or PostgreSQL ended this commit because two commits waited for each other. No call
            // has been decided yet, so the commit can begin again.
            Err(Error::Database(_)) => {
                self.session = self.link.connect()?;
                schema::check(&self.link, &self.session)?;
                Loaded::begin(&self.link, &self.session, self.owner, &ahead, now)?
            }
            begun => begun?,
        };
        position.next = loaded.first;
        *self.open.get_mut() = Some(loaded);
        Ok(())
    }

    fn finish(&mut self, sync: bool) -> Result<(), Error> {
        if self.open.get_mut().take().is_none() {
            return Ok(());
        }
        if !sync {
            let trip = Trip::new().run("rollback");
            return self.link.trip(&self.session, trip).map(drop);
        }
        let trip = self.slot.commit(Trip::new(), &self.slot.counts, None)?;
        let results = self.link.trip(&self.session, trip)?;
        self.slot.committed(&results);
        Ok(())
    }

    fn lease(&self, destination: &Destination) -> Option<Lease> {
        self.leases.of(destination)
    }

    fn may_settle(&self, destination: &Destination, epoch: u64) -> Result<bool, Error> {
        let open = self.open.borrow();
        let epochs = open.as_ref().map(|loaded| &loaded.epochs);
        Ok(epochs.and_then(|epochs| epochs.get(&name_of(destination))) == Some(&epoch))
    }

    fn may_sweep(&mut self) -> Result<bool, Error> {
        self.leases.may_sweep(&self.link, &self.session)
    }

    fn look(&mut self) -> Result<Option<Sight>, Error> {
        self.slot.keep(&self.link, &self.session)?;
        let position = self.position()?;
        let destinations = position.places.iter().map(|place| &place.destination);
        self.leases.take(&self.link, &self.session, destinations)?;
        let is_due = |read: Instant| read.elapsed() >= WITHDRAWN_EVERY;
        let mut withdrawn = None;
        if self.read_withdrawn.is_none_or(is_due) {
            withdrawn = Some(self.withdrawn()?);
            self.read_withdrawn = Some(Instant::now());
        }
        Ok(Some(Sight {
            position,
            withdrawn,
        }))
    }

    fn write(&mut self, commit: &mut Commit<'_>) -> Result<(), Error> {
        let open = self.open.get_mut().take();
        // If the calls read nothing, no transaction is open yet.
        let begin = if open.is_none() { BEGIN } else { "" };
        let loaded = open.unwrap_or_default();
        let mut counts = self.slot.counts.clone();
        for (id, held) in &commit.records.held {
            let was_there = loaded.was_there(&held_key(*id));
            counts.held += i64::from(held.is_some()) - i64::from(was_there);
        }
        let trip = rows::write(Trip::new().run(begin), commit, &mut counts);
        let trip = records::write(trip, &commit.records)?;
        let trip = self.write_ends(trip, &commit.records)?;
        let trip = keys::write(trip, loaded.keys, &commit.records);
        let trip = self.slot.commit(trip, &counts, Some(commit))?;
        let results = self.link.trip(&self.session, trip)?;
        self.slot.committed(&results);
        self.slot.counts = counts;
        Ok(())
    }

    fn check(&self) -> Result<(), Error> {
        let is_broken = self.session.is_broken();
        (!is_broken).then_some(()).ok_or(Error::Stopped)
    }

    fn tidy(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn expire(&mut self, expired: Expired) -> Result<(), Error> {
        sweep::expire(&self.link, &self.session, expired, &mut self.swept_to)
    }

    fn close(&mut self) -> Result<(), Error> {
        self.leases.give_up(&self.link, &self.session)?;
        self.slot.give_up(&self.link, &self.session)
    }

    fn withdrawn(&self) -> Result<Vec<String>, Error> {
        let trip = Trip::new().query(
            "select substr(key, 2) from duet.records where key >= 'x' and key < 'y'",
            Vec::new(),
        );
        let rows = self.rows_of(trip)?;
        let ids = rows.into_iter().map(|row| String::from_utf8(row.get(0)));
        ids.collect::<Result<_, _>>().map_err(|_| Error::Corrupt)
    }

    fn held_until(&self, ms: i64, most: usize) -> Result<Vec<(HeldId, String)>, Error> {
        let [first, end] = [0, ms].map(|until_ms| {
            held_key(HeldId {
                until_ms,
                sequence: 0,
            })
        });
        let trip = Trip::new().query(
            "select key, value from duet.records where key >= $1 and key < $2 order by key limit $3",
            vec![
                value(first, Type::BYTEA),
                value(end, Type::BYTEA),
                value(signed(most as u64), Type::INT8),
            ],
        );
        let mut held = Vec::new();
        for row in self.rows_of(trip)? {
            let id = read_held_key(row.get(0)).ok_or(Error::Corrupt);
            match id.and_then(|id| Ok((id, read::<HeldEvent>(row.get(1))?.order_id))) {
                Ok(found) => held.push(found),
                Err(error) => tracing::error!(
                    error = ?error,
                    "held event cannot be read; the event stays in the store"
                ),
            }
        }
        Ok(held)
    }

    fn scan(
        &self,
        cursor: &[u8],
        most: usize,
        visit: &mut dyn FnMut(Scanned<'_>),
    ) -> Result<Vec<u8>, Error> {
        let trip = Trip::new().query(
            "select key, value from duet.records where key >= $1 order by key limit $2",
            vec![
                value(cursor.to_vec(), Type::BYTEA),
                value(signed(most as u64), Type::INT8),
            ],
        );
        let rows = self.rows_of(trip)?;
        let entries = rows.iter().map(|row| (row.get(0), row.get(1)));
        Ok(scan(entries, most, visit))
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
