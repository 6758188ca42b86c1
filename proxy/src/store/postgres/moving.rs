//! The database as the source or the target of a move. One transaction reads or writes everything. The transaction locks
//! the table of slots, and every commit of a proxy writes its slot, so no proxy can commit during the move. This also
//! holds for a proxy that hung for so long that its slot has expired.

use std::{collections::BTreeMap, time::Duration};

use tokio_postgres::types::{ToSql, Type};

use super::{
    CHANGE,
    link::{Link, Session, Trip, value},
    loaded::number,
    options::Options,
    place::Counts,
    schema, slot,
    uuid::Uuid,
};
use crate::{
    history::Salt,
    store::{
        Error, LaneId, Position,
        moving::{Each, Piece, Side, Standing, StoredRow},
    },
};

mod reading;

/// How long a statement may take. The final commit waits until the standby has all of the data.
const LIMIT: Duration = Duration::from_hours(1);
const BEGIN: &str = "begin; set local lock_timeout = '4s'; set local statement_timeout = 0;
    set local idle_in_transaction_session_timeout = 0; set local synchronous_commit = on";

/// The tables of a database, locked for the move.
pub(in crate::store) struct Contents {
    link: Link,
    session: Session,
    /// Whether the database has the tables of the proxy.
    is_there: bool,
    standing: Standing,
}

impl Contents {
    pub(in crate::store) fn open(options: &Options) -> Result<Self, Error> {
        let link = Link::new(options)?;
        let session = link.connect()?;
        schema::check(&link, &session)?;
        // A starting proxy takes the same lock, so no proxy can start during the check.
        let trip = Trip::new()
            .run(BEGIN)
            .query("select pg_advisory_xact_lock(7321, 1)", Vec::new())
            .query("select to_regclass('duet.about') is not null", Vec::new());
        let begun = link.trip(&session, trip)?;
        let is_there = begun.iter().flatten().last();
        let mut contents = Self {
            is_there: is_there.is_some_and(|row| row.get(0)),
            standing: Standing::Empty,
            link,
            session,
        };
        if contents.is_there {
            contents.standing = contents.look()?;
        }
        Ok(contents)
    }

    fn look(&self) -> Result<Standing, Error> {
        let trip = Trip::new()
            .run("lock table duet.slots in exclusive mode")
            .query(
                "select exists (select from duet.slots where until > clock_timestamp())
                   or exists (select from duet.leases where until > clock_timestamp()),
                   exists (select from duet.waiting) or exists (select from duet.seen) or exists (select from duet.records where key < $1 or key >= 'm')
                   or exists (select from duet.dead) or exists (select from duet.ends) or exists (select from duet.hours)
                   or exists (select from duet.covered)",
                // Entries of the change log do not count as contents: a proxy writes them when it starts, even if it
                // accepts nothing.
                vec![value(CHANGE.to_vec(), Type::BYTEA)],
            )
            .query(schema::ABOUT, Vec::new());
        let rows = self.link.trip(&self.session, trip)?;
        let mut rows = rows.iter().flatten();
        let (found, about) = rows.next().zip(rows.next()).ok_or(Error::Corrupt)?;
        schema::known(about)?;
        if found.get(0) {
            return Err(Error::Move(
                "the database must not be in use during a move, but a proxy or a command is using the database or has not released it; stop every proxy and command. If one of them was killed, try again a minute later".to_owned(),
            ));
        }
        let salt = schema::salt(about)?;
        Ok(match about.get::<_, Option<String>>(3) {
            Some(place) if place.is_empty() => Standing::Unfinished(salt),
            Some(place) => Standing::Left(salt, place),
            None if found.get(1) => Standing::Used(salt),
            None => Standing::Empty,
        })
    }

    fn done(&self, trip: Trip) -> Result<(), Error> {
        self.link.trip(&self.session, trip).map(drop)
    }

    /// Inserts rows into a table of two columns with these types.
    fn insert<A, B>(
        &self,
        sql: &'static str,
        rows: Vec<(A, B)>,
        types: [Type; 2],
    ) -> Result<(), Error>
    where
        Vec<A>: ToSql + Sync + Send + 'static,
        Vec<B>: ToSql + Sync + Send + 'static,
    {
        let (first, second): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let [one, two] = types;
        let columns = vec![value(first, one), value(second, two)];
        self.done(Trip::within(LIMIT).query(sql, columns))
    }

    fn insert_rows(&self, rows: Vec<StoredRow>) -> Result<(), Error> {
        let (mut lanes, mut ids) = (Vec::new(), Vec::new());
        let (mut settled, mut bodies) = (Vec::new(), Vec::new());
        for row in rows {
            lanes.push(row.lane);
            ids.push(signed(row.id));
            // The ranges are sent as text, because all parts of an array of arrays must have the same length.
            let ends: Vec<_> = row.settled.iter().map(u32::to_string).collect();
            settled.push(format!("{{{}}}", ends.join(",")));
            bodies.push(row.body);
        }
        self.done(Trip::within(LIMIT).query(
            "insert into duet.waiting (lane, id, settled, body) select l, i, s::int[], b
             from unnest($1::bytea[], $2::bigint[], $3::text[], $4::bytea[]) u (l, i, s, b)",
            vec![
                value(lanes, Type::BYTEA_ARRAY),
                value(ids, Type::INT8_ARRAY),
                value(settled, Type::TEXT_ARRAY),
                value(bodies, Type::BYTEA_ARRAY),
            ],
        ))
    }
}

