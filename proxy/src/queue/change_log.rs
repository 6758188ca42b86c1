//! The part of the queue for the change log.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use super::{
    blocking,
    writer::{Call, Handle},
};
use crate::{
    change_log::{By, Change, Entry, Fingerprints},
    decide::Logged,
    store::{Error, Reader},
};

/// The change log.
#[derive(Clone)]
pub struct ChangeLog {
    store: Arc<dyn Reader>,
    writer: Handle,
    /// How many entries this process has added. The count keeps entries of the same millisecond in sequence.
    added: Arc<AtomicU32>,
}

impl ChangeLog {
    pub(super) fn new(store: Arc<dyn Reader>, writer: Handle) -> Self {
        Self {
            store,
            writer,
            added: Arc::default(),
        }
    }

    /// Returns the entries, and the fingerprints of the settings at the last start. The caller must not call this on the
    /// runtime's thread, because it reads from the disk.
    ///
    /// # Errors
    /// [`Error::Stopped`] and [`Error::Store`] if the disk fails.
    pub fn read(&self) -> Result<Logged, Error> {
        self.store.change_log()
    }

    /// Adds an entry for a change that was already made. If the entry cannot be added, the failure is only logged.
    pub async fn add(&self, change: Change) {
        if let Err(error) = self.write(change, None).await {
            failed(&error);
        }
    }

    /// Adds an entry for the start of a proxy of this version. The entry has the names of the settings whose values
    /// differ from those at the previous start.
    pub async fn started(&self, version: &str, fingerprints: &Fingerprints) {
        let log = self.clone();
        let added = async {
            let before = blocking(move || log.read()).await?.fingerprints;
            let (compared, settings) = fingerprints.since(before.as_ref());
            let version = version.to_owned();
            let change = Change::Started {
                version,
                compared,
                settings,
            };
            self.write(change, Some(fingerprints.clone())).await
        };
        if let Err(error) = added.await {
            failed(&error);
        }
    }

    async fn write(&self, change: Change, fingerprints: Option<Fingerprints>) -> Result<(), Error> {
        let proxy = if change.is_by_command() {
            None
        } else {
            let store = Arc::clone(&self.store);
            let processes = blocking(move || store.processes()).await?;
            let this = processes.into_iter().find(|process| process.is_this);
            this.map(|process| process.number)
        };
        let entry = Entry { proxy, change };
        // The random part makes the id unique if another process adds an entry in the same millisecond.
        let mut random = [0; 4];
        getrandom::fill(&mut random)
            .map_err(|error| Error::Folder(std::io::Error::other(error)))?;
        let added = self.added.fetch_add(1, Ordering::Relaxed);
        let number = u64::from(added) << 32 | u64::from(u32::from_be_bytes(random));
        let call = |answer| Call::Log(Box::new((entry, number, fingerprints)), answer);
        self.writer.ask(call).await
    }
}

impl Change {
    /// Whether a command made the change. The entry of such a change has no process number, because the process of a
    /// command ends soon after the change.
    fn is_by_command(&self) -> bool {
        match self {
            Self::Started { .. } | Self::PixelsRead { .. } => false,
            Self::LettersReplayed { by, .. }
            | Self::LettersDropped { by, .. }
            | Self::OrderWithdrawn { by, .. } => *by == By::Command,
        }
    }
}

fn failed(error: &Error) {
    tracing::warn!(error = ?error, "a change could not be added to the change log");
}
