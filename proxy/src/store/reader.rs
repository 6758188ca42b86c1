//! The store for callers that only read.

use std::ops::Range;

use super::{Error, LaneId, Position, Process, Row};
use crate::{
    decide::{DeadLetter, HeldEvent, LetterId, Logged, Payment},
    history::{Digest, End, Hour, Wanted},
    orders::Order,
};

/// A store for callers that only read. Every method reads from the disk and can block.
pub trait Reader: Send + Sync {
    /// Returns rows of a lane from number `from` on, until they have `bytes` or more. Leaves out rows that cannot be read.
    ///
    /// # Errors
    /// [`Error::Stopped`] while the store is not open, and the errors of the disk. The same holds for all methods here.
    fn rows(&self, lane: &LaneId, from: u64, bytes: usize) -> Result<Vec<Found>, Error>;

    /// Returns whether other processes write to the same store. Such a store is on another machine, so every read takes time. It
    /// also gets rows whose numbers are smaller than those of earlier rows.
    fn is_shared(&self) -> bool {
        false
    }

    /// Returns the processes that have written to the same store in the last hour. None if no other process can use it.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn processes(&self) -> Result<Vec<Process>, Error> {
        Ok(Vec::new())
    }

    /// Returns the rows of a lane before number `before` that are not `known`. A store of one process has none.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn late(&self, _lane: &LaneId, _before: u64, _known: &[u64]) -> Result<Vec<Found>, Error> {
        Ok(Vec::new())
    }

    /// Returns the order with this id, even if it has expired.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn order(&self, id: &str) -> Result<Option<Order>, Error>;

    /// Returns every payment.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn payments(&self) -> Result<Vec<Payment>, Error>;

    /// Returns dead letters, the newest first: the letters before `before`, or all letters.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn letters(&self, before: Option<LetterId>, most: Most) -> Result<Letters, Error>;

    /// Returns the dead letter with this id.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn letter(&self, id: LetterId) -> Result<Option<DeadLetter>, Error>;

    /// Returns the ids of dead letters, the oldest first: the ids after `after`, or all ids.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn letter_ids(&self, after: Option<LetterId>, most: Most) -> Result<Vec<LetterId>, Error>;

    /// Returns the position of the queue.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn place(&self) -> Result<Position, Error>;

    /// Returns the payments of the order with this id, and the payments with this bank's reference.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn payments_of(&self, id: &str) -> Result<Vec<Payment>, Error>;

    /// Returns the ids of the orders that look like this one in a memo: their letters and digits in capitals are the same.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn orders_like(&self, id: &str) -> Result<Vec<String>, Error>;

    /// Returns the id of the order with this digest. Reads the ids of all orders.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn order_of(&self, digest: Digest) -> Result<Option<String>, Error>;

    /// Returns the held events whose stored text contains one of `texts`.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn find_held(&self, texts: &[String]) -> Result<Vec<HeldEvent>, Error>;

    /// Returns the payment with this id, also if the provider reports it under another id.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn payment(&self, provider: &str, id: &str) -> Result<Option<Payment>, Error>;

    /// Returns ended events of the history, the newest first: the ends before `before`, or all.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn ends(&self, before: Option<LetterId>, most: Most) -> Result<Ends, Error>;

    /// Returns when the oldest end of the history ended, in Unix milliseconds.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn oldest_end(&self) -> Result<Option<i64>, Error>;

    /// Searches the whole history, the newest first, until `most` events are found. The ends have only the events that were
    /// searched for.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn find_ends(&self, wanted: &Wanted, most: usize) -> Result<Ends, Error>;

    /// Returns the hours that start in this range, in Unix milliseconds.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn hours(&self, starts: Range<i64>) -> Result<Vec<(i64, Hour)>, Error>;

    /// Returns when the history's records of this order were removed, in Unix milliseconds.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn covered(&self, order: Digest) -> Result<Option<i64>, Error>;

    /// Returns the entries of the change log, and the fingerprints of the last start.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn change_log(&self) -> Result<Logged, Error>;
}

/// How much is read at once. The limit that is reached first counts.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// The largest number of entries.
    pub count: usize,
    /// The largest number of bytes, approximately.
    pub bytes: usize,
}

impl Most {
    /// Returns as many of `items` as the limits allow, and at least one. `length` returns the size of an item.
    pub(super) fn of<T>(
        self,
        items: impl Iterator<Item = Result<T, Error>>,
        length: impl Fn(&T) -> usize,
    ) -> Result<Vec<T>, Error> {
        let mut taken = Vec::new();
        let mut bytes = 0;
        for item in items.take(self.count) {
            let item = item?;
            bytes += length(&item);
            taken.push(item);
            if bytes >= self.bytes {
                break;
            }
        }
        Ok(taken)
    }
}

/// A row, and the ranges of its settled events.
pub type Found = (Row, Vec<Range<u32>>);

/// Ended events with the ids of their first events.
pub type Ends = Vec<(LetterId, End)>;

/// Dead letters with their ids.
pub type Letters = Vec<(LetterId, DeadLetter)>;
