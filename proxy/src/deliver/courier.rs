//! Decides which events of one destination are sent, and what follows from TikTok's replies. A courier is a state machine
//! without I/O. The courier's inputs are the time, random numbers, events and replies. The courier's outputs are requests,
//! settlements and waiting times.
//!
//! The driver calls [`Courier::next`] and does what the result says. The driver starts a request, or waits, or writes a
//! settlement and then confirms the settlement with [`Courier::settled`]. The driver gives every reply to
//! [`Courier::answered`], and then calls [`Courier::next`] again. If the store fails, the driver calls [`Courier::rewind`].

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use super::{
    hand::{Hand, Load, backoff},
    pace::{Pace, Ticket, Turn, millis},
    size::Size,
};
use crate::{
    decide::Class,
    health::Speed,
    history::{Sent, Tried},
    limits,
    outcome::Outcome,
    queue::Limits,
    retry::{self, Next, Slow},
    tiktok::{Reply, Verdict},
};

/// If a batch has failed this often while other batches succeeded, the batch is divided, because one of its events may be the
/// cause.
const SUSPICIOUS_TROUBLES: u32 = 8;

/// How often a part of such a divided batch can fail before the part is divided again.
const PART_TROUBLES: u32 = 2;

/// The pending events of one destination, for a courier.
pub trait Claims {
    /// A claimed event.
    type Event;
    /// The error type of the store.
    type Error;

    /// Returns the next events of a class, in order and within `limits`. Returns no events if none is pending.
    ///
    /// # Errors
    /// An error if the store fails. The caller must then call [`Courier::rewind`].
    fn claim(&mut self, class: Class, limits: Limits) -> Result<Vec<Self::Event>, Self::Error>;

    /// Returns whether an unclaimed event of this class is pending. To find out, this function can read about `bytes` bytes
    /// from the store.
    ///
    /// # Errors
    /// The same as those of [`Claims::claim`].
    fn any(&mut self, class: Class, bytes: usize) -> Result<bool, Self::Error>;

    /// Returns whether an event was withdrawn. A withdrawn event that has never been sent must not be sent.
    fn is_withdrawn(&self, event: &Self::Event) -> bool;

    /// Returns when an event was accepted, in Unix milliseconds.
    fn accepted_at_ms(event: &Self::Event) -> i64;
}

/// Decides how the events of one destination are claimed, sent and settled. Each claimed event is in hand, in a request, or
/// being settled.
#[derive(Debug)]
pub struct Courier<E> {
    pace: Pace,
    size: Size,
    /// Claimed events that are not in a request and have no outcome.
    in_hand: Hand<E>,
    under_way: BTreeMap<RequestId, (Load<E>, Ticket)>,
    /// How many requests have been started.
    started: u64,
    /// Events whose outcome is not on disk yet, in the order in which they ended.
    to_settle: VecDeque<Settlement<E>>,
    /// The settlement that was returned last and is not confirmed yet.
    settling: Option<Settlement<E>>,
    /// The class of the last request that TikTok accepted. The next step checks whether more events of this class are pending,
    /// and if so, allows larger requests.
    grows: Option<Class>,
    /// How many requests have succeeded.
    taken: u64,
    /// Whether the courier trusts the positions of events that TikTok's refusals name.
    hints: bool,
}

/// The number of a request. Every request of a courier has its own number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u64);

/// The next action of the driver.
#[derive(Debug, PartialEq, Eq)]
pub enum Do<'a, E> {
    /// Send these events in one request. The driver must pass the request's reply to [`Courier::answered`].
    Send {
        /// The request.
        request: RequestId,
        /// At least one event. All events have the same class.
        events: &'a [E],
    },
    /// Store the outcome of these events. When the outcome is on disk, the driver must call [`Courier::settled`]. Until then,
    /// [`Courier::next`] returns the same settlement.
    Settle {
        /// At least one event. All events have the same class.
        events: &'a [E],
        /// The outcome of these events.
        outcome: &'a Outcome,
        /// How the events were sent.
        sent: Sent,
    },
    /// Wait for this, or for a reply that comes earlier.
    Wait(Wait),
}

/// When the driver must call [`Courier::next`] again, unless a reply arrives earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// When an event arrives, or at this time if there is one.
    Arrival(Option<Instant>),
    /// At this time, also if an event arrives earlier.
    Until(Instant),
    /// After a reply, because no more requests are allowed at the same time.
    Reply,
}

