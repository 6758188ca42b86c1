//! The folder as the source or the target of a move.

use std::{
    collections::BTreeMap,
    fs, mem,
    path::{Path, PathBuf},
};

use fjall::{Keyspace, OwnedWriteBatch, PersistMode};

use super::{
    CHANGE, FINGERPRINTS, FORMAT, MOVED, SWEEP, Tables, alone, check, contents, folder, history,
    seen::Seen,
};
use crate::{
    decide::{LetterId, Remember},
    history::{Hour, Salt},
    store::{
        Error, Position, keys,
        moving::{Each, Piece, Side, Standing, events_in},
        row,
    },
};

mod reading;

/// An open folder.
pub(in crate::store) struct Folder {
    path: PathBuf,
    tables: Tables,
    /// The deduplication keys of a target, or `None` for a source.
    seen: Option<Seen>,
    /// 48 hours after the last commit of the source, in Unix seconds. A key that is remembered for longer belongs to an
    /// order: keys of orders are remembered for 90 days, and other keys for 48 hours.
    short_until: i64,
    /// How many events of the history ended in each hour.
    kept: BTreeMap<i64, u64>,
}

impl Folder {
    pub(in crate::store) fn open(path: &Path) -> Result<Self, Error> {
        folder::prepare(path)?;
        alone(path, || check(path, u64::MAX))?;
        let (tables, whole) = Tables::files(path)?;
        contents::opened(path, &tables.database, &whole)?;
        Ok(Self {
            path: fs::canonicalize(path).map_err(Error::Folder)?,
            tables,
            seen: None,
            short_until: 0,
            kept: BTreeMap::new(),
        })
    }

    /// Removes all entries, in several commits.
    fn remove_all(&self) -> Result<(), Error> {
        let Tables {
            database,
            waiting,
            seen,
            about,
            ..
        } = &self.tables;
        let mut batch = database.batch();
        let commit_many = |batch: &mut OwnedWriteBatch, most| {
            let is_full = batch.len() >= most;
            let full = is_full.then(|| mem::replace(batch, database.batch()));
            full.map_or(Ok(()), OwnedWriteBatch::commit)
        };
        for keyspace in [waiting, seen] {
            for row in Keyspace::iter(keyspace) {
                batch.remove(keyspace, row.key()?);
                commit_many(&mut batch, SWEEP)?;
            }
        }
        for table in self.tables.others() {
            for row in table.prefix([]) {
                table.remove(&mut batch, row.key()?);
                commit_many(&mut batch, SWEEP)?;
            }
        }
        for row in about.prefix(CHANGE) {
            batch.remove(about, row.key()?);
        }
        batch.remove(about, FINGERPRINTS);
        Ok(commit_many(&mut batch, 0)?)
    }

    /// Writes facts about the folder itself. The facts are on disk when this function returns.
    fn set(&self, facts: &[(&str, &[u8])], removed: Option<&str>) -> Result<(), Error> {
        let Tables {
            database, about, ..
        } = &self.tables;
        let mut batch = database.batch().durability(Some(PersistMode::SyncAll));
        for (name, value) in facts {
            batch.insert(about, *name, *value);
        }
        if let Some(name) = removed {
            batch.remove(about, name);
        }
        batch.commit()?;
        contents::closed(&self.path, database)
    }
}

impl Side for Folder {
    fn name(&self) -> String {
        let machine = rustix::system::uname();
        let machine = machine.nodename().to_string_lossy();
        format!(
            "the folder {} of the machine {machine}",
            self.path.display()
        )
    }

    fn standing(&self) -> Result<Standing, Error> {
        let Tables {
            waiting,
            seen,
            about,
            ..
        } = &self.tables;
        let salt = self.tables.salt()?;
        match about.get(MOVED)? {
            Some(place) if place.is_empty() => return Ok(Standing::Unfinished(salt)),
            Some(place) => {
                let place = String::from_utf8_lossy(&place).into_owned();
                return Ok(Standing::Left(salt, place));
            }
            None => {}
        }
        let mut others = self.tables.others().into_iter();
        let is_empty = waiting.is_empty()?
            && seen.is_empty()?
            && others.all(|table| table.prefix([]).next().is_none());
        match self.tables.format()? {
            _ if is_empty => Ok(Standing::Empty),
            Some(FORMAT) => Ok(Standing::Used(salt)),
            found => Err(Error::Move(format!(
                "{} has format {}, and only format {FORMAT} can be moved: start this version of the proxy with this folder once, so that the proxy changes the format, and stop the proxy again",
                self.name(),
                found.unwrap_or_default()
            ))),
        }
    }

