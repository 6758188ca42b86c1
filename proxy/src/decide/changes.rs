//! The changes that a decision makes.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Class, DeadLetter, DedupKey, Destination, LetterId, Lookup, Payment, Remember};
use crate::{
    change_log::{Entry, Fingerprints},
    history::{Digest, End, Trace},
    money::{Kind, Money},
    orders::{Held, Order},
};

/// The changes of one call, or of several calls together.
#[derive(Debug, Default)]
pub struct Changes<'a> {
    /// Events that are added to their lanes, in the sequence in which they will be sent.
    pub arrivals: Vec<Arrival<'a>>,
    /// Records as they are after the changes.
    pub records: Records,
    /// How many event numbers the call has used for held events and dead letters.
    pub numbers: u64,
    /// The counts to add after the changes are written.
    pub counts: Counts,
    /// The notices to log for an operator after the changes are written.
    pub notices: Vec<Notice>,
    /// The ids of events whose withdrawal has been removed.
    pub restored: Vec<String>,
}

/// A notice for an operator about the effect of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// An order is paid, but TikTok does not have its event.
    Unreported {
        /// The order's id.
        order_id: String,
        /// How the order's event ended.
        outcome: String,
    },
    /// A dead letter was not sent again, because its order was already reported, or because its payment was refunded.
    NotSentAgain {
        /// The order's id.
        order_id: String,
        /// The event.
        event_id: String,
    },
    /// A payment that waited for its order was matched with the order.
    Found {
        /// The order's id.
        order_id: String,
        /// The payment.
        transfer: String,
        /// The result of the payment.
        became: &'static str,
    },
}

/// An event that is added to a lane.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// The event's destination.
    pub destination: Arc<Destination>,
    /// The event's class, which decides how early it is delivered.
    pub class: Class,
    /// The JSON that TikTok receives.
    pub event: Cow<'a, [u8]>,
    /// How the event arrived.
    pub trace: Trace,
}

/// Records by their keys, each as it is after the changes. `None` or an empty list means that the changes remove the
/// record.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Orders by their ids.
    pub orders: BTreeMap<String, Option<Order>>,
    /// The ids that are found under each name.
    pub lookups: BTreeMap<Lookup, Vec<String>>,
    /// Payments by provider and id.
    pub payments: BTreeMap<(String, String), Option<Payment>>,
    /// Held events.
    pub held: BTreeMap<HeldId, Option<HeldEvent>>,
    /// Dead letters.
    pub letters: BTreeMap<LetterId, Option<DeadLetter>>,
    /// Keys of accepted events.
    pub keys: Keys,
    /// The records of ended events, for the history. The key is the id that the dead letter of the first event has or
    /// would have. The store also counts these events by the hour.
    pub ends: BTreeMap<LetterId, End>,
    /// Orders whose records in the history are removed, each with the time of the removal in Unix milliseconds.
    pub covered: BTreeMap<Digest, i64>,
    /// New entries of the change log.
    pub log: Logged,
}

/// Entries of the change log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logged {
    /// The entries. The key is the time in Unix milliseconds and a number.
    pub entries: BTreeMap<LetterId, Entry>,
    /// The fingerprints of the settings at the last start.
    pub fingerprints: Option<Fingerprints>,
}

/// Up to this number of keys, the list is searched key by key.
const FEW_KEYS: usize = 8;

/// Keys of accepted events, in the sequence in which the events were accepted.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    list: Vec<(DedupKey, Remembered)>,
    /// The position of each key in the list. The map stays empty while there are only a few keys, because most calls add
    /// one key.
    places: HashMap<DedupKey, usize, RandomState>,
}

impl Keys {
    /// Stores a key.
    pub fn insert(&mut self, key: DedupKey, known: Remembered) {
        self.list.push((key, known));
        if self.list.len() > FEW_KEYS {
            let missing = self.places.len()..self.list.len();
            for (place, (key, _)) in missing.clone().zip(self.list.iter().skip(missing.start)) {
                self.places.insert(*key, place);
            }
        }
    }

