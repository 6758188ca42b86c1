//! Caches an issuer's keys, and decides when the proxy can ask the issuer again. The cache is pure: the time is an argument.
//! The time must come from a clock that nobody can set. If the clock could be set back by hours, a withdrawn key would stay
//! valid for hours.

use std::{collections::HashMap, sync::Arc};

use super::PublicKey;

/// After this time, a key set is loaded again.
const FRESH_MS: i64 = 5 * 60 * 1000;
/// If no newer key set can be loaded, the last valid key set is used for this long.
const STALE_MS: i64 = 24 * 60 * 60 * 1000;
/// The shortest time between two requests to the issuer. For the same time, an unknown key id counts as unknown without a new
/// request. So a sender of invented tokens cannot make the proxy send many requests to the issuer.
const PAUSE_MS: i64 = 10_000;

/// The keys of one issuer, by their ids. A new key set replaces the whole old key set.
pub(super) type KeySet = HashMap<String, Arc<PublicKey>>;

/// The last valid key set, and the last request to the issuer.
#[derive(Default)]
pub(super) struct Cache {
    set: Option<(KeySet, i64)>,
    asked_ms: Option<i64>,
    /// Whether the last request is still open.
    open: bool,
    failures: u32,
}

/// The result of looking for a key.
#[derive(Debug)]
pub(super) enum Found {
    /// The key was found.
    Key(Arc<PublicKey>),
    /// The key is not known, but the issuer can be asked now, or its answer to an open request is expected.
    Ask,
    /// The issuer has no key with this id.
    Unknown,
    /// No keys are loaded.
    Unavailable,
}

impl Cache {
    pub(super) fn find(&self, key_id: &str, now_ms: i64) -> Found {
        let usable = self.usable(now_ms);
        match usable.map(|set| set.get(key_id)) {
            Some(Some(key)) => Found::Key(Arc::clone(key)),
            _ if self.open || self.may_ask(now_ms) => Found::Ask,
            Some(None) => Found::Unknown,
            None => Found::Unavailable,
        }
    }

    /// Returns whether there is a key that can be used.
    pub(super) fn is_loaded(&self, now_ms: i64) -> bool {
        self.usable(now_ms).is_some()
    }

    /// Returns whether the pause after the last request is over.
    pub(super) fn may_ask(&self, now_ms: i64) -> bool {
        self.asked_ms
            .is_none_or(|asked_ms| now_ms - asked_ms >= PAUSE_MS)
    }

    /// Returns when the keys are to be loaded again, even if no token needs a new key. After each failure, the time until then
    /// is longer.
    pub(super) fn due_ms(&self) -> i64 {
        match self.asked_ms {
            None => 0,
            Some(asked_ms) if self.failures == 0 => asked_ms + FRESH_MS,
            Some(asked_ms) => {
                asked_ms + (PAUSE_MS << self.failures.min(6).saturating_sub(1)).min(FRESH_MS)
            }
        }
    }

    pub(super) fn asked(&mut self, now_ms: i64) {
        self.asked_ms = Some(now_ms);
        self.open = true;
    }

    /// Stores the issuer's answer to the request that was started at `now_ms`. `None` means that the keys could not be loaded.
    pub(super) fn answered(&mut self, set: Option<KeySet>, now_ms: i64) {
        self.open = false;
        if let Some(set) = set {
            self.set = Some((set, now_ms));
            self.failures = 0;
        } else {
            self.failures = self.failures.saturating_add(1);
        }
    }

    fn usable(&self, now_ms: i64) -> Option<&KeySet> {
        let (set, loaded_ms) = self.set.as_ref()?;
        (now_ms - loaded_ms <= STALE_MS).then_some(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ids: &[&str]) -> KeySet {
        // A key with a modulus of 2048 bits. This test does not verify a signature with the key.
        let pem = include_str!("../../../../tests/sandbox/src/clerk/test-key-1.pub.pem");
        let key = Arc::new(PublicKey::from_pem(pem).unwrap());
        ids.iter()
            .map(|id| ((*id).to_owned(), Arc::clone(&key)))
            .collect()
    }

    fn loaded(ids: &[&str], now_ms: i64) -> Cache {
        let mut cache = Cache::default();
        cache.asked(now_ms);
        cache.answered(Some(set(ids)), now_ms);
        cache
    }

    #[test]
    fn an_unknown_key_is_asked_for_once_in_ten_seconds() {
        let mut cache = loaded(&["a"], 0);
        assert!(matches!(cache.find("a", 0), Found::Key(_)));
        assert!(matches!(cache.find("b", 9_999), Found::Unknown));
        assert!(matches!(cache.find("b", 10_000), Found::Ask));
        cache.asked(10_000);
        // The answer is expected, so the caller waits for it.
        assert!(matches!(cache.find("b", 10_001), Found::Ask));
        assert!(!cache.may_ask(10_001));
        cache.answered(Some(set(&["a"])), 10_000);
        assert!(matches!(cache.find("b", 10_001), Found::Unknown));
        assert!(matches!(cache.find("c", 19_999), Found::Unknown));
        // A caller that came before the request was sent does not send another request.
        assert!(matches!(cache.find("b", 9_990), Found::Unknown));
        assert!(matches!(cache.find("a", 10_001), Found::Key(_)));
    }

    #[test]
    fn a_new_set_replaces_the_old_one_whole() {
        let mut cache = loaded(&["a", "b"], 0);
        cache.asked(FRESH_MS);
        cache.answered(Some(set(&["b", "c"])), FRESH_MS);
        assert!(matches!(cache.find("a", FRESH_MS), Found::Unknown));
        assert!(matches!(cache.find("c", FRESH_MS), Found::Key(_)));
    }

    #[test]
    fn the_last_good_set_serves_for_a_day_of_outage() {
        let mut cache = loaded(&["a"], 0);
        cache.asked(STALE_MS);
        cache.answered(None, STALE_MS);
        assert!(matches!(cache.find("a", STALE_MS), Found::Key(_)));
        assert!(matches!(cache.find("a", STALE_MS + 1), Found::Unavailable));
        assert!(matches!(cache.find("a", STALE_MS + 10_000), Found::Ask));
        assert!(!cache.is_loaded(STALE_MS + 1));
    }

    #[test]
    fn it_is_asked_every_five_minutes_and_after_failures_ever_later() {
        let mut cache = Cache::default();
        assert_eq!(cache.due_ms(), 0);
        let waits: Vec<_> = (0..7)
            .map(|_| {
                cache.asked(0);
                cache.answered(None, 0);
                cache.due_ms()
            })
            .collect();
        let expected = [10_000, 20_000, 40_000, 80_000, 160_000, FRESH_MS, FRESH_MS];
        assert_eq!(waits, expected);
        assert!(matches!(cache.find("a", 1), Found::Unavailable));
        cache.answered(Some(set(&["a"])), 0);
        assert_eq!(cache.due_ms(), FRESH_MS);
    }
}
