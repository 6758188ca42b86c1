//! How events lie in the store: those of one destination that were accepted in one commit stand in one
//! row, so that a busy store writes, reads and removes dozens at a time.
//!
//! A row's key is its destination and class, and the sequence number of its first event. Its value is the time of
//! acceptance (Unix milliseconds, 8 bytes) and then each event: its length (4 bytes) and its JSON. Numbers
//! are big-endian. Behind a row stand its marks, which say that a range of its events is settled: the row's
//! key and the range's first index (4 bytes), with the index after its last as value.
//!
//! Events repeat each other's names and addresses. Where a row holds several, what follows its time is one block of
//! LZ4, behind the length that it unpacks to (4 bytes), and the time's first bit is set.

use std::ops::Range;

use super::Error;
use crate::decide::{Class, Destination};

/// The fewest events of which a row is packed: one alone hardly becomes smaller.
const PACKED_FROM: u64 = 4;
/// Stands in the time of acceptance of a packed row.
const PACKED: i64 = i64::MIN;
/// LZ4 makes nothing smaller than this part of it.
const MOST_PACKED: usize = 256;

/// Stands in front of the keys of rows of the first class. Those of the second begin with a pixel, and so with 1.
const FIRST: u8 = 2;

/// The first bytes of the keys of rows of this class of a destination, which are no other row's.
pub(super) fn prefix(destination: &Destination, class: Class) -> Vec<u8> {
    let code = destination.test_event_code.as_deref();
    let mut prefix = match class {
        Class::First => vec![FIRST],
        Class::Second => Vec::new(),
    };
    for (part, given) in [
        (destination.pixel_id.as_str(), true),
        (code.unwrap_or_default(), code.is_some()),
    ] {
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        prefix.push(u8::from(given));
        prefix.extend_from_slice(&length.to_be_bytes());
        prefix.extend_from_slice(part.as_bytes());
    }
    prefix
}

/// The key of the row whose first event has this number.
pub(super) fn key(prefix: &[u8], sequence: u64) -> Vec<u8> {
    [prefix, &sequence.to_be_bytes()].concat()
}

/// The key of the mark on `settled` events of the row at `key`.
pub(super) fn mark(key: &[u8], settled: &Range<u32>) -> Vec<u8> {
    [key, &settled.start.to_be_bytes()].concat()
}

/// What stands at a key behind a prefix: the row's number, and for a mark the range's first index.
pub(super) fn read_key(key: &[u8], prefix: &[u8]) -> Result<(u64, Option<u32>), Error> {
    let place = key.strip_prefix(prefix).ok_or(Error::Corrupt)?;
    let (sequence, mark) = place.split_first_chunk().ok_or(Error::Corrupt)?;
    let mark = match mark {
        [] => None,
        _ => Some(u32::from_be_bytes(
            mark.try_into().map_err(|_| Error::Corrupt)?,
        )),
    };
    Ok((u64::from_be_bytes(*sequence), mark))
}

/// A row in the making.
#[derive(Debug)]
pub struct Draft {
    accepted_at_ms: i64,
    text: Vec<u8>,
    events: u64,
}

impl Draft {
    /// An empty row of events that are accepted at this time, in Unix milliseconds.
    pub fn new(accepted_at_ms: i64) -> Self {
        Self {
            accepted_at_ms,
            text: Vec::new(),
            events: 0,
        }
    }

    /// Adds an event, as JSON.
    pub fn push(&mut self, event: &[u8]) {
        // A body has at most 256 KiB, so an event's length fits by far.
        let length = u32::try_from(event.len()).unwrap_or(u32::MAX);
        self.text.extend_from_slice(&length.to_be_bytes());
        self.text.extend_from_slice(event);
        self.events += 1;
    }

    /// How many events it has.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The row as it is stored.
    pub fn into_value(self) -> Vec<u8> {
        let packed = if self.events < PACKED_FROM {
            None
        } else {
            packed(self.accepted_at_ms, &self.text)
        };
        packed.unwrap_or_else(|| [&self.accepted_at_ms.to_be_bytes()[..], &self.text].concat())
    }
}

/// The value of a packed row; `None` where that is no smaller.
fn packed(accepted_at_ms: i64, text: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(text.len()).ok()?;
    let block = lz4_flex::block::compress(text);
    let accepted = (accepted_at_ms | PACKED).to_be_bytes();
    let value = [&accepted[..], &length.to_be_bytes(), &block].concat();
    (value.len() < text.len()).then_some(value)
}

fn unpacked(packed: &[u8]) -> Option<Vec<u8>> {
    let (length, block) = packed.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    if length / MOST_PACKED > block.len() {
        return None;
    }
    let mut text = vec![0; length];
    let written = lz4_flex::block::decompress_into(block, &mut text).ok()?;
    (written == length).then_some(text)
}

/// A row that was read.
#[derive(Debug)]
pub struct Row {
    /// The number of its first event.
    pub sequence: u64,
    /// When its events were accepted, in Unix milliseconds.
    pub accepted_at_ms: i64,
    text: Vec<u8>,
    events: Vec<Range<usize>>,
}

