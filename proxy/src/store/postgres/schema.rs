//! The tables in the database, and what the database must promise.
//!
//! | Table | Contents |
//! |---|---|
//! | `about` | the format, and the salt of the history's digests |
//! | `waiting` | rows of pending events (see [`row`](crate::store::row)), with the ranges that are settled |
//! | `seen` | deduplication keys, and until when they are remembered (s) |
//! | `records` | orders, payments, names and held events (see [`keys`](crate::store::keys)) |
//! | `dead` | dead letters as JSON |
//! | `ends`, `hours`, `covered` | the history (see [`end`](crate::store::end)); each proxy has its own hours |
//! | `leases` | which proxy delivers the events of a destination, and which removes expired entries |
//! | `slots` | one for each running proxy, with its part of the numbers of pending and held events |
//! | `numbers` | the numbers of events; each commit gets a block of them |

use tokio_postgres::{Row, types::Type};

use super::{
    link::{Link, Session, Trip, value},
    options::Replication,
};
use crate::{history::Salt, store::Error};

/// The format that this version writes and reads.
pub(super) const FORMAT: i32 = 1;
/// The oldest version of PostgreSQL that is supported.
const OLDEST: i32 = 140_000;
const SCHEMA: &str = include_str!("schema.sql");

/// Checks that the database keeps a commit once it has answered.
pub(super) fn check(link: &Link, session: &Session) -> Result<(), Error> {
    let trip = Trip::new().query(
        "select current_setting('server_version_num')::int, current_setting('fsync'), current_setting('full_page_writes'),
         current_setting('synchronous_commit'), current_setting('synchronous_standby_names')",
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
    let [fsync, pages, commit, names]: [String; 4] = [1, 2, 3, 4].map(|column| row.get(column));
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
    match replication {
        Replication::Standby => {
            if names.trim().is_empty() {
                wrong.push("synchronous_standby_names must name a standby, or DUET_QUEUE must have replication=storage (a service that replicates below the database) or replication=none (one disk may fail with all events)");
            }
            if !["on", "remote_apply"].contains(&commit.as_str()) {
                wrong.push("synchronous_commit must be on");
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

/// Returns the format of the tables, if there are any.
pub(super) fn format(link: &Link, session: &Session) -> Result<Option<i32>, Error> {
    let is_there = Trip::new().query("select to_regclass('duet.about') is not null", Vec::new());
    let is_there = link.trip(session, is_there)?;
    if !is_there.iter().flatten().any(|row| row.get(0)) {
        return Ok(None);
    }
    let format = Trip::new().query("select format from duet.about", Vec::new());
    let format = link.trip(session, format)?;
    let found = format.iter().flatten().next().map(|row| row.get(0));
    found.map_or(Err(Error::Corrupt), known).map(Some)
}

fn known(found: i32) -> Result<i32, Error> {
    if found == FORMAT {
        return Ok(found);
    }
    Err(Error::Unsuitable(format!(
        "it has format {found}, this version reads format {FORMAT}; use the version that wrote it"
    )))
}

/// Creates the tables if there are none, and returns the salt of the history's digests.
pub(super) fn prepare(link: &Link, session: &Session) -> Result<Salt, Error> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| Error::Folder(std::io::Error::other(error)))?;
    let begun = Trip::new()
        .run("begin; set local lock_timeout = '4s'")
        // Two proxies may start at the same time.
        .query("select pg_advisory_xact_lock(7321, 1)", Vec::new())
        .query("select to_regclass('duet.about') is not null", Vec::new());
    let begun = link.trip(session, begun)?;
    let is_there = begun.get(2).and_then(|rows| rows.first());
    let mut trip = Trip::new();
    if !is_there.is_some_and(|row| row.get(0)) {
        trip = trip.run(SCHEMA).query(
            "insert into duet.about(format, salt) values ($1, $2)",
            vec![value(FORMAT, Type::INT4), value(salt.to_vec(), Type::BYTEA)],
        );
    }
    let trip = trip
        .query("select format, salt from duet.about", Vec::new())
        .run("commit");
    let done = link.trip(session, trip)?;
    let about = done.iter().find_map(|rows| rows.first());
    let about = about.ok_or(Error::Corrupt)?;
    let found: i32 = about.get(0);
    known(found)?;
    let salt: Vec<u8> = about.get(1);
    let salt = <[u8; 16]>::try_from(salt.as_slice()).map_err(|_| Error::Corrupt)?;
    Ok(Salt::from(salt))
}
