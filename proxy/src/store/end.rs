//! The stored form of ended events, and the marks of orders whose records were removed.

use std::{borrow::Cow, collections::BTreeMap};

use super::Error;
use crate::history::{End, Ended};

/// JSON of this size or more is packed.
const PACKED_FROM: usize = 512;

/// The digests of the orders whose records were removed, each with the time of the removal in Unix milliseconds.
pub(super) type Covered = BTreeMap<Vec<u8>, i64>;

/// Returns whether an event that ended at this time belongs to an order whose records were removed later.
pub(super) fn is_covered(covered: &Covered, ended: &Ended, at_ms: i64) -> bool {
    let order = ended.order.as_ref().filter(|_| !covered.is_empty());
    let since = order.and_then(|order| covered.get(order.as_bytes().as_slice()));
    since.is_some_and(|since| at_ms <= *since)
}

/// Returns an end in its stored form: the number of its events, a length, and the JSON. If the JSON is packed with LZ4,
/// the length is the length of the unpacked JSON. Otherwise the length is 0.
pub(super) fn packed(end: &End) -> Result<Vec<u8>, Error> {
    let text = serde_json::to_vec(end).map_err(|_| Error::Unwritable)?;
    let events = u32::try_from(end.events.len()).unwrap_or(u32::MAX);
    let length = u32::try_from(text.len()).map_err(|_| Error::Unwritable)?;
    let (length, text) = if text.len() < PACKED_FROM {
        (0, text)
    } else {
        (length, lz4_flex::block::compress(&text))
    };
    Ok([&events.to_be_bytes()[..], &length.to_be_bytes(), &text].concat())
}

pub(super) fn text(value: &[u8]) -> Result<Cow<'_, [u8]>, Error> {
    let text = value.get(4..).and_then(|rest| rest.split_first_chunk());
    let (length, text) = text.ok_or(Error::Corrupt)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Error::Corrupt)?;
    if length == 0 {
        return Ok(Cow::Borrowed(text));
    }
    // LZ4 makes data smaller by at most this factor.
    if length / 256 > text.len() {
        return Err(Error::Corrupt);
    }
    let text = lz4_flex::block::decompress(text, length).map_err(|_| Error::Corrupt)?;
    Ok(Cow::Owned(text))
}

pub(super) fn read(value: &[u8]) -> Result<End, Error> {
    serde_json::from_slice(&text(value)?).map_err(|_| Error::Corrupt)
}
