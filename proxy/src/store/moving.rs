//! Moves the contents of a folder into a database, or back.
//!
//! Proxies must never use the same contents in both places. The source decides which place they use:
//!
//! 1. The target is marked as unfinished, so that no proxy starts on the target. Then the target gets a copy of
//!    everything. A database gets the mark and the copy in one transaction. Until step 2, the source stays the place that
//!    proxies use. If a move was interrupted before step 2, the next move removes the copy and begins again.
//! 2. The source is marked as moved, with the name of the target. From then on no proxy starts on the source.
//! 3. The target is marked as finished. If a move was interrupted between steps 2 and 3, the next move does only step 3.
//!
//! Every mark is on disk before the next step. The move also copies the salt of the history's digests. By the salt, a later
//! move recognises the source to which an unfinished target belongs.

use std::{fmt, path::Path};

use super::{Database, Error, Position, embedded, postgres};
use crate::{decide::DedupKey, history::Salt};

/// The state of a folder or a database, which decides whether proxies use it.
#[derive(Clone)]
pub(super) enum Standing {
    /// The place has no contents.
    Empty,
    /// Proxies use the place.
    Used(Salt),
    /// A move into the place has not finished.
    Unfinished(Salt),
    /// The contents of the place were moved to the named other place.
    Left(Salt, String),
}

/// The function that receives the contents, piece by piece.
pub(super) type Each<'a> = dyn FnMut(Piece) -> Result<(), Error> + 'a;

