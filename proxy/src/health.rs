//! The state of delivery, for `/readyz`.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;

use crate::{decide::Destination, history::Tried};

/// If an event is pending for longer than this, the proxy reports that the queue is stuck.
const STUCK_AFTER_MS: i64 = 15 * 60 * 1000;

/// The state of delivery. Couriers write it, and handlers read it.
#[derive(Debug, Default)]
pub struct Health {
    destinations: Mutex<HashMap<Arc<Destination>, State>>,
}

/// The state of one pixel's delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OfPixel {
    /// Whether TikTok refuses the token, or the token has no right to the pixel. `None` until TikTok's first verdict since the
    /// start.
    pub barred: Option<bool>,
    /// Since when the pixel's oldest event has been pending, in Unix milliseconds.
    pub oldest_ms: Option<i64>,
    /// Whether the last request got no answer from TikTok.
    pub is_down: bool,
    /// The code of TikTok's last answer.
    pub last_code: Option<i64>,
    /// How fast the pixel's events are sent. `None` if no event of the pixel was pending since the start.
    pub speed: Option<Speed>,
}

/// How fast the events of a pixel are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Speed {
    /// How many requests are allowed at once.
    pub requests_at_once: usize,
    /// The minimum time between two requests, in milliseconds.
    pub gap_ms: i64,
    /// Until when no request is sent after a failure, in Unix milliseconds.
    pub paused_until_ms: Option<i64>,
}

impl Speed {
    fn slower(self, other: Self) -> Self {
        Self {
            requests_at_once: self.requests_at_once.min(other.requests_at_once),
            gap_ms: self.gap_ms.max(other.gap_ms),
            paused_until_ms: self.paused_until_ms.max(other.paused_until_ms),
        }
    }
}

impl OfPixel {
    /// Returns whether TikTok is known to refuse the token.
    pub fn is_barred(&self) -> bool {
        self.barred == Some(true)
    }

    /// Returns how long the pixel's oldest event has been pending, in milliseconds.
    pub fn waits_ms(&self, now_ms: i64) -> i64 {
        self.oldest_ms.map_or(0, |oldest| (now_ms - oldest).max(0))
    }

    /// Returns whether an event has been pending for more than 15 minutes.
    pub fn is_stuck(&self, now_ms: i64) -> bool {
        self.waits_ms(now_ms) > STUCK_AFTER_MS
    }
}

#[derive(Debug, Default)]
struct State {
    barred: Option<bool>,
    oldest_ms: Option<i64>,
    is_down: bool,
    last_code: Option<i64>,
    speed: Option<Speed>,
    tried: Vec<Tried>,
}

impl Health {
    /// Stores whether TikTok refuses the token, or says that the token has no right to the pixel.
    pub fn barred(&self, destination: &Arc<Destination>, barred: bool) {
        self.state(destination, |state| state.barred = Some(barred));
    }

    /// Stores the code of TikTok's answer to a request. `None` means that the request got no answer from TikTok.
    pub fn answered(&self, destination: &Arc<Destination>, code: Option<i64>) {
        self.state(destination, |state| {
            state.is_down = code.is_none();
            state.last_code = code;
        });
    }

    /// Stores how fast the events of a destination are sent, and which of them were sent without success.
    pub fn sends(&self, destination: &Arc<Destination>, speed: Speed, tried: Vec<Tried>) {
        self.state(destination, |state| {
            state.speed = Some(speed);
            state.tried = tried;
        });
    }

    /// Returns how often a pending event with this number was sent. `None` if it was not sent since the start.
    pub fn tried(&self, pixel_id: &str, number: u64) -> Option<Tried> {
        let destinations = self.lock();
        let of_pixel = destinations
            .iter()
            .filter(|(destination, _)| destination.pixel_id == pixel_id);
        let tried = of_pixel.flat_map(|(_, state)| &state.tried);
        let has = |tried: &&Tried| (tried.numbers.0..=tried.numbers.1).contains(&number);
        // An event that is now sent alone has its number between the numbers of the group in which it was sent before. So the
        // smallest range that contains the number is the event's own.
        let tried = tried.filter(has);
        tried
            .min_by_key(|tried| tried.numbers.1 - tried.numbers.0)
            .copied()
    }

    /// Stores since when the destination's oldest event has been pending, in Unix milliseconds.
    pub fn waiting_since(&self, destination: &Arc<Destination>, oldest_ms: Option<i64>) {
        self.state(destination, |state| state.oldest_ms = oldest_ms);
    }

