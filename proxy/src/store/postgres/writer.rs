//! The writer's part of a store in PostgreSQL. A commit is one transaction in two trips: one locks and reads everything that the
//! calls can read, the other writes and commits. Every transaction also writes the writer's own slot. This proves that the slot
//! is still its own, and makes every answer wait for the standby, also that of a repeat.
//!
//! The file is long because one struct has three parts: the statements of a commit, the records that decisions read ([`Books`]),
//! and the interface of a store ([`Store`]).

use std::{
    cell::RefCell,
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde::de::DeserializeOwned;
use tokio_postgres::types::Type;

use super::{
    leases::{Leases, name_of},
    link::{Link, Session, Trip, value},
    loaded::{BEGIN, Loaded, number},
    place::Counts,
    schema, sweep,
    uuid::Uuid,
};
use crate::{
    decide::{
        Books, DeadLetter, DedupKey, Destination, HeldEvent, HeldId, LetterId, Lookup, Payment,
        Records,
    },
    history::{Hour, Salt},
    orders::Order,
    store::{
        Ahead, Commit, Error, Expired, Lease, Page, Position, Sight, Store, end,
        keys::{self, held_key, lookup_key, order_key, payment_key, read},
        row,
    },
};

/// How often the withdrawn events are read.
const WITHDRAWN_EVERY: Duration = Duration::from_secs(1);

/// How often a process without commits renews its slot, so that another process does not take it.
const KEEP_EVERY: Duration = Duration::from_secs(20);

/// The writer of one process.
pub struct Writer {
    link: Link,
    session: Session,
    owner: Uuid,
    slot: i32,
    salt: Salt,
    /// The counts in this writer's slot.
    counts: Counts,
    /// The hours to which this writer has added.
    hours: BTreeMap<i64, Hour>,
    leases: Leases,
    open: RefCell<Option<Loaded>>,
    kept_slot: Instant,
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
        let (slot, counts) = slot(&link, &session, owner)?;
        Ok(Self {
            leases: Leases::new(owner),
            link,
            session,
            owner,
            slot,
            salt,
            counts,
            hours: BTreeMap::new(),
            open: RefCell::new(None),
            kept_slot: Instant::now(),
            read_withdrawn: None,
            swept_to: 0,
        })
    }

    /// Reads from the open transaction. Without one, nothing that was read is kept.
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

    /// Adds the writing of this writer's slot, and the end of the transaction.
    fn committed(
        &self,
        trip: Trip,
        counts: &Counts,
        commit: Option<&Commit<'_>>,
    ) -> Result<Trip, Error> {
        let probe_ms = commit.and_then(|commit| commit.probe_ms);
        let written_ms = commit.and_then(|commit| commit.position.written_ms);
        // A division by zero ends the transaction if another process has taken the slot.
        let trip = trip.query(
            "with own as (update duet.slots set places = $3, written_ms = coalesce($4, written_ms), probe_ms = coalesce($5, probe_ms),
               until = now() + interval '60 s' where slot = $1 and owner = $2 returning slot)
             select 1 / count(*) from own",
            vec![
                value(self.slot, Type::INT4),
                value(self.owner, Type::UUID),
                value(counts.write()?, Type::BYTEA),
                value(written_ms, Type::INT8),
                value(probe_ms, Type::INT8),
            ],
        );
        Ok(trip.run("commit"))
    }

    /// Adds the changed records.
    fn write_records(trip: Trip, records: &Records) -> Result<Trip, Error> {
        let (changed, removed): (Vec<_>, Vec<_>) = keys::changed(records)?
            .into_iter()
            .partition(|(_, value)| value.is_some());
        let mut trip = trip;
        if !changed.is_empty() {
            let (keys, values): (Vec<_>, Vec<_>) = changed.into_iter().unzip();
            let values: Vec<_> = values.into_iter().flatten().collect();
            trip = trip.query(
                "insert into duet.records (key, value) select * from unnest($1::bytea[], $2::bytea[])
                 on conflict (key) do update set value = excluded.value",
                vec![value(keys, Type::BYTEA_ARRAY), value(values, Type::BYTEA_ARRAY)],
            );
        }
        if !removed.is_empty() {
            let keys: Vec<_> = removed.into_iter().map(|(key, _)| key).collect();
            trip = trip.query(
                "delete from duet.records where key = any($1)",
                vec![value(keys, Type::BYTEA_ARRAY)],
            );
        }
        for (id, letter) in &records.letters {
            let key = value(id.to_bytes().to_vec(), Type::BYTEA);
            trip = match letter {
                Some(letter) => {
                    let letter = serde_json::to_vec(letter).map_err(|_| Error::Unwritable)?;
                    trip.query(
                        "insert into duet.dead (id, value) values ($1, $2) on conflict (id) do update set value = excluded.value",
                        vec![key, value(letter, Type::BYTEA)],
                    )
                }
                None => trip.query("delete from duet.dead where id = $1", vec![key]),
            };
        }
        for (order, at_ms) in &records.covered {
            trip = trip.query(
                "insert into duet.covered (digest, at_ms) values ($1, $2) on conflict (digest) do update set at_ms = excluded.at_ms",
                vec![
                    value(order.as_bytes().to_vec(), Type::BYTEA),
                    value(*at_ms, Type::INT8),
                ],
            );
        }
        Ok(trip)
    }

    /// Adds the ended events, and counts them in this writer's hours.
    fn write_ends(&mut self, trip: Trip, records: &Records) -> Result<Trip, Error> {
        let mut trip = trip;
        let mut changed = Vec::new();
        for (id, end) in &records.ends {
            trip = trip.query(
                "insert into duet.ends (id, events, value) values ($1, $2, $3) on conflict (id) do nothing",
                vec![
                    value(id.to_bytes().to_vec(), Type::BYTEA),
                    value(i32::try_from(end.events.len()).unwrap_or(i32::MAX), Type::INT4),
                    value(end::packed(end)?, Type::BYTEA),
                ],
            );
            for ended in &end.events {
                let start_ms = Hour::start_of(ended.accepted_ms);
                if !self.hours.contains_key(&start_ms) {
                    let hour = self.stored_hour(start_ms)?;
                    self.hours.insert(start_ms, hour);
                }
                if let Some(hour) = self.hours.get_mut(&start_ms) {
                    hour.add(end, ended);
                }
                changed.push(start_ms);
            }
        }
        changed.sort_unstable();
        changed.dedup();
        for start_ms in changed {
            let hour = serde_json::to_vec(&self.hours.get(&start_ms));
            trip = trip.query(
                "insert into duet.hours (start_ms, slot, value) values ($1, $2, $3)
                 on conflict (start_ms, slot) do update set value = excluded.value",
                vec![
                    value(start_ms, Type::INT8),
                    value(self.slot, Type::INT4),
                    value(hour.map_err(|_| Error::Unwritable)?, Type::BYTEA),
                ],
            );
        }
        while self.hours.len() > 8 {
            self.hours.pop_first();
        }
        Ok(trip)
    }

    fn stored_hour(&self, start_ms: i64) -> Result<Hour, Error> {
        let trip = Trip::new().query(
            "select value from duet.hours where start_ms = $1 and slot = $2",
            vec![value(start_ms, Type::INT8), value(self.slot, Type::INT4)],
        );
        let rows = self.link.trip(&self.session, trip)?;
        let row = rows.iter().flatten().next();
        row.map_or_else(|| Ok(Hour::default()), |row| read(row.get(0)))
    }

    /// Adds the keys that were learned and not written yet, and removes those that were written and not learned.
    fn write_keys(trip: Trip, loaded: &Loaded, records: &Records) -> Trip {
        let mut written = loaded.keys.clone();
        written.retain(|_, until| until.is_some());
        let mut learned = BTreeMap::new();
        for (key, known) in records.keys.iter() {
            learned.insert(*key, known.until_ms / 1000);
        }
        learned.retain(|key, until| written.remove(key) != Some(Some(*until)));
        let mut trip = trip;
        if !learned.is_empty() {
            let (keys, until): (Vec<_>, Vec<_>) = learned
                .into_iter()
                .map(|(key, until)| (Uuid::from(key), until))
                .unzip();
            trip = trip.query(
                "insert into duet.seen (key, until) select * from unnest($1::uuid[], $2::bigint[])
                 on conflict (key) do update set until = excluded.until",
                vec![
                    value(keys, Type::UUID_ARRAY),
                    value(until, Type::INT8_ARRAY),
                ],
            );
        }
        if !written.is_empty() {
            let keys: Vec<_> = written.into_keys().map(Uuid::from).collect();
            trip = trip.query(
                "delete from duet.seen where key = any($1)",
                vec![value(keys, Type::UUID_ARRAY)],
            );
        }
        trip
    }

    fn write_rows(mut trip: Trip, commit: &mut Commit<'_>, counts: &mut Counts) -> Trip {
        let (mut lanes, mut ids, mut bodies) = (Vec::new(), Vec::new(), Vec::new());
        for new in commit.rows.drain(..) {
            counts.add(&new.lane, signed(new.draft.events()));
            lanes.push(row::prefix(&new.lane.destination, new.lane.class));
            ids.push(signed(new.sequence));
            bodies.push(new.draft.into_value());
        }
        if !lanes.is_empty() {
            trip = trip.query(
                "insert into duet.waiting (lane, id, body) select * from unnest($1::bytea[], $2::bigint[], $3::bytea[])",
                vec![
                    value(lanes, Type::BYTEA_ARRAY),
                    value(ids, Type::INT8_ARRAY),
                    value(bodies, Type::BYTEA_ARRAY),
                ],
            );
        }
        for settled in &commit.settled {
            counts.add(&settled.lane, -signed(settled.events));
            let lane = row::prefix(&settled.lane.destination, settled.lane.class);
            if !settled.removed.is_empty() {
                let ids: Vec<_> = settled.removed.iter().map(|(id, _)| signed(*id)).collect();
                trip = trip.query(
                    "delete from duet.waiting where lane = $1 and id = any($2)",
                    vec![
                        value(lane.clone(), Type::BYTEA),
                        value(ids, Type::INT8_ARRAY),
                    ],
                );
            }
            for (id, range) in &settled.marked {
                let range =
                    [range.start, range.end].map(|at| i32::try_from(at).unwrap_or(i32::MAX));
                trip = trip.query(
                    "update duet.waiting set settled = settled || $3 where lane = $1 and id = $2",
                    vec![
                        value(lane.clone(), Type::BYTEA),
                        value(signed(*id), Type::INT8),
                        value(range.to_vec(), Type::INT4_ARRAY),
                    ],
                );
            }
        }
        trip
    }

    fn rows_of(&self, trip: Trip) -> Result<Vec<tokio_postgres::Row>, Error> {
        let rows = self.link.trip(&self.session, trip)?;
        Ok(rows.into_iter().flatten().collect())
    }
}

