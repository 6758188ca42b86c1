//! The queue of one destination, as its courier sees it: events of either class are claimed in order and settled in any.

use std::{sync::Arc, time::Duration};

use tokio::time;

use super::{
    ends::Ends,
    group::Settlement,
    writer::{Arrivals, Call, Handle, NewLane},
};
use crate::{
    clock::Clock,
    decide::{Class, DeadLetter, Destination, LetterId},
    outcome::Outcome,
    store::{Error, LaneId, Reader, Row},
};

mod rows;

use rows::{Rows, Settled};

/// Gives out the events of one destination. At most one exists for each.
pub struct Lane {
    destination: Arc<Destination>,
    store: Arc<dyn Reader>,
    writer: Handle,
    ends: Arc<Ends>,
    clock: Clock,
    arrivals: Arc<Arrivals>,
    /// How often the store had been opened when this lane began to read.
    opened: u64,
    first: Rows,
    second: Rows,
}

/// Events that were claimed together; all have one destination and one class.
#[derive(Debug)]
pub struct Batch {
    /// The events, oldest first; at least one.
    pub events: Vec<Claimed>,
}

/// One claimed event and its place in the queue.
#[derive(Clone, Debug)]
pub struct Claimed {
    class: Class,
    row: Arc<Row>,
    index: u32,
}

/// How much travels in one request.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most events, at least 1.
    pub events: usize,
    /// The most bytes of events.
    pub bytes: usize,
}

impl Claimed {
    /// How urgent it is.
    pub fn class(&self) -> Class {
        self.class
    }

    /// The event as TikTok gets it: JSON.
    pub fn event(&self) -> &[u8] {
        self.row.event(self.index)
    }

    /// When it was accepted, in Unix milliseconds.
    pub fn accepted_at_ms(&self) -> i64 {
        self.row.accepted_at_ms
    }

    fn sequence(&self) -> u64 {
        self.row.sequence + u64::from(self.index)
    }
}

impl Lane {
    pub(super) fn new(
        new: NewLane,
        store: Arc<dyn Reader>,
        writer: Handle,
        ends: Arc<Ends>,
        clock: Clock,
    ) -> Self {
        let start = new.arrivals.start();
        let rows = |class| {
            let destination = Arc::clone(&new.destination);
            Rows::new(LaneId { destination, class }, start.head)
        };
        Self {
            first: rows(Class::First),
            second: rows(Class::Second),
            destination: new.destination,
            store,
            writer,
            ends,
            clock,
            arrivals: new.arrivals,
            opened: start.opened,
        }
    }

    /// Where its events go.
    pub fn destination(&self) -> &Arc<Destination> {
        &self.destination
    }

    /// What the periods of its events are counted by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The next events of a class in order, within `limits`; `None` when none waits. An event that is larger than
    /// the limit on its own comes alone.
    ///
    /// # Errors
    /// [`Error::Store`] when the disk refuses, [`Error::Corrupt`] when a row does not read back, [`Error::Stopped`] after
    /// the store was opened again; then [`Lane::rewind`] is due.
    pub fn claim(&mut self, class: Class, limits: Limits) -> Result<Option<Batch>, Error> {
        self.check()?;
        let (rows, store) = self.rows(class);
        rows.claim(store, limits)
    }

    /// Whether the store is the one that was read: after it was opened again, other rows may wait.
    fn check(&self) -> Result<(), Error> {
        let is_same = self.arrivals.start().opened == self.opened;
        is_same.then_some(()).ok_or(Error::Stopped)
    }

    /// Whether an event of this class waits that is not claimed. Where none has been read, about so many bytes are read.
    ///
    /// # Errors
    /// As [`Lane::claim`].
    pub fn any(&mut self, class: Class, bytes: usize) -> Result<bool, Error> {
        self.check()?;
        let (rows, store) = self.rows(class);
        rows.any(store, bytes)
    }

