//! The clocks of the proxy. [`Times`] describes the times that the proxy uses. [`Reference`] computes these times from the
//! clocks, and is pure.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use rustix::time::{ClockId, clock_gettime};

mod reference;

pub use reference::{Reading, Reference, Suspect, Times};

/// The clock that counts the time since the machine started, including the time in which the machine sleeps. Nobody can set
/// this clock.
#[cfg(any(target_os = "linux", target_os = "android"))]
const BOOT: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const BOOT: ClockId = ClockId::Monotonic;

/// Returns the system's time of day in Unix milliseconds. Anybody can set this time, so a running proxy uses its [`Clock`]
/// instead.
pub fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Returns the milliseconds since the machine started, for measuring how long something takes in this process.
pub fn boot_ms() -> i64 {
    let now = clock_gettime(BOOT);
    now.tv_sec
        .saturating_mul(1000)
        .saturating_add(now.tv_nsec / 1_000_000)
}

/// Returns the current readings of both clocks.
pub fn reading() -> Reading {
    Reading {
        wall_ms: now_ms(),
        boot_ms: boot_ms(),
    }
}

/// The clock of one store. All users of the store share it.
#[derive(Clone)]
pub struct Clock(Arc<Shared>);

struct Shared {
    read: fn() -> Reading,
    state: Mutex<State>,
}

struct State {
    reference: Reference,
    /// Why the system's clock was suspect when this was last logged.
    told: Option<Suspect>,
}

impl Clock {
    /// Starts the clock. `last_commit_ms` is the time of the store's last commit. `read` returns the readings of the system's
    /// clocks.
    pub fn start(read: fn() -> Reading, last_commit_ms: Option<i64>) -> Self {
        let mut state = State {
            reference: Reference::start(read(), last_commit_ms),
            told: None,
        };
        state.tell();
        let state = Mutex::new(state);
        Self(Arc::new(Shared { read, state }))
    }

    /// Returns the current times.
    pub fn times(&self) -> Times {
        let mut state = self.state();
        let times = state.reference.read((self.0.read)());
        state.tell();
        times
    }

    /// Returns the time of day and the boot clock.
    pub fn reading(&self) -> Reading {
        let (day_ms, boot_ms) = (self.day_ms(), self.boot_ms());
        Reading {
            wall_ms: day_ms,
            boot_ms,
        }
    }

    /// Returns the milliseconds since the machine started.
    pub fn boot_ms(&self) -> i64 {
        (self.0.read)().boot_ms
    }

    /// Returns the time of day, for comparison with times that browsers, servers and TikTok state.
    pub fn day_ms(&self) -> i64 {
        self.times().day_ms
    }

    /// Returns the time from which new periods are counted.
    pub fn stamp_ms(&self) -> i64 {
        self.times().stamp_ms
    }

    /// Applies the time that TikTok stated in an answer. The caller must call this at once after the answer has arrived.
    pub fn dated(&self, date_ms: i64) {
        let mut state = self.state();
        state.reference.dated((self.0.read)(), date_ms);
        state.tell();
    }

    /// Returns why the system's clock is suspect, or `None` if the clock is not suspect.
    pub fn suspect(&self) -> Option<Suspect> {
        self.times();
        self.state().reference.suspect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Logs a change of [`Clock::suspect`].
    fn tell(&mut self) {
        let suspect = self.reference.suspect();
        if suspect == self.told {
            return;
        }
        let ahead_s = self.reference.ahead_ms() / 1000;
        match suspect {
            Some(Suspect::Behind) => tracing::warn!(
                "the system's clock is before the store's last commit; nothing expires until TikTok's time or an hour of uptime confirms the clock"
            ),
            Some(Suspect::Ahead) => tracing::warn!(
                "the system's clock is more than a day after the store's last commit; nothing expires until TikTok's time or an hour of uptime confirms the clock"
            ),
            Some(Suspect::Differs) => tracing::warn!(
                ahead_s,
                "the system's clock is wrong, or was changed after the proxy's start; the proxy decides by TikTok's time, or by the time that has passed since the start, which stored entries have expired"
            ),
            None => tracing::info!("the system's clock is confirmed"),
        }
        self.told = suspect;
    }
}
