//! Decides which events are sent next, which are dropped, and which an answer settles.
//!
//! An event is stored under its own key before anything is sent, so tabs never overwrite the events of other tabs. An event is
//! removed only when the proxy has settled the event, when the event is too old, or when there is no room for it. The page has
//! the event's text. This module has only the event's number and a few facts.
//!
//! Two tabs must not send the same event. For [`LEASE_MS`], a new event belongs to the page that made it, and this page sends
//! the event without a lock. An event that failed once, or that another page left behind, is sent only under the lock of
//! [`Effect::Adopt`]. Under this lock, the page first checks which events are still stored.

use crate::{
    answer::{self, Answer, Reading},
    effect::{Effect, Effects, Word},
    facts::Facts,
    pace::{Pace, SLOW_MS, later},
};

/// How long a new event belongs to the page that made it.
pub const LEASE_MS: f64 = 15_000.0;
/// How long an event waits for the Pixel's result.
pub const VERDICT_MS: f64 = 1500.0;
/// How long an event is kept. TikTok accepts no event that is older than this.
pub const MAX_AGE_MS: f64 = 7.0 * 86_400_000.0;

const MAX_EVENTS: usize = 1000;
const MAX_BYTES: u32 = 1 << 20;
const BATCH_EVENTS: u32 = 100;
/// The largest size of the events in a request. The rest of the request is short.
const BATCH_BYTES: u32 = (32 << 10) - 64;

/// The state of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// The event is settled, and its record is removed soon.
    #[default]
    Gone,
    /// This page has made the event and not sent it yet.
    New,
    /// The event waits to be sent under the lock.
    Waiting,
    /// The event is part of a running request.
    Sent,
}

/// A waiting event.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Record {
    /// The page's number for the event.
    pub event: u32,
    /// When the event was made.
    pub created_ms: f64,
    /// The largest number of bytes that the event adds to a request.
    pub bytes: u32,
    /// Whether this page made the event.
    pub own: bool,
    /// Whether the Pixel is off for this event.
    pub pixel_off: bool,
    /// Whether the event belongs to an order.
    pub ordered: bool,
    /// The last request that contained the event.
    pub request: u32,
    /// The state of the event.
    pub state: State,
    /// Whether the event must be sent alone, because it may have made a request fail.
    pub alone: bool,
    /// Whether another page may have this event in its outbox too.
    pub shared: bool,
    /// If a request that contained only this event was rejected without a rule: the time until which the event is not sent
    /// again. For all other events, 0.
    pub suspect_until_ms: f64,
}

/// An event as the page knows it.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    /// The event's number.
    pub event: u32,
    /// When the event was made.
    pub created_ms: f64,
    /// The largest number of bytes that the event adds to a request.
    pub bytes: u32,
    /// Whether the Pixel is off for this event.
    pub is_pixel_off: bool,
    /// Whether the event belongs to an order.
    pub has_order: bool,
}

impl Stored {
    /// Returns a record of the event, in the state in which records begin.
    #[inline(never)]
    pub fn record(&self) -> Record {
        Record {
            event: self.event,
            created_ms: self.created_ms,
            bytes: self.bytes,
            pixel_off: self.is_pixel_off,
            ordered: self.has_order,
            ..Record::default()
        }
    }
}

impl Record {
    /// Returns the time from which a new event no longer waits for the Pixel.
    fn due_ms(&self, facts: &Facts) -> f64 {
        if facts.pixel_known || self.pixel_off {
            self.created_ms
        } else {
            self.created_ms + VERDICT_MS
        }
    }

    /// Returns whether the event can be part of a request now.
    fn is_due(&self, which: Which, facts: &Facts) -> bool {
        let leaving = which == Which::Leaving;
        match self.state {
            State::New => leaving || which == Which::Ready && self.due_ms(facts) <= facts.now_ms,
            State::Waiting => {
                self.suspect_until_ms <= facts.now_ms
                    && (which == Which::Waiting || leaving && self.own)
            }
            State::Sent | State::Gone => false,
        }
    }

    /// Returns whether the event is sent only after all other events.
    fn is_last(&self) -> bool {
        self.suspect_until_ms > 0.0
    }

    /// Ends the event. If other pages may have the event in their outboxes too, stores a note about how the event ended.
    fn end(&mut self, word: Word, fx: &mut Effects) {
        let event = self.event;
        self.state = State::Gone;
        fx.push(Effect::Remove { event });
        if self.shared {
            fx.push(Effect::Note { event, word });
        }
        fx.push(Effect::Settle { event, word });
    }

    fn give_up(&mut self, why: Word, fx: &mut Effects) {
        fx.push(Effect::Report {
            event: Some(self.event),
            word: why,
        });
        self.end(Word::Dropped, fx);
    }
}

