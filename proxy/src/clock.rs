//! The clocks. Three times follow from them, see [`Times`]; what decides is [`Reference`], which is pure.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use rustix::time::{ClockId, clock_gettime};

mod reference;

pub use reference::{Reading, Reference, Suspect, Times};

/// What counts the time since the machine started, its sleep included, and is never set.
#[cfg(any(target_os = "linux", target_os = "android"))]
const BOOT: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const BOOT: ClockId = ClockId::Monotonic;

/// The system's time of day in Unix milliseconds, which anybody may set. A running proxy asks its [`Clock`] instead.
pub fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Milliseconds since the machine started: for periods within the process.
pub fn boot_ms() -> i64 {
    let now = clock_gettime(BOOT);
    now.tv_sec
        .saturating_mul(1000)
        .saturating_add(now.tv_nsec / 1_000_000)
}

/// What both say at this moment.
pub fn reading() -> Reading {
    Reading {
        wall_ms: now_ms(),
        boot_ms: boot_ms(),
    }
}

/// The reference of one store, shared by all who need a time.
#[derive(Clone)]
pub struct Clock(Arc<Shared>);

struct Shared {
    read: fn() -> Reading,
    state: Mutex<State>,
}

struct State {
    reference: Reference,
    /// What the log was told last.
    told: Option<Suspect>,
}

impl Clock {
    /// Starts with what the store says of its last commit. `read` gives the clocks' readings.
    pub fn start(read: fn() -> Reading, last_commit_ms: Option<i64>) -> Self {
        let mut state = State {
            reference: Reference::start(read(), last_commit_ms),
            told: None,
        };
        state.tell();
        let state = Mutex::new(state);
        Self(Arc::new(Shared { read, state }))
    }

    /// The times of this moment.
    pub fn times(&self) -> Times {
        let mut state = self.state();
        let times = state.reference.read((self.0.read)());
        state.tell();
        times
    }

    /// The time of day and the boot clock.
    pub fn reading(&self) -> Reading {
        let (day_ms, boot_ms) = (self.day_ms(), (self.0.read)().boot_ms);
        Reading {
            wall_ms: day_ms,
            boot_ms,
        }
    }

    /// The time of day: what times of others are compared with.
    pub fn day_ms(&self) -> i64 {
        self.times().day_ms
    }

    /// What periods are counted from.
    pub fn stamp_ms(&self) -> i64 {
        self.times().stamp_ms
    }

    /// Takes note of the time that TikTok stated in an answer that has just come.
    pub fn dated(&self, date_ms: i64) {
        let mut state = self.state();
        state.reference.dated((self.0.read)(), date_ms);
        state.tell();
    }

    /// Why the system's clock is suspect.
    pub fn suspect(&self) -> Option<Suspect> {
        self.times();
        self.state().reference.suspect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Logs what has changed.
    fn tell(&mut self) {
        let suspect = self.reference.suspect();
        if suspect == self.told {
            return;
        }
        let ahead_s = self.reference.ahead_ms() / 1000;
        match suspect {
            Some(Suspect::Behind) => tracing::warn!(
                "the system's clock reads a time before the store's last commit; nothing expires until TikTok's time or an hour of uptime confirms it"
            ),
            Some(Suspect::Ahead) => tracing::warn!(
                "the system's clock reads a time more than a day after the store's last commit; nothing expires until TikTok's time or an hour of uptime confirms it"
            ),
            Some(Suspect::Differs) => tracing::warn!(
                ahead_s,
                "the system's clock is wrong or was set; what is kept expires by the time since the start or TikTok's"
            ),
            None => tracing::info!("the system's clock is confirmed"),
        }
        self.told = suspect;
    }
}
