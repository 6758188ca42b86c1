use std::ops::Range;

use super::*;
use crate::store::{Embedded, Source};

const NOW: u32 = 1_800_000_000;
const SEGMENT: usize = 100;

fn tables(folder: &tempfile::TempDir) -> Tables {
    let store = Embedded::at(folder.path()).unwrap();
    drop(store.open().unwrap());
    store.tables().unwrap()
}

/// Stores keys in a separate commit. The index must remember them until the time `until`.
fn learn(index: &mut Index, tables: &Tables, keys: Range<u64>, until: u32) {
    for number in keys {
        index.learn(DedupKey::numbered(number), until);
    }
    let mut batch = tables.database.batch();
    index.write(tables, &mut batch);
    batch.commit().unwrap();
    index.seal_if_full(tables).unwrap();
}

fn known(index: &Index, tables: &Tables, keys: Range<u64>, now: u32) -> usize {
    keys.filter(|number| {
        let key = DedupKey::numbered(*number);
        index.knows(tables, &key, &Probe::about(&key), now).unwrap()
    })
    .count()
}

#[test]
fn keys_are_known_in_memory_in_runs_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    {
        let tables = tables(&folder);
        let mut index = Index::load(&tables, b'a', SEGMENT).unwrap();
        for start in (0..1000).step_by(30) {
            learn(&mut index, &tables, start..start + 30, NOW + 100);
        }
        assert!(index.recent.len() < SEGMENT && index.segments.len() == 8);
        assert_eq!(known(&index, &tables, 0..1020, NOW), 1020);
        assert_eq!(known(&index, &tables, 5000..9000, NOW), 0);
    }
    let tables = tables(&folder);
    let index = Index::load(&tables, b'a', SEGMENT).unwrap();
    assert!(index.recent.len() < SEGMENT && index.segments.len() == 8);
    assert_eq!(known(&index, &tables, 0..1020, NOW), 1020);
    assert_eq!(known(&index, &tables, 5000..9000, NOW), 0);
}

#[test]
fn a_key_is_forgotten_when_its_time_is_over_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let tables = tables(&folder);
    let mut index = Index::load(&tables, b'a', SEGMENT).unwrap();
    learn(&mut index, &tables, 0..100, NOW + 10);
    learn(&mut index, &tables, 100..150, NOW + 20);
    learn(&mut index, &tables, 150..180, NOW + 30);
    assert_eq!(known(&index, &tables, 0..180, NOW + 9), 180);
    assert_eq!(known(&index, &tables, 0..180, NOW + 10), 80);
    assert_eq!(index.expire(&tables, NOW + 9).unwrap(), 0);
    assert_eq!(index.expire(&tables, NOW + 20).unwrap(), 150);
    assert_eq!((index.recent.len(), index.segments.len()), (30, 0));
    assert_eq!(known(&index, &tables, 0..180, NOW + 20), 30);
    assert_eq!(index.expire(&tables, NOW + 30).unwrap(), 30);
    assert_eq!(tables.segments.prefix([]).count(), 0);
    let mut left = tables.database.batch();
    index.write(&tables, &mut left);
    left.commit().unwrap();
    assert_eq!(tables.seen.len().unwrap(), 0);
    // After all keys have expired, new keys are remembered as usual.
    learn(&mut index, &tables, 0..50, NOW + 60);
    drop(index);
    let index = Index::load(&tables, b'a', SEGMENT).unwrap();
    assert_eq!(known(&index, &tables, 0..100, NOW + 40), 50);
}

#[test]
fn rows_of_sealed_keys_are_cleared_bit_by_bit() {
    let folder = tempfile::tempdir().unwrap();
    let tables = tables(&folder);
    let mut index = Index::load(&tables, b'a', SEGMENT).unwrap();
    for number in 0..300 {
        learn(&mut index, &tables, number..number + 1, NOW + 100);
    }
    let rows = || tables.seen.prefix([b'a']).count();
    assert!(
        rows() < 2 * SEGMENT,
        "there must be fewer rows than two segments have keys, got {} rows for {} recent keys",
        rows(),
        index.recent.len()
    );
    assert_eq!(known(&index, &tables, 0..300, NOW), 300);
}

#[test]
fn orders_are_remembered_for_90_days_and_others_for_48_hours() {
    let folder = tempfile::tempdir().unwrap();
    let tables = tables(&folder);
    let mut seen = Seen::load(&tables).unwrap();
    let (event, order) = (DedupKey::numbered(1), DedupKey::numbered(2));
    let until = |remember: Remember| NOW + u32::try_from(remember.ms() / 1000).unwrap();
    for (key, remember) in [(event, Remember::Hours48), (order, Remember::Days90)] {
        seen.learn(key, remember, until(remember));
    }
    let hour = 60 * 60;
    for (hours, expected) in [
        (47, [true, true]),
        (48, [false, true]),
        (90 * 24, [false, false]),
    ] {
        let now = NOW + hours * hour;
        let knows = [event, order].map(|key| seen.knows(&tables, &key, now).unwrap());
        assert_eq!(knows, expected, "after {hours} hours");
    }
}
