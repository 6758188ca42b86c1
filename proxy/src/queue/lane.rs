//! The queue of one destination, for its courier. The events of each class are claimed in the sequence in which they were
//! accepted. They can be settled in any sequence.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time;

use super::{
    ends::Ends,
    group::Settlement,
    withdrawn::Withdrawn,
    writer::{Arrivals, Call, Handle, NewLane, Start},
};
use crate::{
    clock::Clock,
    decide::{Class, DeadLetter, Destination, LetterId, Named},
    history::{End, Ended, Salt, Sent, Trace},
    outcome::Outcome,
    store::{Error, LaneId, Reader, Row},
};

mod rows;

use rows::{Rows, Settled};

/// How often a lane of a shared store asks for the events of other processes while it has nothing to do.
const ASK_EVERY: Duration = Duration::from_millis(150);
/// How often a lane of a shared store looks for events whose numbers are smaller than those of events that it has already
/// read.
const LOOK_BACK_EVERY_MS: i64 = 5_000;

/// Hands out the events of one destination. There is at most one lane for each destination.
pub struct Lane {
    destination: Arc<Destination>,
    store: Arc<dyn Reader>,
    writer: Handle,
    ending: Ending,
    clock: Clock,
    arrivals: Arc<Arrivals>,
    /// The state of the store and of the lease when the lane began to read.
    start: Start,
    /// When the lane last looked back, by the clock that counts from the machine's start.
    looked_back_ms: i64,
    first: Rows,
    second: Rows,
}

/// The data that all lanes share, and that a lane needs to end events.
pub(super) struct Ending {
    /// The callers that wait for an outcome.
    pub(super) ends: Arc<Ends>,
    /// The withdrawn events, which must end without being sent.
    pub(super) withdrawn: Arc<Withdrawn>,
    /// The salt of the history's digests.
    pub(super) salt: Salt,
}

/// Events that were claimed together. All of them have the same destination and class.
#[derive(Debug)]
pub struct Batch {
    /// The events, the oldest first. There is at least one.
    pub events: Vec<Claimed>,
}

/// When the events ended, and how they had been sent before.
#[derive(Clone, Copy, Debug)]
pub struct When {
    /// The time, in Unix milliseconds.
    pub at_ms: i64,
    /// How the events had been sent before they ended.
    pub sent: Sent,
}

/// The events ended at this time and were never sent.
impl From<i64> for When {
    fn from(at_ms: i64) -> Self {
        let sent = Sent::default();
        Self { at_ms, sent }
    }
}

/// One claimed event, and its position in the queue.
#[derive(Clone, Debug)]
pub struct Claimed {
    class: Class,
    row: Arc<Row>,
    index: u32,
}

/// The size limits of one request.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most events, at least 1.
    pub events: usize,
    /// The most bytes of events.
    pub bytes: usize,
}

impl Claimed {
    /// Returns the class of the event.
    pub fn class(&self) -> Class {
        self.class
    }

    /// Returns the event as TikTok receives it, as JSON.
    pub fn event(&self) -> &[u8] {
        self.row.event(self.index)
    }

    /// Returns when the event was accepted, in Unix milliseconds.
    pub fn accepted_at_ms(&self) -> i64 {
        self.row.accepted_at_ms
    }

    fn trace(&self) -> Trace {
        self.row.trace(self.index)
    }

    /// Returns the number of the event, which no other event of the store has.
    pub(crate) fn sequence(&self) -> u64 {
        self.row.sequence + u64::from(self.index)
    }
}

