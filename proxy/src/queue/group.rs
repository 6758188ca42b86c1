//! One commit in the making: what a group of calls changes, together or not at all.

use std::{collections::HashSet, sync::Arc};

use fjall::{OwnedWriteBatch, PersistMode};

use super::{
    Class, DedupKey, Destination, Enqueued, Error,
    disk::{Place, Position, Tables},
    intake::{Bundle, Packed},
    ledger::Ledger,
    letter::{DeadLetter, LetterId},
    row::{self, Draft},
    seen::Seen,
};

use crate::{
    clock::Times,
    metrics::{self, Changes},
};

mod money;

/// What a deduplication key adds to the journal, and about what the rest of a commit does.
const KEY_BYTES: usize = 20;
const POSITION_BYTES: usize = 400;
/// How old the time of the last commit becomes before an idle store writes it anew.
const NOTE_TIME_EVERY_MS: i64 = 60 * 60 * 1000;

/// Events that have come to an end, as the store has to be told.
#[derive(Debug)]
pub(super) struct Settlement {
    pub(super) destination: Arc<Destination>,
    pub(super) class: Class,
    pub(super) events: u64,
    /// The name of their outcome.
    pub(super) outcome: &'static str,
    /// Keys of rows, and of their marks, that nothing waits in any more.
    pub(super) remove: Vec<Vec<u8>>,
    /// Marks on rows in which something still waits.
    pub(super) mark: Vec<(Vec<u8>, u32)>,
    /// Dead letters.
    pub(super) letters: Vec<(LetterId, DeadLetter)>,
    /// No row of this class before this one waits.
    pub(super) head: u64,
    /// How often the store had been opened when its events were claimed.
    pub(super) opened: u64,
}

pub(super) struct Group<'a> {
    tables: &'a Tables,
    seen: &'a mut Seen,
    position: &'a mut Position,
    times: Times,
    batch: OwnedWriteBatch,
    /// New rows, one for each class of each destination.
    drafts: Vec<NewRow>,
    ledger: Ledger<'a>,
    /// New dead letters, as JSON, and those that are gone.
    buried: Vec<(LetterId, Vec<u8>)>,
    unearthed: Vec<LetterId>,
    /// What is counted once it is committed.
    changes: Changes,
    /// How many more paid orders report nothing.
    unreported: i64,
    bytes: usize,
    durable: bool,
}

struct NewRow {
    destination: Arc<Destination>,
    class: Class,
    draft: Draft,
}

/// How far a commit had come before a call.
struct Mark {
    next: u64,
    held: u64,
    drafts: Vec<(usize, u64)>,
    seen: [usize; 2],
    letters: (usize, usize),
    changes: metrics::Mark,
    unreported: i64,
}

/// What a commit has changed.
pub(super) struct Committed {
    /// Whether it was synced to disk.
    pub(super) durable: bool,
    /// About how much it added to the journal.
    pub(super) bytes: usize,
    /// Who has new events.
    pub(super) arrivals: Vec<Arc<Destination>>,
    /// What is to be counted.
    pub(super) changes: Changes,
    /// How many more paid orders report nothing.
    pub(super) unreported: i64,
}

impl<'a> Group<'a> {
    pub(super) fn new(
        tables: &'a Tables,
        seen: &'a mut Seen,
        position: &'a mut Position,
        times: Times,
    ) -> Self {
        Self {
            batch: tables.database.batch(),
            tables,
            seen,
            position,
            times,
            drafts: Vec::new(),
            ledger: Ledger::new(&tables.orders),
            buried: Vec::new(),
            unearthed: Vec::new(),
            changes: Changes::default(),
            unreported: 0,
            bytes: 0,
            durable: false,
        }
    }

    /// Does the work of one call, or leaves no trace of it where the call itself is at fault: the others of the commit
    /// have nothing to do with that.
    pub(super) fn whole<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<Result<T, Error>, Error> {
        let mark = self.mark();
        match work(self) {
            Ok(done) => Ok(Ok(done)),
            Err(error) if error.is_of_the_disk() => Err(error),
            Err(error) => {
                tracing::error!(error = ?error, "a change of the store was refused, and nothing of it is left");
                self.go_back(mark);
                Ok(Err(error))
            }
        }
    }

