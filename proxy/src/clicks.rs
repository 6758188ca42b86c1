//! Remembers the click ids whose cookie this process has set, in bounded memory.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    mem,
    sync::{Mutex, PoisonError},
};

/// How many click ids are remembered at least, in 8 bytes each. The cookie of a forgotten click id is set once more.
const REMEMBERED: usize = 65_536;

/// The click ids whose cookie this process has set. A request does not show whether a script or a server set its cookie. The
/// SDK's script sets a cookie before any request, so the first request of each click id gets the server's cookie. The proxy
/// does not set it again: otherwise the cookie would live longer than 30 days.
#[derive(Default)]
pub struct Clicks {
    hasher: RandomState,
    /// The newest click ids, and the older ones.
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