    /// Returns how long this key is remembered. If the key was inserted several times, the last insert counts.
    pub fn get(&self, key: &DedupKey) -> Option<Remembered> {
        let place = if self.list.len() > FEW_KEYS {
            *self.places.get(key)?
        } else {
            self.list.iter().rposition(|(known, _)| known == key)?
        };
        self.list.get(place).map(|(_, known)| *known)
    }

    /// Returns every key.
    pub fn iter(&self) -> impl Iterator<Item = &(DedupKey, Remembered)> {
        self.list.iter()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// How long a key is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The period for which the key is remembered.
    pub remember: Remember,
    /// The end of this period, in Unix milliseconds.
    pub until_ms: i64,
}

/// The id of a held event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeldId {
    /// When the held event expires, in Unix milliseconds.
    pub until_ms: i64,
    /// The number of the held event.
    pub sequence: u64,
}

impl Held {
    /// Returns the id of the held event in the store.
    pub(crate) fn id(&self) -> HeldId {
        HeldId {
            until_ms: self.until_ms,
            sequence: self.sequence,
        }
    }
}

/// An event that is held until its order is paid.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeldEvent {
    /// The order's id.
    pub order_id: String,
    /// The destination to which the event is sent after the payment.
    pub destination: Arc<Destination>,
    /// The JSON that TikTok receives.
    pub event: Box<RawValue>,
    /// When the event was first held, in Unix milliseconds.
    pub held_at_ms: i64,
    /// How the event arrived.
    #[serde(default)]
    pub trace: Trace,
}

/// The changes of the metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The number of accepted events, by the state of the Pixel's copy.
    pub accepted: Vec<(&'static str, u64)>,
    /// The number of dead letters that are sent or held again.
    pub replayed: u64,
    /// The number of ended events, by outcome.
    pub ended: Vec<(&'static str, u64)>,
    /// By how much the number of held events changes.
    pub held: i64,
    /// By how much the number of paid orders without a reported event changes.
    pub unreported: i64,
    /// Money that moved for orders, by kind.
    pub money: Vec<(Kind, Money)>,
}

impl Records {
    /// Whether there are no changes.
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
            && self.lookups.is_empty()
            && self.payments.is_empty()
            && self.held.is_empty()
            && self.letters.is_empty()
            && self.keys.is_empty()
            && self.ends.is_empty()
            && self.covered.is_empty()
            && self.log.entries.is_empty()
    }

    /// Returns the ids of events that these changes withdraw.
    pub fn withdrawn(&self) -> impl Iterator<Item = &String> {
        let changed = self.lookups.iter().filter(|(_, found)| !found.is_empty());
        changed.filter_map(|(name, _)| match name {
            Lookup::Withdrawn(event_id) => Some(event_id),
            _ => None,
        })
    }

    /// Adds later changes.
    pub fn extend(&mut self, later: Self) {
        let Self {
            orders,
            lookups,
            payments,
            held,
            letters,
            keys,
            ends,
            covered,
            log,
        } = later;
        self.orders.extend(orders);
        self.lookups.extend(lookups);
        self.payments.extend(payments);
        self.held.extend(held);
        self.letters.extend(letters);
        self.ends.extend(ends);
        self.covered.extend(covered);
        self.log.extend(log);
        for (key, known) in keys.list {
            self.keys.insert(key, known);
        }
    }
}

impl Logged {
    /// Adds later entries.
    pub fn extend(&mut self, later: Self) {
        self.entries.extend(later.entries);
        self.fingerprints = later.fingerprints.or(self.fingerprints.take());
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
        self.money.extend(&later.money);
    }
}

fn add(counts: &mut Vec<(&'static str, u64)>, label: &'static str, events: u64) {
    match counts.iter_mut().find(|(known, _)| *known == label) {
        Some((_, count)) => *count += events,
        None => counts.push((label, events)),
    }
}
