//! The part of the simulated store that only a database has: several processes, leases, a server that fails over, and
//! commits that arrive late.
//!
//! The simulated database does what the proxy's `store/postgres` expects of PostgreSQL. The answer to a commit means that
//! the standby has the commit and all commits before it. A commit without an answer can be kept or lost. After the loss of
//! a server, the standby has all answered commits, and it may have some of the commits without an answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use duet_proxy::{
    decide::{Destination, Reads},
    store::{Ahead, Error},
};

use super::{Disk, Effect, Slot, State};
use crate::{clock, plant::Plant};

/// How long a lease lasts if it is not renewed. A running process renews its leases.
pub const LEASE_MS: i64 = 15_000;
/// How long a slot stays reserved for a process that does not write.
const SLOT_MS: i64 = 60_000;
/// How many numbers are reserved for each commit.
const NUMBERS: u64 = 1 << 20;

/// The part of a database that no commit changes.
#[derive(Default)]
pub(super) struct Database {
    is_up: bool,
    /// Counts the servers that have been the primary. A connection to an earlier server is lost.
    pub(super) server: u64,
    numbers: u64,
    leases: BTreeMap<Right, Lease>,
    /// The commits that have not reached the database yet.
    late: Vec<Late>,
    running: BTreeSet<u64>,
    /// The processes that have not read the latest changes of other processes yet.
    behind: BTreeSet<u64>,
}

/// The right to deliver the events of a destination. `None` is the right to remove expired entries.
pub(super) type Right = Option<Arc<Destination>>;

struct Lease {
    owner: u64,
    epoch: u64,
    until_ms: i64,
}

/// A commit that has not reached the database yet. The commit's transaction is open and has locked the records that it has
/// read.
pub(super) struct Late {
    pub(super) effect: Effect,
    pub(super) fence: Fence,
    pub(super) ahead: Ahead,
    pub(super) at_ms: i64,
}

/// What a process knows of its slot. If the slot is different when a commit arrives, the commit changes nothing.
#[derive(Clone, Copy)]
pub(super) struct Fence {
    pub(super) number: usize,
    pub(super) owner: u64,
    pub(super) written: u64,
}

impl Fence {
    pub(super) fn holds(self, slots: &[Slot], plant: Option<Plant>) -> bool {
        let slot = slots.get(self.number);
        let is_unfenced = plant == Some(Plant::LateCommits);
        slot.is_some_and(|slot| {
            slot.owner == self.owner && (is_unfenced || slot.written == self.written)
        })
    }
}

impl Database {
    pub(super) fn is_up(&self) -> bool {
        self.is_up
    }

    /// Reserves a block of numbers for one commit, and returns the block's first number.
    pub(super) fn draw(&mut self) -> u64 {
        self.numbers += NUMBERS;
        self.numbers
    }

    /// Records that a process runs, and that it must read the latest changes.
    pub(super) fn runs(&mut self, process: u64) {
        self.running.insert(process);
        self.behind.insert(process);
    }

    /// Records that all other processes must read the latest changes.
    pub(super) fn changed_by(&mut self, process: u64) {
        let others = self.running.iter().filter(|other| **other != process);
        self.behind.extend(others);
    }

    /// Records that a process must read the latest changes.
    pub(super) fn is_behind(&mut self, process: u64) {
        self.behind.insert(process);
    }

    /// Records that a process has read the latest changes.
    pub(super) fn has_looked(&mut self, process: u64) {
        self.behind.remove(&process);
    }

    /// Takes or renews a lease. Returns the epoch of the lease, or `None` if another process has the lease.
    pub(super) fn lease(&mut self, right: &Right, process: u64) -> Result<Option<u64>, Error> {
        let now_ms = clock::since_start_ms();
        let is_locked = |late: &Late| {
            let settled = &late.ahead.settled;
            right.as_ref().is_some_and(|right| settled.contains(right))
        };
        match self.leases.get_mut(right) {
            Some(lease) if lease.owner == process => {
                lease.until_ms = i64::MAX;
                Ok(Some(lease.epoch))
            }
            Some(lease) if lease.until_ms >= now_ms => Ok(None),
            // A late transaction that settles events of this destination has locked the lease, so this process waits for the lock
            // until its time limit.
            Some(_) if self.late.iter().any(is_locked) => Err(Error::Timeout),
            lease => {
                let epoch = lease.map_or(0, |lease| lease.epoch) + 1;
                let taken = Lease {
                    owner: process,
                    epoch,
                    until_ms: i64::MAX,
                };
                self.leases.insert(right.clone(), taken);
                Ok(Some(epoch))
            }
        }
    }

    /// Returns whether no other process delivers the events of a destination.
    pub(super) fn is_free(&self, destination: &Arc<Destination>, process: u64) -> bool {
        let lease = self.leases.get(&Some(Arc::clone(destination)));
        let now_ms = clock::since_start_ms();
        lease.is_none_or(|lease| lease.owner == process || lease.until_ms < now_ms)
    }

