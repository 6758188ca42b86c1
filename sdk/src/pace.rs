//! When to try again: backing off with jitter after a failure, for as long as the proxy asks.

use alloc::string::String;

use crate::{
    effect::Effects,
    facts::Facts,
    joined::{number, push_number},
};

/// Until when the proxy asked to be left alone, for all tabs of this site.
pub const PAUSE_KEY: &str = "duet:wait";

const FIRST_MS: u64 = 1000;
const MOST_MS: u64 = 300_000;
const SLOW_MS: u64 = 600_000;
const MOST_ASKED_MS: u64 = 86_400_000;

/// The pace of one page.
#[derive(Debug, Default)]
pub struct Pace {
    failures: u32,
    not_before_ms: u64,
    asked: bool,
}

impl Pace {
    /// Honours a pause that the proxy asked of another tab or an earlier page.
    pub fn recall(&mut self, stored: &str, now_ms: u64) {
        let until_ms = number(stored);
        if (now_ms..now_ms + MOST_ASKED_MS).contains(&until_ms) {
            self.not_before_ms = until_ms;
            self.asked = true;
        }
    }

    /// The moment from which sending is allowed again.
    pub fn not_before_ms(&self) -> u64 {
        self.not_before_ms
    }

    /// Whether the proxy asked for the wait that is on now.
    pub fn is_asked(&self, now_ms: u64) -> bool {
        self.asked && now_ms < self.not_before_ms
    }

    /// Everything went well.
    pub fn succeeded(&mut self, fx: &mut Effects) {
        if self.asked {
            fx.remove(PAUSE_KEY);
        }
        *self = Self::default();
    }

    /// Something failed. `asked_ms` is what `Retry-After` said, 0 for nothing; `slowly` says that only
    /// a person can remove the reason.
    pub fn failed(&mut self, slowly: bool, asked_ms: u64, facts: &Facts<'_>, fx: &mut Effects) {
        let most = (FIRST_MS << self.failures.min(12)).min(MOST_MS);
        self.failures += 1;
        let wait_ms = if slowly {
            SLOW_MS
        } else {
            facts.random_up_to(most)
        };
        self.asked = asked_ms > 0;
        self.not_before_ms = facts.now_ms + wait_ms.max(asked_ms.min(MOST_ASKED_MS));
        if self.asked {
            let mut until = String::new();
            push_number(&mut until, self.not_before_ms);
            fx.write(PAUSE_KEY, &until);
        }
    }

    /// Ends a wait that the proxy did not ask for.
    pub fn hurry(&mut self) {
        if !self.asked {
            self.not_before_ms = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(now_ms: u64, random: u64) -> Facts<'static> {
        Facts {
            now_ms,
            random: [random << 48, 0],
            pixel: "",
        }
    }

    #[test]
    fn waits_double_up_to_five_minutes_and_chance_spreads_them() {
        let mut fx = Effects::default();
        for (random, share) in [(0xffff, 2), (0x8000, 1), (0, 0)] {
            let mut pace = Pace::default();
            for most in [
                1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000,
            ] {
                pace.failed(false, 0, &facts(1000, random), &mut fx);
                let wait = pace.not_before_ms() - 1000;
                assert!(wait.abs_diff(most * share / 2) <= 3, "{wait} of {most}");
            }
        }
        assert_eq!(fx.into_text(), "");
    }

    #[test]
    fn a_pause_the_proxy_asked_for_is_kept_for_all_tabs() {
        let mut pace = Pace::default();
        let mut fx = Effects::default();
        pace.failed(false, 120_000, &facts(1000, 0), &mut fx);
        pace.hurry();
        assert_eq!(pace.not_before_ms(), 121_000);
        assert_eq!(fx.into_text(), "\u{1e}w\u{1f}duet:wait\u{1f}121000");

        let mut other = Pace::default();
        other.recall("121000", 2000);
        other.hurry();
        assert!(other.is_asked(120_999));
        assert!(!other.is_asked(121_000));
    }

    #[test]
    fn a_wait_of_our_own_ends_when_there_is_reason_to_hope() {
        let mut pace = Pace::default();
        let mut fx = Effects::default();
        pace.failed(true, 0, &facts(1000, 0), &mut fx);
        assert_eq!(pace.not_before_ms(), 601_000);
        pace.hurry();
        assert_eq!(pace.not_before_ms(), 0);
    }
}
