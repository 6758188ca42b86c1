//! The writer's part of the embedded store.

use std::{path::PathBuf, sync::Arc};

use fjall::PersistMode;

use super::{SWEEP, Tables, ahead::Ahead, contents, history::History, records, seen::Seen};
use crate::{
    decide::{Books, DeadLetter, DedupKey, HeldEvent, HeldId, LetterId, Lookup, Payment},
    history::Salt,
    orders::Order,
    store::{Commit, Error, Expired, Position, Scanned, Store, row},
};

/// How many rows of the history the store removes at most after each commit if the history has too many events. A
/// commit has fewer settlements than this, and each settlement adds one row, so the surplus disappears.
const SURPLUS_ROWS: usize = 1_024;

/// About how many bytes an entry has in the journal besides the events of a row.
const ENTRY_BYTES: usize = 128;

/// An open store, and the part of its data that is in memory.
pub struct Writer {
    folder: Arc<PathBuf>,
    tables: Tables,
    seen: Seen,
    pub(super) history: History,
    next: u64,
    salt: Salt,
    ahead: Ahead,
}

impl Writer {
    pub(super) fn load(tables: Tables, folder: Arc<PathBuf>) -> Result<Self, Error> {
        Ok(Self {
            ahead: Ahead::new(Arc::clone(&folder)),
            folder,
            seen: Seen::load(&tables)?,
            history: History::load(&tables.history)?,
            next: tables.position()?.next,
            salt: tables.salt()?,
            tables,
        })
    }
}

impl Books for Writer {
    type Error = Error;

    fn order(&self, id: &str) -> Result<Option<Order>, Error> {
        records::order(&self.tables.orders, id)
    }

    fn found(&self, name: &Lookup) -> Result<Vec<String>, Error> {
        records::found(&self.tables.orders, name)
    }

    fn payment(&self, provider: &str, id: &str) -> Result<Option<Payment>, Error> {
        records::payment(&self.tables.orders, provider, id)
    }

    fn held(&self, id: HeldId) -> Result<Option<HeldEvent>, Error> {
        records::held(&self.tables.orders, id)
    }

    fn letter(&self, id: LetterId) -> Result<Option<DeadLetter>, Error> {
        self.tables.letter(id)
    }

    fn has_letter(&self, id: LetterId) -> Result<bool, Error> {
        Ok(self.tables.dead.get(id.to_bytes())?.is_some())
    }

    fn knows(&self, key: &DedupKey, expiry_ms: i64) -> Result<bool, Error> {
        self.seen.knows(&self.tables, key, seconds(expiry_ms))
    }

    fn salt(&self) -> Salt {
        self.salt
    }

    fn next_number(&self) -> u64 {
        self.next
    }
}

impl Store for Writer {
    fn position(&self) -> Result<Position, Error> {
        self.tables.position()
    }

    fn write(&mut self, commit: &mut Commit<'_>) -> Result<(), Error> {
        let tables = &self.tables;
        let mut batch = tables.database.batch();
        let mut bytes = 0;
        for new in commit.rows.drain(..) {
            let prefix = row::prefix(&new.lane.destination, new.lane.class);
            let key = row::key(&prefix, new.sequence);
            let value = new.draft.into_value();
            bytes += value.len();
            batch.insert(&tables.waiting, key, value);
        }
        for settled in &commit.settled {
            let prefix = row::prefix(&settled.lane.destination, settled.lane.class);
            for (sequence, marks) in &settled.removed {
                let key = row::key(&prefix, *sequence);
                for mark in marks {
                    batch.remove(&tables.waiting, row::mark(&key, mark));
                }
                batch.remove(&tables.waiting, key);
            }
            for (sequence, range) in &settled.marked {
                let key = row::mark(&row::key(&prefix, *sequence), range);
                batch.insert(&tables.waiting, key, range.end.to_be_bytes());
            }
        }
        records::write(&tables.orders, &mut batch, &commit.records)?;
        self.history
            .write(&tables.history, &mut batch, &commit.records)?;
        for (id, letter) in &commit.records.letters {
            match letter {
                Some(letter) => {
                    let letter = serde_json::to_vec(letter).map_err(|_| Error::Corrupt)?;
                    tables.dead.insert(&mut batch, id.to_bytes(), letter)?;
                }
                None => tables.dead.remove(&mut batch, id.to_bytes()),
            }
        }
        tables.log(&mut batch, &commit.records.log)?;
        for (key, known) in commit.records.keys.iter() {
            self.seen
                .learn(*key, known.remember, seconds(known.until_ms));
        }
        self.seen.write(tables, &mut batch);
        if let Some(now_ms) = commit.probe_ms {
            tables.probe(&mut batch, now_ms);
        }
        if batch.is_empty() {
            return Ok(());
        }
        tables.set_position(&mut batch, commit.position)?;
        self.next = commit.position.next;
        if commit.sync {
            batch = batch.durability(Some(PersistMode::SyncData));
        }
        bytes += batch.len() * ENTRY_BYTES;
        batch.commit()?;
        self.ahead.committed(bytes);
        Ok(())
    }

    /// Checks that fjall's own threads work. If one of them has failed, fjall accepts no more writes.
    fn check(&self) -> Result<(), Error> {
        Ok(self.tables.database.persist(PersistMode::Buffer)?)
    }

    fn tidy(&mut self) -> Result<(), Error> {
        let Tables {
            database, history, ..
        } = &self.tables;
        if self.history.surplus() > 0 {
            self.history.trim(database, history, 0, SURPLUS_ROWS)?;
        }
        self.seen.seal(&self.tables)
    }

    fn expire(&mut self, expired: Expired) -> Result<(), Error> {
        let Expired {
            keys_ms,
            letters_ms,
            history_ms,
            hours_ms,
        } = expired;
        let Tables {
            database, history, ..
        } = &self.tables;
        self.tables.trim_log()?;
        self.tables.remove_letters(letters_ms)?;
        self.seen.expire(&self.tables, seconds(keys_ms))?;
        self.history.trim(database, history, history_ms, SWEEP)?;
        self.history
            .expire(database, history, history_ms, hours_ms)?;
        if let Err(error) = contents::changed(&self.folder, &self.tables.database) {
            tracing::warn!(error = ?error, "the list of the store's files could not be written; the older list is still used");
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Error> {
        contents::closed(&self.folder, &self.tables.database)
    }

    fn withdrawn(&self) -> Result<Vec<String>, Error> {
        records::withdrawn(&self.tables.orders)
    }

    fn held_until(&self, ms: i64, most: usize) -> Result<Vec<(HeldId, String)>, Error> {
        records::held_until(&self.tables.orders, ms, most)
    }

    fn scan(
        &self,
        cursor: &[u8],
        most: usize,
        visit: &mut dyn FnMut(Scanned<'_>),
    ) -> Result<Vec<u8>, Error> {
        records::scan(&self.tables.orders, cursor, most, visit)
    }
}

fn seconds(ms: i64) -> u32 {
    u32::try_from(ms / 1000).unwrap_or_default()
}