    /// Returns whether a process still has the lease with this epoch.
    pub(super) fn has_lease(&self, right: &Right, process: u64, epoch: u64) -> bool {
        let lease = self.leases.get(right);
        lease.is_some_and(|lease| lease.owner == process && lease.epoch == epoch)
    }

    /// Returns whether the transaction of a late commit has locked a record that these calls read.
    pub(super) fn locks(&self, ahead: &Ahead) -> bool {
        let mut late = self.late.iter();
        late.any(|late| overlap(&late.ahead.reads, &ahead.reads))
    }

    /// Returns whether there are commits that have not reached the database yet.
    pub(super) fn has_late(&self) -> bool {
        !self.late.is_empty()
    }

    pub(super) fn delays(&mut self, late: Late) {
        self.late.push(late);
    }
}

fn overlap(one: &Reads, other: &Reads) -> bool {
    !one.orders.is_disjoint(&other.orders)
        || !one.lookups.is_disjoint(&other.lookups)
        || !one.payments.is_disjoint(&other.payments)
        || !one.letters.is_disjoint(&other.letters)
        || one.keys.keys().any(|key| other.keys.contains_key(key))
}

impl State {
    /// Lets the leases and the slot of a process expire after their usual time. The process no longer renews them.
    fn ends(&mut self, process: u64) {
        let now_ms = clock::since_start_ms();
        if let Some(database) = &mut self.database {
            let leases = database.leases.values_mut();
            for lease in leases.filter(|lease| lease.owner == process) {
                lease.until_ms = lease.until_ms.min(now_ms + LEASE_MS);
            }
        }
        self.keep_slots(process, now_ms + SLOT_MS);
    }

    fn keep_slots(&mut self, process: u64, until_ms: i64) {
        let slots = self.present.slots.iter_mut().chain(&mut self.synced.slots);
        for slot in slots.filter(|slot| slot.owner == process) {
            slot.until_ms = until_ms;
        }
    }
}

impl Disk {
    /// Makes a database with a planted fault.
    pub fn database(plant: Option<Plant>) -> Self {
        let disk = Self {
            is_database: true,
            ..Self::with(plant)
        };
        disk.state().database = Some(Database {
            is_up: true,
            ..Database::default()
        });
        disk
    }

    /// Returns whether this process must read what other processes have written.
    pub fn has_news(&self, process: u64) -> bool {
        let state = self.state();
        let database = state.database.as_ref();
        database.is_some_and(|database| database.behind.contains(&process))
    }

    /// Records that a process has stopped, for ever or for some time. The process's leases then expire.
    pub fn stops(&self, process: u64) {
        let mut state = self.state();
        state.ends(process);
        if let Some(database) = &mut state.database {
            database.running.remove(&process);
            database.behind.remove(&process);
        }
    }

    /// Records that a stopped process runs again.
    pub fn wakes(&self, process: u64) {
        let mut state = self.state();
        state.keep_slots(process, i64::MAX);
        if let Some(database) = &mut state.database {
            database.runs(process);
        }
    }

    /// Ends the primary server of the database. Of the commits that are not at the standby for certain, the standby has the
    /// first `kept`.
    pub fn loses_its_server(&self, kept: usize) {
        let mut state = self.state();
        state.tail.truncate(kept);
        state.settle();
        let Some(database) = &mut state.database else {
            return;
        };
        database.is_up = false;
        database.server += 1;
        database.late.clear();
        database.behind.clone_from(&database.running);
        let until_ms = clock::since_start_ms() + LEASE_MS;
        for lease in database.leases.values_mut() {
            lease.until_ms = lease.until_ms.min(until_ms);
        }
    }

    /// Lets the standby take over.
    pub fn has_a_server(&self) {
        if let Some(database) = &mut self.state().database {
            database.is_up = true;
        }
    }

    /// Records that all processes must read the latest changes.
    pub fn has_changed(&self) {
        if let Some(database) = &mut self.state().database {
            database.behind.clone_from(&database.running);
        }
    }

    /// Returns whether there is a commit without an answer, which may be kept or lost.
    pub fn has_unanswered(&self) -> bool {
        let state = self.state();
        let database = state.database.as_ref();
        !state.tail.is_empty() || database.is_some_and(Database::has_late)
    }

    /// Returns the time at which the next late commit reaches the database.
    pub fn arrives_ms(&self) -> Option<i64> {
        let state = self.state();
        let late = state.database.iter().flat_map(|database| &database.late);
        late.map(|late| late.at_ms).min()
    }

    /// Lets late commits arrive.
    pub fn arrive(&self) {
        let mut state = self.state();
        let state = &mut *state;
        let Some(database) = &mut state.database else {
            return;
        };
        let now_ms = clock::since_start_ms();
        let arrived = database.late.extract_if(.., |late| late.at_ms <= now_ms);
        let arrived: Vec<_> = arrived.collect();
        database.behind.clone_from(&database.running);
        for Late { effect, fence, .. } in arrived {
            if fence.holds(&state.present.slots, state.plant) {
                state.present.take(&effect);
                state.tail.push(effect);
                state.sync();
            }
        }
    }
}