/// What a reply shows about the connection to TikTok.
#[derive(Debug, PartialEq, Eq)]
pub enum Way {
    /// TikTok processes requests.
    Open {
        /// TikTok accepted an event that an earlier reply had named as faulty. The courier no longer uses the positions that
        /// TikTok's replies name.
        misnamed: bool,
    },
    /// TikTok refuses the token, or says that the token has no right to the pixel.
    Barred {
        /// TikTok's answer.
        verdict: Verdict,
        /// How long nothing is sent. `None` if an earlier reply has already caused the pause.
        pause: Option<Duration>,
    },
    /// The events of the request must be sent again, and the courier sends its requests more slowly.
    Slow {
        /// How many events the request had.
        events: usize,
        /// How often the events have been sent.
        attempts: u32,
        /// How long nothing is sent. `None` if an earlier reply has already caused the pause.
        pause: Option<Duration>,
    },
}

#[derive(Debug)]
struct Settlement<E> {
    events: Vec<E>,
    outcome: Outcome,
    sent: Sent,
    /// The class whose requests can become larger after this settlement is on disk.
    grows: Option<Class>,
}

/// The same as [`Do`], but it owns its events.
enum Step<E> {
    Send(Load<E>),
    Settle(Settlement<E>),
    Wait(Wait),
}

impl<E> Courier<E> {
    /// Returns a courier that has at most `parallel` requests open, each within `limits`.
    pub fn new(limits: Limits, parallel: usize) -> Self {
        Self {
            pace: Pace::new(parallel),
            size: Size::new(limits),
            in_hand: Hand::new(2 * parallel),
            under_way: BTreeMap::new(),
            started: 0,
            to_settle: VecDeque::new(),
            settling: None,
            grows: None,
            taken: 0,
            hints: true,
        }
    }