impl Row {
    /// Reads what [`Draft::into_value`] wrote.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when it is something else.
    pub fn read(sequence: u64, value: &[u8]) -> Result<Self, Error> {
        let (accepted, behind) = value.split_first_chunk().ok_or(Error::Corrupt)?;
        let accepted = i64::from_be_bytes(*accepted);
        let text = if accepted & PACKED == 0 {
            behind.to_vec()
        } else {
            unpacked(behind).ok_or(Error::Corrupt)?
        };
        let mut events = Vec::new();
        let mut rest = text.as_slice();
        while let Some((length, behind)) = rest.split_first_chunk() {
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            let start = text.len() - behind.len();
            rest = behind.get(length..).ok_or(Error::Corrupt)?;
            events.push(start..start + length);
        }
        if !rest.is_empty() || events.is_empty() {
            return Err(Error::Corrupt);
        }
        Ok(Self {
            sequence,
            accepted_at_ms: accepted & !PACKED,
            text,
            events,
        })
    }

    /// What it holds in memory.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// How many events stand in it, settled ones included.
    pub fn events(&self) -> u32 {
        u32::try_from(self.events.len()).unwrap_or(u32::MAX)
    }

    /// The event at this place; empty where there is none.
    pub fn event(&self, index: u32) -> &[u8] {
        let range = usize::try_from(index)
            .ok()
            .and_then(|index| self.events.get(index));
        range
            .and_then(|range| self.text.get(range.clone()))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drafted_reads_back() {
        let mut draft = Draft::new(1_767_323_045_123);
        for event in ["{}", "", r#"{"name":"đơn\n"}"#] {
            draft.push(event.as_bytes());
        }
        assert_eq!(draft.events(), 3);
        let row = Row::read(7, &draft.into_value()).unwrap();
        assert_eq!((row.accepted_at_ms, row.events()), (1_767_323_045_123, 3));
        assert_eq!(row.event(2), r#"{"name":"đơn\n"}"#.as_bytes());
        assert_eq!(row.event(3), b"");
    }

    fn of_events(events: impl Iterator<Item = String>) -> Vec<u8> {
        let mut draft = Draft::new(1_767_323_045_123);
        events.for_each(|event| draft.push(event.as_bytes()));
        draft.into_value()
    }

    #[test]
    fn events_that_are_alike_are_packed_and_read_back() {
        let event = |number| format!(r#"{{"event":"Purchase","event_id":"{number}"}}"#);
        let value = of_events((0..100).map(event));
        assert!(value.len() < 100 * event(10).len() / 3, "{}", value.len());
        let row = Row::read(7, &value).unwrap();
        assert_eq!((row.accepted_at_ms, row.events()), (1_767_323_045_123, 100));
        for number in 0..100 {
            assert_eq!(row.event(number), event(number).as_bytes());
        }
        assert!(row.bytes() > 100 * event(0).len());
    }

    #[test]
    fn events_that_become_no_smaller_stay_as_they_are() {
        let bytes = |number: u8| char::from(b'a' + number).to_string();
        let value = of_events((0..4).map(bytes));
        assert_eq!(value.len(), 8 + 4 * (4 + 1));
        let row = Row::read(7, &value).unwrap();
        assert_eq!(
            (row.accepted_at_ms, row.event(3)),
            (1_767_323_045_123, &b"d"[..])
        );
    }

    #[test]
    fn a_torn_row_is_an_error() {
        for events in [1, 100] {
            let whole = of_events((0..events).map(|number| format!("{{{number}}}")));
            for end in 0..whole.len() {
                assert!(Row::read(0, &whole[..end]).is_err(), "{end} bytes");
            }
        }
        let endless = [&PACKED.to_be_bytes()[..], &[0xff; 4], &[0; 9]].concat();
        assert!(Row::read(0, &endless).is_err());
    }

    #[test]
    fn no_destinations_keys_begin_with_anothers_nor_one_classs_with_the_others() {
        let of = |pixel_id: &str, code: Option<&str>| {
            let destination = Destination {
                pixel_id: pixel_id.to_owned(),
                test_event_code: code.map(str::to_owned),
            };
            Class::ALL.map(|class| prefix(&destination, class))
        };
        let all = [
            of("P", None),
            of("P", Some("")),
            of("P", Some("T")),
            of("P", Some("T1")),
            of("P1", None),
            of("P1", Some("T")),
        ]
        .concat();
        for (index, one) in all.iter().enumerate() {
            for other in all.iter().skip(index + 1) {
                assert!(!one.starts_with(other) && !other.starts_with(one));
            }
        }
    }

    #[test]
    fn a_mark_stands_behind_its_row_and_before_the_next() {
        let (row, next) = (key(b"P", 7), key(b"P", 8));
        let mark = mark(&row, &(3..5));
        assert!(row < mark && mark < next);
        assert_eq!(read_key(&row, b"P").unwrap(), (7, None));
        assert_eq!(read_key(&mark, b"P").unwrap(), (7, Some(3)));
    }
}
