//! Remembers for which click ids this process has set a cookie. The memory is bounded.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    mem,
    sync::{Mutex, PoisonError},
};

/// At least this many click ids are remembered, each in 8 bytes. If a click id was forgotten, the proxy sets its cookie once
/// more.
const REMEMBERED: usize = 65_536;

/// The click ids for which this process has set a cookie. Some browsers delete a script's cookie after 7 days, so the proxy
/// replaces the cookie of the SDK's script by a cookie of its own. A request does not show whether a script or a server set
/// its cookie. So the proxy sets a cookie in the answer to the first request with each click id, even if this request already
/// has a cookie. The proxy sets this cookie only once: if every answer set it, the cookie would live longer than 30 days.
#[derive(Default)]
pub struct Clicks {
    hasher: RandomState,
    /// Two generations of click ids: the newest, and the older ones.
    seen: Mutex<[HashSet<u64>; 2]>,
}

impl Clicks {
    /// Remembers a click id, and returns whether it is new.
    pub fn learn(&self, click: &str) -> bool {
        let click = self.hasher.hash_one(click);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let [newest, before] = &mut *seen;
        if newest.contains(&click) {
            return false;
        }
        if newest.len() >= REMEMBERED {
            *before = mem::take(newest);
        }
        newest.insert(click);
        !before.contains(&click)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_clicks_is_bounded_and_forgets_the_oldest() {
        let clicks = Clicks::default();
        for click in 0..3 * REMEMBERED {
            assert!(clicks.learn(&click.to_string()));
        }
        assert!(!clicks.learn(&(2 * REMEMBERED).to_string()));
        assert!(clicks.learn("0"));
        let seen = clicks.seen.lock().unwrap();
        assert!(seen.iter().all(|some| some.len() <= REMEMBERED));
    }
}
