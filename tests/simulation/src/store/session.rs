//! The connection of one process to a database, and its transactions.

use std::{collections::BTreeMap, sync::Arc};

use duet_proxy::{
    decide::{Destination, Records},
    store::{Ahead, Commit, Error, LaneId, Position, Sight},
};

use super::{
    Effect, Fault, Slot, State,
    database::{Database, Fence, Late},
};
use crate::{clock, plant::Plant};

/// The connection of a process, and what the process knows of the database.
pub(super) struct Session {
    process: u64,
    server: u64,
    number: usize,
    slot: Slot,
    leases: BTreeMap<Arc<Destination>, u64>,
    /// The open transaction.
    begun: Option<Begun>,
}

struct Begun {
    first: u64,
    ahead: Ahead,
}

impl Session {
    /// Connects a process, and takes a slot: the process's own slot, a slot that no process uses any more, or a new slot.
    /// Taking a slot is a commit, so after it the standby has all earlier commits.
    pub(super) fn open(state: &mut State, process: u64) -> Result<Self, Error> {
        if state.faults.last() == Some(&Fault::Closed) {
            state.faults.pop();
            return Err(lost());
        }
        let database = state.database()?;
        database.runs(process);
        if !database.is_up() {
            return Err(lost());
        }
        let server = database.server;
        state.sync();
        state.opened += 1;
        let now_ms = clock::since_start_ms();
        let slots = &mut state.present.slots;
        let own = slots.iter().position(|slot| slot.owner == process);
        let free = || slots.iter().position(|slot| slot.until_ms < now_ms);
        let number = own.or_else(free).unwrap_or(slots.len());
        if number == slots.len() {
            slots.push(Slot::default());
        }
        let slot = &mut slots[number];
        slot.owner = process;
        slot.until_ms = i64::MAX;
        slot.written += 1;
        let slot = slot.clone();
        state.synced.slots.clone_from(&state.present.slots);
        Ok(Self {
            process,
            server,
            number,
            slot,
            leases: BTreeMap::new(),
            begun: None,
        })
    }

    pub(super) fn is_connected(&self, database: &Database) -> bool {
        database.is_up() && database.server == self.server
    }

    /// Begins a transaction.
    pub(super) fn begin(
        &mut self,
        state: &mut State,
        ahead: impl FnOnce() -> Ahead,
        position: &mut Position,
    ) -> Result<(), Error> {
        let has_faults = !state.faults.is_empty();
        let database = self.connected(state)?;
        // Only a fault and a late commit depend on which records the calls read. Without them, do not determine the records.
        let ahead = if has_faults || database.has_late() {
            ahead()
        } else {
            Ahead::default()
        };
        if database.locks(&ahead) {
            database.is_behind(self.process);
            return Err(Error::Timeout);
        }
        let first = database.draw();
        position.next = first;
        self.begun = Some(Begun { first, ahead });
        Ok(())
    }

    /// Returns the first number of the open transaction.
    pub(super) fn first_number(&self) -> u64 {
        self.begun.as_ref().map_or(0, |begun| begun.first)
    }

    /// Ends a transaction that has changed nothing. If `sync` is true, the answer must wait for the standby. Only a commit that
    /// writes something waits for the standby, so the transaction then writes the unchanged slot.
    pub(super) fn finish(&mut self, state: &mut State, sync: bool) -> Result<(), Error> {
        if !sync {
            self.begun = None;
        }
        if self.begun.is_none() {
            return Ok(());
        }
        let slot = self.slot.clone();
        self.commit(state, nothing(), slot)
    }

    /// Returns a copy of the slot to which the changes of a commit are added.
    pub(super) fn counted(&self, commit: &Commit<'_>, state: &State) -> Slot {
        let mut slot = self.slot.clone();
        slot.count(commit, &state.present);
        slot
    }

