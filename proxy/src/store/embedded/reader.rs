//! The reads of lanes, operators and pages.

use std::ops::Range;

use super::{Embedded, history, records};
use crate::{
    decide::{DeadLetter, HeldEvent, LetterId, Logged, Lookup, Payment},
    history::{Digest, Hour, Wanted},
    orders::Order,
    store::{Ends, Error, Found, LaneId, Letters, Most, Position, Reader, row},
};

impl Reader for Embedded {
    fn rows(&self, lane: &LaneId, from: u64, bytes: usize) -> Result<Vec<Found>, Error> {
        let prefix = row::prefix(&lane.destination, lane.class);
        self.tables()?.rows(&prefix, from, bytes)
    }

    fn order(&self, id: &str) -> Result<Option<Order>, Error> {
        records::order(&self.tables()?.orders, id)
    }

    fn payments(&self) -> Result<Vec<Payment>, Error> {
        records::payments(&self.tables()?.orders)
    }

    fn letters(&self, before: Option<LetterId>, most: Most) -> Result<Letters, Error> {
        let length = |(_, letter): &(LetterId, DeadLetter)| letter.event.get().len();
        most.of(self.tables()?.letters(before), length)
    }

    fn letter(&self, id: LetterId) -> Result<Option<DeadLetter>, Error> {
        self.tables()?.letter(id)
    }

    fn letter_ids(&self, after: Option<LetterId>, most: Most) -> Result<Vec<LetterId>, Error> {
        let ids = most.of(self.tables()?.letter_ids(after), |(_, length)| *length)?;
        Ok(ids.into_iter().map(|(id, _)| id).collect())
    }

    fn place(&self) -> Result<Position, Error> {
        self.tables()?.position()
    }

    fn payments_of(&self, id: &str) -> Result<Vec<Payment>, Error> {
        records::payments_of(&self.tables()?.orders, id)
    }

    fn orders_like(&self, id: &str) -> Result<Vec<String>, Error> {
        records::found(&self.tables()?.orders, &Lookup::code(id))
    }

    fn order_of(&self, digest: Digest) -> Result<Option<String>, Error> {
        let tables = self.tables()?;
        records::order_of(&tables.orders, digest, tables.salt()?)
    }

    fn find_held(&self, texts: &[String]) -> Result<Vec<HeldEvent>, Error> {
        records::find_held(&self.tables()?.orders, texts)
    }

    fn payment(&self, provider: &str, id: &str) -> Result<Option<Payment>, Error> {
        records::payment_told(&self.tables()?.orders, provider, id)
    }

    fn ends(&self, before: Option<LetterId>, most: Most) -> Result<Ends, Error> {
        history::ends(&self.tables()?.history, before, most)
    }

    fn oldest_end(&self) -> Result<Option<i64>, Error> {
        history::oldest(&self.tables()?.history)
    }

    fn find_ends(&self, wanted: &Wanted, most: usize) -> Result<Ends, Error> {
        history::find(&self.tables()?.history, wanted, most)
    }

    fn hours(&self, starts: Range<i64>) -> Result<Vec<(i64, Hour)>, Error> {
        history::hours(&self.tables()?.history, starts)
    }

    fn covered(&self, order: Digest) -> Result<Option<i64>, Error> {
        history::covered(&self.tables()?.history, order)
    }

    fn change_log(&self) -> Result<Logged, Error> {
        self.tables()?.change_log()
    }
}
