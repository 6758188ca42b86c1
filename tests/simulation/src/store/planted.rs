//! Planted faults that are in the store.

use duet_events::{EventId, EventName};
use duet_proxy::{
    decide::{Class, DedupKey, Lookup, Named},
    money::Kind,
    store::{Commit, Draft, Row},
};

use super::Writer;
use crate::plant::Plant;

impl Writer {
    /// Changes a commit as the planted fault would.
    pub(super) fn plant_into(&self, commit: &mut Commit<'_>) {
        let plant = self.disk.state().plant;
        match plant {
            Some(Plant::KeyDecides) => self.drop_known(commit),
            Some(Plant::OneClass) => have_one_class(commit),
            _ => {}
        }
    }

    /// Returns the records that a lookup has found, without the waiting payments that the planted fault forgets.
    pub(super) fn without_forgotten(&self, name: &Lookup, mut found: Vec<String>) -> Vec<String> {
        let state = self.disk.state();
        let forgets = match state.plant {
            Some(Plant::ForgetsRefunds) => Kind::is_back,
            Some(Plant::ForgetsPayments) => |kind: Kind| kind == Kind::First,
            _ => return found,
        };
        if matches!(name, Lookup::Waiting(_)) {
            found.retain(|key| {
                let (provider, id) = key.split_once('\0').unwrap_or_default();
                let key = (provider.to_owned(), id.to_owned());
                let payment = state.present.payments.get(&key);
                !payment.is_some_and(|payment| forgets(payment.kind))
            });
        }
        found
    }

    /// Removes the events that the memory for deduplication already knows, as if this memory decided about them.
    fn drop_known(&self, commit: &mut Commit<'_>) {
        let state = self.disk.state();
        for new in &mut commit.rows {
            let draft = std::mem::replace(&mut new.draft, Draft::new(0)).into_value();
            let Ok(row) = Row::read(new.sequence, &draft) else {
                continue;
            };
            new.draft = Draft::new(row.accepted_at_ms);
            for index in 0..row.events() {
                let text = std::str::from_utf8(row.event(index)).unwrap_or_default();
                let named = Named::of(text);
                let name = EventName::parse(&named.name);
                let id = EventId::parse(&named.event_id);
                let is_known = name.is_ok_and(|name| {
                    let key = id.map(|id| DedupKey::of(&new.lane.destination, &name, &id));
                    key.is_ok_and(|key| state.present.keys.contains_key(&key))
                });
                if is_known {
                    if let Some(place) = commit.position.place(&new.lane) {
                        place.waiting -= 1;
                    }
                } else {
                    new.draft.push(row.event(index), &row.trace(index));
                }
            }
        }
        commit.rows.retain(|new| new.draft.events() > 0);
        commit.position.places.retain(|place| place.waiting > 0);
    }
}

/// Moves all events of a commit to the second class.
fn have_one_class(commit: &mut Commit<'_>) {
    for new in &mut commit.rows {
        let events = new.draft.events();
        if let Some(place) = commit.position.place(&new.lane) {
            place.waiting -= events;
        }
        new.lane.class = Class::Second;
        commit.position.arrived(&new.lane, new.sequence, events);
        if let Some(place) = commit.position.place(&new.lane) {
            place.head = place.head.min(new.sequence);
        }
    }
    commit.position.places.retain(|place| place.waiting > 0);
}
