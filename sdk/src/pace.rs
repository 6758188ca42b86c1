//! Decides when to retry: after a failure, waits for a random time that grows with each failure, and at least for the pause
//! that the proxy asked for.

use crate::{
    effect::{Effect, Effects},
    facts::Facts,
};

const FIRST_MS: u32 = 1000;
const MOST_MS: u32 = 300_000;
/// The wait after a failure whose cause only a person can remove.
pub(crate) const SLOW_MS: f64 = 600_000.0;
const MOST_ASKED_MS: f64 = 86_400_000.0;

/// The waits of one page.
#[derive(Debug)]
pub struct Pace {
    failures: u32,
    not_before_ms: f64,
    asked: bool,
}

impl Pace {
    /// The state without a wait.
    pub const NONE: Self = Self {
        failures: 0,
        not_before_ms: 0.0,
        asked: false,
    };

    /// Applies a pause that the proxy asked another tab or an earlier page for.
    pub fn recall(&mut self, until_ms: f64, now_ms: f64) {
        if now_ms <= until_ms && until_ms < now_ms + MOST_ASKED_MS {
            self.not_before_ms = until_ms;
            self.asked = true;
        }
    }

    /// Returns the time from which sending is allowed again.
    pub fn not_before_ms(&self) -> f64 {
        self.not_before_ms
    }

    /// Returns whether there is a wait at present that the proxy asked for.
    pub fn is_asked(&self, now_ms: f64) -> bool {
        self.asked && now_ms < self.not_before_ms
    }

    /// Records a success.
    pub fn succeeded(&mut self, fx: &mut Effects) {
        if self.asked {
            fx.push(Effect::Pause { ms: 0 });
        }
        *self = Self::NONE;
    }

    /// Records a failure. `asked_ms` is the wait in `Retry-After`, or 0 if the answer has none. `slowly` is true if only a
    /// person can remove the cause of the failure.
    pub fn failed(&mut self, slowly: bool, asked_ms: f64, facts: &Facts, fx: &mut Effects) {
        let most = (FIRST_MS << self.failures.min(12)).min(MOST_MS);
        self.failures += 1;
        let wait_ms = if slowly {
            SLOW_MS
        } else {
            f64::from(most) * facts.random
        };
        self.asked = asked_ms > 0.0;
        let wait_ms = later(
            wait_ms,
            if asked_ms < MOST_ASKED_MS {
                asked_ms
            } else {
                MOST_ASKED_MS
            },
        );
        self.not_before_ms = facts.now_ms + wait_ms;
        if self.asked {
            fx.push(Effect::Pause { ms: whole(wait_ms) });
        }
    }

    /// Ends the present wait, unless the proxy asked for it.
    pub fn hurry(&mut self) {
        if !self.asked {
            self.not_before_ms = 0.0;
        }
    }
}

/// Converts a wait to a whole number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "no wait is negative or longer than a day"
)]
pub(crate) fn whole(wait_ms: f64) -> u32 {
    wait_ms as u32
}

/// Returns the later of two times. `f64::max` is not used, because it also handles NaN, which makes the module larger.
pub(crate) fn later(one: f64, other: f64) -> f64 {
    if one > other { one } else { other }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(now_ms: f64, random: f64) -> Facts {
        Facts {
            now_ms,
            random,
            pixel_known: false,
        }
    }

    #[test]
    fn waits_double_up_to_five_minutes_and_chance_spreads_them() {
        let mut fx = Effects::default();
        for (random, share) in [(1.0, 1.0), (0.5, 0.5), (0.0, 0.0)] {
            let mut pace = Pace::NONE;
            for most in [
                1e3, 2e3, 4e3, 8e3, 16e3, 32e3, 64e3, 128e3, 256e3, 300e3, 300e3,
            ] {
                pace.failed(false, 0.0, &facts(1e3, random), &mut fx);
                let wait = pace.not_before_ms() - 1e3;
                assert!((wait - most * share).abs() < 1e-6, "{wait} of {most}");
            }
        }
        assert_eq!(fx.into_list(), []);
    }

    #[test]
    fn a_pause_the_proxy_asked_for_is_kept_for_all_tabs() {
        let mut pace = Pace::NONE;
        let mut fx = Effects::default();
        pace.failed(false, 120e3, &facts(1e3, 0.0), &mut fx);
        pace.hurry();
        assert!(pace.is_asked(120_999.0) && !pace.is_asked(121e3));
        pace.succeeded(&mut fx);
        assert_eq!(
            fx.into_list(),
            [Effect::Pause { ms: 120_000 }, Effect::Pause { ms: 0 }]
        );

        let mut other = Pace::NONE;
        other.recall(121e3, 2e3);
        other.hurry();
        assert!(other.is_asked(120_999.0));
        assert!(!other.is_asked(121e3));
    }

    #[test]
    fn a_pause_of_days_is_none() {
        let mut pace = Pace::NONE;
        pace.recall(1e3 + MOST_ASKED_MS, 1e3);
        pace.recall(999.0, 1e3);
        assert!(pace.not_before_ms() <= 0.0);
    }

    #[test]
    fn a_wait_of_our_own_ends_when_there_is_reason_to_hope() {
        let mut pace = Pace::NONE;
        let mut fx = Effects::default();
        pace.failed(true, 0.0, &facts(1e3, 0.0), &mut fx);
        assert!(pace.not_before_ms() >= 601e3);
        pace.hurry();
        assert!(pace.not_before_ms() <= 0.0);
    }
}