/// Takes a slot: that of this process, one that no process uses any more, or a new one.
fn slot(link: &Link, session: &Session, owner: Uuid) -> Result<(i32, Counts), Error> {
    let trip = Trip::new()
        .run("begin; set local lock_timeout = '4s'; set local synchronous_commit = on")
        .query("select pg_advisory_xact_lock(7321, 1)", Vec::new())
        .query(
            "insert into duet.slots (slot, owner, until, places)
             select coalesce(
               (select slot from duet.slots where owner = $1 or until < now() order by owner = $1 desc, slot limit 1),
               (select coalesce(max(slot), -1) + 1 from duet.slots)),
             $1, now() + interval '60 s', $2
             on conflict (slot) do update set owner = excluded.owner, until = excluded.until returning slot, places",
            vec![
                value(owner, Type::UUID),
                value(Counts::default().write()?, Type::BYTEA),
            ],
        )
        .run("commit");
    let rows = link.trip(session, trip)?;
    let row = rows.get(2).and_then(|rows| rows.first());
    let row = row.ok_or(Error::Corrupt)?;
    Ok((row.get(0), Counts::read(row.get(1))?))
}

/// Returns the sums of all slots, and when a proxy last wrote.
pub(super) fn position(link: &Link, session: &Session) -> Result<Position, Error> {
    let trip = Trip::new().query("select places, written_ms from duet.slots", Vec::new());
    let rows = link.trip(session, trip)?;
    let mut counts = Counts::default();
    let mut written_ms = None;
    for row in rows.iter().flatten() {
        counts.extend(&Counts::read(row.get(0))?);
        written_ms = written_ms.max(row.get(1));
    }
    Ok(Position {
        written_ms,
        ..counts.position()
    })
}

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
            // The connection was lost, or two commits waited for each other. Nothing was decided yet.
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
        let trip = if sync {
            self.committed(Trip::new(), &self.counts, None)?
        } else {
            Trip::new().run("rollback")
        };
        self.link.trip(&self.session, trip).map(drop)
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
        if self.kept_slot.elapsed() >= KEEP_EVERY {
            let keep = Trip::new().query(
                "update duet.slots set until = now() + interval '60 s' where slot = $1 and owner = $2",
                vec![value(self.slot, Type::INT4), value(self.owner, Type::UUID)],
            );
            self.link.trip(&self.session, keep)?;
            self.kept_slot = Instant::now();
        }
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
        // Calls that read nothing have begun no transaction.
        let begin = if open.is_none() { BEGIN } else { "" };
        let loaded = open.unwrap_or_default();
        let mut counts = self.counts.clone();
        for (id, held) in &commit.records.held {
            let was_there = loaded.was_there(&held_key(*id));
            counts.held += i64::from(held.is_some()) - i64::from(was_there);
        }
        let trip = Self::write_rows(Trip::new().run(begin), commit, &mut counts);
        let trip = Self::write_records(trip, &commit.records)?;
        let trip = self.write_ends(trip, &commit.records)?;
        let trip = Self::write_keys(trip, &loaded, &commit.records);
        let trip = self.committed(trip, &counts, Some(commit))?;
        self.link.trip(&self.session, trip)?;
        self.counts = counts;
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
        let trip = Trip::new().query(
            "update duet.slots set until = '-infinity' where slot = $1 and owner = $2",
            vec![value(self.slot, Type::INT4), value(self.owner, Type::UUID)],
        );
        self.link.trip(&self.session, trip).map(drop)
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
            let id = keys::read_held_key(row.get(0)).ok_or(Error::Corrupt);
            match id.and_then(|id| Ok((id, read::<HeldEvent>(row.get(1))?.order_id))) {
                Ok(found) => held.push(found),
                Err(error) => tracing::error!(
                    error = ?error,
                    "held event cannot be read; it stays in the store"
                ),
            }
        }
        Ok(held)
    }

    fn page(&self, cursor: &[u8], most: usize) -> Result<Page, Error> {
        let trip = Trip::new().query(
            "select key, value from duet.records where key >= $1 order by key limit $2",
            vec![
                value(cursor.to_vec(), Type::BYTEA),
                value(signed(most as u64), Type::INT8),
            ],
        );
        let rows = self.rows_of(trip)?;
        let entries = rows.iter().map(|row| (row.get(0), row.get(1)));
        Ok(keys::page(entries, most))
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Returns the number of a row.
pub(super) fn sequence(id: i64) -> u64 {
    number(id)
}
