//! What to send next, what to drop, and what an answer settles.
//!
//! An event is stored under a key of its own before anything is sent, so that tabs never overwrite
//! each other's, and is removed only when the proxy has settled it, when it is too old, or when there
//! is no room.
//!
//! Two tabs must not send the same event. A new event belongs to the page that made it for
//! [`LEASE_MS`]; that page sends it without asking anyone. Whatever failed once, and whatever other
//! pages left behind, is sent only under the lock of [`Effects::adopt`], after looking at what is
//! still stored.

use alloc::vec::Vec;

use crate::{
    answer::{Answer, Reading},
    effect::{ACCEPTED, CONSENT, DROPPED, Effects, INVALID, QUEUED},
    facts::Facts,
    host::Host,
    joined::{Fields, Records, push_number, put},
    once,
    pace::{PAUSE_KEY, Pace},
    record::{LEASE_MS, MAX_AGE_MS, PREFIX, Record, State, VERDICT_MS},
};

const MAX_EVENTS: usize = 1000;
const MAX_BYTES: usize = 1 << 20;
const BATCH_EVENTS: usize = 100;
/// Of the events of a request; what is around them is short.
const BATCH_BYTES: usize = (32 << 10) - 64;

/// What is known only when a request is written.
#[derive(Clone, Copy, Debug)]
pub struct Late<'a> {
    /// The page.
    pub facts: &'a Facts<'a>,
    /// The browser id in TikTok's cookie; empty for none.
    pub ttp: &'a str,
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

/// The events that wait, as far as this page knows.
#[derive(Debug, Default)]
pub struct Outbox {
    records: Vec<Record>,
    requests: u32,
    pace: Pace,
    /// When a lease of another page's event ends; 0 for none.
    leased_until_ms: u64,
}

impl Outbox {
    /// How many events wait.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Tries again now, unless the proxy asked for a pause.
    pub fn hurry(&mut self) {
        self.pace.hurry();
    }

    /// Forgets every event; whoever waits is told that consent is denied.
    pub fn clear(&mut self, fx: &mut Effects) {
        for record in &mut self.records {
            record.settle(CONSENT, fx);
            record.state = State::Gone;
        }
        self.sweep();
        self.leased_until_ms = 0;
    }

    /// Stores a new event, and makes room for it.
    pub fn add(&mut self, mut record: Record, fx: &mut Effects) {
        while self.is_full(record.stored.len()) {
            let plain = self.records.iter().position(|r| r.mark().is_empty());
            let Some(oldest) = self.records.get_mut(plain.unwrap_or(0)) else {
                break;
            };
            give_up(oldest, "full", fx);
            self.sweep();
        }
        fx.write(&record.key, &record.stored);
        if record.created_ms < self.pace.not_before_ms() {
            record.state = State::Waiting;
            record.settle(QUEUED, fx);
        }
        self.records.push(record);
    }

    fn is_full(&self, more_bytes: usize) -> bool {
        let bytes: usize = self.records.iter().map(|r| r.stored.len()).sum();
        self.records.len() >= MAX_EVENTS || bytes + more_bytes > MAX_BYTES
    }

    #[inline(never)]
    fn sweep(&mut self) {
        self.records.retain(|record| record.state != State::Gone);
    }

    /// Looks at what is stored under `keys`: the pause the proxy asked for, events of other pages that
    /// may be sent from here, and what other pages have settled meanwhile. Old order marks are swept
    /// out on the way.
    pub fn merge(&mut self, keys: Records<'_>, now_ms: u64, host: &Host, fx: &mut Effects) {
        let read = host.read;
        self.pace.recall(&read(PAUSE_KEY), now_ms);
        for record in &mut self.records {
            if record.state == State::Waiting && read(&record.key).is_empty() {
                record.settle(ACCEPTED, fx);
                record.state = State::Gone;
            }
        }
        self.sweep();
        self.leased_until_ms = 0;
        for Fields(key) in keys {
            let stored = read(key);
            if once::is_mark(key) && once::is_old(&stored, now_ms) {
                fx.remove(key);
            }
            if !key.starts_with(PREFIX) || self.records.iter().any(|record| record.key == key) {
                continue;
            }
            let mut record = Record::adopt(key, stored);
            let leased_until_ms = record.created_ms + LEASE_MS;
            if leased_until_ms > now_ms {
                self.leased_until_ms = leased_until_ms;
            } else if record.created_ms + MAX_AGE_MS < now_ms || record.body().is_empty() {
                give_up(&mut record, "expired", fx);
            } else {
                self.records.push(record);
            }
        }
    }

