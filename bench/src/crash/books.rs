//! Compares the events that the proxy accepted with the events that TikTok got.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Mutex, PoisonError},
};

use crate::{
    figures::{count, grouped},
    sink::Receipt,
};

/// The number of missing events that are printed at most.
const PRINTED: usize = 20;

/// The clients' records.
#[derive(Default)]
pub(super) struct Books(Mutex<State>);

#[derive(Default)]
struct State {
    closed: bool,
    next: u64,
    accepted: Vec<u64>,
    again: u64,
    repeats: u64,
    repeats_unseen: u64,
}

impl Books {
    /// Returns a range of event numbers that no event has had before.
    pub(super) fn new_numbers(&self, size: u64) -> Range<u64> {
        self.with(|state| {
            let first = state.next;
            state.next += size;
            first..state.next
        })
    }

    /// Records that the proxy accepted these events.
    pub(super) fn accept(&self, numbers: Range<u64>) {
        self.with(|state| state.accepted.extend(numbers));
    }

    /// Records that a post got no answer and is repeated.
    pub(super) fn again(&self) {
        self.with(|state| state.again += 1);
    }

    /// Records that an accepted event was posted again, and whether the proxy recognised it. `None` if this post got no answer.
    pub(super) fn repeat(&self, recognised: Option<bool>) {
        self.with(|state| {
            state.repeats += u64::from(recognised.is_some());
            state.repeats_unseen += u64::from(recognised == Some(false));
        });
    }

    /// Tells the clients to stop posting.
    pub(super) fn close(&self) {
        self.with(|state| state.closed = true);
    }

    /// Returns whether clients should post more.
    pub(super) fn are_open(&self) -> bool {
        self.with(|state| !state.closed)
    }

    /// Compares the accepted events with the arrived events, in the order of arrival, and prints the difference.
    pub(super) fn balance(&self, receipts: Vec<Receipt>) {
        let mut arrived: HashMap<u64, Arrival> = HashMap::new();
        for receipt in receipts {
            arrived
                .entry(receipt.number)
                .and_modify(|arrival| arrival.again(receipt))
                .or_insert_with(|| Arrival::first(receipt));
        }
        self.with(|state| report(state, &arrived));
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How an event arrived at TikTok.
struct Arrival {
    last: Receipt,
    times: u32,
    /// Why the event arrived more than once.
    cut: bool,
    killed: bool,
    unexplained: bool,
}

impl Arrival {
    fn first(receipt: Receipt) -> Self {
        Self {
            last: receipt,
            times: 1,
            cut: false,
            killed: false,
            unexplained: false,
        }
    }

    fn again(&mut self, receipt: Receipt) {
        if self.last.cut {
            self.cut = true;
        } else if self.last.life != receipt.life {
            self.killed = true;
        } else {
            self.unexplained = true;
        }
        self.last = receipt;
        self.times += 1;
    }
}

fn report(state: &State, arrived: &HashMap<u64, Arrival>) {
    let say = |what: &str, number: u64| println!("  {:>10}  {what}", grouped(count(number)));
    let missing: Vec<u64> = state
        .accepted
        .iter()
        .copied()
        .filter(|number| !arrived.contains_key(number))
        .collect();
    let twice = |why: fn(&Arrival) -> bool| {
        let found = arrived.values().filter(|arrival| why(arrival));
        found.count() as u64
    };
    say("events accepted", state.accepted.len() as u64);
    say("posts without an answer, posted again", state.again);
    say("accepted events that did NOT arrive", missing.len() as u64);
    say("accepted events posted again", state.repeats);
    say("of these, accepted as new events", state.repeats_unseen);
    say("arrived more than once", twice(|arrival| arrival.times > 1));
    say(
        "  after TikTok stored it and closed the connection",
        twice(|arrival| arrival.cut),
    );
    say(
        "  after a kill between TikTok's receipt and the proxy's record of it",
        twice(|arrival| arrival.killed),
    );
    say(
        "  for an unknown reason",
        twice(|arrival| arrival.unexplained),
    );
    if !missing.is_empty() {
        println!(
            "!! missing: {:?}",
            missing.iter().take(PRINTED).collect::<Vec<_>>()
        );
    }
}