    /// Returns the next action at `now`. `expiry_ms` is the time, in Unix milliseconds, with which the ages of events are
    /// computed. `allowance` takes one request from the limit that all couriers of the pixel share. If the limit is used up,
    /// `allowance` returns when the next request is allowed.
    ///
    /// # Errors
    /// The errors of `lane`. The caller must then call [`Courier::rewind`].
    pub fn next<L: Claims<Event = E>>(
        &mut self,
        now: Instant,
        expiry_ms: i64,
        lane: &mut L,
        allowance: impl FnOnce() -> Result<(), Instant>,
    ) -> Result<Do<'_, E>, L::Error> {
        Ok(match self.step(now, expiry_ms, lane, allowance)? {
            Step::Send(load) => {
                self.in_hand.sends(&load);
                self.started += 1;
                let request = RequestId(self.started);
                let ticket = self.pace.started(now);
                let entry = self.under_way.entry(request).or_insert((load, ticket));
                let events = &entry.0.events;
                Do::Send { request, events }
            }
            Step::Settle(settlement) => {
                let Settlement {
                    events,
                    outcome,
                    sent,
                    ..
                } = self.settling.insert(settlement);
                let sent = *sent;
                Do::Settle {
                    events,
                    outcome,
                    sent,
                }
            }
            Step::Wait(wait) => Do::Wait(wait),
        })
    }

    /// Confirms that the settlement that [`Courier::next`] returned last is on disk.
    pub fn settled(&mut self) {
        self.grows = self.settling.take().and_then(|settled| settled.grows);
    }

    /// Applies TikTok's reply to a request. `chance` returns random numbers from 0 to 1. Returns `None` if the request was
    /// started before the last [`Courier::rewind`], because the events of such a request are claimed and sent again.
    pub fn answered(
        &mut self,
        request: RequestId,
        reply: Reply,
        now: Instant,
        mut chance: impl FnMut() -> f64,
    ) -> Option<Way> {
        let (mut load, ticket) = self.under_way.remove(&request)?;
        load.attempts = load.attempts.saturating_add(1);
        load.answer = Some((now, reply.code()));
        if matches!(reply, Reply::Unclear(_)) {
            load.unclear = load.unclear.saturating_add(1);
        }
        let (events, attempts) = (load.events.len(), load.attempts);
        let mut misnamed = false;
        match retry::decide(reply, load.unclear, events) {
            Next::Again(why) => {
                let pause = self.pace.pause(why, ticket, now, chance());
                match why {
                    Slow::Trouble => self.retry_later(load, now, chance()),
                    Slow::Barred | Slow::Throttled => self.retry_first(load, now),
                }
                return Some(Way::Slow {
                    events,
                    attempts,
                    pause,
                });
            }
            Next::Barred(verdict) => {
                let pause = self.pace.pause(Slow::Barred, ticket, now, chance());
                self.retry_first(load, now);
                return Some(Way::Barred { verdict, pause });
            }
            Next::End(outcome) => {
                self.got_through(ticket, now);
                let is_delivered = !outcome.is_dead();
                misnamed = load.named && is_delivered;
                self.hints &= !misnamed;
                let grows = is_delivered.then_some(load.class);
                let sent = load.sent();
                self.ends(load.events, outcome, sent, grows);
            }
            Next::Apart { refused, others } => {
                self.got_through(ticket, now);
                self.ends_apart(load, &refused, others);
            }
            Next::Narrow { suspect } => {
                self.got_through(ticket, now);
                self.narrow(load, suspect.filter(|_| self.hints), now);
            }
        }
        Some(Way::Open { misnamed })
    }

    /// Returns how fast this courier sends at `now`, which is `now_ms` in Unix milliseconds.
    pub fn speed(&self, now: Instant, now_ms: i64) -> Speed {
        self.pace.speed(now, now_ms)
    }

    /// Returns the batches that were sent without success, at `now`, which is `now_ms` in Unix milliseconds. `number` returns
    /// the number of an event in the queue.
    pub fn tried(&self, now: Instant, now_ms: i64, number: impl Fn(&E) -> u64) -> Vec<Tried> {
        let earliest = self.pace.earliest().unwrap_or(now);
        let waiting = self.in_hand.loads();
        let waiting = waiting.map(|load| (load, Some(load.due.max(earliest))));
        let open = self.under_way.values().map(|(load, _)| (load, None));
        let tried = waiting.chain(open).filter_map(|(load, due)| {
            let (answered, code) = load.answer?;
            let numbers = || load.events.iter().map(&number);
            Some(Tried {
                numbers: (numbers().min()?, numbers().max()?),
                attempts: load.attempts,
                code,
                answered_ms: now_ms - millis(now.saturating_duration_since(answered)),
                next_ms: due.map(|due| now_ms + millis(due.saturating_duration_since(now))),
            })
        });
        tried.collect()
    }

    /// Gives up every claim. The caller must call this after a failure of the store, and the lane must then return again all
    /// events that were claimed but not settled on disk. The courier ignores replies to requests that are open now.
    pub fn rewind(&mut self) {
        self.in_hand.clear();
        self.under_way.clear();
        self.to_settle.clear();
        self.settling = None;
        self.grows = None;
    }

    fn step<L: Claims<Event = E>>(
        &mut self,
        now: Instant,
        expiry_ms: i64,
        lane: &mut L,
        allowance: impl FnOnce() -> Result<(), Instant>,
    ) -> Result<Step<E>, L::Error> {
        self.grow_where_more_waits(lane)?;
        let unsettled = self.settling.take();
        if let Some(settlement) = unsettled.or_else(|| self.to_settle.pop_front()) {
            return Ok(Step::Settle(settlement));
        }
        match self.pace.turn(self.under_way.len(), now) {
            Turn::Go => {}
            Turn::Wait(wait) => return Ok(Step::Wait(Wait::Until(now + wait))),
            Turn::Full => return Ok(Step::Wait(Wait::Reply)),
        }
        let Some(mut load) = self.next_load(now, lane)? else {
            return Ok(Step::Wait(Wait::Arrival(self.in_hand.next_due())));
        };
        let oldest_ms = expiry_ms - limits::DELIVERY_MS;
        let is_old = |event: &mut E| L::accepted_at_ms(event) < oldest_ms;
        let mut ended: Vec<_> = load.events.extract_if(.., is_old).collect();
        let mut outcome = Outcome::Expired;
        // Withdrawn events end here only if the batch has never been sent, because an event that was sent before may have
        // reached TikTok.
        if ended.is_empty() && load.attempts == 0 {
            let is_withdrawn = |event: &mut E| lane.is_withdrawn(event);
            ended.extend(load.events.extract_if(.., is_withdrawn));
            outcome = Outcome::Withdrawn;
        }
        if ended.is_empty() {
            return Ok(match allowance() {
                Ok(()) => Step::Send(load),
                Err(until) => {
                    self.in_hand.put_first(load);
                    Step::Wait(Wait::Until(until))
                }
            });
        }
        let sent = Sent {
            batch: 0,
            ..load.sent()
        };
        if !load.events.is_empty() {
            self.in_hand.put_first(load);
        }
        Ok(Step::Settle(Settlement {
            events: ended,
            outcome,
            sent,
            grows: None,
        }))
    }

    fn grow_where_more_waits<L: Claims>(&mut self, lane: &mut L) -> Result<(), L::Error> {
        if let Some(class) = self.grows.take()
            && lane.any(class, self.size.limits().bytes)?
        {
            self.size.grow();
        }
        Ok(())
    }

    /// Returns the next batch. The class whose turn it is comes first. Within a class, a batch in hand that is due comes before
    /// new events.
    fn next_load<L: Claims<Event = E>>(
        &mut self,
        now: Instant,
        lane: &mut L,
    ) -> Result<Option<Load<E>>, L::Error> {
        let turns = self.in_hand.turns();
        for class in turns {
            let troubled = self.in_hand.is_troubleds_turn();
            let troubled = troubled.then(|| self.in_hand.troubled_due(class, now));
            let due = troubled.flatten();
            if let Some(load) = due.or_else(|| self.in_hand.due(class, now)) {
                return Ok(Some(load));
            }
            if self.in_hand.has_room(class) {
                let events = lane.claim(class, self.size.limits())?;
                if !events.is_empty() {
                    return Ok(Some(Load::new(events, class, now, self.taken)));
                }
            }
        }
        let mut turns = turns.into_iter();
        Ok(turns.find_map(|class| self.in_hand.troubled_due(class, now)))
    }

    fn got_through(&mut self, ticket: Ticket, now: Instant) {
        self.taken += 1;
        if self.pace.answered(ticket) {
            // TikTok accepts requests again. Batches that wait for their next attempt can be sent now, except a batch that may
            // itself be the cause of its failures.
            self.in_hand.hurry(SUSPICIOUS_TROUBLES, now);
        }
    }

    fn ends(&mut self, events: Vec<E>, outcome: Outcome, sent: Sent, grows: Option<Class>) {
        self.to_settle.push_back(Settlement {
            events,
            outcome,
            sent,
            grows,
        });
    }

    fn ends_apart(&mut self, load: Load<E>, refused: &[(usize, Verdict)], others: Outcome) {
        let (mut taken, sent) = (Vec::new(), load.sent());
        for (index, event) in load.events.into_iter().enumerate() {
            match refused.iter().find(|(refused, _)| *refused == index) {
                Some((_, verdict)) => {
                    self.ends(vec![event], Outcome::Refused(verdict.clone()), sent, None);
                }
                None => taken.push(event),
            }
        }
        if !taken.is_empty() {
            self.ends(taken, others, sent, None);
        }
        if let Some(last) = self.to_settle.back_mut() {
            last.grows = Some(load.class);
        }
    }

    /// Divides a batch, and sends its parts before any other batch.
    fn narrow(&mut self, load: Load<E>, suspect: Option<usize>, now: Instant) {
        self.size.fall_back();
        let [first, second] = load.divide(suspect, now, self.taken);
        self.in_hand.put_first(second);
        self.in_hand.put_first(first);
    }

    fn retry_first(&mut self, mut load: Load<E>, now: Instant) {
        load.due = now;
        self.in_hand.put_first(load);
    }

    fn retry_later(&mut self, mut load: Load<E>, now: Instant, chance: f64) {
        self.size.fall_back();
        load.troubles = load.troubles.saturating_add(1);
        let others_get_through = self.taken > load.since;
        let is_suspicious = load.troubles >= SUSPICIOUS_TROUBLES && others_get_through;
        if is_suspicious && load.events.len() > 1 {
            // Either part may be the cause of the failures, so both parts are sent after other batches, and are divided again
            // after fewer failures.
            for mut part in load.divide(None, now, self.taken) {
                part.troubles = SUSPICIOUS_TROUBLES - PART_TROUBLES;
                self.in_hand.put_last(part);
            }
            return;
        }
        load.due = now + backoff(load.troubles, chance);
        // The request may have failed because it was too large, so its events are sent in smaller requests.
        for piece in load.cut(self.size.limits().events) {
            self.in_hand.put_last(piece);
        }
    }
}

#[cfg(test)]
mod tests;
