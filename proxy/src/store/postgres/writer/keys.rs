//! Writes deduplication keys.

use std::collections::BTreeMap;

use tokio_postgres::types::Type;

use super::{Trip, Uuid, value};
use crate::decide::{DedupKey, Records};

/// Adds the keys that were learned and not written yet, and removes those that were written and not learned.
/// `written` has the end of each key that was written, and `None` for each key that was remembered.
pub(super) fn write(
    trip: Trip,
    mut written: BTreeMap<DedupKey, Option<i64>>,
    records: &Records,
) -> Trip {
    written.retain(|_, until| until.is_some());
    let mut learned = BTreeMap::new();
    for (key, known) in records.keys.iter() {
        learned.insert(*key, known.until_ms / 1000);
    }
    learned.retain(|key, until| written.remove(key) != Some(Some(*until)));
    let mut trip = trip;
    if !learned.is_empty() {
        let (keys, until): (Vec<_>, Vec<_>) = learned
            .into_iter()
            .map(|(key, until)| (Uuid::from(key), until))
            .unzip();
        trip = trip.query(
            "insert into duet.seen (key, until) select * from unnest($1::uuid[], $2::bigint[])
             on conflict (key) do update set until = excluded.until",
            vec![
                value(keys, Type::UUID_ARRAY),
                value(until, Type::INT8_ARRAY),
            ],
        );
    }
    if !written.is_empty() {
        let keys: Vec<_> = written.into_keys().map(Uuid::from).collect();
        trip = trip.query(
            "delete from duet.seen where key = any($1)",
            vec![value(keys, Type::UUID_ARRAY)],
        );
    }
    trip
}
