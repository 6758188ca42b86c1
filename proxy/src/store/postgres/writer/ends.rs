//! Writes the history: the ended events, and their counts in this writer's rows of hours.

use tokio_postgres::types::Type;

use super::{Trip, Writer, value};
use crate::{
    decide::Records,
    history::Hour,
    store::{Error, end, keys::read},
};

impl Writer {
    /// Adds the ended events, and counts them in this writer's rows of hours.
    pub(super) fn write_ends(&mut self, trip: Trip, records: &Records) -> Result<Trip, Error> {
        let mut trip = trip;
        let mut changed = Vec::new();
        for (id, end) in &records.ends {
            trip = trip.query(
                "insert into duet.ends (id, events, value) values ($1, $2, $3) on conflict (id) do nothing",
                vec![
                    value(id.to_bytes().to_vec(), Type::BYTEA),
                    value(i32::try_from(end.events.len()).unwrap_or(i32::MAX), Type::INT4),
                    value(end::packed(end)?, Type::BYTEA),
                ],
            );
            for ended in &end.events {
                let start_ms = Hour::start_of(ended.accepted_ms);
                if !self.hours.contains_key(&start_ms) {
                    let hour = self.stored_hour(start_ms)?;
                    self.hours.insert(start_ms, hour);
                }
                if let Some(hour) = self.hours.get_mut(&start_ms) {
                    hour.add(end, ended);
                }
                changed.push(start_ms);
            }
        }
        changed.sort_unstable();
        changed.dedup();
        for start_ms in changed {
            let hour = serde_json::to_vec(&self.hours.get(&start_ms));
            trip = trip.query(
                "insert into duet.hours (start_ms, slot, value) values ($1, $2, $3)
                 on conflict (start_ms, slot) do update set value = excluded.value",
                vec![
                    value(start_ms, Type::INT8),
                    value(self.slot.number, Type::INT4),
                    value(hour.map_err(|_| Error::Unwritable)?, Type::BYTEA),
                ],
            );
        }
        while self.hours.len() > 8 {
            self.hours.pop_first();
        }
        Ok(trip)
    }

    fn stored_hour(&self, start_ms: i64) -> Result<Hour, Error> {
        let trip = Trip::new().query(
            "select value from duet.hours where start_ms = $1 and slot = $2",
            vec![
                value(start_ms, Type::INT8),
                value(self.slot.number, Type::INT4),
            ],
        );
        let rows = self.link.trip(&self.session, trip)?;
        let row = rows.iter().flatten().next();
        row.map_or_else(|| Ok(Hour::default()), |row| read(row.get(0)))
    }
}
