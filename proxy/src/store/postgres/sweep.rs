//! Removes expired entries.

use std::time::Duration;

use tokio_postgres::types::Type;

use super::{
    CHANGE, count,
    link::{Link, Session, Trip, value},
};
use crate::{
    decide::LetterId,
    limits,
    store::{Error, Expired},
};

/// The most entries of one kind that one sweep removes.
const MOST: i64 = 10_000;
/// How many events the history keeps at most. A search reads all of them.
const MOST_EVENTS: i64 = 1_000_000;
/// In how many sweeps all deduplication keys are checked once.
const SWEEPS: i64 = 60;
/// How many blocks of keys a sweep checks at least.
const FEWEST_BLOCKS: i64 = 1_000;
/// How long the removal may take, including the wait for a standby. The other calls of this proxy wait until the
/// removal ends or this limit is reached.
const LIMIT: Duration = Duration::from_secs(15);

/// Removes expired entries. `swept_to` is the first block of keys that the last sweep has not checked.
pub(super) fn expire(
    link: &Link,
    session: &Session,
    expired: Expired,
    swept_to: &mut i64,
) -> Result<(), Error> {
    let Expired {
        keys_ms,
        letters_ms,
        history_ms,
        hours_ms,
    } = expired;
    let id = |ms: i64| LetterId::new(ms.max(0), 0).to_bytes().to_vec();
    let size = Trip::new().query(
        "select pg_relation_size('duet.seen') / current_setting('block_size')::bigint",
        Vec::new(),
    );
    let size = link.trip(session, size)?;
    let blocks: i64 = size.iter().flatten().next().map_or(0, |row| row.get(0));
    if *swept_to >= blocks {
        *swept_to = 0;
    }
    let end = *swept_to + (blocks / SWEEPS).max(FEWEST_BLOCKS);
    let trip = Trip::within(LIMIT)
        .query(
            "delete from duet.seen where ctid >= format('(%s,0)', $1)::tid and ctid < format('(%s,0)', $2)::tid and until <= $3",
            vec![
                value(*swept_to, Type::INT8),
                value(end, Type::INT8),
                value(keys_ms / 1000, Type::INT8),
            ],
        )
        .query(
            "delete from duet.dead where id in (select id from duet.dead where id < $1 order by id limit $2)",
            vec![value(id(letters_ms), Type::BYTEA), value(MOST, Type::INT8)],
        )
        .query(
            "delete from duet.ends where id in (select id from duet.ends where id < $1 order by id limit $2)",
            vec![value(id(history_ms), Type::BYTEA), value(MOST, Type::INT8)],
        )
        .query(
            "delete from duet.ends where id in (select id from
               (select id, sum(events) over (order by id desc) - events as newer from duet.ends) counted
             where newer >= $1 limit $2)",
            vec![value(MOST_EVENTS, Type::INT8), value(MOST, Type::INT8)],
        )
        .query(
            "delete from duet.records where key in
               (select key from duet.records where key > $1 and key < 'm' order by key desc offset $2)",
            vec![
                value(CHANGE.to_vec(), Type::BYTEA),
                value(count(limits::CHANGES), Type::INT8),
            ],
        )
        .query(
            "delete from duet.hours where start_ms < $1",
            vec![value(hours_ms, Type::INT8)],
        )
        .query(
            "delete from duet.covered where at_ms < $1",
            vec![value(history_ms, Type::INT8)],
        );
    link.trip(session, trip)?;
    *swept_to = end;
    Ok(())
}
