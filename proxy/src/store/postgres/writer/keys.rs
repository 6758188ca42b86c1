//! Writes deduplication keys.

use std::collections::BTreeMap;

use tokio_postgres::types::Type;

use super::{Trip, Uuid, value};
use crate::decide::{DedupKey, Records};

/// Adds statements that make the stored keys match the decisions. A key that a decision has remembered, but that was
/// not written before the decision, is written now. A key that was written before the decision, but that no decision has
/// remembered, is removed. `written` has the keys that were looked up before the decisions: with the time at which the
/// key expires if it was new, or with `None` if it was already remembered.
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
