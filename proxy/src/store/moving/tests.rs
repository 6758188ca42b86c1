use std::{collections::BTreeMap, sync::Arc};

use duet_tests::Server;

use super::*;
use crate::{
    change_log::{Change, Entry, Fingerprints},
    decide::{Books, Class, Destination, LetterId, Logged, Records},
    history::{End, Ended, Sent, Trace},
    store::{
        Commit, Draft, Embedded, Expired, LaneId, Most, Place, Postgres, Reader, Source, Store,
        end::packed, row,
    },
};

const NOW_MS: i64 = 1_767_323_045_000;
const HOUR_MS: i64 = 60 * 60 * 1000;

#[derive(Debug, Default, PartialEq)]
struct All {
    rows: Vec<StoredRow>,
    keys: Vec<(DedupKey, i64)>,
    pairs: Vec<Pair>,
    hours: Vec<(i64, Vec<u8>)>,
    covered: Vec<(Vec<u8>, i64)>,
}

/// Returns all data in a store, always in the same order.
fn all_of(side: &impl Side) -> All {
    let mut all = All::default();
    let read = side.read(&mut |piece| {
        match piece {
            Piece::Rows(rows) => all.rows.extend(rows),
            Piece::Keys(keys) => all.keys.extend(keys),
            Piece::Records(pairs) | Piece::Letters(pairs) | Piece::Ends(pairs) => {
                all.pairs.extend(pairs);
            }
            Piece::Hours(hours) => all.hours.extend(hours),
            Piece::Covered(covered) => all.covered.extend(covered),
        }
        Ok(())
    });
    read.unwrap();
    all.rows.sort();
    all.keys.sort_unstable();
    all.pairs.sort();
    all.hours.sort();
    all.covered.sort();
    all
}

fn lane(pixel_id: &str, class: Class) -> LaneId {
    let destination = Arc::new(Destination {
        pixel_id: pixel_id.to_owned(),
        test_event_code: None,
    });
    LaneId { destination, class }
}

fn end(at_ms: i64, salt: &Salt) -> Vec<u8> {
    let event = br#"{"event":"Lead","event_id":"a"}"#;
    let ended = Ended::of(event, Trace::default(), at_ms - 5, salt);
    let end = End {
        pixel_id: "P".to_owned(),
        is_test: false,
        outcome: "delivered".to_owned(),
        code: Some(0),
        request_id: None,
        at_ms,
        sent: Sent::default(),
        events: vec![ended.clone(), ended],
    };
    packed(&end).unwrap()
}

