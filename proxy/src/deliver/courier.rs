//! Decides what is sent of one destination, and what follows from TikTok's replies. A state machine without I/O: the
//! time, random numbers, events and replies come in as arguments; requests, settlements and waiting go out as values.
//!
//! Whoever drives it calls [`Courier::next`] and does what that returns: starts a request, writes a settlement and
//! confirms it with [`Courier::settled`], or waits. Every reply goes to [`Courier::answered`], after which it calls
//! [`Courier::next`] again. When the store fails, it calls [`Courier::rewind`].

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use super::{
    hand::{Hand, Load, backoff},
    pace::{Pace, Ticket, Turn},
    size::Size,
};
use crate::{
    decide::Class,
    limits,
    outcome::Outcome,
    queue::Limits,
    retry::{self, Next, Slow},
    tiktok::{Reply, Verdict},
};

/// How often a batch may meet trouble while others get through before it is divided, in case one event is to blame.
const SUSPICIOUS_TROUBLES: u32 = 8;

/// How often a part of such a batch may meet trouble.
const PART_TROUBLES: u32 = 2;

/// The events of one destination that wait, as a courier sees them.
pub trait Claims {
    /// A claimed event.
    type Event;
    /// The store's failure.
    type Error;

    /// Returns the next events of a class in order, within `limits`; none when none waits.
    ///
    /// # Errors
    /// When the store refuses; then [`Courier::rewind`] is due.
    fn claim(&mut self, class: Class, limits: Limits) -> Result<Vec<Self::Event>, Self::Error>;

    /// Returns whether an event of this class waits that is not claimed. About `bytes` may be read to find out.
    ///
    /// # Errors
    /// As [`Claims::claim`].
    fn any(&mut self, class: Class, bytes: usize) -> Result<bool, Self::Error>;

    /// Returns when an event was accepted, in Unix milliseconds.
    fn accepted_at_ms(event: &Self::Event) -> i64;
}

/// Claims the events of one destination, sends them, and settles what became of them. Each event that it has claimed is
/// in hand, under way or being settled.
#[derive(Debug)]
pub struct Courier<E> {
    pace: Pace,
    size: Size,
    /// Claimed, not under way and without an outcome.
    in_hand: Hand<E>,
    under_way: BTreeMap<RequestId, (Load<E>, Ticket)>,
    /// How many requests have been started.
    started: u64,
    /// Have an outcome that is not on disk, in the order in which they got it.
    to_settle: VecDeque<Settlement<E>>,
    /// The settlement that was returned last and is not confirmed.
    settling: Option<Settlement<E>>,
    /// The class of a request whose events TikTok took, until it is known whether more of that class waits.
    grows: Option<Class>,
    /// How many requests have been taken.
    taken: u64,
    /// Whether the places that refusals name are believed.
    hints: bool,
}

/// The number of a request. No two requests of one courier share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u64);

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub enum Do<'a, E> {
    /// Send these events in one request. Its reply goes to [`Courier::answered`].
    Send {
        /// The request.
        request: RequestId,
        /// At least one, all of one class.
        events: &'a [E],
    },
    /// Write that these events have come to this end. [`Courier::settled`] confirms that it is on disk; until then,
    /// [`Courier::next`] returns the same.
    Settle {
        /// At least one, all of one class.
        events: &'a [E],
        /// Their end.
        outcome: &'a Outcome,
    },
    /// Wait. A reply may come earlier.
    Wait(Wait),
}

/// When [`Courier::next`] has something to do again, unless a reply comes earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// When an event arrives, or at this time.
    Arrival(Option<Instant>),
    /// At this time, whatever arrives.
    Until(Instant),
    /// After a reply: as many requests are under way as may be.
    Reply,
}

/// What a reply shows about the way to TikTok.
#[derive(Debug, PartialEq, Eq)]
pub enum Way {
    /// Requests are read.
    Open {
        /// TikTok has taken an event that it had named as the one at fault; its hints are not used any more.
        misnamed: bool,
    },
    /// TikTok refuses the token or its right to the pixel.
    Barred {
        /// TikTok's words.
        verdict: Verdict,
        /// How long nothing is sent, where this reply is the first to say so.
        pause: Option<Duration>,
    },
    /// Requests have to be sent again, more slowly.
    Slow {
        /// How many events the request had.
        events: usize,
        /// How often they were sent.
        attempts: u32,
        /// How long nothing is sent, where this reply is the first to say so.
        pause: Option<Duration>,
    },
}

