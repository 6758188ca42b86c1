//! The slot of a running proxy: its number, and the counts of the events that the proxy has added and removed. No other
//! proxy writes the slot.

use std::time::{Duration, Instant};

use tokio_postgres::types::Type;

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
        Ok(Self {
            number: row.get(0),
            owner,
            counts: Counts::read(row.get(1))?,
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
        // If another process has taken the slot, the update changes no row. The statement then divides by zero, which
        // makes the transaction fail.
        let trip = trip.query(
            "with own as (update duet.slots set places = $3, written_ms = coalesce($4, written_ms), probe_ms = coalesce($5, probe_ms),
               until = now() + interval '60 s' where slot = $1 and owner = $2 returning slot)
             select 1 / count(*) from own",
            vec![
                value(self.number, Type::INT4),
                value(self.owner, Type::UUID),
                value(counts.write()?, Type::BYTEA),
                value(written_ms, Type::INT8),
                value(probe_ms, Type::INT8),
            ],
        );
        Ok(trip.run("commit"))
    }

    /// Renews the slot if the last renewal is old enough.
    pub(super) fn keep(&mut self, link: &Link, session: &Session) -> Result<(), Error> {
        if self.kept.elapsed() >= KEEP_EVERY {
            let keep = Trip::new().query(
                "update duet.slots set until = now() + interval '60 s' where slot = $1 and owner = $2",
                vec![value(self.number, Type::INT4), value(self.owner, Type::UUID)],
            );
            link.trip(session, keep)?;
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