impl Lane {
    pub(super) fn new(
        new: NewLane,
        store: Arc<dyn Reader>,
        writer: Handle,
        ending: Ending,
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
            ending,
            looked_back_ms: clock.boot_ms(),
            clock,
            arrivals: new.arrivals,
            start,
        }
    }

    /// Returns the destination of the events.
    pub fn destination(&self) -> &Arc<Destination> {
        &self.destination
    }

    /// Returns the clock that measures the periods of the events.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns the next events of a class, the oldest first and within `limits`, or `None` if no event is pending. If the
    /// next event alone exceeds the limit, returns only this event.
    ///
    /// # Errors
    /// [`Error::Store`] if the disk fails, [`Error::Corrupt`] if a row cannot be read, [`Error::Stopped`] if the store
    /// was opened again or if another process delivers the events now. After [`Error::Stopped`] the caller must call
    /// [`Lane::rewind`].
    pub fn claim(&mut self, class: Class, limits: Limits) -> Result<Option<Batch>, Error> {
        self.check()?;
        let (rows, store) = self.rows(class);
        rows.claim(store, limits)
    }

    /// Checks that the store was not opened again since this lane began to read, because after a reopen other rows can be
    /// pending. Also checks that in a shared store this process still delivers the events.
    fn check(&self) -> Result<(), Error> {
        let start = self.arrivals.start();
        let until = start.lease.and_then(|lease| lease.until);
        let is_over = until.is_some_and(|until| until < Instant::now());
        let goes_on = start.goes_on_from(&self.start) && !is_over;
        goes_on.then_some(()).ok_or(Error::Stopped)
    }

    /// Reads the next events of a shared store into memory, where [`Lane::claim`] finds them. Does nothing for a store
    /// that is not shared, because [`Lane::claim`] reads such a store itself.
    ///
    /// # Errors
    /// The same as those of [`Lane::claim`].
    pub async fn read_ahead(&mut self, limits: Limits) -> Result<(), Error> {
        if !self.store.is_shared() {
            return Ok(());
        }
        let start = self.arrivals.start();
        if !start.goes_on_from(&self.start) && self.first.is_empty() && self.second.is_empty() {
            self.rewind();
        }
        self.check()?;
        if start.lease.is_none() {
            return Ok(());
        }
        let now_ms = self.clock.boot_ms();
        let looks_back = now_ms - self.looked_back_ms >= LOOK_BACK_EVERY_MS;
        for rows in [&mut self.first, &mut self.second] {
            rows.fill(&self.store, limits, looks_back).await?;
        }
        if looks_back {
            self.looked_back_ms = now_ms;
        }
        Ok(())
    }

    /// Returns whether an event of this class is pending and not claimed. If no such event is in memory, reads about
    /// `bytes` bytes.
    ///
    /// # Errors
    /// The same as those of [`Lane::claim`].
    pub fn any(&mut self, class: Class, bytes: usize) -> Result<bool, Error> {
        self.check()?;
        let (rows, store) = self.rows(class);
        rows.any(store, bytes)
    }

    /// Settles claimed events of one batch with the same outcome. When this function returns, the events have left the
    /// queue, their dead letters are on disk, and the callers that wait for these events have the outcome.
    ///
    /// # Errors
    /// [`Error::Stopped`] if the disk fails, or if the events are not claimed by this lane any more. The caller must then
    /// call [`Lane::rewind`].
    pub async fn settle(
        &mut self,
        events: &[Claimed],
        outcome: &Outcome,
        when: impl Into<When>,
    ) -> Result<(), Error> {
        let Some(first) = events.first() else {
            return Ok(());
        };
        let (class, when) = (first.class(), when.into());
        let id = LetterId::new(when.at_ms, first.sequence());
        let end = (id, self.end(events, outcome, when));
        let letters = if outcome.is_dead() {
            self.letters(events, outcome, when.at_ms)?
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
            end,
            letters,
            head,
            opened: self.start.opened,
            epoch: self.start.epoch().unwrap_or_default(),
        };
        self.writer
            .ask(|answer| Call::Settle(Box::new(settlement), answer))
            .await?;
        self.rows(class).0.head = head;
        self.ending.ends.publish(&self.destination, events, outcome);
        Ok(())
    }

    /// Returns the history's record of the events.
    fn end(&self, events: &[Claimed], outcome: &Outcome, When { at_ms, sent }: When) -> End {
        let verdict = outcome.verdict();
        let ended = |claimed: &Claimed| {
            let accepted_ms = claimed.accepted_at_ms();
            Ended::of(
                claimed.event(),
                claimed.trace(),
                accepted_ms,
                &self.ending.salt,
            )
        };
        End {
            pixel_id: self.destination.pixel_id.clone(),
            is_test: self.destination.test_event_code.is_some(),
            outcome: outcome.label().to_owned(),
            code: verdict.map(|verdict| verdict.code),
            request_id: verdict.and_then(|verdict| verdict.request_id.clone()),
            at_ms,
            sent,
            events: events.iter().map(ended).collect(),
        }
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
                trace: claimed.trace(),
            };
            Ok((LetterId::new(at_ms, claimed.sequence()), letter))
        };
        events.iter().map(letter).collect()
    }

    /// Returns whether an event was withdrawn. The caller must not begin to send such an event.
    pub fn is_withdrawn(&self, event: &Claimed) -> bool {
        let withdrawn = &self.ending.withdrawn;
        if withdrawn.is_empty() {
            return false;
        }
        let text = std::str::from_utf8(event.event()).unwrap_or_default();
        withdrawn.contains(&Named::of(text).event_id)
    }

    /// Returns when the oldest pending event was accepted, in Unix milliseconds. Events that must not be sent yet count
    /// too. If no event is in memory, reads as many as a claim within `limits` would read.
    ///
    /// # Errors
    /// The same as those of [`Lane::claim`].
    pub fn oldest_ms(&mut self, limits: Limits) -> Result<Option<i64>, Error> {
        self.check()?;
        let (first, store) = self.rows(Class::First);
        let first = first.oldest_ms(store, limits.bytes)?;
        let (second, store) = self.rows(Class::Second);
        let second = second.oldest_ms(store, limits.bytes)?;
        Ok(first.into_iter().chain(second).min())
    }

    /// Gives up all claims. Events that were claimed but not settled will be claimed again.
    pub fn rewind(&mut self) {
        let start = self.arrivals.start();
        if !start.goes_on_from(&self.start) {
            self.start = start;
            self.first.head = start.head;
            self.second.head = start.head;
        }
        self.first.rewind();
        self.second.rewind();
    }

    /// Waits until an event may have arrived since the last call of this function, or until `within` is over.
    pub async fn arrival(&self, within: Option<Duration>) {
        let arrived = self.arrivals.notify.notified();
        let within = if self.store.is_shared() {
            Some(within.map_or(ASK_EVERY, |within| within.min(ASK_EVERY)))
        } else {
            within
        };
        match within {
            None => arrived.await,
            Some(within) => {
                let _ = time::timeout(within, arrived).await;
            }
        }
    }

    /// Returns the rows of a class, and the store from which a claim can read more. Returns no store if it is shared,
    /// because its rows must be read ahead.
    fn rows(&mut self, class: Class) -> (&mut Rows, Option<&dyn Reader>) {
        let rows = match class {
            Class::First => &mut self.first,
            Class::Second => &mut self.second,
        };
        (rows, (!self.store.is_shared()).then_some(&*self.store))
    }
}

#[cfg(test)]
impl Lane {
    /// Returns the next first-class events, or the next second-class events if there are no first-class events.
    pub(super) fn claim_next(&mut self, limits: Limits) -> Result<Option<Batch>, Error> {
        match self.claim_of(Class::First, limits)? {
            None => self.claim_of(Class::Second, limits),
            first => Ok(first),
        }
    }

    /// Does what [`Lane::claim`] does, but also reads directly from a shared store.
    pub(super) fn claim_of(
        &mut self,
        class: Class,
        limits: Limits,
    ) -> Result<Option<Batch>, Error> {
        self.check()?;
        let store = Arc::clone(&self.store);
        self.rows(class).0.claim(Some(&*store), limits)
    }

    /// Whether this process delivers the events.
    pub(super) fn is_leased(&self) -> bool {
        self.arrivals.start().lease.is_some()
    }

    /// Returns how many events were read but are not settled.
    pub(super) fn read(&self) -> u32 {
        self.first.read() + self.second.read()
    }
}
