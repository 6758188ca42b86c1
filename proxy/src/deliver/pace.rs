//! Decides how fast one lane sends. A lane sends several requests at once while requests succeed. After a failure, the lane
//! sends one request at a time, with pauses. The decision is pure: the time and a random number are arguments.
//!
//! One promise always holds: the next request is allowed at most 30 s after the last request started or failed. If TikTok asked
//! for fewer requests, the next request is allowed after at least 60 s and at most 75 s.

use std::{
    mem,
    time::{Duration, Instant},
};

use crate::{health::Speed, retry::Slow};

/// The longest pause after a failure.
pub(super) const LONGEST_TROUBLE: Duration = Duration::from_secs(30);
/// The longest pause while TikTok refuses the token. This pause is short, so that an operator soon sees whether a new token
/// works.
const LONGEST_BAR: Duration = Duration::from_secs(30);
/// The shortest and the longest pause after TikTok asked for fewer requests.
const SHORTEST_THROTTLE: Duration = Duration::from_mins(1);
const LONGEST_THROTTLE: Duration = Duration::from_secs(75);
/// The shortest and the longest time between two requests after TikTok asked for fewer requests.
const FIRST_GAP: Duration = Duration::from_millis(500);
const LONGEST_GAP: Duration = Duration::from_secs(30);

/// The speed of one lane.
#[derive(Debug)]
pub(super) struct Pace {
    /// The largest number of requests that may be open at the same time.
    parallel: usize,
    /// How many requests may be open at the same time at the moment.
    window: usize,
    trouble: Cause,
    bar: Cause,
    throttle: Cause,
    resume_at: Option<Instant>,
    /// The minimum time between two requests, and when the last request started.
    gap: Duration,
    started_at: Option<Instant>,
    /// Counts pauses.
    epoch: u64,
}

/// One reason for pauses. The pauses of each reason are counted separately.
#[derive(Debug, Default)]
struct Cause {
    /// How many pauses this reason has caused since the last successful answer.
    pauses: u32,
    /// The number of the last pause that this reason caused. If a request that was sent before this pause fails for the same
    /// reason, the failure gives no new information.
    epoch: u64,
}

/// Whether a request can start.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// A request can start now.
    Go,
    /// A request can start after this time.
    Wait(Duration),
    /// A request can start after an open request has ended.
    Full,
}

/// The number of pauses that there had been when a request was started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket(u64);

impl Pace {
    pub(super) fn new(parallel: usize) -> Self {
        Self {
            parallel: parallel.max(1),
            window: parallel.max(1),
            trouble: Cause::default(),
            bar: Cause::default(),
            throttle: Cause::default(),
            resume_at: None,
            gap: Duration::ZERO,
            started_at: None,
            epoch: 0,
        }
    }

    /// Returns the earliest time of the next request. `None` if there was no request.
    pub(super) fn earliest(&self) -> Option<Instant> {
        let spaced = self.started_at.map(|started| started + self.gap);
        self.resume_at.into_iter().chain(spaced).max()
    }

    pub(super) fn turn(&self, under_way: usize, now: Instant) -> Turn {
        let wait = self
            .earliest()
            .map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        if under_way >= self.window {
            Turn::Full
        } else if wait.is_zero() {
            Turn::Go
        } else {
            Turn::Wait(wait)
        }
    }

    /// Returns the speed at `now`, which is `now_ms` in Unix milliseconds.
    pub(super) fn speed(&self, now: Instant, now_ms: i64) -> Speed {
        let left = self.resume_at.map(|at| at.saturating_duration_since(now));
        let left = left.filter(|left| !left.is_zero());
        Speed {
            requests_at_once: self.window,
            gap_ms: millis(self.gap),
            paused_until_ms: left.map(|left| now_ms.saturating_add(millis(left))),
        }
    }

    pub(super) fn started(&mut self, now: Instant) -> Ticket {
        self.started_at = Some(now);
        Ticket(self.epoch)
    }

    /// Applies a successful answer, which makes the lane a little faster. Returns whether the answer ended a series of pauses.
    pub(super) fn answered(&mut self, ticket: Ticket) -> bool {
        if ticket.0 != self.epoch {
            return false;
        }
        let causes = [&mut self.trouble, &mut self.bar, &mut self.throttle];
        let recovered = causes.map(|cause| mem::take(&mut cause.pauses) > 0);
        self.window = (self.window + 1).min(self.parallel);
        self.gap /= 2;
        if self.gap < FIRST_GAP / 4 {
            self.gap = Duration::ZERO;
        }
        recovered.contains(&true)
    }

    /// Applies a failed request: starts a pause. After the pause, the lane sends one request at a time. `share` (0 to 1)
    /// selects the length of the pause. Returns the length of the pause. Returns `None` if a request that was sent at the same
    /// time has already caused the pause.
    pub(super) fn pause(
        &mut self,
        why: Slow,
        ticket: Ticket,
        now: Instant,
        share: f64,
    ) -> Option<Duration> {
        let cause = match why {
            Slow::Trouble => &mut self.trouble,
            Slow::Barred => &mut self.bar,
            Slow::Throttled => &mut self.throttle,
        };
        let is_news = ticket.0 >= cause.epoch;
        if is_news {
            self.epoch += 1;
            cause.epoch = self.epoch;
            cause.pauses = cause.pauses.saturating_add(1);
            self.window = 1;
        }
        let (least, within) = match why {
            Slow::Trouble if is_news => (
                Duration::ZERO,
                doubled(Duration::from_secs(1), cause.pauses, LONGEST_TROUBLE),
            ),
            Slow::Barred if is_news => (
                Duration::from_secs(1),
                doubled(Duration::from_secs(2), cause.pauses, LONGEST_BAR),
            ),
            Slow::Trouble | Slow::Barred => return None,
            Slow::Throttled => {
                if is_news {
                    self.gap = (self.gap * 2).clamp(FIRST_GAP, LONGEST_GAP);
                }
                (SHORTEST_THROTTLE, LONGEST_THROTTLE)
            }
        };
        let pause = least + within.saturating_sub(least).mul_f64(share.clamp(0.0, 1.0));
        // Another reason may have asked for a longer pause.
        let resume_at = self.resume_at.max(Some(now + pause));
        self.resume_at = resume_at;
        let wait = resume_at.map(|at| at.saturating_duration_since(now));
        wait.filter(|_| is_news)
    }
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Returns `first`, doubled with every failure after the first, and at most `longest`.
pub(super) fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    let factor = 1_u32.checked_shl(times.saturating_sub(1));
    first
        .saturating_mul(factor.unwrap_or(u32::MAX))
        .min(longest)
}

#[cfg(test)]
mod tests;
