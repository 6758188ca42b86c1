//! Builds one commit from a group of calls. The commit writes all changes of these calls, or none.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use crate::{
    clock::Times,
    decide::{
        Changes, Counts, DeadLetter, Decision, Destination, Layered, LetterId, Notice, Records,
        TakeBack,
    },
    history::{End, Trace},
    limits,
    store::{Commit, Draft, Error, LaneId, NewRow, Position, Settled, Store},
};

/// Settled events, as the store needs them.
#[derive(Debug)]
pub(super) struct Settlement {
    /// The lane of the events.
    pub(super) lane: LaneId,
    pub(super) events: u64,
    /// The name of the events' outcome.
    pub(super) outcome: &'static str,
    /// Rows that have no pending events any more. The ranges name the marks of the row, which are removed with it.
    pub(super) removed: Vec<(u64, Vec<Range<u32>>)>,
    /// Rows that still have other pending events, with the range that is settled now.
    pub(super) marked: Vec<(u64, Range<u32>)>,
    /// The history's record of the events. Its id is the id that the dead letter of the first event has or would have.
    pub(super) end: (LetterId, End),
    /// Dead letters.
    pub(super) letters: Vec<(LetterId, DeadLetter)>,
    /// The first row of this class that can have pending events.
    pub(super) head: u64,
    /// How often the store had been opened when the events were claimed.
    pub(super) opened: u64,
    /// The epoch of the lease under which the events were claimed.
    pub(super) epoch: u64,
}

pub(super) struct Group<'a, S> {
    store: &'a mut S,
    position: &'a mut Position,
    times: Times,
    /// New rows, one for each lane.
    drafts: Vec<(LaneId, Draft)>,
    settled: Vec<Settled>,
    /// The outcome of each entry of `settled`, in the same order.
    outcomes: Vec<&'static str>,
    records: Records,
    numbers: u64,
    counts: Counts,
    notices: Vec<Notice>,
    restored: Vec<String>,
    let_go: Vec<LetGo>,
    probes: bool,
    sync: bool,
}

/// An event that a payment or a registration sends. Because no page's request sent the event, no answer to a page reports
/// it.
pub(super) struct LetGo {
    pub(super) event: Vec<u8>,
    pub(super) trace: Trace,
    pub(super) destination: Arc<Destination>,
}

/// The result of a commit.
pub(super) struct Committed {
    /// Whether the commit was synced to disk.
    pub(super) synced: bool,
    /// The destinations that have new events.
    pub(super) arrivals: Vec<Arc<Destination>>,
    /// The ids of events whose withdrawal was removed. If an id is also in `withdrawn`, the event is withdrawn again.
    pub(super) restored: Vec<String>,
    /// The ids of withdrawn events.
    pub(super) withdrawn: Vec<String>,
    /// The events that payments and registrations send.
    pub(super) let_go: Vec<LetGo>,
    /// The ended events.
    pub(super) ends: BTreeMap<LetterId, End>,
    /// The counts for the metrics.
    pub(super) counts: Counts,
}

/// A commit that failed.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) error: Error,
    /// The commit's changes, which may be in the store all the same.
    pub(super) uncertain: Option<Box<Uncertain>>,
}

/// The changes of a commit of which it is unknown whether it was written.
#[derive(Debug)]
pub(super) struct Uncertain {
    /// A dead letter of the commit. If the store contains this letter, it contains the whole commit.
    pub(super) letter: LetterId,
    pub(super) ends: BTreeMap<LetterId, End>,
    pub(super) counts: Counts,
    /// How many events of which destination were settled, with their outcome.
    pub(super) settled: Vec<(Arc<Destination>, &'static str, u64)>,
    notices: Vec<Notice>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self {
            error,
            uncertain: None,
        }
    }
}

impl<'a, S: Store> Group<'a, S> {
    pub(super) fn new(store: &'a mut S, position: &'a mut Position, times: Times) -> Self {
        Self {
            store,
            position,
            times,
            drafts: Vec::new(),
            settled: Vec::new(),
            outcomes: Vec::new(),
            records: Records::default(),
            numbers: 0,
            counts: Counts::default(),
            notices: Vec::new(),
            restored: Vec::new(),
            let_go: Vec::new(),
            probes: false,
            sync: false,
        }
    }