    /// Asks for the next request, if any event may go out now; says whether it did.
    pub fn next(&mut self, which: Which, late: Late<'_>, fx: &mut Effects) -> bool {
        let leaving = which == Which::Leaving;
        let now_ms = late.facts.now_ms;
        if now_ms < self.pace.not_before_ms()
            && (which == Which::Waiting || self.pace.is_asked(now_ms))
        {
            return false;
        }
        let before = fx.0.len();
        fx.post(self.requests, leaving);
        put(&mut fx.0, "{\"sent_at\":");
        push_number(&mut fx.0, now_ms);
        put(&mut fx.0, ",\"events\":[");
        let start = fx.0.len();
        let mut count = 0;
        for record in &mut self.records {
            let due = match record.state {
                State::New => {
                    leaving || which == Which::Ready && due_ms(record, late.facts) <= now_ms
                }
                State::Waiting => which == Which::Waiting || leaving && record.is_own(),
                State::Sent | State::Gone => false,
            };
            if !due || count > 0 && record.alone {
                continue;
            }
            let end = fx.0.len();
            if count > 0 {
                put(&mut fx.0, ",");
            }
            record.close(late, &mut fx.0);
            if count > 0 && fx.0.len() - start > BATCH_BYTES {
                fx.0.truncate(end);
                continue;
            }
            record.state = State::Sent;
            record.request = self.requests;
            count += 1;
            if record.alone || count == BATCH_EVENTS {
                break;
            }
        }
        if count == 0 {
            fx.0.truncate(before);
            return false;
        }
        put(&mut fx.0, "]}");
        self.requests += 1;
        true
    }

    /// Takes the answer to a request: what it settles is removed, the rest waits.
    pub fn answered(&mut self, mut answer: Answer<'_>, facts: &Facts<'_>, fx: &mut Effects) {
        let sent = |r: &Record| r.state == State::Sent && r.request == answer.request;
        let several = self.records.iter().filter(|r| sent(r)).count() > 1;
        let reading = answer.reading(several);
        let mut unsettled = matches!(reading, Reading::Slowly | Reading::Later);
        for record in &mut self.records {
            if record.state != State::Sent || record.request != answer.request {
                continue;
            }
            record.state = State::Waiting;
            record.alone = reading == Reading::Apart;
            if record.alone {
                continue;
            }
            let settled = match reading {
                Reading::PerEvent => answer.next(record.event_id()),
                Reading::Refused => Some((DROPPED, Fields(""))),
                _ => None,
            };
            let Some((status, said)) = settled else {
                unsettled = true;
                record.settle(QUEUED, fx);
                continue;
            };
            record.state = State::Gone;
            fx.remove(&record.key);
            if status == INVALID || status == DROPPED {
                if !record.mark().is_empty() {
                    // It was not counted, so it may be reported again once it is right.
                    fx.remove(record.mark());
                }
                fx.report(status, record.event_id(), "");
            }
            record.settle(status, fx).with(said.0);
        }
        self.sweep();
        if reading == Reading::Slowly {
            fx.report("refused", "", "");
        }
        if unsettled {
            let slowly = reading == Reading::Slowly;
            self.pace.failed(slowly, answer.retry_after_ms, facts, fx);
        } else {
            self.pace.succeeded(fx);
        }
    }

    /// Whether something may be sent under the lock now.
    pub fn wants_the_lock(&self, now_ms: u64) -> bool {
        let left_behind = self.leased_until_ms > 0 && self.leased_until_ms <= now_ms;
        let waiting = || self.records.iter().any(|r| r.state == State::Waiting);
        now_ms >= self.pace.not_before_ms() && (left_behind || waiting())
    }

    /// In how many milliseconds something becomes due that is not due yet.
    pub fn next_due_ms(&self, facts: &Facts<'_>) -> Option<u64> {
        let now_ms = facts.now_ms;
        let not_before_ms = self.pace.not_before_ms();
        let mut next_ms = u64::MAX;
        for record in &self.records {
            next_ms = next_ms.min(match record.state {
                State::New => due_ms(record, facts),
                State::Waiting if now_ms < not_before_ms => not_before_ms,
                _ => u64::MAX,
            });
        }
        if self.leased_until_ms > 0 {
            next_ms = next_ms.min(self.leased_until_ms.max(not_before_ms));
        }
        (next_ms < u64::MAX).then(|| next_ms.saturating_sub(now_ms))
    }
}

/// From when on a new event need not wait for the Pixel any more.
fn due_ms(record: &Record, facts: &Facts<'_>) -> u64 {
    if !facts.pixel.is_empty() || record.pixel_off() {
        record.created_ms
    } else {
        record.created_ms + VERDICT_MS
    }
}

fn give_up(record: &mut Record, code: &str, fx: &mut Effects) {
    record.state = State::Gone;
    fx.remove(&record.key);
    fx.report(code, record.event_id(), "");
    record.settle(DROPPED, fx);
}
