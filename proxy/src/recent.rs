//! Remembers recent requests that leave nothing in the store: rejected events, repeats, and payment notifications. This memory
//! belongs to the running process, is bounded, and contains no personal values.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::why::{Refused, Repeat, WebhookState};

/// The largest number of remembered rejected events, and of remembered repeats.
const MOST: usize = 1_000;

/// The remembered requests.
#[derive(Debug, Default)]
pub struct Recent(Mutex<Lists>);

#[derive(Debug, Default)]
struct Lists {
    refused: VecDeque<(String, Refused)>,
    repeats: VecDeque<(String, Repeat)>,
    webhooks: BTreeMap<&'static str, WebhookState>,
}

impl Recent {
    /// Remembers a rejected event.
    pub fn refused(&self, event_id: &str, refused: Refused) {
        push(&mut self.lists().refused, event_id, refused);
    }

    /// Remembers a repeat of an event.
    pub fn repeated(&self, event_id: &str, repeat: Repeat) {
        push(&mut self.lists().repeats, event_id, repeat);
    }

    /// Changes the remembered state of a provider's notifications.
    pub fn notified(&self, provider: &'static str, change: impl FnOnce(&mut WebhookState)) {
        change(self.lists().webhooks.entry(provider).or_default());
    }

    /// Returns the rejected events and the repeats with one of these ids.
    pub fn of(&self, event_ids: &[String]) -> (Vec<Refused>, Vec<Repeat>) {
        let lists = self.lists();
        (
            with(&lists.refused, event_ids),
            with(&lists.repeats, event_ids),
        )
    }

    /// Returns the remembered state of a provider's notifications.
    pub fn webhook(&self, provider: &str) -> WebhookState {
        let lists = self.lists();
        lists.webhooks.get(provider).copied().unwrap_or_default()
    }

    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn push<T>(list: &mut VecDeque<(String, T)>, event_id: &str, item: T) {
    if list.len() >= MOST {
        list.pop_front();
    }
    list.push_back((event_id.to_owned(), item));
}

fn with<T: Clone>(list: &VecDeque<(String, T)>, event_ids: &[String]) -> Vec<T> {
    let found = list.iter().filter(|(id, _)| event_ids.contains(id));
    found.map(|(_, item)| item.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_rejections_are_remembered() {
        let recent = Recent::default();
        for at_ms in 0..1_001 {
            let errors = Vec::new();
            recent.refused(&at_ms.to_string(), Refused { at_ms, errors });
        }
        let of = |id: &str| recent.of(&[id.to_owned()]).0.len();
        assert_eq!((of("0"), of("1"), of("1000")), (0, 1, 1));
    }
}
