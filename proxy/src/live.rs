//! Notes about events as they happen, for a live view.
//!
//! A note costs the proxy one atomic read while nobody listens. If the listener is too slow, the channel is full, and the proxy
//! drops the note and counts its events. Neither a request nor a delivery ever waits for the listener.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

use duet_events::wire::Status;
use tokio::sync::mpsc;

use crate::{
    history::{Digest, End, Keys, Trace},
    money::Money,
};

/// The largest number of notes that wait for the listener.
const WAITING: usize = 4096;

/// The channel of the notes. The channel has one listener, which can pass the notes on to several viewers.
#[derive(Debug, Default)]
pub struct Live {
    notes: OnceLock<mpsc::Sender<Note>>,
    dropped: [AtomicU64; 3],
}

/// A note about one event, or about events that ended together.
#[derive(Clone, Debug)]
pub enum Note {
    /// The proxy accepted or held an event, or recognised a repeat.
    Answered(Box<Answered>),
    /// The proxy rejected an event.
    Rejected(Box<Rejected>),
    /// Events ended together. The digest of an event's `event_id` connects this note with the event's first note.
    Ended(Box<End>),
}

/// An event that the proxy accepted or held, or a repeat of an event that it had accepted before.
#[derive(Clone, Debug)]
pub struct Answered {
    /// When the proxy answered, in Unix milliseconds.
    pub at_ms: i64,
    /// The answer: accepted, held, or duplicate.
    pub status: Status,
    /// The digest of the `event_id`, as in the history.
    pub event: Digest,
    /// The `event_id`.
    pub event_id: String,
    /// The name of the event.
    pub name: String,
    /// The order that the event names.
    pub order_id: Option<String>,
    /// The pixel that receives the event.
    pub pixel_id: String,
    /// Whether the event is a test event.
    pub is_test: bool,
    /// When the event happened, in Unix seconds.
    pub happened_s: i64,
    /// The match keys that TikTok receives.
    pub keys: Keys,
    /// How the event arrived.
    pub trace: Trace,
    /// The value of the event.
    pub value: Option<Money>,
}

/// An event that the proxy rejected.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// When the proxy answered, in Unix milliseconds.
    pub at_ms: i64,
    /// The sender's own `event_id`, if it is readable.
    pub event_id: Option<String>,
    /// The field and the rule of each error.
    pub errors: Vec<(String, String)>,
}

/// Counts the events whose notes the proxy dropped because the listener was too slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// The events of [`Note::Answered`].
    pub answered: u64,
    /// The events of [`Note::Rejected`].
    pub rejected: u64,
    /// The events of [`Note::Ended`].
    pub ended: u64,
}

impl Live {
    /// Starts to listen. Returns `None` if somebody listens already.
    pub fn listen(&self) -> Option<mpsc::Receiver<Note>> {
        let (sender, notes) = mpsc::channel(WAITING);
        self.notes.set(sender).ok()?;
        Some(notes)
    }

    /// Returns whether anybody listens.
    pub fn is_on(&self) -> bool {
        self.notes.get().is_some_and(|notes| !notes.is_closed())
    }

    /// Sends a note to the listener. If nobody listens, `note` is not called.
    pub fn publish(&self, note: impl FnOnce() -> Note) {
        let Some(notes) = self.notes.get().filter(|notes| !notes.is_closed()) else {
            return;
        };
        match notes.try_reserve() {
            Ok(place) => place.send(note()),
            Err(_) => self.drop_one(&note()),
        }
    }

    /// Returns how many events' notes were dropped since the start.
    pub fn dropped(&self) -> Dropped {
        let [answered, rejected, ended] = &self.dropped;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Dropped {
            answered: read(answered),
            rejected: read(rejected),
            ended: read(ended),
        }
    }

    fn drop_one(&self, note: &Note) {
        let [answered, rejected, ended] = &self.dropped;
        let (count, events) = match note {
            Note::Answered(_) => (answered, 1),
            Note::Rejected(_) => (rejected, 1),
            Note::Ended(end) => (ended, end.events.len() as u64),
        };
        count.fetch_add(events, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note() -> Note {
        Note::Rejected(Box::new(Rejected {
            at_ms: 1,
            event_id: None,
            errors: Vec::new(),
        }))
    }

    #[test]
    fn a_full_channel_drops_and_counts_and_a_listener_gets_the_rest() {
        let live = Live::default();
        live.publish(|| unreachable!("nobody listens"));
        let mut notes = live.listen().unwrap();
        assert!(live.listen().is_none());
        for _ in 0..WAITING + 3 {
            live.publish(note);
        }
        assert_eq!(live.dropped().rejected, 3);
        let mut heard = 0;
        while notes.try_recv().is_ok() {
            heard += 1;
        }
        assert_eq!(heard, WAITING);
        live.publish(note);
        assert!(notes.try_recv().is_ok());
        drop(notes);
        live.publish(|| unreachable!("the listener has gone"));
        assert_eq!(
            live.dropped(),
            Dropped {
                rejected: 3,
                ..Dropped::default()
            }
        );
    }
}