    /// Writes the slot and the changes, and ends the transaction.
    pub(super) fn commit(
        &mut self,
        state: &mut State,
        mut effect: Effect,
        mut slot: Slot,
    ) -> Result<(), Error> {
        let ahead = self.begun.take().map(|begun| begun.ahead);
        self.connected(state)?;
        let fence = Fence {
            number: self.number,
            owner: self.process,
            written: self.slot.written,
        };
        slot.written += 1;
        effect.slot = Some((self.number, slot.clone()));
        let done = if fence.holds(&state.present.slots, state.plant) {
            strike(state, effect, fence, ahead.unwrap_or_default())
        } else {
            // In PostgreSQL, the statement that checks the slot divides by zero in this case.
            Err(Error::Database("SQLSTATE 22012".to_owned()))
        };
        let database = state.database()?;
        match done {
            Ok(()) => {
                let mut lanes = slot.lanes.keys();
                let is_due = |lane: &LaneId| {
                    !self.leases.contains_key(&lane.destination)
                        && database.is_free(&lane.destination, self.process)
                };
                if lanes.any(is_due) {
                    database.is_behind(self.process);
                }
                database.changed_by(self.process);
                self.slot = slot;
            }
            Err(_) => database.is_behind(self.process),
        }
        done
    }

    /// Renews the process's leases and takes free ones. Returns what all processes have written.
    pub(super) fn look(&mut self, state: &mut State) -> Result<Sight, Error> {
        let position = state.present.position();
        let withdrawn = state.present.withdrawn().collect();
        let database = self.connected(state)?;
        let places = position.places.iter();
        let mut destinations: Vec<_> = places.map(|place| place.destination.clone()).collect();
        destinations.extend(self.leases.keys().cloned());
        for destination in destinations {
            match database.lease(&Some(Arc::clone(&destination)), self.process)? {
                Some(epoch) => self.leases.insert(destination, epoch),
                None => self.leases.remove(&destination),
            };
        }
        database.has_looked(self.process);
        Ok(Sight {
            position,
            withdrawn: Some(withdrawn),
        })
    }

    /// Returns the epoch of the lease that allows this process to deliver, if it has one.
    pub(super) fn lease(&self, destination: &Destination) -> Option<u64> {
        self.leases.get(destination).copied()
    }

    /// Returns whether this process may settle events that it claimed while its lease had this epoch.
    pub(super) fn may_settle(&self, state: &State, destination: &Destination, epoch: u64) -> bool {
        let right = Some(Arc::new(destination.clone()));
        let database = state.database.as_ref();
        database.is_some_and(|database| database.has_lease(&right, self.process, epoch))
            || state.plant == Some(Plant::UnfencedSettles)
    }

    /// Returns whether this process removes expired entries.
    pub(super) fn may_sweep(&self, state: &mut State) -> Result<bool, Error> {
        let database = self.connected(state)?;
        Ok(database.lease(&None, self.process)?.is_some())
    }

    /// Writes a change outside of a transaction.
    pub(super) fn write_alone(&self, state: &mut State, effect: Effect) -> Result<(), Error> {
        self.connected(state)?;
        keep(state, effect);
        state.sync();
        Ok(())
    }

    fn connected<'a>(&self, state: &'a mut State) -> Result<&'a mut Database, Error> {
        let database = state.database()?;
        self.is_connected(database)
            .then_some(database)
            .ok_or(Error::Stopped)
    }
}

/// Commits a transaction, and applies the next fault to the commit. Returns the answer that the process gets.
fn strike(state: &mut State, effect: Effect, fence: Fence, ahead: Ahead) -> Result<(), Error> {
    let has_keys_alone = state.plant == Some(Plant::KeysFirst);
    match state.struck() {
        None => {
            keep(state, effect);
            state.sync();
            return Ok(());
        }
        Some(Fault::Late) => keep(state, effect),
        Some(Fault::Delayed { ms }) => {
            let at_ms = clock::since_start_ms() + ms;
            let late = Late {
                effect,
                fence,
                ahead,
                at_ms,
            };
            state.database()?.delays(late);
        }
        Some(Fault::Unanswered) => {
            keep(state, effect);
            return Err(lost());
        }
        Some(fault) => {
            if has_keys_alone {
                let mut keys = nothing();
                keys.records.keys = effect.records.keys;
                keep(state, keys);
            }
            return Err(match fault {
                Fault::Unsent => lost(),
                _ => Error::Database("SQLSTATE 40001".to_owned()),
            });
        }
    }
    Err(Error::Timeout)
}

fn keep(state: &mut State, effect: Effect) {
    state.present.take(&effect);
    state.tail.push(effect);
}

fn nothing() -> Effect {
    Effect {
        rows: Vec::new(),
        removed: Vec::new(),
        marked: Vec::new(),
        records: Records::default(),
        position: Position::default(),
        slot: None,
        expired: None,
    }
}

fn lost() -> Error {
    Error::Database("ConnectionReset".to_owned())
}