/// Fills a folder with data of every kind.
fn filled(path: &Path) {
    let salt = Salt::from([7; 16]);
    let lanes = [
        lane("P", Class::First),
        lane("P", Class::Second),
        lane("P1", Class::Second),
    ];
    let place = |lane: &LaneId| Place {
        destination: Arc::clone(&lane.destination),
        class: lane.class,
        waiting: 4,
        head: 0,
    };
    let position = Position {
        next: 5_000,
        places: lanes.iter().map(place).collect(),
        held: 1,
        written_ms: Some(NOW_MS),
    };
    let row = |lane: &LaneId, id, settled: &[u32]| {
        let mut draft = Draft::new(NOW_MS);
        (0..6).for_each(|_| draft.push(b"{}", &Trace::default()));
        StoredRow {
            lane: row::prefix(&lane.destination, lane.class),
            id,
            settled: settled.to_vec(),
            body: draft.into_value(),
        }
    };
    let [first, second, other] = &lanes;
    let rows = vec![
        row(first, 40, &[0, 2]),
        row(second, 10, &[1, 2, 4, 5]),
        row(other, 20, &[]),
    ];
    let keys = (0..200_000_u32).map(|number| {
        let key = DedupKey::numbered(u64::from(number));
        // Every second key belongs to an order, so it is remembered longer.
        let days = if number % 2 == 0 { 1 } else { 89 };
        (key, NOW_MS / 1000 + days * 86_400)
    });
    let pairs = |names: &[&str]| {
        let pairs = names
            .iter()
            .map(|name| (name.as_bytes().to_vec(), b"{}".to_vec()));
        pairs.collect::<Vec<_>>()
    };
    let id = |ms| LetterId::new(ms, 3).to_bytes().to_vec();
    let ends = [NOW_MS - HOUR_MS, NOW_MS].map(|ms| (id(ms), end(ms, &salt)));
    let mut folder = embedded::Folder::open(path).unwrap();
    folder.begin(salt, &position).unwrap();
    for piece in [
        Piece::Rows(rows),
        Piece::Records(pairs(&["oA", "pp\0a", "h0000000000000001", "cCODE", "xid"])),
        // An entry of the change log.
        Piece::Records(pairs(&["l", "l0123456789abcdef"])),
        Piece::Letters(vec![(id(NOW_MS - 1), b"{}".to_vec())]),
        Piece::Ends(ends.to_vec()),
        Piece::Hours(vec![
            (0, br#"{"lines":[]}"#.to_vec()),
            (HOUR_MS, br#"{"lines":[]}"#.to_vec()),
        ]),
        Piece::Covered(vec![(vec![9; 12], NOW_MS)]),
    ] {
        folder.write(piece).unwrap();
    }
    for keys in keys.collect::<Vec<_>>().chunks(10_000) {
        folder.write(Piece::Keys(keys.to_vec())).unwrap();
    }
    folder.sync().unwrap();
    folder.finish().unwrap();
}

const START: Entry = Entry {
    proxy: None,
    change: Change::PixelsRead { pixels: 1 },
};

/// Writes entries to a store's change log.
fn started(store: &impl Source, log: Logged) {
    let mut writer = store.open().unwrap();
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
        sync: true,
    };
    writer.write(&mut commit).unwrap();
    writer.close().unwrap();
}

#[test]
fn everything_is_the_same_after_the_way_there_and_back() {
    let server = Server::start().unwrap();
    let database: Database = server.setting("shop").parse().unwrap();
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    filled(one.path());
    let expected = all_of(&embedded::Folder::open(one.path()).unwrap());
    assert_eq!((expected.rows.len(), expected.keys.len()), (3, 200_000));

    let moved = to_database(one.path(), &database).unwrap().unwrap();
    assert_eq!(
        moved.to_string(),
        "12 pending events, 1 held events, 1 orders, 1 payments, 1 dead letters, 4 ended events, 2 hours of counts for the console, 200000 keys that recognise repeated events"
    );
    assert_eq!(
        all_of(&postgres::Contents::open(&database).unwrap()),
        expected
    );
    let again = to_folder(&database, other.path()).unwrap().unwrap();
    assert_eq!(again.to_string(), moved.to_string());
    let folder = embedded::Folder::open(other.path()).unwrap();
    assert_eq!(all_of(&folder), expected);
    let position = folder.position().unwrap();
    assert!(position.next > 5_000);
    assert_eq!((position.waiting(), position.held), (12, 1));
    assert_eq!(position.written_ms, Some(NOW_MS));
    drop(folder);

    // The queue must be able to use the folder: it recognises the keys, reads which events are settled, and removes expired
    // entries.
    let store = Embedded::at(other.path()).unwrap();
    let mut writer = store.open().unwrap();
    for number in [0, 1, 199_999] {
        assert!(writer.knows(&DedupKey::numbered(number), NOW_MS).unwrap());
    }
    assert!(!writer.knows(&DedupKey::numbered(200_000), NOW_MS).unwrap());
    let rows = store.rows(&lane("P", Class::Second), 0, 1_000_000).unwrap();
    assert_eq!(rows[0].1, [1..2, 4..5]);
    let most = Most {
        count: 100,
        bytes: 1_000_000,
    };
    let ended = || store.ends(None, most).unwrap().len();
    assert_eq!(ended(), 2);
    let expired = Expired {
        keys_ms: NOW_MS,
        letters_ms: NOW_MS,
        history_ms: NOW_MS + HOUR_MS,
        hours_ms: NOW_MS,
    };
    writer.expire(expired).unwrap();
    assert_eq!(ended(), 0);
}

#[test]
fn a_move_is_refused_unless_the_target_is_empty_and_the_source_is_not() {
    let server = Server::start().unwrap();
    let database: Database = server.setting("shop").parse().unwrap();
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let refused = |done: Result<Option<Moved>, Error>, why: &str| {
        let error = done.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    };
    refused(to_folder(&database, one.path()), "there is nothing to move");
    refused(
        to_database(one.path(), &database),
        "there is nothing to move",
    );
    // Imitate a proxy that was started on the folder and on the database, and has not accepted any event.
    let start = Logged {
        entries: BTreeMap::from([(LetterId::new(NOW_MS, 1), START)]),
        fingerprints: Some(Fingerprints::default()),
    };
    started(&Postgres::at(&database).unwrap(), start.clone());
    started(&Embedded::at(one.path()).unwrap(), start);
    refused(
        to_database(one.path(), &database),
        "there is nothing to move",
    );
    filled(one.path());
    filled(other.path());
    to_database(one.path(), &database).unwrap();
    refused(to_database(other.path(), &database), "is not empty");
    refused(to_folder(&database, other.path()), "is not empty");
    refused(
        Embedded::at(one.path()).unwrap().open().map(|_| None),
        "were moved to the database postgres://duet@127.0.0.1",
    );
    // The database now has the unfinished copy of another folder. A move must not overwrite this copy.
    server
        .sql(
            "shop",
            "update duet.about set moved = '', salt = '0123456789abcdef'",
        )
        .unwrap();
    refused(
        to_database(other.path(), &database),
        "the unfinished copy of another store",
    );
    refused(to_folder(&database, one.path()), "has not finished");
    server
        .sql("shop", "update duet.about set moved = null")
        .unwrap();
    // The slot of a proxy has not expired yet, so the proxy counts as running.
    server
        .sql(
            "shop",
            "update duet.slots set until = now() + interval '1 min'",
        )
        .unwrap();
    let empty = tempfile::tempdir().unwrap();
    refused(to_folder(&database, empty.path()), "is using the database");
}