/// A folder or a database, as the source or the target of a move. The open [`Side`] locks the folder or the database,
/// so that no proxy uses it during the move.
pub(super) trait Side {
    /// Returns the name of the place, for operators.
    fn name(&self) -> String;
    fn standing(&self) -> Result<Standing, Error>;
    fn position(&self) -> Result<Position, Error>;
    /// Passes all contents to `each`, piece by piece.
    fn read(&self, each: &mut Each<'_>) -> Result<(), Error>;
    /// Marks the place as unfinished, removes its contents, and writes the position.
    fn begin(&mut self, salt: Salt, position: &Position) -> Result<(), Error>;
    fn write(&mut self, piece: Piece) -> Result<(), Error>;
    /// Waits until everything that was written is on disk.
    fn sync(&mut self) -> Result<(), Error>;
    /// Marks the place as moved to the place with this name.
    fn leave(&mut self, to: &str) -> Result<(), Error>;
    /// Marks the place as finished.
    fn finish(&mut self) -> Result<(), Error>;
}

/// Some entries of one kind, in the form that both the folder and the database use.
pub(super) enum Piece {
    Rows(Vec<StoredRow>),
    /// Deduplication keys, each with the time until which it is remembered, in Unix seconds.
    Keys(Vec<(DedupKey, i64)>),
    Records(Vec<Pair>),
    Letters(Vec<Pair>),
    Ends(Vec<Pair>),
    /// Hours, each with its start in Unix milliseconds.
    Hours(Vec<(i64, Vec<u8>)>),
    /// The digests of orders whose records were removed, each with the time of the removal in Unix milliseconds.
    Covered(Vec<(Vec<u8>, i64)>),
}

/// A key and its value.
pub(super) type Pair = (Vec<u8>, Vec<u8>);

/// A row of pending events.
#[cfg_attr(test, derive(Debug, PartialEq, Eq, PartialOrd, Ord))]
pub(super) struct StoredRow {
    pub(super) lane: Vec<u8>,
    pub(super) id: u64,
    /// The settled ranges, one after the other: for each range its first index, and the index after its last event.
    pub(super) settled: Vec<u32>,
    pub(super) body: Vec<u8>,
}

/// How many entries of each kind were moved.
#[derive(Debug, Default)]
pub struct Moved {
    pending: u64,
    held: usize,
    orders: usize,
    payments: usize,
    letters: usize,
    ended: u64,
    hours: usize,
    keys: usize,
}

/// Moves the contents of a stopped proxy's folder into an empty database. Returns `None` if an earlier move had already
/// copied everything, and only the last step was missing.
///
/// # Errors
/// [`Error::Move`] if the state of the folder or of the database does not allow a move. Also the errors of opening and
/// using the folder and the database.
pub fn to_database(folder: &Path, database: &Database) -> Result<Option<Moved>, Error> {
    let mut from = embedded::Folder::open(folder)?;
    carry(&mut from, &mut postgres::Contents::open(database)?)
}

/// Moves the contents of a database that no proxy uses into an empty folder.
///
/// # Errors
/// The same as those of [`to_database`].
pub fn to_folder(database: &Database, folder: &Path) -> Result<Option<Moved>, Error> {
    let mut from = postgres::Contents::open(database)?;
    carry(&mut from, &mut embedded::Folder::open(folder)?)
}

fn carry(from: &mut dyn Side, to: &mut dyn Side) -> Result<Option<Moved>, Error> {
    let (source, target) = (from.name(), to.name());
    let refused = |why: String| Err(Error::Move(why));
    let salt = match (from.standing()?, to.standing()?) {
        (Standing::Used(salt), Standing::Empty) => salt,
        (Standing::Used(salt), Standing::Unfinished(of)) if salt == of => salt,
        (Standing::Left(salt, _), Standing::Unfinished(of)) if salt == of => {
            to.finish()?;
            return Ok(None);
        }
        (Standing::Left(salt, _), Standing::Used(of)) if salt == of => return Ok(None),
        (Standing::Left(_, place), _) => return refused(left(&source, &place)),
        (Standing::Unfinished(_), _) => return refused(unfinished(&source)),
        (Standing::Empty, _) => {
            return refused(format!("{source} is empty: there is nothing to move"));
        }
        (Standing::Used(_), Standing::Unfinished(_)) => {
            return refused(format!(
                "{target} has the unfinished copy of another store; finish that move, or name another target"
            ));
        }
        (Standing::Used(_), Standing::Used(_) | Standing::Left(..)) => {
            return refused(format!(
                "{target} is not empty, and a move would mix two stores; name an empty target, or remove the contents of {target}"
            ));
        }
    };
    let position = from.position()?;
    let mut moved = Moved {
        pending: position.waiting(),
        ..Moved::default()
    };
    to.begin(salt, &position)?;
    from.read(&mut |piece| {
        moved.count(&piece);
        to.write(piece)
    })?;
    to.sync()?;
    from.leave(&target)?;
    to.finish()?;
    Ok(Some(moved))
}

/// Returns the error message for a place whose contents were moved elsewhere.
pub(super) fn left(name: &str, place: &str) -> String {
    format!(
        "the contents of {name} were moved to {place}; set DUET_QUEUE and DUET_DATA_DIR for that place"
    )
}

/// Returns the error message for a place into which a move has not finished.
pub(super) fn unfinished(name: &str) -> String {
    format!("a move into {name} has not finished; run the same `duet-proxy move` again")
}

impl Moved {
    fn count(&mut self, piece: &Piece) {
        match piece {
            // The number of pending events comes from the position, so these pieces are not counted.
            Piece::Rows(_) | Piece::Covered(_) => {}
            Piece::Keys(keys) => self.keys += keys.len(),
            Piece::Records(records) => {
                for (key, _) in records {
                    match key.first() {
                        Some(b'o') => self.orders += 1,
                        Some(b'p') => self.payments += 1,
                        Some(b'h') => self.held += 1,
                        _ => {}
                    }
                }
            }
            Piece::Letters(letters) => self.letters += letters.len(),
            Piece::Ends(ends) => {
                self.ended += ends
                    .iter()
                    .map(|(_, end)| u64::from(events_in(end)))
                    .sum::<u64>();
            }
            Piece::Hours(hours) => self.hours += hours.len(),
        }
    }
}

/// Returns the number of events of an end in its stored form.
pub(super) fn events_in(end: &[u8]) -> u32 {
    end.first_chunk()
        .map_or(0, |events| u32::from_be_bytes(*events))
}

impl fmt::Display for Moved {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pending,
            held,
            orders,
            payments,
            letters,
            ended,
            hours,
            keys,
        } = self;
        write!(
            out,
            "{pending} pending events, {held} held events, {orders} orders, {payments} payments, {letters} dead letters, {ended} ended events, {hours} hours of counts for the console, {keys} keys that recognise repeated events"
        )
    }
}

#[cfg(test)]
mod tests;