#[derive(Debug)]
struct Settlement<E> {
    events: Vec<E>,
    outcome: Outcome,
    /// The class whose requests may become larger when this is on disk.
    grows: Option<Class>,
}

/// [`Do`] with its events still outside of the courier.
enum Step<E> {
    Send(Load<E>),
    Settle(Settlement<E>),
    Wait(Wait),
}

impl<E> Courier<E> {
    /// A courier with no more than `parallel` requests under way, each within `limits`.
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

    /// Returns what is to be done at `now`. `expiry_ms` is the time by which events expire, in Unix milliseconds.
    /// `allowance` takes one from the requests that all couriers may start, or says when there is one to take.
    ///
    /// # Errors
    /// Those of `lane`; then [`Courier::rewind`] is due.
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
                    events, outcome, ..
                } = self.settling.insert(settlement);
                Do::Settle { events, outcome }
            }
            Step::Wait(wait) => Do::Wait(wait),
        })
    }

    /// Confirms that the settlement which [`Courier::next`] returned last is on disk.
    pub fn settled(&mut self) {
        self.grows = self.settling.take().and_then(|settled| settled.grows);
    }

    /// Takes TikTok's reply to a request. `chance` returns random numbers from 0 to 1. Returns nothing where the
    /// request was started before [`Courier::rewind`]: its events are claimed again, and sent again.
    pub fn answered(
        &mut self,
        request: RequestId,
        reply: Reply,
        now: Instant,
        mut chance: impl FnMut() -> f64,
    ) -> Option<Way> {
        let (mut load, ticket) = self.under_way.remove(&request)?;
        load.attempts = load.attempts.saturating_add(1);
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
                self.ends(load.events, outcome, is_delivered.then_some(load.class));
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

    /// Gives up every claim after the store has failed: what was claimed and is not settled on disk has to be claimed
    /// again. Replies to requests that are under way are ignored.
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
        let expired: Vec<_> = load.events.extract_if(.., is_old).collect();
        if expired.is_empty() {
            return Ok(match allowance() {
                Ok(()) => Step::Send(load),
                Err(until) => {
                    self.in_hand.put_first(load);
                    Step::Wait(Wait::Until(until))
                }
            });
        }
        if !load.events.is_empty() {
            self.in_hand.put_first(load);
        }
        Ok(Step::Settle(Settlement {
            events: expired,
            outcome: Outcome::Expired,
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

    /// Of the class whose turn it is, what is due, or else what has not been sent yet.
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
            // TikTok is back: what waits for its next attempt need not wait longer, unless it is what fails.
            self.in_hand.hurry(SUSPICIOUS_TROUBLES, now);
        }
    }

    fn ends(&mut self, events: Vec<E>, outcome: Outcome, grows: Option<Class>) {
        self.to_settle.push_back(Settlement {
            events,
            outcome,
            grows,
        });
    }

    fn ends_apart(&mut self, load: Load<E>, refused: &[(usize, Verdict)], others: Outcome) {
        let mut taken = Vec::new();
        for (index, event) in load.events.into_iter().enumerate() {
            match refused.iter().find(|(refused, _)| *refused == index) {
                Some((_, verdict)) => {
                    self.ends(vec![event], Outcome::Refused(verdict.clone()), None);
                }
                None => taken.push(event),
            }
        }
        if !taken.is_empty() {
            self.ends(taken, others, None);
        }
        if let Some(last) = self.to_settle.back_mut() {
            last.grows = Some(load.class);
        }
    }

    /// Divides a batch, and sends the parts before anything else.
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
            // Either part may be what fails; it goes behind others, and is soon divided again.
            for mut part in load.divide(None, now, self.taken) {
                part.troubles = SUSPICIOUS_TROUBLES - PART_TROUBLES;
                self.in_hand.put_last(part);
            }
            return;
        }
        load.due = now + backoff(load.troubles, chance);
        // It may have been too much at once.
        for piece in load.cut(self.size.limits().events) {
            self.in_hand.put_last(piece);
        }
    }
}

#[cfg(test)]
mod tests;