    /// Returns the state of each pixel that had events since the start.
    pub fn pixels(&self) -> BTreeMap<String, OfPixel> {
        let mut pixels: BTreeMap<String, OfPixel> = BTreeMap::new();
        for (destination, state) in &*self.lock() {
            let pixel = pixels.entry(destination.pixel_id.clone()).or_default();
            // If TikTok refuses the token for one of the pixel's destinations, the token counts as refused for the whole
            // pixel.
            pixel.barred = pixel.barred.max(state.barred);
            pixel.is_down |= state.is_down;
            pixel.last_code = state.last_code.or(pixel.last_code);
            let oldest = pixel.oldest_ms.into_iter().chain(state.oldest_ms);
            pixel.oldest_ms = oldest.min();
            let speeds = pixel.speed.into_iter().chain(state.speed);
            pixel.speed = speeds.reduce(Speed::slower);
        }
        pixels
    }

    /// Returns how long the oldest event has been pending, in milliseconds.
    pub fn oldest_waits_ms(&self, now_ms: i64) -> i64 {
        let destinations = self.lock();
        let oldest = destinations.values().filter_map(|state| state.oldest_ms);
        oldest.min().map_or(0, |oldest| (now_ms - oldest).max(0))
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
    fn a_pixel_is_stuck_when_its_oldest_event_waits_for_a_quarter_of_an_hour() {
        let health = Health::default();
        let stuck = |now_ms| {
            let pixels = health.pixels().into_iter();
            let stuck = pixels.filter(|(_, pixel)| pixel.is_stuck(now_ms));
            stuck.map(|(id, _)| id).collect::<Vec<_>>()
        };
        assert!(stuck(i64::MAX / 2).is_empty());
        health.waiting_since(&destination("P"), Some(1_000));
        health.waiting_since(&destination("Q"), Some(2_000));
        assert!(stuck(1_000 + STUCK_AFTER_MS).is_empty());
        assert_eq!(stuck(1_001 + STUCK_AFTER_MS), ["P"]);
        health.waiting_since(&destination("P"), None);
        assert!(stuck(1_001 + STUCK_AFTER_MS).is_empty());
    }

    #[test]
    fn a_pixel_is_as_fast_as_its_slowest_destination() {
        let health = Health::default();
        let test = Arc::new(Destination {
            pixel_id: "P".to_owned(),
            test_event_code: Some("TEST1".to_owned()),
        });
        let speed = |requests_at_once, gap_ms, paused_until_ms| Speed {
            requests_at_once,
            gap_ms,
            paused_until_ms,
        };
        health.sends(&destination("P"), speed(4, 0, None), Vec::new());
        health.sends(&test, speed(1, 500, Some(7)), Vec::new());
        let pixels = health.pixels();
        assert_eq!(
            pixels.get("P").and_then(|pixel| pixel.speed),
            Some(speed(1, 500, Some(7)))
        );
    }

    #[test]
    fn an_event_that_is_sent_alone_has_its_own_attempts() {
        let health = Health::default();
        let speed = Speed {
            requests_at_once: 1,
            gap_ms: 0,
            paused_until_ms: None,
        };
        let tried = |numbers, attempts| Tried {
            numbers,
            attempts,
            code: None,
            answered_ms: 1,
            next_ms: None,
        };
        let all = vec![tried((10, 19), 3), tried((14, 14), 5), tried((20, 29), 1)];
        health.sends(&destination("P"), speed, all);
        let attempts = |pixel, number| {
            let tried = health.tried(pixel, number);
            tried.map(|tried| tried.attempts)
        };
        for (number, expected) in [(9, None), (10, Some(3)), (14, Some(5)), (29, Some(1))] {
            assert_eq!(attempts("P", number), expected, "{number}");
        }
        assert_eq!(attempts("Q", 10), None);
    }

    #[test]
    fn a_pixel_is_barred_where_one_of_its_destinations_is() {
        let health = Health::default();
        let test = Arc::new(Destination {
            pixel_id: "P".to_owned(),
            test_event_code: Some("TEST1".to_owned()),
        });
        health.waiting_since(&destination("P"), Some(1));
        health.barred(&destination("Q"), false);
        let barred = || {
            health
                .pixels()
                .into_values()
                .map(|pixel| pixel.barred)
                .collect::<Vec<_>>()
        };
        assert_eq!(barred(), [None, Some(false)]);
        health.barred(&test, true);
        health.barred(&destination("P"), false);
        assert_eq!(barred(), [Some(true), Some(false)]);
        health.barred(&test, false);
        assert_eq!(barred(), [Some(false), Some(false)]);
    }
}