impl Side for Contents {
    fn name(&self) -> String {
        format!("the database {}", self.link.options().address)
    }

    fn standing(&self) -> Result<Standing, Error> {
        Ok(self.standing.clone())
    }

    fn position(&self) -> Result<Position, Error> {
        let trip = Trip::new().query("select nextval('duet.numbers')", Vec::new());
        let next = self.link.trip(&self.session, trip)?;
        let next = next.iter().flatten().next().ok_or(Error::Corrupt)?;
        Ok(Position {
            next: number(next.get(0)),
            ..slot::position(&self.link, &self.session)?
        })
    }

    fn read(&self, each: &mut Each<'_>) -> Result<(), Error> {
        self.pass_all(each)
    }

    fn begin(&mut self, salt: Salt, position: &Position) -> Result<(), Error> {
        let mut counts = Counts {
            held: signed(position.held),
            ..Counts::default()
        };
        for place in &position.places {
            let lane = LaneId {
                destination: place.destination.clone(),
                class: place.class,
            };
            counts.add(&lane, signed(place.waiting));
        }
        let mut trip = Trip::within(LIMIT);
        if !self.is_there {
            trip = schema::create(trip, salt);
        }
        // This slot has no owner, so the first proxy that starts takes it over.
        let trip = trip
            .run("truncate duet.waiting, duet.seen, duet.records, duet.dead, duet.ends, duet.hours, duet.covered, duet.leases, duet.slots")
            .query(
                "update duet.about set salt = $1, moved = ''",
                vec![value(salt.as_bytes().to_vec(), Type::BYTEA)],
            )
            .query(
                "insert into duet.slots (slot, owner, until, written_ms, places) values (0, gen_random_uuid(), '-infinity', $1, $2)",
                vec![
                    value(position.written_ms, Type::INT8),
                    value(counts.write()?, Type::BYTEA),
                ],
            )
            .query(
                "select setval('duet.numbers', $1)",
                vec![value(signed(position.next).max(1), Type::INT8)],
            );
        self.done(trip)
    }

    fn write(&mut self, piece: Piece) -> Result<(), Error> {
        let pairs = [Type::BYTEA_ARRAY, Type::BYTEA_ARRAY];
        match piece {
            Piece::Rows(rows) => self.insert_rows(rows),
            Piece::Keys(keys) => {
                // A folder can have a key twice: once with a time that has passed, and once with a later time, because
                // the event came again. The later time is kept.
                let mut last = BTreeMap::new();
                for (key, until) in keys {
                    let known = last.entry(key).or_insert(until);
                    *known = until.max(*known);
                }
                let keys = last.into_iter().map(|(key, until)| (Uuid::from(key), until));
                self.insert(
                    "insert into duet.seen as s (key, until) select * from unnest($1::uuid[], $2::bigint[])
                     on conflict (key) do update set until = greatest(s.until, excluded.until)",
                    keys.collect(),
                    [Type::UUID_ARRAY, Type::INT8_ARRAY],
                )
            }
            Piece::Records(records) => self.insert(
                "insert into duet.records (key, value) select * from unnest($1::bytea[], $2::bytea[])",
                records,
                pairs,
            ),
            Piece::Letters(letters) => self.insert(
                "insert into duet.dead (id, value) select * from unnest($1::bytea[], $2::bytea[])",
                letters,
                pairs,
            ),
            // The first four bytes of an end are its number of events.
            Piece::Ends(ends) => self.insert(
                "insert into duet.ends (id, events, value) select i, ('x' || encode(substr(v, 1, 4), 'hex'))::bit(32)::int, v
                 from unnest($1::bytea[], $2::bytea[]) u (i, v)",
                ends,
                pairs,
            ),
            Piece::Hours(hours) => self.insert(
                "insert into duet.hours (start_ms, slot, value) select s, 0, h from unnest($1::bigint[], $2::bytea[]) u (s, h)",
                hours,
                [Type::INT8_ARRAY, Type::BYTEA_ARRAY],
            ),
            Piece::Covered(covered) => self.insert(
                "insert into duet.covered (digest, at_ms) select * from unnest($1::bytea[], $2::bigint[])",
                covered,
                [Type::BYTEA_ARRAY, Type::INT8_ARRAY],
            ),
        }
    }

    fn sync(&mut self) -> Result<(), Error> {
        self.done(Trip::within(LIMIT).run("commit"))
    }

    fn leave(&mut self, to: &str) -> Result<(), Error> {
        // This statement takes every slot from its proxy. A proxy that hangs now and continues later therefore cannot
        // commit.
        let trip = Trip::within(LIMIT)
            .run("update duet.slots set owner = gen_random_uuid(), until = '-infinity'")
            .query(
                "update duet.about set moved = $1",
                vec![value(to.to_owned(), Type::TEXT)],
            )
            .run("commit");
        self.done(trip)
    }

    fn finish(&mut self) -> Result<(), Error> {
        // The transaction may have ended already. In this case the update is a transaction of its own.
        let trip = Trip::within(LIMIT)
            .run("update duet.about set moved = null")
            .run("commit");
        self.done(trip)
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
