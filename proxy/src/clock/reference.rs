//! Which time it is to be taken for, where the system's clock may be wrong. Pure: the clocks' readings, TikTok's time and
//! the time of the last commit come in as arguments.
//!
//! Anybody may set the system's clock: an operator, NTP after a start without it, a virtual machine that wakes up. To
//! forget or give up something too early loses sales and reports them twice; too late costs a little disk. So:
//!
//! 1. Between two readings as much time passes as the boot clock says, which nobody sets.
//! 2. The boot clock is anchored at the time of day of the start, and at TikTok's time whenever an answer states it.
//! 3. If the time of day at the start lies before the store's last commit or more than a day behind it, nothing expires
//!    until TikTok's time or an hour of uptime confirms it.
//! 4. A time of day that has differed by the same amount for a day, without an answer of TikTok since, is the new anchor.
//! 5. Nothing is older than it is because the anchor has moved: for a week after it moved forward, periods end by the
//!    earlier one.

const MINUTE_MS: i64 = 60 * 1000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Clocks that are this close are taken for equal: `Date` counts whole seconds, and an answer takes some.
const CLOSE_MS: i64 = MINUTE_MS;
/// From this difference on the system's clock is suspect: TikTok merges the two legs of an event for this long.
const SUSPECT_MS: i64 = 5 * MINUTE_MS;
/// How much uptime confirms the time of day of the start.
const UPTIME_CONFIRMS_MS: i64 = HOUR_MS;
/// A store that was idle for longer than this at the start may as well have met a clock that runs ahead.
const PLAUSIBLE_STOP_MS: i64 = DAY_MS;
/// How long a difference has to stay the same before the time of day is the new anchor.
const STEADY_MS: i64 = DAY_MS;
/// How long an earlier anchor counts for what it stamped: as long as an event is worth delivering.
const STAMPS_COUNT_MS: i64 = 7 * DAY_MS;

/// What the system's clocks say at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The time of day, in Unix milliseconds; anybody may set it.
    pub wall_ms: i64,
    /// Milliseconds since the machine started; nobody sets it.
    pub boot_ms: i64,
}

/// The times that follow, in Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// The time of day: what the times of others are compared with, and what others are told. The system's clock, unless
    /// it differs from the time that TikTok has stated since the start, or by more than a day from a start that followed
    /// the store's last commit.
    pub day_ms: i64,
    /// What periods are counted from.
    pub stamp_ms: i64,
    /// What the ends of periods are compared with; 1970 while nothing may expire.
    pub expiry_ms: i64,
    /// What the next start compares its time with; `None` while this one is not confirmed.
    pub confirmed_ms: Option<i64>,
}

impl Times {
    /// What the age of something is told by; while the time is in doubt, nothing has any.
    pub fn age_ms(&self) -> i64 {
        self.confirmed_ms.unwrap_or_default()
    }

    /// The times by a clock that nobody doubts.
    #[cfg(test)]
    pub(crate) fn undoubted(now_ms: i64) -> Self {
        Self {
            day_ms: now_ms,
            stamp_ms: now_ms,
            expiry_ms: now_ms,
            confirmed_ms: Some(now_ms),
        }
    }
}

/// Why the system's clock is suspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspect {
    /// At the start it read a time before the store's last commit.
    Behind,
    /// At the start it read a time more than a day after the store's last commit.
    Ahead,
    /// It differs from TikTok's time, or has been set since the start.
    Differs,
}

impl Suspect {
    /// As operators read it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Behind => "suspect: behind the last commit",
            Self::Ahead => "suspect: more than a day after the last commit",
            Self::Differs => "suspect: wrong, or set since the start",
        }
    }
}

/// The anchor, and what speaks against it.
#[derive(Clone, Debug)]
pub struct Reference {
    /// What the boot clock lacks to the time.
    offset_ms: i64,
    /// The least offset of the last week, and until when (by the boot clock) it counts.
    least: (i64, i64),
    started_boot_ms: i64,
    /// Whether TikTok has stated the time since the start.
    is_tiktoks: bool,
    /// Whether the start's time of day follows the store's last commit as it should.
    follows: bool,
    /// Why the start's time of day is not confirmed yet.
    doubt: Option<Suspect>,
    difference: Difference,
}

/// By how much the time of day differs from the reference.
#[derive(Clone, Copy, Debug)]
struct Difference {
    /// 0 where they are close.
    ahead_ms: i64,
    /// Since when, by the boot clock.
    since_boot_ms: i64,
    /// Whether TikTok has stated the reference's time meanwhile.
    is_tiktoks: bool,
}

