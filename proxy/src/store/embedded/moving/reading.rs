//! Reads all tables of a folder.

use std::mem;

use super::{
    super::{CHANGE, FINGERPRINTS, Tables, seen},
    Folder,
};
use crate::store::{
    Error, Most, keys,
    moving::{Each, Pair, Piece, StoredRow},
    row,
};

/// How many entries are moved at once.
const MOST: Most = Most {
    count: 10_000,
    bytes: 4 * 1024 * 1024,
};

impl Folder {
    /// Passes all contents of the folder to `each`.
    pub(super) fn pass_all(&self, each: &mut Each<'_>) -> Result<(), Error> {
        let Tables {
            dead,
            seen,
            segments,
            orders,
            history,
            about,
            ..
        } = &self.tables;
        self.read_rows(each)?;
        let mut keys = |rows: Vec<Pair>| {
            let rows = rows.iter().map(|(_, value)| seen::read_row(value));
            let keys = rows.collect::<Result<Vec<_>, _>>()?;
            each(Piece::Keys(keys.concat()))
        };
        for tag in seen::TAGS {
            pass(&mut seen.prefix([tag]), 0, &mut keys)?;
            pass(&mut segments.prefix([tag]), 0, &mut keys)?;
        }
        pass(&mut orders.prefix([]), 0, &mut |records| {
            each(Piece::Records(records))
        })?;
        pass(&mut about.prefix(CHANGE), CHANGE.len(), &mut |log| {
            let log = log.into_iter();
            let log = log.map(|(id, entry)| ([keys::CHANGE, &id].concat(), entry));
            each(Piece::Records(log.collect()))
        })?;
        if let Some(fingerprints) = about.get(FINGERPRINTS)? {
            let pair = (keys::CHANGE.to_vec(), fingerprints.to_vec());
            each(Piece::Records(vec![pair]))?;
        }
        pass(&mut dead.prefix([]), 0, &mut |letters| {
            each(Piece::Letters(letters))
        })?;
        pass(&mut history.prefix("e"), 1, &mut |ends| {
            each(Piece::Ends(ends))
        })?;
        pass(&mut history.prefix("h"), 1, &mut |hours| {
            let hours = hours.into_iter().map(|(at, hour)| Ok((time(&at)?, hour)));
            each(Piece::Hours(hours.collect::<Result<_, Error>>()?))
        })?;
        pass(&mut history.prefix("x"), 1, &mut |covered| {
            let covered = covered.into_iter().map(|(of, at)| Ok((of, time(&at)?)));
            each(Piece::Covered(covered.collect::<Result<_, Error>>()?))
        })
    }

    fn read_rows(&self, each: &mut Each<'_>) -> Result<(), Error> {
        let waiting = &self.tables.waiting;
        for place in self.tables.position()?.places {
            let lane = row::prefix(&place.destination, place.class);
            let (mut rows, mut bytes) = (Vec::<StoredRow>::new(), 0);
            for entry in waiting.prefix(&lane) {
                let (key, value) = entry.into_inner()?;
                match (row::read_key(&key, &lane)?, rows.last_mut()) {
                    // Marks follow their row.
                    ((_, Some(start)), Some(row)) => {
                        let end = value.first_chunk().ok_or(Error::Corrupt)?;
                        row.settled.extend([start, u32::from_be_bytes(*end)]);
                    }
                    ((_, Some(_)), None) => {}
                    ((id, None), _) => {
                        if bytes >= MOST.bytes {
                            each(Piece::Rows(mem::take(&mut rows)))?;
                            bytes = 0;
                        }
                        bytes += value.len();
                        rows.push(StoredRow {
                            lane: lane.clone(),
                            id,
                            settled: Vec::new(),
                            body: value.to_vec(),
                        });
                    }
                }
            }
            each(Piece::Rows(rows))?;
        }
        Ok(())
    }
}

/// Passes the entries of one kind to `each`, without the first `cut` bytes of their keys.
fn pass(
    rows: &mut dyn Iterator<Item = fjall::Guard>,
    cut: usize,
    each: &mut dyn FnMut(Vec<Pair>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut pairs = rows.map(|row| {
        let (key, value) = row.into_inner()?;
        Ok((key.get(cut..).unwrap_or_default().to_vec(), value.to_vec()))
    });
    loop {
        let some = MOST.of(pairs.by_ref(), |(key, value): &Pair| {
            key.len() + value.len()
        })?;
        if some.is_empty() {
            return Ok(());
        }
        each(some)?;
    }
}

fn time(bytes: &[u8]) -> Result<i64, Error> {
    let bytes = bytes.try_into().map_err(|_| Error::Corrupt)?;
    Ok(i64::from_be_bytes(bytes))
}
