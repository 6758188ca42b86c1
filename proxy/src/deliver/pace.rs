//! How fast one lane sends: several requests at once while all is well, one at a time and with pauses while
//! it is not. Pure: the time and a random number come in as arguments.

use std::{
    mem,
    time::{Duration, Instant},
};

use crate::retry::Slow;

/// The longest pause after trouble.
const LONGEST_TROUBLE: Duration = Duration::from_mins(5);
/// The longest pause while TikTok refuses the token: an operator who has mended it wants to see so.
const LONGEST_BAR: Duration = Duration::from_secs(30);
/// How long TikTok's limits want to be left alone at the least, and how long at most.
const SHORTEST_THROTTLE: Duration = Duration::from_mins(1);
const LONGEST_THROTTLE: Duration = Duration::from_mins(10);
/// The time between two requests after throttling: where it starts, and how far it grows.
const FIRST_GAP: Duration = Duration::from_millis(500);
const LONGEST_GAP: Duration = Duration::from_secs(30);

/// The speed of one lane.
#[derive(Debug)]
pub(super) struct Pace {
    /// The most requests at once.
    parallel: usize,
    /// How many are allowed at the moment.
    window: usize,
    /// Pauses since the last answer that was none of these.
    pauses: u32,
    resume_at: Option<Instant>,
    /// The time to be left between two requests, and when the last one started.
    gap: Duration,
    started_at: Option<Instant>,
    /// Counts pauses, so that several requests that failed together cause one.
    epoch: u64,
}

/// Whether a request may start.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Now.
    Go,
    /// After this time.
    Wait(Duration),
    /// When one that is under way has ended.
    Full,
}

/// When a request was started, in pauses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket(u64);

impl Pace {
    pub(super) fn new(parallel: usize) -> Self {
        Self {
            parallel: parallel.max(1),
            window: parallel.max(1),
            pauses: 0,
            resume_at: None,
            gap: Duration::ZERO,
            started_at: None,
            epoch: 0,
        }
    }

    pub(super) fn turn(&self, under_way: usize, now: Instant) -> Turn {
        let spaced = self.started_at.map(|started| started + self.gap);
        let earliest = self.resume_at.into_iter().chain(spaced).max();
        let wait = earliest.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        if under_way >= self.window {
            Turn::Full
        } else if wait.is_zero() {
            Turn::Go
        } else {
            Turn::Wait(wait)
        }
    }

    pub(super) fn started(&mut self, now: Instant) -> Ticket {
        self.started_at = Some(now);
        Ticket(self.epoch)
    }

    /// TikTok is there and takes requests: a little faster. Says whether this ended a time of pauses.
    pub(super) fn answered(&mut self, ticket: Ticket) -> bool {
        if ticket.0 != self.epoch {
            return false;
        }
        let recovered = mem::take(&mut self.pauses) > 0;
        self.window = (self.window + 1).min(self.parallel);
        self.gap /= 2;
        if self.gap < FIRST_GAP / 4 {
            self.gap = Duration::ZERO;
        }
        recovered
    }

    /// A request has to be sent again: pauses for a random time, which `share` (0 to 1) chooses, and goes on
    /// with one request at a time. Says how long, unless a request that was sent with it caused the pause
    /// already.
    pub(super) fn pause(
        &mut self,
        why: Slow,
        ticket: Ticket,
        now: Instant,
        share: f64,
    ) -> Option<Duration> {
        if ticket.0 != self.epoch {
            return None;
        }
        self.epoch += 1;
        self.pauses = self.pauses.saturating_add(1);
        self.window = 1;
        let (least, within) = match why {
            Slow::Trouble => (
                Duration::ZERO,
                doubled(Duration::from_secs(1), self.pauses, LONGEST_TROUBLE),
            ),
            Slow::Barred => (
                Duration::from_secs(1),
                doubled(Duration::from_secs(2), self.pauses, LONGEST_BAR),
            ),
            Slow::Throttled => {
                self.gap = (self.gap * 2).clamp(FIRST_GAP, LONGEST_GAP);
                let spread = doubled(SHORTEST_THROTTLE, self.pauses, LONGEST_THROTTLE);
                (SHORTEST_THROTTLE, SHORTEST_THROTTLE + spread)
            }
        };
        let wait = least + within.saturating_sub(least).mul_f64(share.clamp(0.0, 1.0));
        self.resume_at = Some(now + wait);
        Some(wait)
    }
}

/// `first`, doubled with every pause after the first, at most `longest`.
fn doubled(first: Duration, pauses: u32, longest: Duration) -> Duration {
    let factor = 1_u32.checked_shl(pauses.saturating_sub(1));
    first
        .saturating_mul(factor.unwrap_or(u32::MAX))
        .min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(why: Slow, share: f64) -> Vec<u64> {
        let now = Instant::now();
        let mut pace = Pace::new(4);
        (0..12)
            .map(|_| {
                let ticket = pace.started(now);
                pace.pause(why, ticket, now, share).unwrap().as_secs()
            })
            .collect()
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_are_random_below_it() {
        assert_eq!(
            pauses(Slow::Trouble, 1.0),
            [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
        );
        assert_eq!(pauses(Slow::Trouble, 0.0), [0; 12]);
        assert_eq!(pauses(Slow::Barred, 1.0)[..6], [2, 4, 8, 16, 30, 30]);
    }

    #[test]
    fn throttling_waits_a_minute_at_least() {
        assert!(
            pauses(Slow::Throttled, 0.0)
                .into_iter()
                .all(|wait| wait == 60)
        );
        assert_eq!(
            pauses(Slow::Throttled, 1.0)[..6],
            [120, 180, 300, 540, 660, 660]
        );
    }

    #[test]
    fn after_trouble_one_request_tries_and_each_answer_allows_one_more() {
        let start = Instant::now();
        let mut pace = Pace::new(3);
        let tickets = [0; 3].map(|_| pace.started(start));
        assert_eq!(pace.turn(3, start), Turn::Full);
        let wait = pace.pause(Slow::Trouble, tickets[0], start, 1.0).unwrap();
        // The others that failed with it say nothing new.
        assert_eq!(pace.pause(Slow::Trouble, tickets[1], start, 1.0), None);
        assert!(!pace.answered(tickets[2]));
        assert_eq!(pace.turn(0, start), Turn::Wait(wait));

        let later = start + wait;
        assert_eq!(
            (pace.turn(0, later), pace.turn(1, later)),
            (Turn::Go, Turn::Full)
        );
        for (allowed, recovered) in [(2, true), (3, false), (3, false)] {
            let ticket = pace.started(later);
            assert_eq!(pace.answered(ticket), recovered);
            assert_eq!(pace.turn(allowed - 1, later), Turn::Go);
            assert_eq!(pace.turn(allowed, later), Turn::Full);
        }
    }

    #[test]
    fn throttling_leaves_a_gap_between_requests_that_closes_by_itself() {
        let mut now = Instant::now();
        let mut pace = Pace::new(4);
        for _ in 0..2 {
            let ticket = pace.started(now);
            now += pace.pause(Slow::Throttled, ticket, now, 0.0).unwrap();
        }
        let gaps: Vec<_> = (0..5)
            .map(|_| {
                let ticket = pace.started(now);
                pace.answered(ticket);
                match pace.turn(0, now) {
                    Turn::Wait(gap) => {
                        now += gap;
                        gap.as_millis()
                    }
                    _ => 0,
                }
            })
            .collect();
        assert_eq!(gaps, [500, 250, 125, 0, 0]);
    }
}