    /// Decides about a call, and adds the changes of the call to the commit. If the call itself is faulty, the call
    /// changes nothing. The other calls of the commit are not affected.
    ///
    /// # Errors
    /// An error if the disk fails.
    pub(super) fn carry_out<'c, D: Decision<'c>>(
        &mut self,
        call: &D,
    ) -> Result<Result<D::Reply, Error>, Error> {
        self.decide(call, |_, _| {})
    }

    /// Does what [`Group::carry_out_durably`] does, and adds the events that the call sends to [`Committed::let_go`].
    ///
    /// # Errors
    /// An error if the disk fails.
    pub(super) fn carry_out_noted<'c, D: Decision<'c>>(
        &mut self,
        call: &D,
    ) -> Result<Result<D::Reply, Error>, Error> {
        self.sync = true;
        self.decide(call, |group, changes| {
            let let_go = changes.arrivals.iter().map(|arrival| LetGo {
                event: arrival.event.to_vec(),
                trace: arrival.trace.clone(),
                destination: Arc::clone(&arrival.destination),
            });
            group.let_go.extend(let_go);
        })
    }

    fn decide<'c, D: Decision<'c>>(
        &mut self,
        call: &D,
        note: impl FnOnce(&mut Self, &Changes<'_>),
    ) -> Result<Result<D::Reply, Error>, Error> {
        let books = Layered {
            below: &*self.store,
            above: &self.records,
            numbers: self.numbers,
        };
        match call.decide(&books, self.times) {
            Ok((changes, reply)) => {
                note(self, &changes);
                self.take(changes);
                Ok(Ok(reply))
            }
            Err(error) if error.is_of_the_disk() => Err(error),
            Err(error) => {
                tracing::error!(error = ?error, "a request to the store failed, because the data of the request or a stored record is faulty; the request has changed nothing");
                Ok(Err(error))
            }
        }
    }

    /// Does what [`Group::carry_out`] does, and makes the commit sync. When the caller gets the answer, everything that
    /// the call has read or changed is on disk.
    ///
    /// # Errors
    /// An error if the disk fails.
    pub(super) fn carry_out_durably<'c, D: Decision<'c>>(
        &mut self,
        call: &D,
    ) -> Result<Result<D::Reply, Error>, Error> {
        self.sync = true;
        self.carry_out(call)
    }

    fn take(&mut self, changes: Changes<'_>) {
        for arrival in changes.arrivals {
            let lane = LaneId {
                destination: arrival.destination,
                class: arrival.class,
            };
            self.draft(lane).push(&arrival.event, &arrival.trace);
        }
        self.records.extend(changes.records);
        self.numbers += changes.numbers;
        self.counts.extend(&changes.counts);
        self.notices.extend(changes.notices);
        self.restored.extend(changes.restored);
    }

    /// Returns the letters with these ids. Skips letters that do not exist or cannot be read.
    ///
    /// # Errors
    /// An error if the disk fails.
    pub(super) fn letters(&self, ids: &[LetterId]) -> Result<Vec<(LetterId, DeadLetter)>, Error> {
        let mut letters = Vec::with_capacity(ids.len());
        for id in ids {
            match self.store.letter(*id) {
                Ok(letter) => letters.extend(letter.map(|letter| (*id, letter))),
                Err(error) if error.is_of_the_disk() => return Err(error),
                Err(_) => tracing::error!(
                    id = %id,
                    "dead letter cannot be read and is not sent again; remove it with `dead-letters drop`"
                ),
            }
        }
        Ok(letters)
    }

    /// Adds settled events to the commit. If another process delivers the events now, adds nothing and returns false.
    ///
    /// # Errors
    /// An error if the disk fails.
    pub(super) fn settle(&mut self, settlement: Settlement) -> Result<bool, Error> {
        let Settlement {
            lane,
            events,
            outcome,
            removed,
            marked,
            end: (id, end),
            letters,
            head,
            opened: _,
            epoch,
        } = settlement;
        if !self.store.may_settle(&lane.destination, epoch)? {
            return Ok(false);
        }
        self.sync |= !letters.is_empty();
        for (id, letter) in letters {
            // If the order cannot be read, the event still ends.
            let _ = self.carry_out(&TakeBack(&letter))?;
            self.records.letters.insert(id, Some(letter));
        }
        if let Some(place) = self.position.place(&lane) {
            place.waiting = place.waiting.saturating_sub(events);
            place.head = head;
        }
        self.counts.ended(outcome, events);
        self.records.ends.insert(id, end);
        self.outcomes.push(outcome);
        self.settled.push(Settled {
            lane,
            events,
            removed,
            marked,
        });
        Ok(true)
    }

    /// Makes the commit write something and sync it, even if there are no other changes.
    pub(super) fn probe(&mut self) {
        self.probes = true;
        self.sync = true;
    }

    /// Makes an idle store write and sync the time at intervals, so that the next start can detect a clock that is ahead, also
    /// after a power cut.
    pub(super) fn note_time(&mut self) {
        let (now, before) = (self.times.confirmed_ms, self.position.written_ms);
        if now > before.map(|before| before.saturating_add(limits::NOTE_TIME_EVERY_MS)) {
            self.probe();
        }
    }

    /// Writes the commit.
    ///
    /// # Errors
    /// [`Failed`] if the disk fails.
    pub(super) fn commit(self) -> Result<Committed, Failed> {
        let position = self.position;
        position.next += self.numbers;
        position.held = position.held.saturating_add_signed(self.counts.held);
        let mut arrivals = Vec::with_capacity(self.drafts.len());
        let mut rows = Vec::with_capacity(self.drafts.len());
        for (lane, draft) in self.drafts {
            let sequence = position.next;
            position.next += draft.events();
            position.arrived(&lane, sequence, draft.events());
            arrivals.push(Arc::clone(&lane.destination));
            rows.push(NewRow {
                lane,
                sequence,
                draft,
            });
        }
        let withdrawn = self.records.withdrawn().cloned().collect();
        let mut commit = Commit {
            rows,
            settled: self.settled,
            records: self.records,
            probe_ms: self.probes.then_some(self.times.stamp_ms),
            sync: self.sync,
            position,
        };
        let is_empty = commit.is_empty();
        if is_empty {
            self.store.finish(self.sync)?;
        } else {
            commit.position.places.retain(|place| place.waiting > 0);
            let confirmed_ms = self.times.confirmed_ms;
            commit.position.written_ms = confirmed_ms.or(commit.position.written_ms);
            if let Err(error) = self.store.write(&mut commit) {
                let uncertain = commit.a_letter().map(|letter| {
                    let settled = commit.settled.iter().zip(self.outcomes);
                    let settled = settled.map(|(settled, outcome)| {
                        let destination = Arc::clone(&settled.lane.destination);
                        (destination, outcome, settled.events)
                    });
                    Box::new(Uncertain {
                        letter,
                        settled: settled.collect(),
                        ends: commit.records.ends,
                        counts: self.counts,
                        notices: self.notices,
                    })
                });
                return Err(Failed { error, uncertain });
            }
        }
        self.notices.iter().for_each(log);
        Ok(Committed {
            synced: self.sync && !is_empty,
            arrivals,
            restored: self.restored,
            withdrawn,
            let_go: self.let_go,
            ends: commit.records.ends,
            counts: self.counts,
        })
    }

    fn draft(&mut self, lane: LaneId) -> &mut Draft {
        let at = self.drafts.iter().position(|(known, _)| {
            let same = Arc::ptr_eq(&known.destination, &lane.destination);
            known.class == lane.class && (same || known.destination == lane.destination)
        });
        let at = at.unwrap_or_else(|| {
            let draft = Draft::new(self.times.stamp_ms);
            self.drafts.push((lane, draft));
            self.drafts.len() - 1
        });
        #[allow(clippy::indexing_slicing, reason = "found or pushed just above")]
        &mut self.drafts[at].1
    }
}

impl Uncertain {
    /// Logs the notices of the commit. The caller must have found the commit in the store.
    pub(super) fn log(&self) {
        self.notices.iter().for_each(log);
    }
}

fn log(notice: &Notice) {
    match notice {
        Notice::Unreported { order_id, outcome } => tracing::error!(
            order_id,
            outcome,
            "a paid order is not reported: TikTok does not have the order's event; look for the event with `duet-proxy dead-letters list`"
        ),
        Notice::NotSentAgain { order_id, event_id } => tracing::warn!(
            order_id,
            event_id,
            "a dead letter was not sent again, because its order is already reported or its payment was refunded"
        ),
        Notice::Found {
            order_id,
            transfer,
            became,
        } => tracing::info!(
            order_id,
            transfer,
            became,
            "a payment that had waited for its order was matched with the order, which is registered now"
        ),
    }
}
