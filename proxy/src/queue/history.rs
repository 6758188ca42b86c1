//! The part of the queue for the history of ended events.

use std::{ops::Range, sync::Arc};

use duet_events::wire::Status;
use memchr::memmem::Finder;
use serde::Deserialize;

use crate::{
    decide::{DeadLetter, Destination, LetterId, Payment},
    history::{Digest, Ended, Hour, Salt, Trace, Wanted},
    live::Answered,
    store::{Ends, Error, LaneId, Most, Process, Reader},
};

/// How many bytes of pending events are read at a time.
const PART_BYTES: usize = 1024 * 1024;

/// The history. Every method reads from the disk, so the caller must not call it on the runtime's thread.
#[derive(Clone)]
pub struct History {
    store: Arc<dyn Reader>,
    salt: Salt,
}

/// An event that waits for its payment or for its delivery.
#[derive(Clone, Debug)]
pub struct Found {
    /// The event as TikTok will receive it, as JSON.
    pub event: Vec<u8>,
    /// How the event arrived.
    pub trace: Trace,
    /// When the event was accepted, in Unix milliseconds.
    pub accepted_ms: i64,
    /// The event's destination.
    pub destination: Arc<Destination>,
    /// Whether the event waits for its payment.
    pub is_held: bool,
    /// The event's name.
    pub name: String,
    /// The event's id.
    pub event_id: String,
    /// The order that the event names.
    pub order_id: Option<String>,
    /// The event's number in the queue. `None` if it waits for its payment.
    pub number: Option<u64>,
}

impl History {
    pub(super) fn new(store: Arc<dyn Reader>, salt: Salt) -> Self {
        Self { store, salt }
    }

    /// Returns whether other processes write to the same store.
    pub(super) fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    /// Returns the processes that have written to the same database in the last hour. Returns no processes if the store
    /// is not shared.
    ///
    /// # Errors
    /// The same as those of [`History::page`].
    pub fn processes(&self) -> Result<Vec<Process>, Error> {
        self.store.processes()
    }

    /// Returns the salt of the digests.
    pub fn salt(&self) -> Salt {
        self.salt
    }

    /// Returns records of ended events, the newest first. With `before`, returns records before this one, else the
    /// newest. The records contain about `most` events in total.
    ///
    /// # Errors
    /// [`Error::Stopped`] or [`Error::Store`] if the disk fails. All methods of this type return these errors.
    pub fn page(&self, before: Option<LetterId>, most: usize) -> Result<Ends, Error> {
        let most = Most {
            count: most,
            bytes: usize::MAX,
        };
        self.store.ends(before, most)
    }

    /// Searches the whole history, the newest records first, until `most` events are found. The returned records contain
    /// only the events that were searched for. The search takes less than a second for a million events.
    ///
    /// # Errors
    /// The same as those of [`History::page`].
    pub fn find(&self, wanted: &Wanted, most: usize) -> Result<Ends, Error> {
        self.store.find_ends(wanted, most)
    }

    /// Returns the counts of the hours that start in this range, each with its start. All times are in Unix milliseconds.
    ///
    /// # Errors
    /// The same as those of [`History::page`].
    pub fn hours(&self, starts: Range<i64>) -> Result<Vec<(i64, Hour)>, Error> {
        self.store.hours(starts)
    }

    /// Returns when the oldest event of the history ended, in Unix milliseconds, or `None` if the history is empty.
    ///
    /// # Errors
    /// The same as those of [`History::page`].
    pub fn oldest_ms(&self) -> Result<Option<i64>, Error> {
        self.store.oldest_end()
    }

    /// Returns when an operator removed the records of this order, in Unix milliseconds, or `None` if nobody has removed
    /// them.
    ///
    /// # Errors
    /// The same as those of [`History::page`].
    pub fn removed(&self, order_id: &str) -> Result<Option<i64>, Error> {
        self.store.covered(self.salt.order(order_id))
    }

    /// Returns the payment with this id. `id` can be the payment's own id, or another id under which its provider can
    /// report the payment.
    ///
    /// # Errors
    /// The same as those of [`History::page`].
    pub fn payment(&self, provider: &str, id: &str) -> Result<Option<Payment>, Error> {
        self.store.payment(provider, id)
    }

    /// Returns the payments of the order with this id, and the payments whose bank reference is this id.
    ///
    /// # Errors
    /// The same as those of [`History::page`].
    pub fn payments_of(&self, id: &str) -> Result<Vec<Payment>, Error> {
        self.store.payments_of(id)
    }