impl Reference {
    /// Anchors the boot clock at the time of day. `last_commit_ms` is what [`Times::confirmed_ms`] was when the store
    /// was last written.
    pub fn start(now: Reading, last_commit_ms: Option<i64>) -> Self {
        let offset_ms = now.wall_ms.saturating_sub(now.boot_ms);
        let doubt = last_commit_ms.and_then(|last| {
            if now.wall_ms < last.saturating_sub(CLOSE_MS) {
                Some(Suspect::Behind)
            } else {
                (now.wall_ms.saturating_sub(last) > PLAUSIBLE_STOP_MS).then_some(Suspect::Ahead)
            }
        });
        Self {
            offset_ms,
            least: (offset_ms, now.boot_ms),
            started_boot_ms: now.boot_ms,
            is_tiktoks: false,
            follows: last_commit_ms.is_some() && doubt.is_none(),
            doubt,
            difference: Difference::none(now),
        }
    }

    /// Takes note of the time that TikTok states.
    pub fn dated(&mut self, now: Reading, date_ms: i64) {
        self.doubt = None;
        if !is_close(date_ms, self.at(now)) {
            self.anchor(now, date_ms);
        }
        self.compare(now);
        self.difference.is_tiktoks = true;
        self.is_tiktoks = true;
    }

    /// Takes note of what the clocks say.
    pub fn read(&mut self, now: Reading) -> Times {
        if now.boot_ms.saturating_sub(self.started_boot_ms) >= UPTIME_CONFIRMS_MS {
            self.doubt = None;
        }
        self.compare(now);
        let steady_ms = now.boot_ms.saturating_sub(self.difference.since_boot_ms);
        let is_news = self.difference.ahead_ms != 0 && !self.difference.is_tiktoks;
        if is_news && steady_ms >= STEADY_MS {
            self.anchor(now, now.wall_ms);
            self.is_tiktoks = false;
            self.follows = false;
            self.difference = Difference::none(now);
        }
        let stamp_ms = self.at(now);
        // A start may be hours off until NTP sets the clock right; a step of days away from what the store says is none.
        let is_far = self.difference.ahead_ms.abs() > PLAUSIBLE_STOP_MS;
        let is_known = self.is_tiktoks || self.follows && is_far;
        let is_wrong = is_known && self.suspect() == Some(Suspect::Differs);
        Times {
            day_ms: if is_wrong { stamp_ms } else { now.wall_ms },
            stamp_ms,
            expiry_ms: self.expiry_ms(now),
            confirmed_ms: self.doubt.is_none().then_some(stamp_ms),
        }
    }

    /// Why the system's clock is suspect, by what was noted last.
    pub fn suspect(&self) -> Option<Suspect> {
        let differs = self.difference.ahead_ms.abs() > SUSPECT_MS;
        self.doubt.or(differs.then_some(Suspect::Differs))
    }

    /// By how much the system's clock is ahead of the reference, by what was noted last; 0 where they are close.
    pub fn ahead_ms(&self) -> i64 {
        self.difference.ahead_ms
    }

    fn at(&self, now: Reading) -> i64 {
        now.boot_ms.saturating_add(self.offset_ms)
    }

    fn expiry_ms(&self, now: Reading) -> i64 {
        if self.doubt.is_some() {
            return 0;
        }
        now.boot_ms.saturating_add(self.least_offset_ms(now))
    }

    fn least_offset_ms(&self, now: Reading) -> i64 {
        let (least, until) = self.least;
        if now.boot_ms < until {
            least.min(self.offset_ms)
        } else {
            self.offset_ms
        }
    }

    fn anchor(&mut self, now: Reading, time_ms: i64) {
        let until = now.boot_ms.saturating_add(STAMPS_COUNT_MS);
        self.least = (self.least_offset_ms(now), until);
        self.offset_ms = time_ms.saturating_sub(now.boot_ms);
    }

    fn compare(&mut self, now: Reading) {
        let reference_ms = self.at(now);
        let ahead_ms = now.wall_ms.saturating_sub(reference_ms);
        let before_ms = self.difference.ahead_ms;
        if is_close(now.wall_ms, reference_ms) {
            self.difference = Difference::none(now);
        } else if before_ms == 0 || !is_close(ahead_ms, before_ms) {
            self.difference = Difference {
                ahead_ms,
                ..Difference::none(now)
            };
        }
    }
}

impl Difference {
    fn none(now: Reading) -> Self {
        Self {
            ahead_ms: 0,
            since_boot_ms: now.boot_ms,
            is_tiktoks: false,
        }
    }
}

fn is_close(one_ms: i64, other_ms: i64) -> bool {
    one_ms.abs_diff(other_ms) <= CLOSE_MS.unsigned_abs()
}

#[cfg(test)]
mod tests;
