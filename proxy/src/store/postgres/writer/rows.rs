//! Writes rows of pending events, removes rows whose events are all settled, and marks settled events in the other rows.

use tokio_postgres::types::Type;

use super::{Counts, Trip, signed, value};
use crate::store::{Commit, row};

/// Adds the statements for new and settled rows, and changes the counts of the slot.
pub(super) fn write(mut trip: Trip, commit: &mut Commit<'_>, counts: &mut Counts) -> Trip {
    let (mut lanes, mut ids, mut bodies) = (Vec::new(), Vec::new(), Vec::new());
    for new in commit.rows.drain(..) {
        counts.add(&new.lane, signed(new.draft.events()));
        lanes.push(row::prefix(&new.lane.destination, new.lane.class));
        ids.push(signed(new.sequence));
        bodies.push(new.draft.into_value());
    }
    if !lanes.is_empty() {
        trip = trip.query(
            "insert into duet.waiting (lane, id, body) select * from unnest($1::bytea[], $2::bigint[], $3::bytea[])",
            vec![
                value(lanes, Type::BYTEA_ARRAY),
                value(ids, Type::INT8_ARRAY),
                value(bodies, Type::BYTEA_ARRAY),
            ],
        );
    }
    for settled in &commit.settled {
        counts.add(&settled.lane, -signed(settled.events));
        let lane = row::prefix(&settled.lane.destination, settled.lane.class);
        if !settled.removed.is_empty() {
            let ids: Vec<_> = settled.removed.iter().map(|(id, _)| signed(*id)).collect();
            trip = trip.query(
                "delete from duet.waiting where lane = $1 and id = any($2)",
                vec![
                    value(lane.clone(), Type::BYTEA),
                    value(ids, Type::INT8_ARRAY),
                ],
            );
        }
        for (id, range) in &settled.marked {
            let range = [range.start, range.end].map(|at| i32::try_from(at).unwrap_or(i32::MAX));
            trip = trip.query(
                "update duet.waiting set settled = settled || $3 where lane = $1 and id = $2",
                vec![
                    value(lane.clone(), Type::BYTEA),
                    value(signed(*id), Type::INT8),
                    value(range.to_vec(), Type::INT4_ARRAY),
                ],
            );
        }
    }
    trip
}
