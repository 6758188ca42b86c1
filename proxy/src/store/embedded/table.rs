//! A keyspace that is created with its first row. Before that, the table counts as empty. The creation of a keyspace
//! costs seventeen calls of fsync. Many shops never have an order or a dead letter, and save this cost for the tables
//! that stay empty.

use std::{
    fs::File,
    ops::RangeBounds,
    sync::{Arc, OnceLock},
};

use fjall::{
    Database, Guard, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, UserKey, UserValue,
};

use super::contents;
use crate::store::Error;

#[derive(Clone)]
pub(super) struct Table {
    database: Database,
    name: &'static str,
    options: fn() -> KeyspaceCreateOptions,
    keyspace: Arc<OnceLock<Keyspace>>,
}

impl Table {
    /// Opens the keyspace if it exists. After this call, the caller must sync the names of all keyspaces with
    /// [`sync_names`].
    pub(super) fn open(
        database: &Database,
        name: &'static str,
        options: fn() -> KeyspaceCreateOptions,
    ) -> Result<Self, Error> {
        let found = database
            .keyspace_exists(name)
            .then(|| database.keyspace(name, options))
            .transpose()?;
        Ok(Self {
            database: database.clone(),
            name,
            options,
            keyspace: Arc::new(found.map_or_else(OnceLock::new, OnceLock::from)),
        })
    }

    pub(super) fn insert(
        &self,
        batch: &mut OwnedWriteBatch,
        key: impl Into<UserKey>,
        value: impl Into<UserValue>,
    ) -> Result<(), Error> {
        let keyspace = match self.keyspace.get() {
            Some(keyspace) => keyspace,
            None => self.create()?,
        };
        batch.insert(keyspace, key, value);
        Ok(())
    }

    pub(super) fn remove(&self, batch: &mut OwnedWriteBatch, key: impl Into<UserKey>) {
        if let Some(keyspace) = self.keyspace.get() {
            batch.remove(keyspace, key);
        }
    }

    pub(super) fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<UserValue>, Error> {
        match self.keyspace.get() {
            Some(keyspace) => Ok(keyspace.get(key)?),
            None => Ok(None),
        }
    }

    pub(super) fn range<K: AsRef<[u8]>, R: RangeBounds<K>>(
        &self,
        range: R,
    ) -> impl DoubleEndedIterator<Item = Guard> + use<K, R> {
        let rows = self.keyspace.get().map(|keyspace| keyspace.range(range));
        rows.into_iter().flatten()
    }

    pub(super) fn prefix<K: AsRef<[u8]>>(
        &self,
        prefix: K,
    ) -> impl DoubleEndedIterator<Item = Guard> + use<K> {
        self.range(fjall::util::prefix_to_range(prefix.as_ref()))
    }

    fn create(&self) -> Result<&Keyspace, Error> {
        let keyspace = self.database.keyspace(self.name, self.options)?;
        sync_names(&keyspace)?;
        if let Some(folder) = keyspace.path().ancestors().nth(2) {
            contents::changed(folder, &self.database)?;
        }
        Ok(self.keyspace.get_or_init(|| keyspace))
    }
}

/// Syncs the names of all keyspaces to disk, because fjall does not sync them. If the journal has rows of a keyspace that
/// has no folder at the start, fjall drops these rows.
pub(super) fn sync_names(keyspace: &Keyspace) -> Result<(), Error> {
    let Some(folder) = keyspace.path().parent() else {
        return Ok(());
    };
    let sync = || File::open(folder)?.sync_all();
    sync().map_err(Error::Folder)
}
