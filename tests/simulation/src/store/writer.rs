//! The part of the store from which decisions read, and which writes commits.

use duet_proxy::{
    decide::{
        Books, DeadLetter, DedupKey, Destination, HeldEvent, HeldId, LetterId, Lookup, Payment,
        Records,
    },
    history::Salt,
    orders::Order,
    store::{Ahead, Commit, Error, Expired, Lease, Position, Reader, Scanned, Sight, Store},
};

use super::{Content, Disk, Effect, Fault, Session, refused, salt};

/// The writer's half.
pub struct Writer {
    pub(super) disk: Disk,
    opened: u64,
    /// The connection to a database. A folder has none.
    session: Option<Session>,
}

impl Writer {
    pub(super) fn over(disk: Disk, opened: u64, session: Option<Session>) -> Self {
        Self {
            disk,
            opened,
            session,
        }
    }
}

impl Books for Writer {
    type Error = Error;

    fn order(&self, id: &str) -> Result<Option<Order>, Error> {
        Reader::order(&self.disk, id)
    }

    fn found(&self, name: &Lookup) -> Result<Vec<String>, Error> {
        let found = self
            .disk
            .read(|content| content.lookups.get(name).cloned())?;
        Ok(self.without_forgotten(name, found.unwrap_or_default()))
    }

    fn payment(&self, provider: &str, id: &str) -> Result<Option<Payment>, Error> {
        let key = (provider.to_owned(), id.to_owned());
        self.disk
            .read(|content| content.payments.get(&key).cloned())
    }

    fn held(&self, id: HeldId) -> Result<Option<HeldEvent>, Error> {
        self.disk.read(|content| content.held.get(&id).cloned())
    }

    fn letter(&self, id: LetterId) -> Result<Option<DeadLetter>, Error> {
        Reader::letter(&self.disk, id)
    }

    fn has_letter(&self, id: LetterId) -> Result<bool, Error> {
        self.disk.read(|content| content.letters.contains_key(&id))
    }

    fn knows(&self, key: &DedupKey, expiry_ms: i64) -> Result<bool, Error> {
        // The embedded store counts time in seconds.
        self.disk.read(|content| {
            let until_ms = content.keys.get(key);
            until_ms.is_some_and(|until_ms| until_ms / 1000 > expiry_ms / 1000)
        })
    }

    fn salt(&self) -> Salt {
        salt()
    }

    fn next_number(&self) -> u64 {
        match &self.session {
            Some(session) => session.first_number(),
            None => self.disk.state().present.position.next,
        }
    }
}

impl Store for Writer {
    fn position(&self) -> Result<Position, Error> {
        self.disk.read(Content::position)
    }

    fn begin(
        &mut self,
        ahead: impl FnOnce() -> Ahead,
        position: &mut Position,
        _now: (i64, i64),
    ) -> Result<(), Error> {
        match &mut self.session {
            Some(session) => session.begin(&mut self.disk.state(), ahead, position),
            None => Ok(()),
        }
    }

    fn finish(&mut self, sync: bool) -> Result<(), Error> {
        match &mut self.session {
            Some(session) => session.finish(&mut self.disk.state(), sync),
            None => Ok(()),
        }
    }

    fn lease(&self, destination: &Destination) -> Option<Lease> {
        let Some(session) = &self.session else {
            return Some(Lease::default());
        };
        let epoch = session.lease(destination)?;
        Some(Lease { epoch, until: None })
    }

    fn may_settle(&self, destination: &Destination, epoch: u64) -> Result<bool, Error> {
        let Some(session) = &self.session else {
            return Ok(true);
        };
        Ok(session.may_settle(&self.disk.state(), destination, epoch))
    }

    fn may_sweep(&mut self) -> Result<bool, Error> {
        match &self.session {
            Some(session) => session.may_sweep(&mut self.disk.state()),
            None => Ok(true),
        }
    }

    fn look(&mut self) -> Result<Option<Sight>, Error> {
        let session = self.session.as_mut();
        session
            .map(|session| session.look(&mut self.disk.state()))
            .transpose()
    }