    /// Ends claimed events of one batch, all in one way. When this returns they are out of the queue, dead letters are
    /// on disk, and whoever waits for one of them knows.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the disk refuses; then [`Lane::rewind`] is due.
    pub async fn settle(
        &mut self,
        events: &[Claimed],
        outcome: &Outcome,
        at_ms: i64,
    ) -> Result<(), Error> {
        let Some(class) = events.first().map(Claimed::class) else {
            return Ok(());
        };
        let letters = if outcome.is_dead() {
            self.letters(events, outcome, at_ms)?
        } else {
            Vec::new()
        };
        let Settled {
            removed,
            marked,
            head,
        } = self.rows(class).0.settle(events);
        let settlement = Settlement {
            lane: LaneId {
                destination: Arc::clone(&self.destination),
                class,
            },
            events: events.len() as u64,
            outcome: outcome.label(),
            removed,
            marked,
            letters,
            head,
            opened: self.opened,
        };
        self.writer
            .ask(|answer| Call::Settle(settlement, answer))
            .await?;
        self.rows(class).0.head = head;
        self.ends.publish(&self.destination, events, outcome);
        Ok(())
    }

    fn letters(
        &self,
        events: &[Claimed],
        outcome: &Outcome,
        at_ms: i64,
    ) -> Result<Vec<(LetterId, DeadLetter)>, Error> {
        let verdict = outcome.verdict();
        let letter = |claimed: &Claimed| {
            let event = serde_json::from_slice(claimed.event()).map_err(|_| Error::Corrupt)?;
            let letter = DeadLetter {
                outcome: outcome.label().to_owned(),
                ended_at_ms: at_ms,
                code: verdict.map(|verdict| verdict.code),
                message: verdict.map(|verdict| verdict.message.clone()),
                request_id: verdict.and_then(|verdict| verdict.request_id.clone()),
                accepted_at_ms: claimed.accepted_at_ms(),
                destination: Arc::clone(&self.destination),
                event,
            };
            Ok((LetterId::new(at_ms, claimed.sequence()), letter))
        };
        events.iter().map(letter).collect()
    }

    /// When the oldest event that waits was accepted, in Unix milliseconds. Where none was read, some are, as for a
    /// claim within `limits`: what may not be sent yet waits all the same.
    ///
    /// # Errors
    /// As [`Lane::claim`].
    pub fn oldest_ms(&mut self, limits: Limits) -> Result<Option<i64>, Error> {
        self.check()?;
        let first = self.first.oldest_ms(&*self.store, limits.bytes)?;
        let second = self.second.oldest_ms(&*self.store, limits.bytes)?;
        Ok(first.into_iter().chain(second).min())
    }

    /// Gives up every claim: what was claimed and not settled is claimed again.
    pub fn rewind(&mut self) {
        let start = self.arrivals.start();
        if start.opened != self.opened {
            self.opened = start.opened;
            self.first.head = start.head;
            self.second.head = start.head;
        }
        self.first.rewind();
        self.second.rewind();
    }

    /// Returns when something may have arrived since the last call, or this time is over.
    pub async fn arrival(&self, within: Option<Duration>) {
        let arrived = self.arrivals.notify.notified();
        match within {
            None => arrived.await,
            Some(within) => {
                let _ = time::timeout(within, arrived).await;
            }
        }
    }

    fn rows(&mut self, class: Class) -> (&mut Rows, &dyn Reader) {
        let rows = match class {
            Class::First => &mut self.first,
            Class::Second => &mut self.second,
        };
        (rows, &*self.store)
    }
}

#[cfg(test)]
impl Lane {
    /// The next events of the class that is due: of the second when nothing of the first waits.
    pub(super) fn claim_next(&mut self, limits: Limits) -> Result<Option<Batch>, Error> {
        match self.claim(Class::First, limits)? {
            None => self.claim(Class::Second, limits),
            first => Ok(first),
        }
    }

    /// How many events were read and are not settled.
    pub(super) fn read(&self) -> u32 {
        self.first.read() + self.second.read()
    }
}
