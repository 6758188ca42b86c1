//! The withdrawn events. A lane checks this list before it sends an event for the first time. After a commit, the
//! writer first adds the events that the commit withdraws to this list, and only then informs the lanes of the commit's
//! new events. A lane therefore finds a withdrawn event of the commit in this list before it can send the event.

use std::{
    collections::HashSet,
    sync::{PoisonError, RwLock},
};

/// The ids of withdrawn events.
#[derive(Debug, Default)]
pub(super) struct Withdrawn(RwLock<HashSet<String>>);

impl Withdrawn {
    pub(super) fn add(&self, event_ids: impl IntoIterator<Item = String>) {
        let mut event_ids = event_ids.into_iter().peekable();
        if event_ids.peek().is_some() {
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            known.extend(event_ids);
        }
    }

    /// Replaces the list by the one in the store. Another process, or a commit that seemed to fail, may have withdrawn events or
    /// removed the withdrawal of events.
    pub(super) fn replace(&self, event_ids: Vec<String>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *known = event_ids.into_iter().collect();
    }

    pub(super) fn remove(&self, event_ids: &[String]) {
        if !event_ids.is_empty() {
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            known.retain(|event_id| !event_ids.contains(event_id));
        }
    }

    /// Returns whether no event is withdrawn.
    pub(super) fn is_empty(&self) -> bool {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
    }

    pub(super) fn contains(&self, event_id: &str) -> bool {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.contains(event_id)
    }
}
