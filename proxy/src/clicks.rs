//! Remembers the clicks whose cookie this process has set, in bounded memory.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    mem,
    sync::{Mutex, PoisonError},
};

/// How many clicks are remembered at least, in 8 bytes each. A click that was forgotten is set once more.
const REMEMBERED: usize = 65_536;

/// The clicks whose cookie this process has set. A request does not say whether a script or a server set its
/// cookie, and the SDK's script sets one before any request, so each click's first request gets the server's.
/// It is not set again and again: that would keep it for longer than 30 days.
#[derive(Default)]
pub struct Clicks {
    hasher: RandomState,
    /// The newest ones, and those before them.
    seen: Mutex<[HashSet<u64>; 2]>,
}

impl Clicks {
    /// Remembers a click; returns whether it is new.
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
