//! One commit in the making: what a group of calls changes, together or not at all.

use std::{ops::Range, sync::Arc};

use crate::{
    clock::Times,
    decide::{
        Changes, Counts, DeadLetter, Decision, Destination, Layered, LetterId, Notice, Records,
        TakeBack,
    },
    limits,
    store::{Commit, Draft, Error, LaneId, NewRow, Position, Settled, Store},
};

/// Events that have come to an end, as the store has to be told.
#[derive(Debug)]
pub(super) struct Settlement {
    /// Whose they are.
    pub(super) lane: LaneId,
    pub(super) events: u64,
    /// The name of their outcome.
    pub(super) outcome: &'static str,
    /// Rows in which nothing waits any more, with their marks.
    pub(super) removed: Vec<(u64, Vec<Range<u32>>)>,
    /// Rows in which these events are settled and others wait.
    pub(super) marked: Vec<(u64, Range<u32>)>,
    /// Dead letters.
    pub(super) letters: Vec<(LetterId, DeadLetter)>,
    /// No row of this class before this one waits.
    pub(super) head: u64,
    /// How often the store had been opened when its events were claimed.
    pub(super) opened: u64,
}

pub(super) struct Group<'a, S> {
    store: &'a mut S,
    position: &'a mut Position,
    times: Times,
    /// New rows, one for each lane.
    drafts: Vec<(LaneId, Draft)>,
    settled: Vec<Settled>,
    records: Records,
    numbers: u64,
    counts: Counts,
    notices: Vec<Notice>,
    probes: bool,
    sync: bool,
}

/// What a commit has changed.
pub(super) struct Committed {
    /// Whether it was synced to disk.
    pub(super) synced: bool,
    /// Who has new events.
    pub(super) arrivals: Vec<Arc<Destination>>,
    /// What is to be counted.
    pub(super) counts: Counts,
}

impl<'a, S: Store> Group<'a, S> {
    pub(super) fn new(store: &'a mut S, position: &'a mut Position, times: Times) -> Self {
        Self {
            store,
            position,
            times,
            drafts: Vec::new(),
            settled: Vec::new(),
            records: Records::default(),
            numbers: 0,
            counts: Counts::default(),
            notices: Vec::new(),
            probes: false,
            sync: false,
        }
    }

    /// Decides a call, and takes what it changes. If the call itself is at fault, it changes nothing, and the others of
    /// the commit have nothing to do with that.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn carry_out<'c, D: Decision<'c>>(
        &mut self,
        call: &D,
    ) -> Result<Result<D::Reply, Error>, Error> {
        let books = Layered {
            below: &*self.store,
            above: &self.records,
            numbers: self.numbers,
        };
        match call.decide(&books, self.times) {
            Ok((changes, reply)) => {
                self.take(changes);
                Ok(Ok(reply))
            }
            Err(error) if error.is_of_the_disk() => Err(error),
            Err(error) => {
                tracing::error!(error = ?error, "a change of the store was refused, and nothing of it is left");
                Ok(Err(error))
            }
        }
    }

    /// As [`Group::carry_out`], for a call whose answer means that everything it read and changed is on disk.
    ///
    /// # Errors
    /// When the disk refuses.
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
            self.draft(lane).push(&arrival.event);
        }
        self.records.extend(changes.records);
        self.numbers += changes.numbers;
        self.counts.extend(&changes.counts);
        self.notices.extend(changes.notices);
    }

    /// The letters with these ids, of those that are there and can be read.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn letters(&self, ids: &[LetterId]) -> Result<Vec<(LetterId, DeadLetter)>, Error> {
        let mut letters = Vec::with_capacity(ids.len());
        for id in ids {
            match self.store.letter(*id) {
                Ok(letter) => letters.extend(letter.map(|letter| (*id, letter))),
                Err(error) if error.is_of_the_disk() => return Err(error),
                Err(_) => tracing::error!(
                    id = %id,
                    "a dead letter cannot be read, and is not sent again; `dead-letters drop` removes it"
                ),
            }
        }
        Ok(letters)
    }

    pub(super) fn settle(&mut self, settlement: Settlement) -> Result<(), Error> {
        let Settlement {
            lane,
            events,
            outcome,
            removed,
            marked,
            letters,
            head,
            opened: _,
        } = settlement;
        self.sync |= !letters.is_empty();
        for (id, letter) in letters {
            // An order that does not read back keeps no event from its end.
            let _ = self.carry_out(&TakeBack(&letter))?;
            self.records.letters.insert(id, Some(letter));
        }
        if let Some(place) = self.position.place(&lane) {
            place.waiting = place.waiting.saturating_sub(events);
            place.head = head;
            self.counts.ended(outcome, events);
        }
        self.settled.push(Settled {
            lane,
            removed,
            marked,
        });
        Ok(())
    }

    /// Has the commit write and sync, whatever else is in it.
    pub(super) fn probe(&mut self) {
        self.probes = true;
        self.sync = true;
    }

    /// Has an idle store keep the time now and then, so that its next start finds no clock that runs ahead.
    pub(super) fn note_time(&mut self) {
        let (now, before) = (self.times.confirmed_ms, self.position.written_ms);
        if now > before.map(|before| before.saturating_add(limits::NOTE_TIME_EVERY_MS)) {
            self.probes = true;
        }
    }

    pub(super) fn commit(self) -> Result<Committed, Error> {
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
        let mut commit = Commit {
            rows,
            settled: self.settled,
            records: self.records,
            probe_ms: self.probes.then_some(self.times.stamp_ms),
            sync: self.sync,
            position,
        };
        let is_empty = commit.is_empty();
        if !is_empty {
            commit.position.places.retain(|place| place.waiting > 0);
            let confirmed_ms = self.times.confirmed_ms;
            commit.position.written_ms = confirmed_ms.or(commit.position.written_ms);
            self.store.write(&mut commit)?;
        }
        self.notices.iter().for_each(log);
        Ok(Committed {
            synced: self.sync && !is_empty,
            arrivals,
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

fn log(notice: &Notice) {
    match notice {
        Notice::Unreported { order_id, outcome } => tracing::error!(
            order_id,
            outcome,
            "a paid order is not reported: TikTok does not have its event; see `duet-proxy dead-letters`"
        ),
        Notice::NotSentAgain { order_id, event_id } => tracing::warn!(
            order_id,
            event_id,
            "a dead letter is not sent again: its order is reported"
        ),
    }
}
