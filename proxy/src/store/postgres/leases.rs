//! Which proxy delivers the events of a destination, and which proxy removes expired entries. A lease ends by itself if
//! its owner does not renew it. The epoch of a lease rises with every new owner, and an owner of an earlier epoch cannot
//! settle events any more.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_postgres::{Row, types::Type};

use super::{
    link::{Link, Session, Trip, value},
    loaded::number,
    uuid::Uuid,
};
use crate::{
    decide::Destination,
    store::{Error, Lease},
};

/// How long a lease lasts in the database, and for how long its owner uses it without a renewal. The owner stops
/// earlier than the lease ends, so that the owner has stopped before another process takes the lease.
const LASTS: Duration = Duration::from_secs(15);
const USED: Duration = Duration::from_secs(12);
/// How often a lease is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(5);
const SWEEP: &[u8] = b"sweep";

pub(super) struct Leases {
    owner: Uuid,
    own: BTreeMap<Vec<u8>, Own>,
}

struct Own {
    lease: Lease,
    renewed: Instant,
}

impl Leases {
    pub(super) fn new(owner: Uuid) -> Self {
        Self {
            owner,
            own: BTreeMap::new(),
        }
    }

    pub(super) fn of(&self, destination: &Destination) -> Option<Lease> {
        let own = self.own.get(&name_of(destination))?;
        let is_over = own.lease.until.is_some_and(|until| until < Instant::now());
        (!is_over).then_some(own.lease)
    }

    /// For each of these destinations, takes the lease if it is free, and renews the lease if this process has it.
    pub(super) fn take<'a>(
        &mut self,
        link: &Link,
        session: &Session,
        destinations: impl Iterator<Item = &'a Arc<Destination>>,
    ) -> Result<(), Error> {
        let mut names: Vec<_> = destinations.map(lease_name).collect();
        let known = self.own.keys().filter(|name| *name != SWEEP);
        names.extend(known.cloned());
        names.sort();
        names.dedup();
        self.take_named(link, session, names)
    }

    /// Returns whether this process is the one that removes expired entries.
    pub(super) fn may_sweep(&mut self, link: &Link, session: &Session) -> Result<bool, Error> {
        self.own.remove(SWEEP);
        self.take_named(link, session, vec![SWEEP.to_vec()])?;
        Ok(self.own.contains_key(SWEEP))
    }

    fn take_named(
        &mut self,
        link: &Link,
        session: &Session,
        mut names: Vec<Vec<u8>>,
    ) -> Result<(), Error> {
        let now = Instant::now();
        names.retain(|name| {
            let own = self.own.get(name);
            own.is_none_or(|own| own.renewed + RENEW_EVERY <= now)
        });
        if names.is_empty() {
            return Ok(());
        }
        let free = Trip::new().query(
            "select name from unnest($1::bytea[]) name left join duet.leases using (name)
             where owner is null or owner = $2 or until < now()",
            vec![
                value(names.clone(), Type::BYTEA_ARRAY),
                value(self.owner, Type::UUID),
            ],
        );
        let free = link.trip(session, free)?;
        let free: Vec<Vec<u8>> = free.iter().flatten().map(|row| row.get(0)).collect();
        for name in names {
            if !free.contains(&name) {
                self.own.remove(&name);
            }
        }
        if free.is_empty() {
            return Ok(());
        }
        let taken = Trip::new().query(
            "insert into duet.leases as l (name, owner, epoch, until)
             select name, $2, 1, now() + $3 * interval '1 s' from unnest($1::bytea[]) name order by name
             on conflict (name) do update set owner = $2, until = excluded.until,
               epoch = case when l.owner = $2 then l.epoch else l.epoch + 1 end
             where l.owner = $2 or l.until < now() returning name, epoch",
            vec![
                value(free, Type::BYTEA_ARRAY),
                value(self.owner, Type::UUID),
                value(LASTS.as_secs_f64(), Type::FLOAT8),
            ],
        );
        for row in link.trip(session, taken)?.iter().flatten() {
            self.taken(row, now);
        }
        Ok(())
    }

    fn taken(&mut self, row: &Row, now: Instant) {
        let lease = Lease {
            epoch: number(row.get(1)),
            until: Some(now + USED),
        };
        let own = Own {
            lease,
            renewed: now,
        };
        self.own.insert(row.get(0), own);
    }

    /// Gives up all leases, so that another process can take them at once.
    pub(super) fn give_up(&mut self, link: &Link, session: &Session) -> Result<(), Error> {
        self.own.clear();
        let trip = Trip::new().query(
            "update duet.leases set until = '-infinity' where owner = $1",
            vec![value(self.owner, Type::UUID)],
        );
        link.trip(session, trip).map(drop)
    }
}

/// Returns the name of the lease of a destination.
pub(super) fn lease_name(destination: &Arc<Destination>) -> Vec<u8> {
    name_of(destination)
}

pub(super) fn name_of(destination: &Destination) -> Vec<u8> {
    serde_json::to_vec(destination).unwrap_or_default()
}
