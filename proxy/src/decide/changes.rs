//! What a decision changes.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Class, DeadLetter, DedupKey, Destination, LetterId, Payment, Remember};
use crate::orders::{Held, Order};

/// What one call changes, or several calls together.
#[derive(Debug, Default)]
pub struct Changes<'a> {
    /// Events that join their lanes, in the order in which they are to be sent.
    pub arrivals: Vec<Arrival<'a>>,
    /// Records as they are afterwards.
    pub records: Records,
    /// How many numbers of events the call has used for held events and dead letters.
    pub numbers: u64,
    /// What is counted once the changes are written.
    pub counts: Counts,
    /// What an operator is told once the changes are written.
    pub notices: Vec<Notice>,
}

/// What an operator should know of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// An order is paid, and TikTok does not have its event.
    Unreported {
        /// The order.
        order_id: String,
        /// How its event ended.
        outcome: String,
    },
    /// A dead letter was replayed whose order is reported already.
    NotSentAgain {
        /// The order.
        order_id: String,
        /// The event.
        event_id: String,
    },
}

/// An event that joins a lane.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// Where it goes.
    pub destination: Arc<Destination>,
    /// How urgent it is.
    pub class: Class,
    /// What TikTok gets, as JSON.
    pub event: Cow<'a, [u8]>,
}

/// Records by their keys, each as it is after a change; `None` and an empty list where it is gone.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Orders by their ids.
    pub orders: BTreeMap<String, Option<Order>>,
    /// Under each normalized order id, the ids of the orders that read the same in a memo.
    pub codes: BTreeMap<String, Vec<String>>,
    /// Payments by provider and id.
    pub payments: BTreeMap<(String, String), Option<Payment>>,
    /// Held events.
    pub held: BTreeMap<HeldId, Option<HeldEvent>>,
    /// Dead letters.
    pub letters: BTreeMap<LetterId, Option<DeadLetter>>,
    /// Keys of accepted events.
    pub keys: Keys,
}

/// How many keys are looked through one by one.
const FEW_KEYS: usize = 8;

/// Keys of accepted events, in the order in which they were accepted.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    list: Vec<(DedupKey, Remembered)>,
    /// Where each key stands in the list, once there are more than a few: most calls bring one.
    places: HashMap<DedupKey, usize, RandomState>,
}

impl Keys {
    /// Remembers a key.
    pub fn insert(&mut self, key: DedupKey, known: Remembered) {
        self.list.push((key, known));
        if self.list.len() > FEW_KEYS {
            let missing = self.places.len()..self.list.len();
            for (place, (key, _)) in missing.clone().zip(self.list.iter().skip(missing.start)) {
                self.places.insert(*key, place);
            }
        }
    }

    /// How long this key is remembered, by what was inserted last.
    pub fn get(&self, key: &DedupKey) -> Option<Remembered> {
        let place = if self.list.len() > FEW_KEYS {
            *self.places.get(key)?
        } else {
            self.list.iter().rposition(|(known, _)| known == key)?
        };
        self.list.get(place).map(|(_, known)| *known)
    }

    /// Every key.
    pub fn iter(&self) -> impl Iterator<Item = &(DedupKey, Remembered)> {
        self.list.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// How long a key is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The period.
    pub remember: Remember,
    /// Its end, in Unix milliseconds.
    pub until_ms: i64,
}

/// Names a held event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeldId {
    /// When it is given up, in Unix milliseconds.
    pub until_ms: i64,
    /// Its number.
    pub sequence: u64,
}

impl Held {
    /// The name of the event in the store.
    pub(super) fn id(&self) -> HeldId {
        HeldId {
            until_ms: self.until_ms,
            sequence: self.sequence,
        }
    }
}

/// An event that is held until its order is paid.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeldEvent {
    /// The order.
    pub order_id: String,
    /// Where it goes then.
    pub destination: Arc<Destination>,
    /// What TikTok gets.
    pub event: Box<RawValue>,
    /// Since when, in Unix milliseconds.
    pub held_at_ms: i64,
}

/// What is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Accepted events by the state of the Pixel's copy.
    pub accepted: Vec<(&'static str, u64)>,
    /// Dead letters that are sent or held again.
    pub replayed: u64,
    /// Ended events by their outcome.
    pub ended: Vec<(&'static str, u64)>,
    /// By how much the number of held events has changed.
    pub held: i64,
    /// By how much the number of paid orders that report nothing has changed.
    pub unreported: i64,
}

impl Records {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
            && self.codes.is_empty()
            && self.payments.is_empty()
            && self.held.is_empty()
            && self.letters.is_empty()
            && self.keys.is_empty()
    }

    /// Adds later changes.
    pub fn extend(&mut self, later: Self) {
        let Self {
            orders,
            codes,
            payments,
            held,
            letters,
            keys,
        } = later;
        self.orders.extend(orders);
        self.codes.extend(codes);
        self.payments.extend(payments);
        self.held.extend(held);
        self.letters.extend(letters);
        for (key, known) in keys.list {
            self.keys.insert(key, known);
        }
    }
}

impl Counts {
    /// Counts accepted events.
    pub fn accepted(&mut self, pixel: &'static str, events: u64) {
        add(&mut self.accepted, pixel, events);
    }

    /// Counts ended events.
    pub fn ended(&mut self, outcome: &'static str, events: u64) {
        add(&mut self.ended, outcome, events);
    }

    /// Adds later counts.
    pub fn extend(&mut self, later: &Self) {
        for (pixel, events) in &later.accepted {
            self.accepted(pixel, *events);
        }
        for (outcome, events) in &later.ended {
            self.ended(outcome, *events);
        }
        self.replayed += later.replayed;
        self.held += later.held;
        self.unreported += later.unreported;
    }
}

fn add(counts: &mut Vec<(&'static str, u64)>, label: &'static str, events: u64) {
    match counts.iter_mut().find(|(known, _)| *known == label) {
        Some((_, count)) => *count += events,
        None => counts.push((label, events)),
    }
}