    fn position(&self) -> Result<Position, Error> {
        self.tables.position()
    }

    fn read(&self, each: &mut Each<'_>) -> Result<(), Error> {
        self.pass_all(each)
    }

    fn begin(&mut self, salt: Salt, position: &Position) -> Result<(), Error> {
        let position_json = serde_json::to_vec(position).map_err(|_| Error::Corrupt)?;
        self.set(
            &[
                (MOVED, b""),
                ("format", &FORMAT.to_be_bytes()),
                ("salt", salt.as_bytes()),
                ("position", &position_json),
            ],
            None,
        )?;
        self.remove_all()?;
        self.seen = Some(Seen::load(&self.tables)?);
        let written_ms = position.written_ms.unwrap_or_default();
        self.short_until = (written_ms + Remember::Hours48.ms()) / 1000;
        Ok(())
    }

    fn write(&mut self, piece: Piece) -> Result<(), Error> {
        let Tables {
            database,
            waiting,
            dead,
            orders,
            history,
            about,
            ..
        } = &self.tables;
        let mut batch = database.batch();
        match piece {
            Piece::Rows(rows) => {
                for row in rows {
                    let key = row::key(&row.lane, row.id);
                    let (ranges, _) = row.settled.as_chunks();
                    for [start, end] in ranges {
                        let mark = row::mark(&key, &(*start..*end));
                        batch.insert(waiting, mark, end.to_be_bytes());
                    }
                    batch.insert(waiting, key, row.body);
                }
            }
            Piece::Keys(keys) => {
                let seen = self.seen.as_mut().ok_or(Error::Stopped)?;
                for (key, until) in keys {
                    let remember = if until > self.short_until {
                        Remember::Days90
                    } else {
                        Remember::Hours48
                    };
                    seen.learn(key, remember, u32::try_from(until).unwrap_or(u32::MAX));
                }
                seen.write(&self.tables, &mut batch);
                batch.commit()?;
                return seen.seal(&self.tables);
            }
            Piece::Records(records) => {
                for (key, value) in records {
                    match key.strip_prefix(keys::CHANGE) {
                        None => orders.insert(&mut batch, key, value)?,
                        Some(b"") => batch.insert(about, FINGERPRINTS, value),
                        Some(id) => batch.insert(about, [CHANGE, id].concat(), value),
                    }
                }
            }
            Piece::Letters(letters) => {
                for (id, letter) in letters {
                    dead.insert(&mut batch, id, letter)?;
                }
            }
            Piece::Ends(ends) => {
                for (id, end) in ends {
                    let ended = LetterId::from_bytes(&id).ok_or(Error::Corrupt)?;
                    let hour_ms = Hour::start_of(ended.ended_at_ms());
                    let kept = self.kept.entry(hour_ms).or_default();
                    *kept += u64::from(events_in(&end));
                    let key = history::timed_key(b'n', hour_ms);
                    history.insert(&mut batch, key, kept.to_be_bytes())?;
                    history.insert(&mut batch, [b"e", &*id].concat(), end)?;
                }
            }
            Piece::Hours(hours) => {
                for (start_ms, hour) in hours {
                    history.insert(&mut batch, history::timed_key(b'h', start_ms), hour)?;
                }
            }
            Piece::Covered(covered) => {
                for (digest, at_ms) in covered {
                    let key = [b"x", &*digest].concat();
                    history.insert(&mut batch, key, at_ms.to_be_bytes())?;
                }
            }
        }
        Ok(batch.commit()?)
    }

    fn sync(&mut self) -> Result<(), Error> {
        contents::closed(&self.path, &self.tables.database)
    }

    fn leave(&mut self, to: &str) -> Result<(), Error> {
        self.set(&[(MOVED, to.as_bytes())], None)
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.set(&[], Some(MOVED))
    }
}
