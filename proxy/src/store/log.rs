//! The entries of the change log, as both stores keep them. The key is a prefix and the entry's [`LetterId`], and the value
//! is JSON.

use serde::Serialize;

use super::Error;
use crate::decide::{LetterId, Logged};

/// Returns the new entries as keys and values.
pub(super) fn entries<'a>(
    log: &'a Logged,
    prefix: &'static [u8],
) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), Error>> + 'a {
    log.entries.iter().map(move |(id, entry)| {
        let key = [prefix, &id.to_bytes()].concat();
        Ok((key, value(entry)?))
    })
}

pub(super) fn value(record: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(record).map_err(|_| Error::Unwritable)
}

/// Adds a stored entry. Leaves out an entry that only a newer version can read.
pub(super) fn add(log: &mut Logged, key: &[u8], prefix: &[u8], value: &[u8]) {
    let id = key.strip_prefix(prefix).and_then(LetterId::from_bytes);
    if let (Some(id), Ok(entry)) = (id, serde_json::from_slice(value)) {
        log.entries.insert(id, entry);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use duet_tests::Server;

    use super::*;
    use crate::{
        change_log::{Change, Entry, Fingerprints},
        decide::Records,
        limits::CHANGES,
        store::{Commit, Embedded, Expired, Position, Postgres, Reader, Source, Store},
    };

    fn entry(pixels: usize) -> Entry {
        Entry {
            proxy: None,
            change: Change::PixelsRead { pixels },
        }
    }

    fn fingerprints(key: &str) -> Fingerprints {
        Fingerprints::of(key, &BTreeMap::from([("A", "1".to_owned())]))
    }

    /// Writes five entries more than the limit, and removes the surplus.
    fn fill(store: &impl Source) {
        let mut writer = store.open().unwrap();
        for (number, at_ms) in (0..CHANGES + 5).zip(0..) {
            let id = LetterId::new(at_ms, u64::MAX - at_ms.unsigned_abs());
            let log = Logged {
                entries: BTreeMap::from([(id, entry(number))]),
                fingerprints: (number % 100 == 0).then(|| fingerprints(&number.to_string())),
            };
            let records = Records {
                log,
                ..Records::default()
            };
            let mut commit = Commit {
                rows: Vec::new(),
                settled: Vec::new(),
                records,
                position: &mut Position::default(),
                probe_ms: None,
                sync: false,
            };
            assert!(!commit.is_empty());
            writer.write(&mut commit).unwrap();
        }
        let nothing = Expired {
            keys_ms: 0,
            letters_ms: 0,
            history_ms: 0,
            hours_ms: 0,
        };
        writer.expire(nothing).unwrap();
        writer.close().unwrap();
    }

    fn check(store: &impl Reader) {
        let log = store.change_log().unwrap();
        let numbers = log.entries.keys().map(|id| id.ended_at_ms());
        assert!(numbers.eq(5..205), "{:?}", log.entries);
        let (id, newest) = log.entries.last_key_value().unwrap();
        assert_eq!(id.sequence(), u64::MAX - 204);
        assert_eq!(*newest, entry(204));
        assert_eq!(log.fingerprints, Some(fingerprints("200")));
    }

    #[test]
    fn a_folder_keeps_the_newest_entries_and_the_last_fingerprints() {
        let folder = tempfile::tempdir().unwrap();
        let store = Embedded::at(folder.path()).unwrap();
        fill(&store);
        assert_eq!(store.changes(), CHANGES);
        drop(store);
        let store = Embedded::at(folder.path()).unwrap();
        let _writer = store.open().unwrap();
        check(&store);
    }

    #[test]
    fn a_database_keeps_the_newest_entries_and_the_last_fingerprints() {
        let server = Server::start().unwrap();
        let options = server.setting("shop").parse().unwrap();
        let store = Postgres::at(&options).unwrap();
        fill(&store);
        check(&store);
        // One more row has the fingerprints.
        let rows = "do $$ begin assert (select count(*) from duet.records) = 201; end $$";
        server.sql("shop", rows).unwrap();
        // An entry that a newer version wrote is left out.
        let newer = "insert into duet.records values ('l' || decode(repeat('11', 16), 'hex'), '{\"change\":\"newer\"}')";
        server.sql("shop", newer).unwrap();
        assert_eq!(store.change_log().unwrap().entries.len(), CHANGES - 1);
    }
}
