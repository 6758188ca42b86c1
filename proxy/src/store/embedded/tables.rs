//! The keyspaces: how they are opened, and what is read from `waiting`, `dead` and `about`.

use std::{collections::BTreeMap, io, ops::Bound, path::Path};

use fjall::OwnedWriteBatch;

use super::{
    ABOUT, CHANGE, FINGERPRINTS, FORMAT, SWEEP, Tables, check_moved, contents, database, events,
    history, others, read_format, reads,
    table::{Table, sync_names},
};
use crate::{
    decide::{DeadLetter, LetterId, Logged},
    history::Salt,
    limits,
    store::{Error, Found, Position, Row, log, row},
};

impl Tables {
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        let (tables, whole) = Self::files(folder)?;
        check_moved(&tables.about)?;
        tables.check_format()?;
        tables.salt()?;
        contents::opened(folder, &tables.database, &whole)?;
        Ok(tables)
    }

    /// Opens the files. Also returns how many bytes of each journal are complete.
    pub(super) fn files(folder: &Path) -> Result<(Self, BTreeMap<u64, u64>), Error> {
        let (database, whole) = database(folder)?;
        let tables = Self {
            about: database.keyspace(ABOUT, others)?,
            waiting: database.keyspace("waiting", events)?,
            seen: database.keyspace("seen", others)?,
            dead: Table::open(&database, "dead", others)?,
            segments: Table::open(&database, "runs", others)?,
            orders: Table::open(&database, "orders", others)?,
            history: Table::open(&database, "history", history::options)?,
            database,
        };
        sync_names(&tables.about)?;
        Ok((tables, whole))
    }

    /// Returns the keyspaces that are created with their first row.
    pub(super) fn others(&self) -> [&Table; 4] {
        [&self.dead, &self.segments, &self.orders, &self.history]
    }

    pub(super) fn check_format(&self) -> Result<(), Error> {
        match self.format()? {
            Some(FORMAT) => Ok(()),
            None => self.set_format(FORMAT),
            Some(found) if reads(found) => self.set_format(FORMAT),
            Some(found) => Err(Error::Format {
                found,
                known: FORMAT,
            }),
        }
    }

    pub(super) fn format(&self) -> Result<Option<u32>, Error> {
        read_format(&self.about)
    }

    /// Writes the format, without a sync. After a power cut, the store cannot contain later writes without the format: the
    /// journal is read in order, up to its first damaged byte, and the format comes before the later writes.
    pub(super) fn set_format(&self, format: u32) -> Result<(), Error> {
        Ok(self.about.insert("format", format.to_be_bytes())?)
    }

    /// Returns the salt of the history's digests. A new store gets a random salt. As for the format, later writes
    /// cannot survive a power cut without the salt.
    pub(super) fn salt(&self) -> Result<Salt, Error> {
        if let Some(salt) = self.about.get("salt")? {
            let salt = <[u8; 16]>::try_from(&*salt).map_err(|_| Error::Corrupt)?;
            return Ok(Salt::from(salt));
        }
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|error| Error::Folder(io::Error::other(error)))?;
        self.about.insert("salt", salt)?;
        Ok(Salt::from(salt))
    }

    pub(super) fn position(&self) -> Result<Position, Error> {
        let Some(position) = self.about.get("position")? else {
            return Ok(Position::default());
        };
        serde_json::from_slice(&position).map_err(|_| Error::Corrupt)
    }

    pub(super) fn set_position(
        &self,
        batch: &mut OwnedWriteBatch,
        position: &Position,
    ) -> Result<(), Error> {
        let position = serde_json::to_vec(position).map_err(|_| Error::Corrupt)?;
        batch.insert(&self.about, "position", position);
        Ok(())
    }

    pub(super) fn change_log(&self) -> Result<Logged, Error> {
        let mut logged = Logged::default();
        for row in self.about.prefix(CHANGE).rev().take(limits::CHANGES) {
            let (key, value) = row.into_inner()?;
            log::add(&mut logged, &key, CHANGE, &value);
        }
        let fingerprints = self.about.get(FINGERPRINTS)?;
        logged.fingerprints = fingerprints.and_then(|json| serde_json::from_slice(&json).ok());
        Ok(logged)
    }

    /// Adds new entries of the change log to a commit.
    pub(super) fn log(&self, batch: &mut OwnedWriteBatch, logged: &Logged) -> Result<(), Error> {
        for entry in log::entries(logged, CHANGE) {
            let (key, value) = entry?;
            batch.insert(&self.about, key, value);
        }
        if let Some(fingerprints) = &logged.fingerprints {
            batch.insert(&self.about, FINGERPRINTS, log::value(fingerprints)?);
        }
        Ok(())
    }

    /// Removes the oldest entries of the change log if it has too many.
    pub(super) fn trim_log(&self) -> Result<(), Error> {
        let mut batch = self.database.batch();
        for row in self.about.prefix(CHANGE).rev().skip(limits::CHANGES) {
            batch.remove(&self.about, row.key()?);
        }
        Ok(batch.commit()?)
    }

    /// Adds to a commit a value that is never read. The commit then tests whether the disk can be written.
    pub(super) fn probe(&self, batch: &mut OwnedWriteBatch, now_ms: i64) {
        batch.insert(&self.about, "probe", now_ms.to_be_bytes());
    }

    /// Returns rows of one destination and class, whose keys begin with `prefix`. Starts at row `from` and stops after
    /// `bytes` or more.
    pub(super) fn rows(&self, prefix: &[u8], from: u64, bytes: usize) -> Result<Vec<Found>, Error> {
        let mut found: Vec<Found> = Vec::new();
        let mut held = 0;
        for entry in self.waiting.range(row::key(prefix, from)..) {
            let (key, value) = entry.into_inner()?;
            if !key.starts_with(prefix) {
                break;
            }
            let (sequence, mark) = row::read_key(&key, prefix)?;
            match mark {
                None if held >= bytes => break,
                None => match Row::read(sequence, &value) {
                    Ok(row) => {
                        held += row.bytes();
                        found.push((row, Vec::new()));
                    }
                    // One row that cannot be read must not hide the rows after it.
                    Err(error) => tracing::error!(
                        error = ?error,
                        sequence,
                        "a row of pending events cannot be read; the row stays in the store, and its events are not sent"
                    ),
                },
                Some(start) => {
                    let end = value.first_chunk().ok_or(Error::Corrupt)?;
                    if let Some((row, settled)) = found.last_mut()
                        && row.sequence == sequence
                    {
                        settled.push(start..u32::from_be_bytes(*end));
                    }
                }
            }
        }
        Ok(found)
    }

    /// Returns dead letters, the newest first. With `before`, returns only letters before this one. Leaves out letters that
    /// cannot be read.
    pub(super) fn letters(
        &self,
        before: Option<LetterId>,
    ) -> impl Iterator<Item = Result<(LetterId, DeadLetter), Error>> + use<> {
        let end = before.map_or(Bound::Unbounded, |id| Bound::Excluded(id.to_bytes()));
        let rows = self.dead.range((Bound::Unbounded, end)).rev();
        rows.filter_map(|row| {
            let (key, value) = match row.into_inner() {
                Ok(row) => row,
                Err(error) => return Some(Err(error.into())),
            };
            let id = LetterId::from_bytes(&key);
            let letter = serde_json::from_slice(&value).ok();
            if letter.is_none() {
                let id = id.map(|id| id.to_string());
                tracing::error!(
                    id,
                    "dead letter cannot be read; remove it with `dead-letters drop`"
                );
            }
            Some(Ok((id?, letter?)))
        })
    }

    /// Returns the ids and sizes of dead letters, the oldest first. With `after`, returns only letters after this one.
    pub(super) fn letter_ids(
        &self,
        after: Option<LetterId>,
    ) -> impl Iterator<Item = Result<(LetterId, usize), Error>> + use<> {
        let start = after.map_or(Bound::Unbounded, |id| Bound::Excluded(id.to_bytes()));
        self.dead.range((start, Bound::Unbounded)).map(|row| {
            let (key, value) = row.into_inner()?;
            let id = LetterId::from_bytes(&key).ok_or(Error::Corrupt)?;
            Ok((id, value.len()))
        })
    }

    pub(super) fn letter(&self, id: LetterId) -> Result<Option<DeadLetter>, Error> {
        let Some(letter) = self.dead.get(id.to_bytes())? else {
            return Ok(None);
        };
        serde_json::from_slice(&letter).map_err(|_| Error::Corrupt)
    }

    /// Removes some of the dead letters that ended before `ms`.
    pub(super) fn remove_letters(&self, ms: i64) -> Result<(), Error> {
        let kept = LetterId::new(ms.max(0), 0).to_bytes();
        let mut batch = self.database.batch();
        for row in self.dead.range(..kept).take(SWEEP) {
            self.dead.remove(&mut batch, row.key()?);
        }
        Ok(batch.commit()?)
    }
}
