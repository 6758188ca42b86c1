//! The sandbox's own time. A test can move it, so that 48 hours take only a microsecond.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A clock that can be moved forward. Clones share the same time.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    stopped_at_ms: Option<u64>,
    ahead_ms: Arc<AtomicU64>,
}

impl Clock {
    /// Makes a clock that stands at `unix_ms` (milliseconds since 1970) until a test advances it.
    pub fn stopped_at(unix_ms: u64) -> Self {
        Self {
            stopped_at_ms: Some(unix_ms),
            ahead_ms: Arc::default(),
        }
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.ahead_ms.fetch_add(millis(by), Ordering::SeqCst);
    }

    /// Returns milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        let base = self.stopped_at_ms.unwrap_or_else(|| {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, millis)
        });
        base.saturating_add(self.ahead_ms.load(Ordering::SeqCst))
    }
}

/// Converts a duration to whole milliseconds, at most `u64::MAX`.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_time_they_were_advanced_to() {
        let clock = Clock::stopped_at(1_000);
        clock.clone().advance(Duration::from_secs(2));
        assert_eq!(clock.now_ms(), 3_000);
    }
}