    /// Returns the dead letter with this id.
    ///
    /// # Errors
    /// The same as those of [`History::page`].
    pub fn letter(&self, id: LetterId) -> Result<Option<DeadLetter>, Error> {
        self.store.letter(id)
    }

    /// Returns the id of the order with this digest. Reads the ids of all orders.
    ///
    /// # Errors
    /// The same as those of [`History::page`].
    pub fn order_of(&self, digest: Digest) -> Result<Option<String>, Error> {
        self.store.order_of(digest)
    }

    /// Returns the events that wait for a payment or for their delivery, and that have this `event_id` or name this
    /// order. Reads all waiting events, but parses only the events that contain one of the two ids.
    ///
    /// # Errors
    /// The same as those of [`History::page`].
    pub fn waiting(&self, event_id: &str, order_id: &str) -> Result<Vec<Found>, Error> {
        // Events are stored without blanks between a field and its value.
        let text = |field, id: &str| format!("\"{field}\":{}", serde_json::Value::from(id));
        let texts = [text("event_id", event_id), text("order_id", order_id)];
        let held = self.store.find_held(&texts)?.into_iter().map(|held| Found {
            is_held: true,
            order_id: Some(held.order_id),
            ..Found::of(
                held.event.get().as_bytes(),
                held.trace,
                held.held_at_ms,
                held.destination,
            )
        });
        let mut found: Vec<_> = held.collect();
        let finders = texts.each_ref().map(Finder::new);
        for place in self.store.place()?.places {
            let lane = LaneId {
                destination: place.destination,
                class: place.class,
            };
            self.waiting_in(&lane, place.head, &finders, &mut found)?;
        }
        found.retain(|found| {
            found.event_id == event_id || found.order_id.as_deref() == Some(order_id)
        });
        Ok(found)
    }

    fn waiting_in(
        &self,
        lane: &LaneId,
        head: u64,
        finders: &[Finder<'_>],
        found: &mut Vec<Found>,
    ) -> Result<(), Error> {
        let mut next = head;
        loop {
            let rows = self.store.rows(lane, next, PART_BYTES)?;
            let Some((last, _)) = rows.last() else {
                return Ok(());
            };
            next = last.sequence + 1;
            for (row, settled) in rows {
                let is_in = |text: &[u8]| finders.iter().any(|finder| finder.find(text).is_some());
                if !is_in(row.text()) {
                    continue;
                }
                let waits = |index: &u32| !settled.iter().any(|range| range.contains(index));
                let contains = |index: &u32| is_in(row.event(*index));
                let events = (0..row.events()).filter(waits).filter(contains);
                found.extend(events.map(|index| {
                    let destination = Arc::clone(&lane.destination);
                    let (trace, at_ms) = (row.trace(index), row.accepted_at_ms);
                    Found {
                        number: Some(row.sequence + u64::from(index)),
                        ..Found::of(row.event(index), trace, at_ms, destination)
                    }
                }));
            }
        }
    }
}

impl Found {
    pub(super) fn of(
        event: &[u8],
        trace: Trace,
        accepted_ms: i64,
        destination: Arc<Destination>,
    ) -> Self {
        let named: Named = serde_json::from_slice(event).unwrap_or_default();
        Self {
            event: event.to_vec(),
            trace,
            accepted_ms,
            destination,
            is_held: false,
            name: named.event,
            event_id: named.event_id,
            order_id: named.properties.order_id,
            number: None,
        }
    }

    /// Returns the event as a note for the live view, with the status "accepted".
    pub(super) fn note(self, salt: &Salt) -> Answered {
        let ended = Ended::of(&self.event, self.trace, self.accepted_ms, salt);
        Answered {
            at_ms: self.accepted_ms,
            status: Status::Accepted,
            event: ended.event,
            event_id: self.event_id,
            name: ended.name,
            order_id: self.order_id,
            pixel_id: self.destination.pixel_id.clone(),
            is_test: self.destination.test_event_code.is_some(),
            happened_s: ended.happened_s,
            keys: ended.keys,
            trace: ended.trace,
            value: ended.value,
        }
    }
}

/// The names and ids in an event's JSON.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    event: String,
    event_id: String,
    properties: Properties,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Properties {
    order_id: Option<String>,
}
