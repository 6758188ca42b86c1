//! Reads all tables of a database, through a cursor for each table.

use std::mem;

use tokio_postgres::Row;

use super::{
    super::{add_hours, link::Trip, loaded::number, uuid::Uuid},
    Contents, LIMIT,
};
use crate::store::{
    Error,
    moving::{Each, Pair, Piece, StoredRow},
};

impl Contents {
    /// Passes all contents of the database to `each`.
    pub(super) fn pass_all(&self, each: &mut Each<'_>) -> Result<(), Error> {
        let rows = "declare piece cursor for select lane, id, settled, body from duet.waiting order by lane, id";
        self.fetch(rows, "fetch 50 from piece", &mut |rows| {
            let row = |row: &Row| StoredRow {
                lane: row.get(0),
                id: number(row.get(1)),
                settled: row
                    .get::<_, Vec<i32>>(2)
                    .into_iter()
                    .map(i32::unsigned_abs)
                    .collect(),
                body: row.get(3),
            };
            each(Piece::Rows(rows.iter().map(row).collect()))
        })?;
        let keys = "declare piece cursor for select key, until from duet.seen";
        self.fetch(keys, "fetch 10000 from piece", &mut |rows| {
            let keys = rows
                .iter()
                .map(|row| (row.get::<_, Uuid>(0).into(), row.get(1)));
            each(Piece::Keys(keys.collect()))
        })?;
        let records = "declare piece cursor for select key, value from duet.records order by key";
        self.fetch_pairs(records, &mut |records| each(Piece::Records(records)))?;
        let letters = "declare piece cursor for select id, value from duet.dead order by id";
        self.fetch_pairs(letters, &mut |letters| each(Piece::Letters(letters)))?;
        let ends = "declare piece cursor for select id, value from duet.ends order by id";
        self.fetch_pairs(ends, &mut |ends| each(Piece::Ends(ends)))?;
        let covered = "declare piece cursor for select digest, at_ms from duet.covered";
        self.fetch(covered, "fetch 10000 from piece", &mut |rows| {
            let covered = rows.iter().map(|row| (row.get(0), row.get(1)));
            each(Piece::Covered(covered.collect()))
        })?;
        // Each proxy has its own row for an hour. The rows of the last hour in one piece can continue in the next
        // piece, so this hour is passed on only with the next piece.
        let mut sums = Vec::new();
        let mut pass = |sums: Vec<(i64, _)>| {
            let hours = sums.into_iter().map(|(start_ms, hour)| {
                let hour = serde_json::to_vec(&hour).map_err(|_| Error::Unwritable)?;
                Ok((start_ms, hour))
            });
            each(Piece::Hours(hours.collect::<Result<_, Error>>()?))
        };
        let hours = "declare piece cursor for select start_ms, value from duet.hours order by start_ms, slot";
        self.fetch(hours, "fetch 200 from piece", &mut |rows| {
            add_hours(&mut sums, rows)?;
            let last = sums.split_off(sums.len().saturating_sub(1));
            pass(mem::replace(&mut sums, last))
        })?;
        pass(sums)
    }

    /// Passes the rows of a query to `each`, in pieces.
    fn fetch(
        &self,
        declare: &'static str,
        fetch: &'static str,
        each: &mut dyn FnMut(&[Row]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.done(Trip::within(LIMIT).run(declare))?;
        loop {
            let trip = Trip::within(LIMIT).query(fetch, Vec::new());
            let rows = self.link.trip(&self.session, trip)?;
            let rows: Vec<_> = rows.into_iter().flatten().collect();
            if rows.is_empty() {
                return self.done(Trip::new().run("close piece"));
            }
            each(&rows)?;
        }
    }

    fn fetch_pairs(
        &self,
        declare: &'static str,
        each: &mut dyn FnMut(Vec<Pair>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.fetch(declare, "fetch 200 from piece", &mut |rows| {
            each(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
        })
    }
}
