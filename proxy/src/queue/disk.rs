//! The embedded store: one fjall database, one atomic commit for everything a step changes.
//!
//! | Keyspace | Key | Value |
//! |---|---|---|
//! | `waiting` | sequence number, 8 bytes big-endian | [`Record`] as JSON |
//! | `dead` | [`LetterId`], 16 bytes | [`DeadLetter`] as JSON |
//! | `seen` | [`DedupKey`] | until when it is remembered, ms, 8 bytes big-endian |
//! | `forget` | that time, then the key | nothing; read in order to clear `seen` |
//! | `about` | `format` | the store's format, 4 bytes big-endian |
//! | `about` | `probe` | when the store was last asked whether it can be written, ms |

use std::{collections::HashSet, fs, path::Path};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::{
    Claimed, DedupKey, Enqueued, Entry, Error,
    record::{DeadLetter, LetterId, Record},
};
use crate::outcome::Outcome;

/// The format this version writes, and the latest it reads.
const FORMAT: u32 = 1;
/// How long a dead letter is kept.
const KEEP_LETTERS_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// The most remembered keys, and the most letters, that one sweep clears.
const SWEEP: usize = 10_000;

#[derive(Clone)]
pub(super) struct Store {
    database: Database,
    waiting: Keyspace,
    dead: Keyspace,
    seen: Keyspace,
    forget: Keyspace,
    about: Keyspace,
}