    fn mark(&mut self) -> Mark {
        self.ledger.mark();
        Mark {
            next: self.position.next,
            held: self.position.held,
            drafts: self.drafts.iter().map(|row| row.draft.mark()).collect(),
            seen: self.seen.mark(),
            letters: (self.buried.len(), self.unearthed.len()),
            changes: self.changes.mark(),
            unreported: self.unreported,
        }
    }

    fn go_back(&mut self, mark: Mark) {
        self.ledger.go_back();
        self.position.next = mark.next;
        self.position.held = mark.held;
        self.drafts.truncate(mark.drafts.len());
        for (row, mark) in self.drafts.iter_mut().zip(mark.drafts) {
            row.draft.go_back(mark);
        }
        self.seen.go_back(mark.seen);
        self.buried.truncate(mark.letters.0);
        self.unearthed.truncate(mark.letters.1);
        self.changes.go_back(mark.changes);
        self.unreported = mark.unreported;
    }

    /// Takes of each call's events those that were not accepted before.
    pub(super) fn admit(
        &mut self,
        bundle: &Bundle,
    ) -> Result<Vec<Result<Vec<Enqueued>, Error>>, Error> {
        bundle
            .calls()
            .map(|entries| self.whole(|group| group.admit_call(entries)))
            .collect()
    }

