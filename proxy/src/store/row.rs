//! The format of events in the store. Events of one destination that were accepted in one commit share a row. A busy store thus
//! writes, reads and removes dozens of events at a time.
//!
//! The key of a row is its destination and class, and the sequence number of its first event. The value of a row is the
//! time of acceptance (Unix milliseconds, 8 bytes), and then the length (4 bytes) and the JSON of each event. Numbers are
//! big-endian.
//!
//! Marks follow their row. A mark states that a range of the row's events is settled. The key of a mark is the row's key
//! and the first index of the range (4 bytes). The value of a mark is the index after the range.
//!
//! A row also stores how each event arrived: after the event's JSON come a line feed and the text of its [`Trace`]. The
//! JSON that the proxy writes contains no line feed. Rows of format 6 and older have no traces.
//!
//! The events of a row often have the same names and addresses, so a row with several events gets much smaller when it
//! is packed. In a packed row, the first bit of the time is set. After the time come the length of the unpacked data (4
//! bytes) and one block of LZ4.

use std::ops::Range;

use super::Error;
use crate::{
    decide::{Class, Destination},
    history::Trace,
};

/// The smallest number of events in a packed row. A row with fewer events hardly gets smaller.
const PACKED_FROM: u64 = 4;
/// The byte between an event and its trace.
const BEFORE_TRACE: u8 = b'\n';
/// The bit of the time that marks a packed row.
const PACKED: i64 = i64::MIN;
/// LZ4 can make data smaller by at most this factor.
const MOST_PACKED: usize = 256;

/// The first byte of the keys of first-class rows. The keys of second-class rows begin with the pixel, whose first byte is
/// always 1.
const FIRST: u8 = 2;

/// Returns the first bytes of the keys of all rows of this destination and class. No other key starts with these bytes.
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

/// Returns the key of the row whose first event has this number.
pub(super) fn key(prefix: &[u8], sequence: u64) -> Vec<u8> {
    [prefix, &sequence.to_be_bytes()].concat()
}

/// Returns the key of the mark that states that the range `settled` of the row at `key` is settled.
pub(super) fn mark(key: &[u8], settled: &Range<u32>) -> Vec<u8> {
    [key, &settled.start.to_be_bytes()].concat()
}

/// Reads the part of a key after `prefix`: the row's number, and for a mark also the first index of its range.
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

/// A row to which events are added.
#[derive(Debug)]
pub struct Draft {
    accepted_at_ms: i64,
    text: Vec<u8>,
    events: u64,
}

impl Draft {
    /// Returns an empty row for events that are accepted at this time, in Unix milliseconds.
    pub fn new(accepted_at_ms: i64) -> Self {
        Self {
            accepted_at_ms,
            text: Vec::new(),
            events: 0,
        }
    }

    /// Adds an event, as JSON, and how the event arrived.
    pub fn push(&mut self, event: &[u8], trace: &Trace) {
        let start = self.text.len();
        self.text.extend_from_slice(&[0; 4]);
        self.text.extend_from_slice(event);
        self.text.push(BEFORE_TRACE);
        trace.write(&mut self.text);
        // A request body has at most 256 KiB, so the length of an event always fits.
        let length = u32::try_from(self.text.len() - start - 4).unwrap_or(u32::MAX);
        let place = self.text.iter_mut().skip(start);
        for (byte, digit) in place.zip(length.to_be_bytes()) {
            *byte = digit;
        }
        self.events += 1;
    }

    /// Returns how many events the row has.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Returns the row in its stored form.
    pub fn into_value(self) -> Vec<u8> {
        let packed = if self.events < PACKED_FROM {
            None
        } else {
            packed(self.accepted_at_ms, &self.text)
        };
        packed.unwrap_or_else(|| [&self.accepted_at_ms.to_be_bytes()[..], &self.text].concat())
    }
}

/// Returns the value of a packed row, or `None` if packing does not make it smaller.
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
    /// The number of the row's first event.
    pub sequence: u64,
    /// When the events were accepted, in Unix milliseconds.
    pub accepted_at_ms: i64,
    text: Vec<u8>,
    events: Vec<Range<usize>>,
}

impl Row {
    /// Reads a value that [`Draft::into_value`] wrote.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the value has another form.
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

    /// Returns how many bytes of memory the row uses.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Returns the text of all events of the row, including settled events, for a search.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Returns how many events the row has, including settled events.
    pub fn events(&self) -> u32 {
        u32::try_from(self.events.len()).unwrap_or(u32::MAX)
    }

    /// Returns the event at this index, or an empty slice if the row has no such event.
    pub fn event(&self, index: u32) -> &[u8] {
        let stored = self.stored(index);
        stored.get(..trace_at(stored)).unwrap_or(stored)
    }

    /// Returns how the event at this index arrived.
    pub fn trace(&self, index: u32) -> Trace {
        let stored = self.stored(index);
        let text = stored.get(trace_at(stored) + 1..).unwrap_or_default();
        Trace::read(std::str::from_utf8(text).unwrap_or_default())
    }

    fn stored(&self, index: u32) -> &[u8] {
        let range = usize::try_from(index)
            .ok()
            .and_then(|index| self.events.get(index));
        range
            .and_then(|range| self.text.get(range.clone()))
            .unwrap_or_default()
    }
}

/// Returns the position of the byte before the trace in a stored event, or the length of the stored event if it has no
/// trace.
fn trace_at(stored: &[u8]) -> usize {
    let at = stored.iter().rposition(|byte| *byte == BEFORE_TRACE);
    at.unwrap_or(stored.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Sender;

    #[test]
    fn what_is_drafted_reads_back() {
        let mut draft = Draft::new(1_767_323_045_123);
        for event in ["{}", "", r#"{"name":"đơn\n"}"#] {
            draft.push(event.as_bytes(), &Trace::default());
        }
        assert_eq!(draft.events(), 3);
        let row = Row::read(7, &draft.into_value()).unwrap();
        assert_eq!((row.accepted_at_ms, row.events()), (1_767_323_045_123, 3));
        assert_eq!(row.event(2), r#"{"name":"đơn\n"}"#.as_bytes());
        assert_eq!(row.event(3), b"");
    }

    fn of_events(events: impl Iterator<Item = String>) -> Vec<u8> {
        let mut draft = Draft::new(1_767_323_045_123);
        events.for_each(|event| draft.push(event.as_bytes(), &Trace::default()));
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
    fn an_event_keeps_its_trace_and_a_row_without_traces_is_read() {
        let mut draft = Draft::new(1);
        let traces = [Trace::default(), Trace::new(Sender::Server, None, &[])];
        for trace in &traces {
            draft.push(b"{}", trace);
        }
        let row = Row::read(7, &draft.into_value()).unwrap();
        for (index, trace) in (0..).zip(traces) {
            assert_eq!((row.event(index), row.trace(index)), (&b"{}"[..], trace));
        }
        let former = [&1_i64.to_be_bytes()[..], &2_u32.to_be_bytes(), b"{}"].concat();
        let row = Row::read(7, &former).unwrap();
        assert_eq!((row.event(0), row.trace(0)), (&b"{}"[..], Trace::default()));
    }

    #[test]
    fn events_that_become_no_smaller_stay_as_they_are() {
        let bytes = |number: u8| char::from(b'a' + number).to_string();
        let value = of_events((0..4).map(bytes));
        assert_eq!(value.len(), 8 + 4 * (4 + 1 + 3));
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