impl Store {
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(Error::Folder)?;
        let database = Database::builder(folder).open()?;
        check_format(&database)?;
        let keyspace = |name| database.keyspace(name, KeyspaceCreateOptions::default);
        Ok(Self {
            waiting: keyspace("waiting")?,
            dead: keyspace("dead")?,
            seen: keyspace("seen")?,
            forget: keyspace("forget")?,
            about: keyspace("about")?,
            database,
        })
    }

    pub(super) fn first_sequence(&self) -> Result<Option<u64>, Error> {
        self.waiting
            .first_key_value()
            .map(|row| Ok(number(&row.key()?)))
            .transpose()
    }

    pub(super) fn next_sequence(&self) -> Result<u64, Error> {
        let last = self.waiting.last_key_value();
        last.map_or(Ok(0), |row| Ok(number(&row.key()?) + 1))
    }

    pub(super) fn waiting_from(
        &self,
        sequence: u64,
    ) -> impl Iterator<Item = Result<(u64, Record), Error>> {
        self.waiting.range(sequence.to_be_bytes()..).map(|row| {
            let (key, value) = row.into_inner()?;
            Ok((
                number(&key),
                serde_json::from_slice(&value).map_err(Error::Corrupt)?,
            ))
        })
    }

    pub(super) fn count(&self) -> Result<usize, Error> {
        Ok(self.waiting.len()?)
    }

    /// The newest letters first.
    pub(super) fn dead_letters(
        &self,
    ) -> impl Iterator<Item = Result<(LetterId, DeadLetter), Error>> {
        self.dead
            .iter()
            .rev()
            .filter_map(|row| match row.into_inner() {
                Ok((key, value)) => {
                    let letter = serde_json::from_slice(&value).map_err(Error::Corrupt);
                    LetterId::from_bytes(&key).map(|id| letter.map(|letter| (id, letter)))
                }
                Err(error) => Some(Err(error.into())),
            })
    }

    /// Puts letters back into the queue, as if they had just been accepted; the number of those that were
    /// there.
    pub(super) fn replay(
        &self,
        letters: &[LetterId],
        sequence: &mut u64,
        now_ms: i64,
    ) -> Result<usize, Error> {
        let mut batch = self
            .database
            .batch()
            .durability(Some(PersistMode::SyncData));
        let mut next = *sequence;
        let mut once = HashSet::new();
        for id in letters.iter().filter(|id| once.insert(**id)) {
            let Some(letter) = self.dead.get(id.to_bytes())? else {
                continue;
            };
            let DeadLetter::<Record> { mut record, .. } =
                serde_json::from_slice(&letter).map_err(Error::Corrupt)?;
            record.accepted_at_ms = now_ms;
            let record = serde_json::to_vec(&record).map_err(Error::Corrupt)?;
            batch.insert(&self.waiting, next.to_be_bytes(), record);
            batch.remove(&self.dead, id.to_bytes());
            next += 1;
        }
        batch.commit()?;
        let replayed = next - *sequence;
        *sequence = next;
        Ok(usize::try_from(replayed).unwrap_or(usize::MAX))
    }

    /// Removes letters for good; the number of those that were there.
    pub(super) fn drop_letters(&self, letters: &[LetterId]) -> Result<usize, Error> {
        let mut batch = self
            .database
            .batch()
            .durability(Some(PersistMode::SyncData));
        for id in letters {
            if self.dead.contains_key(id.to_bytes())? {
                batch.remove(&self.dead, id.to_bytes());
            }
        }
        let dropped = batch.len();
        batch.commit()?;
        Ok(dropped)
    }

    /// Writes one group of calls: which entries are new is decided and recorded in the same commit.
    pub(super) fn admit(
        &self,
        groups: &[Vec<Entry>],
        sequence: &mut u64,
        now_ms: i64,
    ) -> Result<Vec<Vec<Enqueued>>, Error> {
        let mut batch = self
            .database
            .batch()
            .durability(Some(PersistMode::SyncData));
        let mut fresh = HashSet::new();
        let mut next = *sequence;
        let mut results = Vec::with_capacity(groups.len());
        for group in groups {
            let mut result = Vec::with_capacity(group.len());
            for entry in group {
                if self.remembers(entry.key, now_ms)? || !fresh.insert(entry.key) {
                    result.push(Enqueued::Duplicate);
                    continue;
                }
                let record = serde_json::to_vec(&entry.record).map_err(Error::Corrupt)?;
                batch.insert(&self.waiting, next.to_be_bytes(), record);
                let until = entry.remember_until_ms.to_be_bytes();
                batch.insert(
                    &self.seen,
                    entry.key.as_bytes().as_slice(),
                    until.as_slice(),
                );
                batch.insert(
                    &self.forget,
                    [until.as_slice(), entry.key.as_bytes()].concat(),
                    [],
                );
                next += 1;
                result.push(Enqueued::Accepted);
            }
            results.push(result);
        }
        batch.commit()?;
        *sequence = next;
        Ok(results)
    }

    pub(super) fn settle(
        &self,
        events: &[Claimed],
        outcome: &Outcome,
        at_ms: i64,
    ) -> Result<(), Error> {
        // A delivered event that is lost from this commit is delivered again, which TikTok drops by its
        // id; a dead letter that is lost would be sent to be refused again. Only the second is worth a
        // sync.
        let sync = outcome.is_dead().then_some(PersistMode::SyncData);
        let mut batch = self.database.batch().durability(sync);
        for claimed in events {
            let key = claimed.sequence.to_be_bytes();
            batch.remove(&self.waiting, key);
            if outcome.is_dead() {
                let letter = serde_json::to_vec(&outcome.letter(&claimed.record, at_ms))
                    .map_err(Error::Corrupt)?;
                batch.insert(
                    &self.dead,
                    LetterId::new(at_ms, claimed.sequence).to_bytes(),
                    letter,
                );
            }
        }
        Ok(batch.commit()?)
    }

    /// Writes and syncs, and so proves that it can.
    pub(super) fn probe(&self, now_ms: i64) -> Result<(), Error> {
        let mut batch = self
            .database
            .batch()
            .durability(Some(PersistMode::SyncData));
        batch.insert(&self.about, "probe", now_ms.to_be_bytes());
        Ok(batch.commit()?)
    }

    /// Forgets keys whose time is over and letters older than 30 days; the number of both.
    pub(super) fn sweep(&self, now_ms: i64) -> Result<usize, Error> {
        let mut batch = self.database.batch();
        let mut swept = 0;
        for row in self.forget.range(..now_ms.to_be_bytes()).take(SWEEP) {
            let row = row.key()?;
            if let Some(key) = row.get(8..) {
                batch.remove(&self.seen, key);
            }
            batch.remove(&self.forget, row);
            swept += 1;
        }
        let old = LetterId::new(now_ms.saturating_sub(KEEP_LETTERS_MS).max(0), 0).to_bytes();
        for row in self.dead.range(..old).take(SWEEP) {
            batch.remove(&self.dead, row.key()?);
            swept += 1;
        }
        batch.commit()?;
        Ok(swept)
    }

    fn remembers(&self, key: DedupKey, now_ms: i64) -> Result<bool, Error> {
        let until = self.seen.get(key.as_bytes())?;
        Ok(until.is_some_and(|until| number(&until) > now_ms.unsigned_abs()))
    }
}

fn check_format(database: &Database) -> Result<(), Error> {
    let about = database.keyspace("about", KeyspaceCreateOptions::default)?;
    match about.get("format")? {
        None => {
            about.insert("format", FORMAT.to_be_bytes())?;
            Ok(database.persist(PersistMode::SyncAll)?)
        }
        Some(found) => {
            let found = found
                .iter()
                .fold(0, |sum, byte| (sum << 8) | u32::from(*byte));
            if found > FORMAT {
                Err(Error::Newer {
                    found,
                    known: FORMAT,
                })
            } else {
                Ok(())
            }
        }
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .take(8)
        .fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}
