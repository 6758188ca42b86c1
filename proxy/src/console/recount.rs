//! Counts the events of a period in the history: how they ended, which match keys they had, and which paid orders TikTok has
//! counted. The counts are made from the history each time, so they are right also after a restart.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use crate::{
    history::{Digest, End, Ended, Key, Sender, is_delivered},
    money::{Currency, Money},
    paid::{Fate, Sales},
    queue::{Error, History, Orders},
};

const HOUR_MS: i64 = 60 * 60 * 1000;
/// How many events one reading of the history returns.
const PAGE: usize = 2000;

/// A period that ends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Period {
    #[serde(rename = "1h")]
    Hour,
    #[serde(rename = "24h")]
    Day,
    #[serde(rename = "7d")]
    Week,
}

impl Period {
    pub(super) const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    /// Returns the period with this name. Without a known name, returns the last 24 hours.
    pub(super) fn named(name: Option<&str>) -> Self {
        let mut all = Self::ALL.into_iter();
        all.find(|period| Some(period.name()) == name)
            .unwrap_or(Self::Day)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
        }
    }

    pub(super) fn lasts_ms(self) -> i64 {
        match self {
            Self::Hour => HOUR_MS,
            Self::Day => 24 * HOUR_MS,
            Self::Week => 168 * HOUR_MS,
        }
    }
}

/// What happened in a period.
#[derive(Debug, Default)]
pub(super) struct Recount {
    /// The ended events, by name.
    pub(super) events: BTreeMap<String, Events>,
    /// The orders that were paid.
    pub(super) sales: Sales,
}

/// Counts the ended events with one name, without test events.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Events {
    /// The number of events of each outcome.
    pub(super) outcomes: BTreeMap<String, u64>,
    /// The delivered events whose Pixel's copy was sent too.
    pub(super) both_legs: u64,
    /// The values of the delivered events, by currency.
    pub(super) values: BTreeMap<&'static str, Money>,
    /// The delivered events that had each key.
    pub(super) keys: BTreeMap<Key, u64>,
    /// The delivered events that had both the IP address and the user agent.
    pub(super) address_and_browser: u64,
    /// Why keys were missing in delivered events.
    pub(super) gaps: BTreeMap<(Key, Gap), u64>,
}

/// The events that were already counted, by pixel and name. The history is read from the newest end of an event to the oldest.
#[derive(Default)]
struct Seen(BTreeMap<(String, String), HashSet<Digest>>);

/// Why an event lacks a match key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Gap {
    /// The event had the key, but a rule left the key out.
    LeftOut,
    /// The visitor's IP address is private, or a web server in front of the proxy hides it.
    PrivateAddress,
    /// A server of the shop did not send the key.
    ServerSentNone,
    /// The event was made from a payment, and the order's visitor lacked the key.
    OrderHadNone,
    /// The Pixel did not run, so there is no `_ttp` cookie.
    NoPixel,
    /// The page did not have the key.
    PageHadNone,
}

impl Events {
    pub(super) fn delivered(&self) -> u64 {
        let outcomes = self.outcomes.iter();
        let delivered = outcomes.filter(|(outcome, _)| is_delivered(outcome));
        delivered.map(|(_, events)| events).sum()
    }

    pub(super) fn ended(&self) -> u64 {
        self.outcomes.values().sum()
    }

    fn add(&mut self, end: &End, event: &Ended) {
        *self.outcomes.entry(end.outcome.clone()).or_default() += 1;
        if !end.is_delivered() {
            return;
        }
        self.both_legs += u64::from(event.trace.pixel_label() == "fired");
        if let Some(value) = event.value {
            let sum = self.values.entry(value.currency().as_str());
            let sum = sum.or_insert_with(|| Money::zero(value.currency()));
            *sum = sum.plus(value).unwrap_or(*sum);
        }
        for key in event.keys.iter() {
            *self.keys.entry(key).or_default() += 1;
        }
        let is_known = event.keys.has(Key::Ip) && event.keys.has(Key::UserAgent);
        self.address_and_browser += u64::from(is_known);
        for key in Key::ALL.into_iter().filter(|key| !event.keys.has(*key)) {
            *self.gaps.entry((key, Gap::of(key, event))).or_default() += 1;
        }
    }
}

impl Seen {
    /// Returns whether an end of an event is counted. A dead letter that was sent again ends more than once. Of its ends, only
    /// the newest end and the ends with delivery are counted.
    fn counts(&mut self, end: &End, event: &Ended) -> bool {
        let of = (end.pixel_id.clone(), event.name.clone());
        let is_newest = end.is_test || self.0.entry(of).or_default().insert(event.event);
        is_newest || end.is_delivered()
    }
}

impl Gap {
    fn of(key: Key, event: &Ended) -> Self {
        let is_left_out = event.trace.rules().any(|rule| rule == key.as_str());
        match (key, event.trace.sender) {
            _ if is_left_out => Self::LeftOut,
            (_, Some(Sender::Payment)) => Self::OrderHadNone,
            (_, Some(Sender::Server)) => Self::ServerSentNone,
            (Key::Ip, _) => Self::PrivateAddress,
            (Key::Ttp, _) if matches!(event.trace.pixel_label(), "blocked" | "absent") => {
                Self::NoPixel
            }
            _ => Self::PageHadNone,
        }
    }
}

impl Recount {
    /// Reads the period from the disk.
    pub(super) fn read(history: &History, orders: &Orders, since_ms: i64) -> Result<Self, Error> {
        let mut recount = Self {
            events: BTreeMap::new(),
            sales: Sales::since(orders, history, since_ms)?,
        };
        let mut seen = Seen::default();
        let mut before = None;
        'pages: loop {
            let page = history.page(before, PAGE)?;
            let Some((last, _)) = page.last() else { break };
            before = Some(*last);
            for (_, end) in page {
                if end.at_ms < since_ms {
                    break 'pages;
                }
                for event in &end.events {
                    if seen.counts(&end, event) {
                        recount.add(&end, event);
                    }
                }
            }
        }
        // The event of an order that was paid in the period can have ended before the period.
        recount.sales.search(history)?;
        Ok(recount)
    }

    fn add(&mut self, end: &End, event: &Ended) {
        if !end.is_test {
            self.events
                .entry(event.name.clone())
                .or_default()
                .add(end, event);
        }
        self.sales.settle(end, event);
    }

    /// Returns the number of orders whose fate `is_meant` selects, and their money by currency.
    pub(super) fn sum(
        &self,
        is_meant: impl Fn(&Fate) -> bool,
    ) -> (u64, BTreeMap<&'static str, Money>) {
        let mut sums: BTreeMap<&'static str, Money> = BTreeMap::new();
        let mut orders = 0;
        for paid in self.sales.orders.iter().filter(|paid| is_meant(&paid.fate)) {
            orders += 1;
            let currency: Currency = paid.money.currency();
            let sum = sums
                .entry(currency.as_str())
                .or_insert_with(|| Money::zero(currency));
            *sum = sum.plus(paid.money).unwrap_or(*sum);
        }
        (orders, sums)
    }
}
