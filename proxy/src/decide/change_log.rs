//! Adds entries to the change log.

use super::{Books, Changes, Decision, LetterId, Reads};
use crate::{
    change_log::{Entry, Fingerprints},
    clock::Times,
};

/// Adds an entry to the change log.
#[derive(Clone, Copy, Debug)]
pub struct Log<'a> {
    /// The entry.
    pub entry: &'a Entry,
    /// The number of the entry. Together with the time in milliseconds it is the entry's id.
    pub number: u64,
    /// The fingerprints of the settings, if the entry is the start of a proxy.
    pub fingerprints: Option<&'a Fingerprints>,
}

impl<'a> Decision<'a> for Log<'_> {
    type Reply = ();

    fn reads(&self) -> Reads {
        Reads::default()
    }

    fn decide<B: Books + ?Sized>(
        &self,
        _books: &B,
        now: Times,
    ) -> Result<(Changes<'a>, ()), B::Error> {
        let mut changes = Changes::default();
        let id = LetterId::new(now.stamp_ms, self.number);
        let log = &mut changes.records.log;
        log.entries.insert(id, self.entry.clone());
        log.fingerprints = self.fingerprints.cloned();
        Ok((changes, ()))
    }
}
