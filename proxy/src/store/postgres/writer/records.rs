//! Writes changed records, new entries of the change log, dead letters, and the marks of orders whose records in the
//! history were removed.

use tokio_postgres::types::Type;

use super::{Trip, value};
use crate::{
    decide::Records,
    store::{Error, keys, log},
};

/// Adds the changed records.
pub(super) fn write(trip: Trip, records: &Records) -> Result<Trip, Error> {
    let mut changed = keys::changed(records)?;
    for entry in log::entries(&records.log, keys::CHANGE) {
        let (key, value) = entry?;
        changed.push((key, Some(value)));
    }
    if let Some(fingerprints) = &records.log.fingerprints {
        let value = log::value(fingerprints)?;
        changed.push((keys::CHANGE.to_vec(), Some(value)));
    }
    let (changed, removed): (Vec<_>, Vec<_>) =
        changed.into_iter().partition(|(_, value)| value.is_some());
    let mut trip = trip;
    if !changed.is_empty() {
        let (keys, values): (Vec<_>, Vec<_>) = changed.into_iter().unzip();
        let values: Vec<_> = values.into_iter().flatten().collect();
        trip = trip.query(
            "insert into duet.records (key, value) select * from unnest($1::bytea[], $2::bytea[])
             on conflict (key) do update set value = excluded.value",
            vec![
                value(keys, Type::BYTEA_ARRAY),
                value(values, Type::BYTEA_ARRAY),
            ],
        );
    }
    if !removed.is_empty() {
        let keys: Vec<_> = removed.into_iter().map(|(key, _)| key).collect();
        trip = trip.query(
            "delete from duet.records where key = any($1)",
            vec![value(keys, Type::BYTEA_ARRAY)],
        );
    }
    for (id, letter) in &records.letters {
        let key = value(id.to_bytes().to_vec(), Type::BYTEA);
        trip = match letter {
            Some(letter) => {
                let letter = serde_json::to_vec(letter).map_err(|_| Error::Unwritable)?;
                trip.query(
                    "insert into duet.dead (id, value) values ($1, $2) on conflict (id) do update set value = excluded.value",
                    vec![key, value(letter, Type::BYTEA)],
                )
            }
            None => trip.query("delete from duet.dead where id = $1", vec![key]),
        };
    }
    for (order, at_ms) in &records.covered {
        trip = trip.query(
            "insert into duet.covered (digest, at_ms) values ($1, $2) on conflict (digest) do update set at_ms = excluded.at_ms",
            vec![
                value(order.as_bytes().to_vec(), Type::BYTEA),
                value(*at_ms, Type::INT8),
            ],
        );
    }
    Ok(trip)
}
