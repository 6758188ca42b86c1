//! The tables in the database, and the settings that the database must have.
//!
//! | Table | Contents |
//! |---|---|
//! | `about` | the format, the oldest format that can use the tables, the salt of the history's digests, and where the contents were moved to (empty while a move into the tables has not finished) |
//! | `waiting` | rows of pending events (see [`row`](crate::store::row)), with the ranges that are settled |
//! | `seen` | deduplication keys, each with the time until which it is remembered (s) |
//! | `records` | orders, payments, names and held events (see [`keys`](crate::store::keys)) |
//! | `dead` | dead letters as JSON |
//! | `ends`, `hours`, `covered` | the history (see [`end`](crate::store::end)); each proxy has its own hours |
//! | `leases` | which proxy delivers the events of a destination, and which proxy removes expired entries |
//! | `slots` | one row for each running proxy, with the proxy's share of the counts of pending and held events |
//! | `numbers` | the sequence from which each commit gets its block of event numbers |

use tokio_postgres::{Row, types::Type};

use super::{
    link::{Link, Session, Trip, value},
    options::Replication,
};
use crate::{
    history::Salt,
    store::{Error, moving},
};

/// The format that this version writes.
pub(super) const FORMAT: i32 = 1;
/// The oldest format whose proxy versions can still use tables of [`FORMAT`].
const OLDEST_FORMAT: i32 = 1;
/// The statement that reads the facts about the tables.
pub(super) const ABOUT: &str = "select format, oldest, salt, moved from duet.about";
/// The database's name in error messages.
const NAME: &str = "the database";
/// The oldest version of PostgreSQL that is supported.
const OLDEST: i32 = 140_000;
/// The longest time that a statement of the proxy may take.
const SLOW_MS: i64 = 60_000;
/// How much the clocks of the database and of this machine may differ.
const CLOCK_SLACK_S: i64 = 10;
const SCHEMA: &str = include_str!("schema.sql");

/// Checks that the database keeps every commit that it has confirmed.
pub(super) fn check(link: &Link, session: &Session) -> Result<(), Error> {
    let trip = Trip::new().query(
        "select current_setting('server_version_num')::int, current_setting('fsync'), current_setting('full_page_writes'),
         current_setting('synchronous_commit'), current_setting('synchronous_standby_names'),
         current_setting('default_transaction_isolation')",
        Vec::new(),
    );
    let rows = link.trip(session, trip)?;
    let row = rows.first().and_then(|rows| rows.first());
    let wrong = row.map_or_else(Vec::new, |row| wrong(row, link.options().replication));
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Error::Unsuitable(wrong.join("; ")))
}

fn wrong(row: &Row, replication: Replication) -> Vec<&'static str> {
    let version: i32 = row.get(0);
    let [fsync, pages, commit, names, isolation]: [String; 5] =
        [1, 2, 3, 4, 5].map(|column| row.get(column));
    let mut wrong = Vec::new();
    if version < OLDEST {
        wrong.push("PostgreSQL must be version 14 or newer");
    }
    if fsync != "on" {
        wrong.push("fsync must be on");
    }
    if pages != "on" {
        wrong.push("full_page_writes must be on");
    }
    // A record is read after it was locked. At a higher isolation level, the transaction would read the record as it was
    // before the lock, and so miss the last change.
    if isolation != "read committed" {
        wrong.push("default_transaction_isolation must have the value `read committed`");
    }
    match replication {
        Replication::Standby => {
            if names.trim().is_empty() {
                wrong.push("synchronous_standby_names must name a standby, or DUET_QUEUE must have replication=storage (a service that replicates below the database) or replication=none (if the one disk fails, all events on it are lost)");
            }
            if !["on", "remote_apply"].contains(&commit.as_str()) {
                wrong.push("synchronous_commit must be on or remote_apply");
            }
        }
        Replication::Storage | Replication::None => {
            if commit == "off" {
                wrong.push("synchronous_commit must not be off");
            }
        }
    }
    wrong
}

