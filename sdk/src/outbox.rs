//! What to send next, what to drop, and what an answer settles.
//!
//! An event is stored under a key of its own before anything is sent, so that tabs never overwrite
//! each other's, and is removed only when the proxy has settled it, when it is too old, or when there
//! is no room. The page has its texts; here it is a number and a few facts.
//!
//! Two tabs must not send the same event. A new event belongs to the page that made it for
//! [`LEASE_MS`]; that page sends it without asking anyone. Whatever failed once, and whatever other
//! pages left behind, is sent only under the lock of [`Effect::Adopt`], after looking at what is
//! still stored.

use crate::{
    answer::{self, Answer, Reading},
    effect::{Effect, Effects, Word},
    facts::Facts,
    pace::{Pace, SLOW_MS, later},
};

/// How long a new event is left to the page that made it.
pub const LEASE_MS: f64 = 15_000.0;
/// How long an event waits to learn what became of the Pixel.
pub const VERDICT_MS: f64 = 1500.0;
/// How long an event is kept: TikTok takes nothing older.
pub const MAX_AGE_MS: f64 = 7.0 * 86_400_000.0;

const MAX_EVENTS: usize = 1000;
const MAX_BYTES: u32 = 1 << 20;
const BATCH_EVENTS: u32 = 100;
/// Of the events of a request; what is around them is short.
const BATCH_BYTES: u32 = (32 << 10) - 64;

/// Where an event stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Settled, and about to be forgotten.
    #[default]
    Gone,
    /// Never tried, and this page's own.
    New,
    /// To be sent under the lock.
    Waiting,
    /// In a request.
    Sent,
}

/// An event that waits.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Record {
    /// The page's number for it.
    pub event: u32,
    /// When it was made.
    pub created_ms: f64,
    /// How much it adds to a request, at most.
    pub bytes: u32,
    /// Whether this page made it.
    pub own: bool,
    /// Whether the Pixel has no part in it.
    pub pixel_off: bool,
    /// Whether it is an order's.
    pub ordered: bool,
    /// The request it was sent in last.
    pub request: u32,
    /// Where it stands.
    pub state: State,
    /// Whether it must go alone, because it may be what spoilt a request.
    pub alone: bool,
    /// Whether another page may wait for it too.
    pub shared: bool,
    /// Until when it is left alone, because it was rejected alone and without a rule; 0 where it was not.
    pub suspect_until_ms: f64,
}

/// An event as the page knows it.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    /// Its number.
    pub event: u32,
    /// When it was made.
    pub created_ms: f64,
    /// How much it adds to a request, at most.
    pub bytes: u32,
    /// Whether the Pixel has no part in it.
    pub is_pixel_off: bool,
    /// Whether it is an order's.
    pub has_order: bool,
}

impl Stored {
    /// The event before anything has become of it.
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
    /// From when on a new event need not wait for the Pixel any more.
    fn due_ms(&self, facts: &Facts) -> f64 {
        if facts.pixel_known || self.pixel_off {
            self.created_ms
        } else {
            self.created_ms + VERDICT_MS
        }
    }

    /// Whether it may be part of a request now.
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

    /// Whether it goes after all others.
    fn is_last(&self) -> bool {
        self.suspect_until_ms > 0.0
    }

    /// Ends it. Where other pages may wait for it too, they are left word of how.
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

/// Which events a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// New ones that need not wait for the Pixel any more.
    Ready,
    /// Those that waited for the lock.
    Waiting,
    /// All of this page's, because it is being left.
    Leaving,
}

/// The events that wait, as far as this page knows, oldest first.
#[derive(Debug)]
pub struct Outbox {
    records: [Record; MAX_EVENTS],
    count: usize,
    requests: u32,
    /// When to try again.
    pub pace: Pace,
    /// When a lease of another page's event ends; 0 for none.
    leased_until_ms: f64,
}

impl Outbox {
    /// An outbox without events.
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

    /// Forgets every event; whoever waits is told that consent is denied.
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

    /// Stores a new event, and makes room for it.
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

    /// Forgets what is settled.
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

    /// Takes the lock up: what is stored is told next, beginning with the pause the proxy asked for.
    pub fn look(&mut self, pause_until_ms: f64, now_ms: f64) {
        self.pace.recall(pause_until_ms, now_ms);
        self.leased_until_ms = 0.0;
    }

    /// Another page has ended an event while it waited here.
    pub fn miss(&mut self, event: u32, word: Word, fx: &mut Effects) {
        for record in self.records() {
            if record.event == event && record.state == State::Waiting {
                fx.push(Effect::Settle { event, word });
                record.state = State::Gone;
            }
        }
        self.sweep();
    }

    /// An event of another page is stored: takes it over if it may be sent from here.
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

    /// Asks for the next request, if any event may go out now; says whether it did.
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

    /// Takes the answer to a request: what it settles is removed, the rest waits.
    pub fn answered(&mut self, answer: &Answer<'_>, facts: &Facts, fx: &mut Effects) {
        let sent = |r: &Record| r.state == State::Sent && r.request == answer.request;
        let several = self.records().iter().filter(|r| sent(r)).count() > 1;
        let reading = answer.reading(several);
        let slowly = reading == Reading::Slowly;
        // After a rejection of one, too, the next request waits a moment: whoever rejects may reject all.
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
                // It was not counted, so it may be reported again once it is right.
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

    /// Whether something may be sent under the lock now.
    pub fn wants_the_lock(&mut self, now_ms: f64) -> bool {
        let left_behind = self.leased_until_ms > 0.0 && self.leased_until_ms <= now_ms;
        now_ms >= self.pace.not_before_ms()
            && (left_behind
                || self
                    .records()
                    .iter()
                    .any(|r| r.state == State::Waiting && r.suspect_until_ms <= now_ms))
    }

    /// There is reason to hope: waits of our own are over.
    pub fn hurry(&mut self, now_ms: f64) {
        self.pace.hurry();
        for record in self.records() {
            if record.is_last() {
                record.suspect_until_ms = now_ms;
            }
        }
    }

    /// In how many milliseconds something becomes due that is not due yet.
    pub fn next_due_ms(&mut self, facts: &Facts) -> Option<f64> {
        let now_ms = facts.now_ms;
        let not_before_ms = self.pace.not_before_ms();
        // While the proxy wants to be left alone, nothing goes out.
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
            // What waits and could go now is about to: the lock was asked for.
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