/// The events that a request can contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// New events that no longer wait for the Pixel.
    Ready,
    /// Events that must be sent under the lock.
    Waiting,
    /// All events of this page, because the page is being left.
    Leaving,
}

/// The waiting events that this page knows, the oldest first.
#[derive(Debug)]
pub struct Outbox {
    records: [Record; MAX_EVENTS],
    count: usize,
    requests: u32,
    /// When requests can be sent again after a failure.
    pub pace: Pace,
    /// When the last found event of another page ceases to belong to that page. 0 if no such event was found.
    leased_until_ms: f64,
}

impl Outbox {
    /// Creates an outbox without events.
    #[expect(clippy::large_stack_arrays, reason = "a static begins with it")]
    pub const EMPTY: Self = Self {
        records: [Record {
            event: 0,
            created_ms: 0.0,
            bytes: 0,
            own: false,
            pixel_off: false,
            ordered: false,
            request: 0,
            state: State::Gone,
            alone: false,
            shared: false,
            suspect_until_ms: 0.0,
        }; MAX_EVENTS],
        count: 0,
        requests: 0,
        pace: Pace::NONE,
        leased_until_ms: 0.0,
    };

    fn records(&mut self) -> &mut [Record] {
        self.records.get_mut(..self.count).unwrap_or_default()
    }

    /// Removes every event, and reports to the caller of each event that consent is denied.
    pub fn clear(&mut self, fx: &mut Effects) {
        for record in self.records() {
            fx.push(Effect::Settle {
                event: record.event,
                word: Word::Consent,
            });
        }
        self.count = 0;
        self.leased_until_ms = 0.0;
    }

    /// Stores a new event. If there is no room, drops an older event first.
    pub fn add(&mut self, mut record: Record, fx: &mut Effects) {
        while self.is_full(record.bytes) {
            let mut oldest = None;
            for waiting in self.records() {
                if oldest.is_none() || !waiting.ordered {
                    let plain = !waiting.ordered;
                    oldest = Some(waiting);
                    if plain {
                        break;
                    }
                }
            }
            let Some(oldest) = oldest else {
                break;
            };
            oldest.give_up(Word::Full, fx);
            self.sweep();
        }
        let event = record.event;
        fx.push(Effect::Store { event });
        record.state = State::New;
        record.own = true;
        if record.created_ms < self.pace.not_before_ms() {
            record.state = State::Waiting;
            fx.push(Effect::Settle {
                event,
                word: Word::Queued,
            });
        }
        self.push(record);
    }

    fn is_full(&mut self, more_bytes: u32) -> bool {
        let bytes: u32 = self.records().iter().map(|record| record.bytes).sum();
        self.count >= MAX_EVENTS || bytes + more_bytes > MAX_BYTES
    }

    fn push(&mut self, record: Record) {
        if let Some(free) = self.records.get_mut(self.count) {
            *free = record;
            self.count += 1;
        }
    }

    /// Removes the records of settled events.
    #[inline(never)]
    fn sweep(&mut self) {
        let before = self.count;
        self.count = 0;
        for at in 0..before {
            if let Some(record) = self.records.get(at)
                && record.state != State::Gone
            {
                self.push(*record);
            }
        }
    }

    /// Starts the work under the lock: applies the pause that the proxy asked for. The page then passes the stored events to
    /// [`Outbox::find`].
    pub fn look(&mut self, pause_until_ms: f64, now_ms: f64) {
        self.pace.recall(pause_until_ms, now_ms);
        self.leased_until_ms = 0.0;
    }

    /// Ends an event that waits in this outbox, after another page has ended it.
    pub fn miss(&mut self, event: u32, word: Word, fx: &mut Effects) {
        for record in self.records() {
            if record.event == event && record.state == State::Waiting {
                fx.push(Effect::Settle { event, word });
                record.state = State::Gone;
            }
        }
        self.sweep();
    }

    /// Takes over a stored event of another page, if this page is allowed to send the event.
    pub fn find(&mut self, mut record: Record, now_ms: f64, fx: &mut Effects) {
        let event = record.event;
        let leased_until_ms = record.created_ms + LEASE_MS;
        if leased_until_ms > now_ms {
            self.leased_until_ms = leased_until_ms;
            fx.push(Effect::Leave { event });
        } else if record.created_ms + MAX_AGE_MS < now_ms {
            record.shared = true;
            record.give_up(Word::Expired, fx);
        } else if self.count < MAX_EVENTS {
            record.state = State::Waiting;
            record.shared = true;
            self.push(record);
        } else {
            fx.push(Effect::Leave { event });
        }
    }