    fn admit_call<'e>(
        &mut self,
        entries: impl ExactSizeIterator<Item = (&'e Packed, &'e [u8])>,
    ) -> Result<Vec<Enqueued>, Error> {
        let now_s = seconds(self.times.stamp_ms);
        let mut results = Vec::with_capacity(entries.len());
        for (entry, event) in entries {
            let is_repeat = self.is_seen(&entry.key)?;
            let result = match &entry.note {
                None => self.take(entry, event, is_repeat),
                Some(note) => self.admit_noted(entry, note, event, is_repeat)?,
            };
            if result != Enqueued::Duplicate {
                self.bytes += KEY_BYTES;
                self.seen.learn(entry.key, entry.remember, now_s);
            }
            results.push(result);
        }
        // A repeat is answered as if it were on disk; it may stand in this very commit.
        self.durable = true;
        Ok(results)
    }

    pub(super) fn settle(&mut self, settlement: Settlement) -> Result<(), Error> {
        for key in settlement.remove {
            self.batch.remove(&self.tables.waiting, key);
        }
        for (key, end) in settlement.mark {
            self.batch
                .insert(&self.tables.waiting, key, end.to_be_bytes());
        }
        self.durable |= !settlement.letters.is_empty();
        for (id, letter) in settlement.letters {
            // An order that does not read back keeps no event from its end.
            let _ = self.whole(|group| group.ended_in_vain(&letter))?;
            let letter = serde_json::to_vec(&letter).map_err(|_| Error::Corrupt)?;
            self.buried.push((id, letter));
        }
        let places = &mut self.position.places;
        if let Some(place) = places
            .iter_mut()
            .find(|place| place.is_of(&settlement.destination, settlement.class))
        {
            place.waiting = place.waiting.saturating_sub(settlement.events);
            place.head = settlement.head;
            self.changes.ended(settlement.outcome, settlement.events);
        }
        Ok(())
    }

    /// Puts letters back, as if they had just been accepted; the number of those that were there.
    pub(super) fn replay(&mut self, letters: &[LetterId]) -> Result<usize, Error> {
        let mut replayed = HashSet::new();
        for id in letters {
            if replayed.contains(id) {
                continue;
            }
            if let Some(letter) = self.tables.letter(*id)? {
                self.send_again(&letter)?;
                self.unearthed.push(*id);
                replayed.insert(*id);
            }
        }
        self.durable = true;
        Ok(replayed.len())
    }

    /// Removes letters; the number of those that were there.
    pub(super) fn remove(&mut self, letters: &[LetterId]) -> Result<usize, Error> {
        let mut removed = HashSet::new();
        for id in letters {
            if self.tables.dead.get(id.to_bytes())?.is_some() && removed.insert(*id) {
                self.unearthed.push(*id);
            }
        }
        self.durable = true;
        Ok(removed.len())
    }

    /// Has the commit write and sync, whatever else is in it.
    pub(super) fn probe(&mut self) {
        self.tables.probe(&mut self.batch, self.times.stamp_ms);
        self.durable = true;
    }

    /// Has an idle store keep the time once an hour, so that its next start finds no clock that runs ahead.
    pub(super) fn note_time(&mut self) {
        let (now, before) = (self.times.confirmed_ms, self.position.written_ms);
        if now > before.map(|before| before.saturating_add(NOTE_TIME_EVERY_MS)) {
            self.tables.probe(&mut self.batch, self.times.stamp_ms);
        }
    }

    pub(super) fn commit(mut self) -> Result<Committed, Error> {
        let mut arrivals = Vec::with_capacity(self.drafts.len());
        for NewRow {
            destination,
            class,
            draft,
        } in self.drafts
        {
            let sequence = self.position.next;
            self.position.next += draft.events();
            self.position
                .arrived(&destination, class, sequence, draft.events());
            let key = row::key(&destination.prefix(class), sequence);
            let value = draft.into_value();
            self.bytes += value.len();
            self.batch.insert(&self.tables.waiting, key, value);
            arrivals.push(destination);
        }
        for (id, letter) in self.buried {
            let dead = &self.tables.dead;
            dead.insert(&mut self.batch, id.to_bytes(), letter)?;
        }
        for id in self.unearthed {
            self.tables.dead.remove(&mut self.batch, id.to_bytes());
        }
        self.ledger.write_to(&mut self.batch)?;
        self.seen.write(self.tables, &mut self.batch);
        if !self.batch.is_empty() {
            self.position.places.retain(|place| place.waiting > 0);
            self.position.written_ms = self.times.confirmed_ms.or(self.position.written_ms);
            self.tables.set_position(&mut self.batch, self.position)?;
            self.bytes += POSITION_BYTES;
        }
        let durable = self.durable && !self.batch.is_empty();
        if durable {
            self.batch = self.batch.durability(Some(PersistMode::SyncData));
        }
        self.batch.commit()?;
        Ok(Committed {
            durable,
            bytes: self.bytes,
            arrivals,
            changes: self.changes,
            unreported: self.unreported,
        })
    }

    /// Whether an event with this key was accepted before and is still remembered.
    fn is_seen(&self, key: &DedupKey) -> Result<bool, Error> {
        let expiry_s = seconds(self.times.expiry_ms);
        self.seen.knows(self.tables, key, expiry_s)
    }

    fn draft(&mut self, destination: &Arc<Destination>, class: Class) -> &mut Draft {
        let at = self.drafts.iter().position(|row| {
            let same = Arc::ptr_eq(&row.destination, destination);
            row.class == class && (same || row.destination == *destination)
        });
        let at = at.unwrap_or_else(|| {
            self.drafts.push(NewRow {
                destination: Arc::clone(destination),
                class,
                draft: Draft::new(self.times.stamp_ms),
            });
            self.drafts.len() - 1
        });
        #[allow(clippy::indexing_slicing, reason = "found or pushed just above")]
        &mut self.drafts[at].draft
    }
}

impl Position {
    fn arrived(
        &mut self,
        destination: &Arc<Destination>,
        class: Class,
        sequence: u64,
        events: u64,
    ) {
        let mut places = self.places.iter_mut();
        match places.find(|place| place.is_of(destination, class)) {
            Some(place) => place.waiting += events,
            None => self.places.push(Place {
                destination: Arc::clone(destination),
                class,
                waiting: events,
                head: sequence,
            }),
        }
    }

    pub(super) fn waiting(&self) -> u64 {
        self.places.iter().map(|place| place.waiting).sum()
    }
}

impl Place {
    fn is_of(&self, destination: &Arc<Destination>, class: Class) -> bool {
        self.class == class && self.destination == *destination
    }
}

pub(super) fn seconds(ms: i64) -> u32 {
    u32::try_from(ms / 1000).unwrap_or_default()
}