    fn write(&mut self, commit: &mut Commit<'_>) -> Result<(), Error> {
        let mut removed = Vec::new();
        let mut marked = Vec::new();
        for settled in &commit.settled {
            let lane = || settled.lane.clone();
            removed.extend(settled.removed.iter().map(|(row, _)| (lane(), *row)));
            let marks = settled.marked.iter();
            marked.extend(marks.map(|(row, range)| (lane(), *row, range.clone())));
        }
        self.plant_into(commit);
        let mut state = self.disk.state();
        let slot = self
            .session
            .as_ref()
            .map(|session| session.counted(commit, &state));
        let rows = commit.rows.drain(..);
        let effect = Effect {
            rows: rows
                .map(|new| (new.lane, new.sequence, new.draft.into_value()))
                .collect(),
            removed,
            marked,
            records: commit.records.clone(),
            position: commit.position.clone(),
            slot: None,
            expired: None,
        };
        if let (Some(session), Some(slot)) = (&mut self.session, slot) {
            return session.commit(&mut state, effect, slot);
        }
        if !state.is_open || state.opened != self.opened {
            return Err(Error::Stopped);
        }
        let fault = state.struck();
        if matches!(fault, Some(Fault::Torn | Fault::Closed)) {
            return Err(refused());
        }
        state.present.take(&effect);
        state.tail.push(effect);
        match fault {
            Some(Fault::SyncLoses) if commit.sync => {
                state.tail.clear();
                state.settle();
                Err(refused())
            }
            Some(Fault::Late) if commit.sync => Err(Error::Timeout),
            Some(_) if commit.sync => Err(refused()),
            _ if commit.sync => {
                state.sync();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn check(&self) -> Result<(), Error> {
        let state = self.disk.state();
        let is_ours = match (&self.session, &state.database) {
            (Some(session), Some(database)) => session.is_connected(database),
            _ => state.is_open && state.opened == self.opened,
        };
        is_ours.then_some(()).ok_or(Error::Stopped)
    }

    fn tidy(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn expire(&mut self, expired: Expired) -> Result<(), Error> {
        let mut state = self.disk.state();
        let effect = Effect {
            rows: Vec::new(),
            removed: Vec::new(),
            marked: Vec::new(),
            records: Records::default(),
            position: state.present.position.clone(),
            slot: None,
            expired: Some(expired),
        };
        if let Some(session) = &self.session {
            return session.write_alone(&mut state, effect);
        }
        state.present.take(&effect);
        state.tail.push(effect);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn withdrawn(&self) -> Result<Vec<String>, Error> {
        self.disk.read(|content| content.withdrawn().collect())
    }

    fn held_until(&self, ms: i64, most: usize) -> Result<Vec<(HeldId, String)>, Error> {
        self.disk.read(|content| {
            let held = content.held.iter();
            held.take_while(|(id, _)| id.until_ms < ms)
                .take(most)
                .map(|(id, held)| (*id, held.order_id.clone()))
                .collect()
        })
    }

    fn scan(
        &self,
        cursor: &[u8],
        most: usize,
        visit: &mut dyn FnMut(Scanned<'_>),
    ) -> Result<Vec<u8>, Error> {
        self.disk.read(|content| {
            let mut count = 0;
            let cursor = String::from_utf8_lossy(cursor);
            let payments_from = cursor.strip_prefix('p');
            let order_from = cursor.strip_prefix('o').unwrap_or_default();
            if payments_from.is_none() {
                for (id, order) in content.orders.range(order_from.to_owned()..) {
                    if count >= most {
                        return format!("o{id}").into_bytes();
                    }
                    count += 1;
                    visit(Scanned::Order(order));
                }
            }
            let from = payments_from.and_then(|from| from.split_once('\0'));
            let (provider, id) = from.unwrap_or_default();
            let from = (provider.to_owned(), id.to_owned());
            for ((provider, id), payment) in content.payments.range(from..) {
                if count >= most {
                    return format!("p{provider}\0{id}").into_bytes();
                }
                count += 1;
                visit(Scanned::Payment(payment));
            }
            Vec::new()
        })
    }
}