    /// Asks the page to send the next request, if an event can be sent now. Returns whether it asked.
    pub fn next(&mut self, which: Which, facts: &Facts, fx: &mut Effects) -> bool {
        let now_ms = facts.now_ms;
        if now_ms < self.pace.not_before_ms()
            && (which == Which::Waiting || self.pace.is_asked(now_ms))
        {
            return false;
        }
        let request = self.requests;
        let (mut count, mut bytes) = (0, 0);
        let others = |r: &Record| r.is_due(which, facts) && !r.is_last();
        let others = self.records().iter().any(others);
        for record in self.records() {
            let due = record.is_due(which, facts) && !(others && record.is_last());
            if !due || count > 0 && (record.alone || bytes + record.bytes > BATCH_BYTES) {
                continue;
            }
            fx.push(Effect::Take {
                event: record.event,
            });
            record.state = State::Sent;
            record.request = request;
            bytes += record.bytes;
            count += 1;
            if record.alone || count == BATCH_EVENTS {
                break;
            }
        }
        if count > 0 {
            fx.push(Effect::Post {
                request,
                is_leaving: which == Which::Leaving,
            });
            self.requests += 1;
        }
        count > 0
    }

    /// Handles the answer to a request: removes the events that the answer settles, and keeps the others.
    pub fn answered(&mut self, answer: &Answer<'_>, facts: &Facts, fx: &mut Effects) {
        let sent = |r: &Record| r.state == State::Sent && r.request == answer.request;
        let several = self.records().iter().filter(|r| sent(r)).count() > 1;
        let reading = answer.reading(several);
        let slowly = reading == Reading::Slowly;
        // After the rejection of a request with a single event, the next request waits too, because the server may reject every
        // event.
        let mut unsettled = !matches!(reading, Reading::PerEvent | Reading::Apart);
        let mut results = answer.results.bytes();
        for record in self.records() {
            if !sent(record) {
                continue;
            }
            let settled = match reading {
                Reading::PerEvent => results.next().and_then(answer::result),
                _ => None,
            };
            let event = record.event;
            let Some(word) = settled else {
                record.state = State::Waiting;
                record.shared = true;
                record.alone = matches!(reading, Reading::Apart | Reading::Seldom);
                if reading == Reading::Seldom {
                    record.suspect_until_ms = facts.now_ms + SLOW_MS;
                }
                if reading != Reading::Apart {
                    unsettled = true;
                    fx.push(Effect::Settle {
                        event,
                        word: Word::Queued,
                    });
                }
                continue;
            };
            if word == Word::Invalid {
                // The event was not counted, so the page can report the order's event again after a correction.
                fx.push(Effect::Unmark { event });
                fx.push(Effect::Report {
                    event: Some(event),
                    word,
                });
            }
            record.end(word, fx);
        }
        self.sweep();
        if slowly {
            fx.push(Effect::Report {
                event: None,
                word: Word::Refused,
            });
        }
        if unsettled {
            self.pace.failed(slowly, answer.retry_after_ms, facts, fx);
        } else {
            self.pace.succeeded(fx);
        }
    }

    /// Returns whether an event can be sent under the lock now.
    pub fn wants_the_lock(&mut self, now_ms: f64) -> bool {
        let left_behind = self.leased_until_ms > 0.0 && self.leased_until_ms <= now_ms;
        now_ms >= self.pace.not_before_ms()
            && (left_behind
                || self
                    .records()
                    .iter()
                    .any(|r| r.state == State::Waiting && r.suspect_until_ms <= now_ms))
    }

    /// Ends the waits that the proxy did not ask for. The page calls this when the proxy may be reachable again.
    pub fn hurry(&mut self, now_ms: f64) {
        self.pace.hurry();
        for record in self.records() {
            if record.is_last() {
                record.suspect_until_ms = now_ms;
            }
        }
    }

    /// Returns the milliseconds until the next event becomes due.
    pub fn next_due_ms(&mut self, facts: &Facts) -> Option<f64> {
        let now_ms = facts.now_ms;
        let not_before_ms = self.pace.not_before_ms();
        // During a pause that the proxy asked for, nothing is sent.
        let earliest_ms = if self.pace.is_asked(now_ms) {
            not_before_ms
        } else {
            now_ms
        };
        let mut next_ms = f64::INFINITY;
        if self.leased_until_ms > 0.0 {
            next_ms = later(self.leased_until_ms, not_before_ms);
        }
        for record in self.records() {
            let due_ms = match record.state {
                State::New => record.due_ms(facts),
                State::Waiting => later(not_before_ms, record.suspect_until_ms),
                State::Sent | State::Gone => f64::INFINITY,
            };
            // Events that can be sent now need no timer, because the lock for sending them has been requested.
            if record.state == State::Waiting && due_ms <= now_ms {
                continue;
            }
            if due_ms < next_ms {
                next_ms = due_ms;
            }
        }
        (next_ms < f64::INFINITY).then(|| later(next_ms, earliest_ms) - now_ms)
    }
}
