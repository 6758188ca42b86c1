//! What delivery knows and `/readyz` tells.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::decide::Destination;

/// An event that waits longer than this means that the queue is stuck.
const STUCK_AFTER_MS: i64 = 15 * 60 * 1000;

/// The state of delivery, written by couriers and read by handlers.
#[derive(Debug, Default)]
pub struct Health {
    destinations: Mutex<HashMap<Arc<Destination>, State>>,
}

#[derive(Debug, Default)]
struct State {
    barred: bool,
    oldest_ms: Option<i64>,
}

impl Health {
    /// TikTok refuses the token or its right to the pixel, or no longer does.
    pub fn barred(&self, destination: &Arc<Destination>, barred: bool) {
        self.state(destination, |state| state.barred = barred);
    }

    /// Since when the destination's oldest event waits, in Unix milliseconds.
    pub fn waiting_since(&self, destination: &Arc<Destination>, oldest_ms: Option<i64>) {
        self.state(destination, |state| state.oldest_ms = oldest_ms);
    }

    /// Whether TikTok refuses the token or its right to a pixel.
    pub fn is_barred(&self) -> bool {
        self.lock().values().any(|state| state.barred)
    }

    /// How long the oldest event has been waiting, in milliseconds.
    pub fn oldest_waits_ms(&self, now_ms: i64) -> i64 {
        let destinations = self.lock();
        let oldest = destinations.values().filter_map(|state| state.oldest_ms);
        oldest.min().map_or(0, |oldest| (now_ms - oldest).max(0))
    }

    /// Whether an event has been waiting for more than 15 minutes.
    pub fn is_stuck(&self, now_ms: i64) -> bool {
        self.oldest_waits_ms(now_ms) > STUCK_AFTER_MS
    }

    fn state(&self, destination: &Arc<Destination>, change: impl FnOnce(&mut State)) {
        let mut destinations = self.lock();
        if let Some(state) = destinations.get_mut(destination) {
            change(state);
        } else {
            change(destinations.entry(Arc::clone(destination)).or_default());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<Destination>, State>> {
        self.destinations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(pixel_id: &str) -> Arc<Destination> {
        Arc::new(Destination {
            pixel_id: pixel_id.to_owned(),
            test_event_code: None,
        })
    }

    #[test]
    fn a_queue_is_stuck_when_its_oldest_event_waits_for_a_quarter_of_an_hour() {
        let health = Health::default();
        assert!(!health.is_stuck(i64::MAX / 2));
        health.waiting_since(&destination("P"), Some(1_000));
        health.waiting_since(&destination("Q"), Some(2_000));
        assert!(!health.is_stuck(1_000 + STUCK_AFTER_MS));
        assert!(health.is_stuck(1_001 + STUCK_AFTER_MS));
        health.waiting_since(&destination("P"), None);
        assert!(!health.is_stuck(1_001 + STUCK_AFTER_MS));
    }

    #[test]
    fn one_barred_pixel_is_enough_to_say_so() {
        let health = Health::default();
        health.barred(&destination("P"), true);
        health.barred(&destination("Q"), false);
        assert!(health.is_barred());
        health.barred(&destination("P"), false);
        assert!(!health.is_barred());
    }
}
