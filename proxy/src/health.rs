//! What the delivery worker knows and `/readyz` tells.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// An event that waits longer than this means that the queue is stuck.
const STUCK_AFTER_MS: i64 = 15 * 60 * 1000;
const NOTHING: i64 = i64::MAX;

/// The state of delivery, written by the worker and read by handlers.
#[derive(Debug)]
pub struct Health {
    barred: AtomicBool,
    oldest_ms: AtomicI64,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            barred: AtomicBool::new(false),
            oldest_ms: AtomicI64::new(NOTHING),
        }
    }
}

impl Health {
    /// TikTok refuses the token or its right to the pixel, or no longer does.
    pub fn barred(&self, barred: bool) {
        self.barred.store(barred, Ordering::Relaxed);
    }

    /// Since when the oldest event waits, in Unix milliseconds.
    pub fn waiting_since(&self, oldest_ms: Option<i64>) {
        self.oldest_ms
            .store(oldest_ms.unwrap_or(NOTHING), Ordering::Relaxed);
    }

    /// Whether TikTok refuses the token or its right to the pixel.
    pub fn is_barred(&self) -> bool {
        self.barred.load(Ordering::Relaxed)
    }

    /// How long the oldest event has been waiting, in milliseconds.
    pub fn oldest_waits_ms(&self, now_ms: i64) -> i64 {
        now_ms
            .saturating_sub(self.oldest_ms.load(Ordering::Relaxed))
            .max(0)
    }

    /// Whether an event has been waiting for more than 15 minutes.
    pub fn is_stuck(&self, now_ms: i64) -> bool {
        self.oldest_waits_ms(now_ms) > STUCK_AFTER_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_stuck_when_its_oldest_event_waits_for_a_quarter_of_an_hour() {
        let health = Health::default();
        assert!(!health.is_stuck(i64::MAX / 2));
        health.waiting_since(Some(1_000));
        assert!(!health.is_stuck(1_000 + STUCK_AFTER_MS));
        assert!(health.is_stuck(1_001 + STUCK_AFTER_MS));
        health.waiting_since(None);
        assert!(!health.is_stuck(i64::MAX / 2));
    }
}
