//! The slot of a running proxy: its number, and the counts of the events that the proxy has added and removed. No other
//! proxy writes the slot.
//!
//! A commit can reach the database after its proxy has given it up and connected again. The counts of such a commit are out of
//! date, so it must fail. Every update of the slot therefore names the transaction that wrote the slot last, as far as the
//! proxy knows. If another transaction has written the slot since then, the update fails.

use std::time::{Duration, Instant};

use tokio_postgres::{Row, types::Type};

use super::{
    link::{Link, Session, Trip, value},
    place::Counts,
    uuid::Uuid,
};
use crate::store::{Commit, Error, Position};

/// How often a process without commits renews its slot. After 60 s without a renewal, another process can take the slot.
const KEEP_EVERY: Duration = Duration::from_secs(20);

pub(super) struct Slot {
    pub(super) number: i32,
    owner: Uuid,
    pub(super) counts: Counts,
    /// The transaction that wrote the slot last.
    written: i64,
    kept: Instant,
}

impl Slot {
    /// Takes a slot: the slot that this process already has, or else a slot that no process uses any more, or else a new
    /// one.
    pub(super) fn take(link: &Link, session: &Session, owner: Uuid) -> Result<Self, Error> {
        let trip = Trip::new()
            .run("begin; set local lock_timeout = '4s'; set local synchronous_commit = on")
            .query("select pg_advisory_xact_lock(7321, 1)", Vec::new())
            .query(
                "insert into duet.slots (slot, owner, until, places)
                 select coalesce(
                   (select slot from duet.slots where owner = $1 or until < now() order by owner = $1 desc, slot limit 1),
                   (select coalesce(max(slot), -1) + 1 from duet.slots)),
                 $1, now() + interval '60 s', $2
                 on conflict (slot) do update set owner = excluded.owner, until = excluded.until
                 returning slot, places, xmin::text::bigint",
                vec![
                    value(owner, Type::UUID),
                    value(Counts::default().write()?, Type::BYTEA),
                ],
            )
            .run("commit");
        let rows = link.trip(session, trip)?;
        let row = rows.get(2).and_then(|rows| rows.first());
        let row = row.ok_or(Error::Corrupt)?;
        Ok(Self {
            number: row.get(0),
            owner,
            counts: Counts::read(row.get(1))?,
            written: row.get(2),
            kept: Instant::now(),
        })
    }

    /// Adds a statement that writes the slot, and the end of the transaction.
    pub(super) fn commit(
        &self,
        trip: Trip,
        counts: &Counts,
        commit: Option<&Commit<'_>>,
    ) -> Result<Trip, Error> {
        let probe_ms = commit.and_then(|commit| commit.probe_ms);
        let written_ms = commit.and_then(|commit| commit.position.written_ms);
        // If another process or a later connection has taken the slot, the update changes no row. The statement then divides by zero, which
        // makes the transaction fail.
        let trip = trip.query(
            "with own as (update duet.slots set places = $3, written_ms = coalesce($4, written_ms), probe_ms = coalesce($5, probe_ms),
               until = now() + interval '60 s' where slot = $1 and owner = $2 and xmin::text::bigint = $6 returning xmin)
             select 1 / count(*), max(xmin::text::bigint) from own",
            vec![
                value(self.number, Type::INT4),
                value(self.owner, Type::UUID),
                value(counts.write()?, Type::BYTEA),
                value(written_ms, Type::INT8),
                value(probe_ms, Type::INT8),
                value(self.written, Type::INT8),
            ],
        );
        Ok(trip.run("commit"))
    }

    /// Stores which transaction wrote the slot last, from the results of a trip that ended with [`Slot::commit`].
    pub(super) fn committed(&mut self, results: &[Vec<Row>]) {
        let own = results.iter().rev().find_map(|rows| rows.first());
        self.written = own.map_or(self.written, |row| row.get(1));
    }

    /// Renews the slot if the last renewal is old enough.
    pub(super) fn keep(&mut self, link: &Link, session: &Session) -> Result<(), Error> {
        if self.kept.elapsed() >= KEEP_EVERY {
            let keep = Trip::new().query(
                "update duet.slots set until = now() + interval '60 s' where slot = $1 and owner = $2 returning xmin::text::bigint",
                vec![value(self.number, Type::INT4), value(self.owner, Type::UUID)],
            );
            let kept = link.trip(session, keep)?;
            if let Some(row) = kept.iter().flatten().next() {
                self.written = row.get(0);
            }
            self.kept = Instant::now();
        }
        Ok(())
    }

    /// Gives up the slot, so that another process can take it at once.
    pub(super) fn give_up(&self, link: &Link, session: &Session) -> Result<(), Error> {
        let trip = Trip::new().query(
            "update duet.slots set until = '-infinity' where slot = $1 and owner = $2",
            vec![
                value(self.number, Type::INT4),
                value(self.owner, Type::UUID),
            ],
        );
        link.trip(session, trip).map(drop)
    }
}

/// Returns the sums of the counts in all slots, and when a proxy last wrote.
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

#[cfg(test)]
mod tests {
    use duet_tests::Server;

    use super::*;
    use crate::{
        decide::Records,
        store::{Postgres, Source as _, Store},
    };

    fn probe(store: &mut impl Store) -> Result<(), Error> {
        store.write(&mut Commit {
            rows: Vec::new(),
            settled: Vec::new(),
            records: Records::default(),
            position: &mut Position::default(),
            probe_ms: Some(1),
            sync: true,
        })
    }

    #[test]
    fn a_commit_of_an_earlier_connection_changes_nothing() {
        let server = Server::start().unwrap();
        let store = Postgres::at(&server.setting("shop").parse().unwrap()).unwrap();
        let mut earlier = store.open().unwrap();
        probe(&mut earlier).unwrap();
        let mut later = store.open().unwrap();
        // The process has given up this commit, but the commit still reaches the database, which must reject it.
        assert!(probe(&mut earlier).is_err());
        probe(&mut later).unwrap();
        probe(&mut later).unwrap();
    }
}
