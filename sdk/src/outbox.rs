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

use alloc::{string::String, vec::Vec};

use crate::{
    answer::{Answer, Reading},
    effect::{ACCEPTED, CONSENT, DROPPED, Effects, INVALID, Post, QUEUED},
    facts::Facts,
    host::Host,
    joined::{Fields, Records, push_number, put},
    once,
    pace::{PAUSE_KEY, Pace},
    record::{LEASE_MS, MAX_AGE_MS, PREFIX, Record, State, VERDICT_MS},
    tracker,
};

const MAX_EVENTS: usize = 1000;
const MAX_BYTES: usize = 1 << 20;
const BATCH_EVENTS: usize = 100;
const BATCH_BYTES: usize = 32 << 10;

/// What is known only when a request is written.
#[derive(Clone, Copy, Debug)]
pub struct Late<'a> {
    /// The visitor's clock.
    pub now_ms: u64,
    /// The browser id in TikTok's cookie; empty for none.
    pub ttp: &'a str,
    /// What became of the Pixel; empty while unknown.
    pub pixel: &'a str,
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
        for record in core::mem::take(&mut self.records) {
            fx.settle(record.ticket, record.event_id(), CONSENT);
        }
        self.leased_until_ms = 0;
    }

    /// Stores a new event, and makes room for it.
    pub fn add(&mut self, mut record: Record, fx: &mut Effects) {
        while !self.records.is_empty() && self.is_full(record.stored.len()) {
            let plain = self.records.iter().position(|r| r.mark().is_empty());
            let oldest = self.records.remove(plain.unwrap_or(0));
            give_up(
                &oldest,
                "full",
                "the outbox is full; its oldest event is dropped",
                fx,
            );
        }
        fx.write(&record.key, &record.stored);
        if record.created_ms < self.pace.not_before_ms() {
            record.state = State::Waiting;
            fx.settle(record.ticket, record.event_id(), QUEUED);
        }
        self.records.push(record);
    }

    fn is_full(&self, more_bytes: usize) -> bool {
        let bytes: usize = self.records.iter().map(|r| r.stored.len()).sum();
        self.records.len() >= MAX_EVENTS || bytes + more_bytes > MAX_BYTES
    }

    /// Looks at what is stored under `keys`: the pause the proxy asked for, events of other pages that
    /// may be sent from here, and what other pages have settled meanwhile. Old order marks are swept
    /// out on the way.
    pub fn merge(&mut self, keys: Records<'_>, now_ms: u64, host: &Host, fx: &mut Effects) {
        let read = host.read;
        self.pace.recall(&read(PAUSE_KEY), now_ms);
        self.records.retain(|record| {
            let kept = record.state != State::Waiting || !read(&record.key).is_empty();
            if !kept {
                fx.settle(record.ticket, record.event_id(), ACCEPTED);
            }
            kept
        });
        self.leased_until_ms = 0;
        for Fields(key) in keys {
            if once::is_mark(key) && once::is_old(&read(key), now_ms) {
                fx.remove(key);
            }
            if !key.starts_with(PREFIX) || self.records.iter().any(|record| record.key == key) {
                continue;
            }
            let record = Record::adopt(key, read(key));
            let leased_until_ms = record.created_ms + LEASE_MS;
            if leased_until_ms > now_ms {
                self.leased_until_ms = leased_until_ms;
            } else if record.created_ms + MAX_AGE_MS < now_ms || record.body().is_empty() {
                let message = "an event waited for 7 days and is dropped";
                give_up(&record, "expired", message, fx);
            } else {
                self.records.push(record);
            }
        }
    }

    /// The next request, if any event may go out now.
    pub fn next(&mut self, which: Which, late: Late<'_>) -> Option<Post> {
        let leaving = which == Which::Leaving;
        let paused = late.now_ms < self.pace.not_before_ms();
        if paused && (which == Which::Waiting || self.pace.is_asked(late.now_ms)) {
            return None;
        }
        let mut body = String::from("{\"sent_at\":");
        push_number(&mut body, late.now_ms);
        put(&mut body, ",\"events\":[");
        let mut count = 0;
        for record in &mut self.records {
            let due = match record.state {
                State::New => leaving || which == Which::Ready && is_ready(record, late),
                State::Waiting => which == Which::Waiting || leaving && record.is_own(),
                State::Sent(_) => false,
            };
            let pixel = if record.pixel_off() {
                "off"
            } else if record.is_own() {
                late.pixel
            } else {
                // Another page's Pixel; nobody knows any more.
                ""
            };
            let event = tracker::close(record.body(), late.ttp, pixel);
            let bytes = body.len() + event.len() + 3;
            let crowded = count > 0 && (record.alone || bytes > BATCH_BYTES);
            if !due || crowded {
                continue;
            }
            if count > 0 {
                body.push(',');
            }
            put(&mut body, &event);
            record.state = State::Sent(self.requests);
            count += 1;
            if record.alone || count == BATCH_EVENTS {
                break;
            }
        }
        if count == 0 {
            return None;
        }
        put(&mut body, "]}");
        let number = self.requests;
        self.requests += 1;
        Some(Post {
            number,
            body,
            leaving,
        })
    }

    /// Takes the answer to a request: what it settles is removed, the rest waits.
    pub fn answered(&mut self, mut answer: Answer<'_>, facts: &Facts<'_>, fx: &mut Effects) {
        let sent = State::Sent(answer.request);
        let count = self.records.iter().filter(|r| r.state == sent).count();
        let reading = answer.reading(count > 1);
        let mut unsettled = matches!(reading, Reading::Slowly | Reading::Later);
        self.records.retain_mut(|record| {
            if record.state != sent {
                return true;
            }
            record.state = State::Waiting;
            record.alone = reading == Reading::Apart;
            if record.alone {
                return true;
            }
            let settled = match reading {
                Reading::PerEvent => answer.next(record.event_id()),
                Reading::Refused => Some((DROPPED, Fields(""))),
                _ => None,
            };
            let Some((status, said)) = settled else {
                unsettled = true;
                fx.settle(record.ticket, record.event_id(), QUEUED);
                return true;
            };
            fx.remove(&record.key);
            if status == INVALID || status == DROPPED {
                if !record.mark().is_empty() {
                    // It was not counted, so it may be reported again once it is right.
                    fx.remove(record.mark());
                }
                fx.report(
                    status,
                    "the proxy refused an event for good",
                    record.event_id(),
                    "",
                );
            }
            fx.settle(record.ticket, record.event_id(), status)
                .with(said.0);
            false
        });
        if reading == Reading::Slowly {
            fx.report(
                "refused",
                "the proxy takes nothing from this page; see its allowed origins and the endpoint",
                "",
                "",
            );
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
    pub fn next_due_ms(&self, late: Late<'_>) -> Option<u64> {
        let not_before_ms = self.pace.not_before_ms();
        let mut next_ms = u64::MAX;
        for record in &self.records {
            next_ms = next_ms.min(match record.state {
                State::New if is_ready(record, late) => late.now_ms,
                State::New => record.created_ms + VERDICT_MS,
                State::Waiting if late.now_ms < not_before_ms => not_before_ms,
                State::Waiting | State::Sent(_) => u64::MAX,
            });
        }
        if self.leased_until_ms > 0 {
            next_ms = next_ms.min(self.leased_until_ms.max(not_before_ms));
        }
        (next_ms < u64::MAX).then(|| next_ms.saturating_sub(late.now_ms))
    }
}

fn is_ready(record: &Record, late: Late<'_>) -> bool {
    !late.pixel.is_empty() || late.now_ms >= record.created_ms + VERDICT_MS || record.pixel_off()
}

fn give_up(record: &Record, code: &str, message: &str, fx: &mut Effects) {
    fx.remove(&record.key);
    fx.report(code, message, record.event_id(), "");
    fx.settle(record.ticket, record.event_id(), DROPPED);
}
