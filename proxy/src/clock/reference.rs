//! Decides which time the proxy uses if the system's clock may be wrong. The decision is pure: the readings of the clocks,
//! TikTok's time and the time of the last commit are arguments.
//!
//! The system's clock can change at any time: an operator sets it, NTP corrects it after a start, or a virtual machine wakes
//! up. If the proxy forgets an entry too early, sales are lost or reported twice. If the proxy forgets an entry too late, the
//! entry only takes a little disk space for longer. So if the time may be wrong, an entry must be forgotten too late, not too
//! early. The rules for this are:
//!
//! 1. The boot clock measures the time between two readings. Nobody can set the boot clock.
//! 2. The anchor connects the boot clock with a time. At the start, the anchor is the time of day. Whenever an answer of TikTok
//!    states a time, the anchor becomes TikTok's time.
//! 3. The time of day at the start is in doubt if it is before the store's last commit, or more than a day after the last
//!    commit. While the time is in doubt, nothing expires. TikTok's time or an hour of uptime ends the doubt.
//! 4. If the time of day has differed from the anchor by the same amount for a day, and TikTok has not answered during this
//!    day, the time of day becomes the new anchor.
//! 5. A new anchor must not make entries older. For a week after the anchor has moved forward, the ends of periods are computed
//!    with the earlier anchor.

const MINUTE_MS: i64 = 60 * 1000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Two clocks count as equal if they differ by at most this much. Small differences are normal: TikTok's `Date` header has
/// whole seconds, and an answer takes some seconds.
const CLOSE_MS: i64 = MINUTE_MS;
/// The system's clock is suspect if it differs from the reference's time by more than this. The period is the one in which
/// TikTok merges the two legs of an event.
const SUSPECT_MS: i64 = 5 * MINUTE_MS;
/// How much uptime confirms the time of day at the start.
const UPTIME_CONFIRMS_MS: i64 = HOUR_MS;
/// The longest plausible time between a store's last commit and the next start. If the time of day is further after the last
/// commit, the clock may be wrong.
const PLAUSIBLE_STOP_MS: i64 = DAY_MS;
/// How long a difference must stay the same before the time of day becomes the new anchor.
const STEADY_MS: i64 = DAY_MS;
/// How long an earlier anchor is used for entries that were stored while it was the anchor. The proxy tries to deliver events
/// for the same time.
const STAMPS_COUNT_MS: i64 = 7 * DAY_MS;

/// The readings of the system's clocks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The time of day, in Unix milliseconds. Anybody can set this clock.
    pub wall_ms: i64,
    /// Milliseconds since the machine started. Nobody can set this clock.
    pub boot_ms: i64,
}

/// The times that the proxy uses, in Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// The time of day, for comparison with times that others state, and for times that are sent to others. This is the
    /// system's clock, except in two cases, in which it is the boot clock's time since the anchor. First: TikTok has stated a
    /// time since the start, and the system's clock differs from TikTok's time. Second: the time of day at the start followed
    /// the store's last commit as expected, and the system's clock now differs by more than a day.
    pub day_ms: i64,
    /// The time from which new periods are counted.
    pub stamp_ms: i64,
    /// The time with which the ends of periods are compared. While nothing is allowed to expire, this time is in 1970.
    pub expiry_ms: i64,
    /// The time that the store keeps, for the next start to compare its own time with. `None` while the present time is not
    /// confirmed.
    pub confirmed_ms: Option<i64>,
}

impl Times {
    /// Returns the time for computing the age of an entry. While the time is in doubt, returns 0, which is before every entry,
    /// so no entry seems old.
    pub fn age_ms(&self) -> i64 {
        self.confirmed_ms.unwrap_or_default()
    }

    /// Returns the times of a clock that is not in doubt.
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
    /// At the start, the system's clock was before the store's last commit.
    Behind,
    /// At the start, the system's clock was more than a day after the store's last commit.
    Ahead,
    /// The system's clock differs from TikTok's time, or was set since the start.
    Differs,
}

impl Suspect {
    /// Returns the state in words, for operators.
    pub fn word(self) -> &'static str {
        match self {
            Self::Behind => "suspect: behind the last commit",
            Self::Ahead => "suspect: more than a day after the last commit",
            Self::Differs => "suspect: wrong, or set since the start",
        }
    }
}

/// The anchor of the boot clock, and the reasons to doubt it.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The anchor: a time, minus the reading of the boot clock at this time.
    offset_ms: i64,
    /// The smallest offset of the last week, and the time of the boot clock until which this offset is used.
    least: (i64, i64),
    started_boot_ms: i64,
    /// Whether TikTok has stated the time since the start.
    is_tiktoks: bool,
    /// Whether the time of day at the start followed the store's last commit as expected.
    follows: bool,
    /// Why the time of day at the start is not confirmed yet.
    doubt: Option<Suspect>,
    difference: Difference,
}

/// The difference between the time of day and the reference's time.
#[derive(Clone, Copy, Debug)]
struct Difference {
    /// How far the time of day is ahead of the reference's time. 0 if both are close.
    ahead_ms: i64,
    /// The time of the boot clock at which this difference began.
    since_boot_ms: i64,
    /// Whether TikTok has confirmed the reference since `since_boot_ms`.
    is_tiktoks: bool,
}

impl Reference {
    /// Anchors the boot clock at the time of day. `last_commit_ms` is the last value of [`Times::confirmed_ms`] that the store
    /// has written.
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

    /// Applies the time that an answer of TikTok states.
    pub fn dated(&mut self, now: Reading, date_ms: i64) {
        self.doubt = None;
        if !is_close(date_ms, self.at(now)) {
            self.anchor(now, date_ms);
        }
        self.compare(now);
        self.difference.is_tiktoks = true;
        self.is_tiktoks = true;
    }

    /// Applies the readings of the clocks, and returns the times.
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
        // After a start, NTP can correct the clock by hours. A difference of more than a day is not such a correction.
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

    /// Returns why the system's clock is suspect, by the last reading.
    pub fn suspect(&self) -> Option<Suspect> {
        let differs = self.difference.ahead_ms.abs() > SUSPECT_MS;
        self.doubt.or(differs.then_some(Suspect::Differs))
    }

    /// Returns how far the system's clock is ahead of the reference's time, by the last reading. Returns 0 if both are close.
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