/// Returns advice: the settings that should be different, and what to do about them. Also compares the clock of the
/// database with `now_ms`, which returns the time of this machine in Unix milliseconds.
pub(super) fn advice(
    link: &Link,
    session: &Session,
    now_ms: fn() -> i64,
) -> Result<Vec<String>, Error> {
    let before_ms = now_ms();
    let clock = Trip::new().query(
        "select (extract(epoch from clock_timestamp()) * 1000)::bigint",
        Vec::new(),
    );
    let clock = link.trip(session, clock)?;
    let middle_ms = i64::midpoint(before_ms, now_ms());
    let clock_ms: i64 = first(&clock)?.get(0);
    let settings = Trip::new().query(
        "select quote_ident(current_user), s.name, s.setting from pg_settings s
         where s.name like 'log\\_parameter\\_max\\_length%' or s.name = 'statement_timeout' order by s.name",
        Vec::new(),
    );
    let mut advice = Vec::new();
    for row in link.trip(session, settings)?.iter().flatten() {
        let [user, name, setting]: [String; 3] = [0, 1, 2].map(|column| row.get(column));
        let why = match (name.as_str(), setting.parse()) {
            (_, Ok(0)) | ("statement_timeout", Ok(SLOW_MS..)) => continue,
            ("statement_timeout", _) => {
                "which can cancel a search or the removal of expired entries"
            }
            _ => "so the log of the database can contain personal data",
        };
        advice.push(format!(
            "{name} is {setting}, {why}: run `alter role {user} set {name} = 0`"
        ));
    }
    let ahead_s = (clock_ms - middle_ms) / 1000;
    if ahead_s.abs() > CLOCK_SLACK_S {
        advice.push(format!(
            "the clock of the database is {ahead_s} s ahead of this machine's clock: set both clocks to the right time, with NTP for example"
        ));
    }
    Ok(advice)
}

fn first(rows: &[Vec<Row>]) -> Result<&Row, Error> {
    rows.iter().flatten().next().ok_or(Error::Corrupt)
}

/// Returns the format of the tables, or `None` if there are no tables.
pub(super) fn format(link: &Link, session: &Session) -> Result<Option<i32>, Error> {
    let is_there = Trip::new().query("select to_regclass('duet.about') is not null", Vec::new());
    let is_there = link.trip(session, is_there)?;
    if !is_there.iter().flatten().any(|row| row.get(0)) {
        return Ok(None);
    }
    let about = link.trip(session, Trip::new().query(ABOUT, Vec::new()))?;
    let about = first(&about)?;
    usable(about)?;
    Ok(Some(about.get(0)))
}

/// Checks that this version can use the tables. Tables of a newer format also state the oldest format whose proxy
/// versions can still use the tables, so that proxies of two versions can run during an upgrade.
pub(super) fn known(about: &Row) -> Result<(), Error> {
    let [found, oldest]: [i32; 2] = [0, 1].map(|column| about.get(column));
    if found >= FORMAT && oldest <= FORMAT {
        return Ok(());
    }
    Err(Error::Unsuitable(format!(
        "it has format {found}, which needs a version of duet-proxy with format {oldest} or newer; this version has format {FORMAT}: use a newer version"
    )))
}

/// Checks that this version can use the tables, that the contents were not moved elsewhere, and that a move into the
/// tables has finished.
fn usable(about: &Row) -> Result<(), Error> {
    known(about)?;
    match about.get::<_, Option<String>>(3) {
        None => Ok(()),
        Some(place) if place.is_empty() => Err(Error::Move(moving::unfinished(NAME))),
        Some(place) => Err(Error::Move(moving::left(NAME, &place))),
    }
}

/// Returns the salt of the history's digests.
pub(super) fn salt(about: &Row) -> Result<Salt, Error> {
    let salt = <[u8; 16]>::try_from(about.get::<_, &[u8]>(2)).map_err(|_| Error::Corrupt)?;
    Ok(Salt::from(salt))
}

/// Adds the statements that create the tables.
pub(super) fn create(trip: Trip, salt: Salt) -> Trip {
    trip.run(SCHEMA).query(
        "insert into duet.about (format, oldest, salt) values ($1, $2, $3)",
        vec![
            value(FORMAT, Type::INT4),
            value(OLDEST_FORMAT, Type::INT4),
            value(salt.as_bytes().to_vec(), Type::BYTEA),
        ],
    )
}

/// Creates the tables if there are none, and returns the salt of the history's digests.
pub(super) fn prepare(link: &Link, session: &Session) -> Result<Salt, Error> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| Error::Folder(std::io::Error::other(error)))?;
    let begun = Trip::new()
        .run("begin; set local lock_timeout = '4s'")
        // Two proxies may start at the same time. The lock lets only one of them create the tables.
        .query("select pg_advisory_xact_lock(7321, 1)", Vec::new())
        .query("select to_regclass('duet.about') is not null", Vec::new());
    let begun = link.trip(session, begun)?;
    let is_there = begun.get(2).and_then(|rows| rows.first());
    let mut trip = Trip::new();
    if !is_there.is_some_and(|row| row.get(0)) {
        trip = create(trip, Salt::from(random));
    }
    let trip = trip.query(ABOUT, Vec::new()).run("commit");
    let done = link.trip(session, trip)?;
    let about = first(&done)?;
    usable(about)?;
    salt(about)
}
