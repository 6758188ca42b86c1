//! The part of the store for callers that only read.

use std::ops::Range;

use super::{Error, LaneId, Position, Process, Row};
use crate::{
    decide::{DeadLetter, HeldEvent, LetterId, Logged, Payment},
    history::{Digest, End, Hour, Wanted},
    orders::Order,
};

/// The store for callers that only read. Every method reads from the disk or the database, and can block.
pub trait Reader: Send + Sync {
    /// Returns rows of a lane from row number `from` on, and stops after `bytes` or more. Leaves out rows that cannot be
    /// read.
    ///
    /// # Errors
    /// [`Error::Stopped`] while the store is not open, and the errors of the disk. All methods of this trait return these
    /// errors.
    fn rows(&self, lane: &LaneId, from: u64, bytes: usize) -> Result<Vec<Found>, Error>;

    /// Returns whether other processes write to the same store. A shared store is on another machine, so every read takes
    /// time. In a shared store, a new row can have a smaller number than rows that were read before.
    fn is_shared(&self) -> bool {
        false
    }

    /// Returns the processes that have written to the same store in the last hour. Returns no processes if the store is not
    /// shared.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn processes(&self) -> Result<Vec<Process>, Error> {
        Ok(Vec::new())
    }

    /// Returns the rows of a lane that have a number below `before` and are not in `known`. A store that is not shared
    /// returns no rows.
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

    /// Returns dead letters, the newest first. With `before`, returns only letters before this one.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn letters(&self, before: Option<LetterId>, most: Most) -> Result<Letters, Error>;

    /// Returns the dead letter with this id.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn letter(&self, id: LetterId) -> Result<Option<DeadLetter>, Error>;

    /// Returns the ids of dead letters, the oldest first. With `after`, returns only ids after this one.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn letter_ids(&self, after: Option<LetterId>, most: Most) -> Result<Vec<LetterId>, Error>;

    /// Returns the position of the queue.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn place(&self) -> Result<Position, Error>;

    /// Returns the payments of the order with this id, and the payments whose bank reference is this id.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn payments_of(&self, id: &str) -> Result<Vec<Payment>, Error>;

    /// Returns the ids of the orders whose ids look like this id in a memo. Two ids look alike if their letters and digits,
    /// in capitals, are the same.
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

    /// Returns the payment with this id. `id` can be the payment's own id, or another id under which its provider can
    /// report the payment.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn payment(&self, provider: &str, id: &str) -> Result<Option<Payment>, Error>;

    /// Returns the records of ended events, the newest first. With `before`, returns only records before this one.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn ends(&self, before: Option<LetterId>, most: Most) -> Result<Ends, Error>;

    /// Returns when the events of the oldest record in the history ended, in Unix milliseconds.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn oldest_end(&self) -> Result<Option<i64>, Error>;

    /// Searches the whole history, the newest records first, until `most` events are found. The returned records contain
    /// only the events that were searched for.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn find_ends(&self, wanted: &Wanted, most: usize) -> Result<Ends, Error>;

    /// Returns the hours that start in this range, each with its start. All times are in Unix milliseconds.
    ///
    /// # Errors
    /// The same as those of [`Reader::rows`].
    fn hours(&self, starts: Range<i64>) -> Result<Vec<(i64, Hour)>, Error>;

    /// Returns when the history's records of this order were removed, in Unix milliseconds, or `None` if no records were
    /// removed.
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

/// How many entries are read at once. Reading stops at the limit that is reached first.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// The largest number of entries.
    pub count: usize,
    /// The largest number of bytes, approximately.
    pub bytes: usize,
}

impl Most {
    /// Returns the first items until a limit is reached. Returns at least one item, unless there are none. `length`
    /// returns the size of an item.
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

/// A row, and the ranges of its events that are settled.
pub type Found = (Row, Vec<Range<u32>>);

/// The records of ended events. The id of each record is the id that the dead letter of its first event has or would have.
pub type Ends = Vec<(LetterId, End)>;

/// Dead letters with their ids.
pub type Letters = Vec<(LetterId, DeadLetter)>;
