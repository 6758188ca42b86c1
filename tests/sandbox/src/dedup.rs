//! Deduplication across both channels: one conversion per pixel, event and `event_id`.
//!
//! The first receipt opens a key for the whole window (48 hours). In the first 5 minutes, the other channel's copy is
//! merged into the conversion. Later it is dropped. A second copy from the same channel is always dropped. After the
//! window, the same key makes a new conversion. An event without an `event_id` is counted each time. All these times are
//! receipt times.

use std::collections::{HashMap, VecDeque};

use serde_json::{Map, Value};

use crate::clock::millis;
use crate::conversion::{Arrival, Channel, Conversion, Outcome, Signal};
use crate::names::canonical;
use crate::options::Windows;

const COUNTED_EACH_TIME: &str = "no event_id: counted each time it arrives";
const COUNTED_EACH_TIME_DESPITE_TTP: &str = "no event_id: counted each time it arrives; an older text of \
    TikTok's says it may compare _ttp and the event name instead, which is not imitated";

/// How many signals of a conversion are kept. Without a limit, a sender that repeats one event forever would fill the memory.
const SIGNALS_KEPT: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    pixel: String,
    event: String,
    event_id: String,
}

/// The stored conversions, newest last, and the keys whose window is open.
#[derive(Debug)]
pub(crate) struct Ledger {
    windows: Windows,
    literal_names: bool,
    keep: usize,
    kept: VecDeque<Conversion>,
    /// How many conversions were removed from the front of `kept`. The index of a conversion in `kept` is its number minus
    /// this count.
    dropped: usize,
    numbers: HashMap<Key, usize>,
}

impl Ledger {
    pub(crate) fn new(windows: Windows, literal_names: bool, keep: usize) -> Self {
        Self {
            windows,
            literal_names,
            keep: keep.max(1),
            kept: VecDeque::new(),
            dropped: 0,
            numbers: HashMap::new(),
        }
    }

    pub(crate) fn conversions(&self) -> &VecDeque<Conversion> {
        &self.kept
    }

    pub(crate) fn record(&mut self, arrival: Arrival) -> Outcome {
        let key = arrival
            .event_id
            .as_ref()
            .map(|event_id| self.key(&arrival, event_id));
        let windows = self.windows;
        let open = key
            .as_ref()
            .and_then(|key| self.numbers.get(key).copied())
            .and_then(|number| self.kept.get_mut(number.checked_sub(self.dropped)?))
            .filter(|conversion| age_ms(conversion, &arrival) <= millis(windows.dedup));
        if let Some(conversion) = open {
            return join(conversion, arrival, windows);
        }
        self.count(key, arrival);
        Outcome::Counted
    }

    fn key(&self, arrival: &Arrival, event_id: &str) -> Key {
        let event = if self.literal_names {
            &arrival.event
        } else {
            canonical(&arrival.event)
        };
        Key {
            pixel: arrival.pixel.clone(),
            event: event.to_owned(),
            event_id: event_id.to_owned(),
        }
    }

    fn count(&mut self, key: Option<Key>, arrival: Arrival) {
        while self.kept.len() >= self.keep {
            self.drop_oldest();
        }
        if let Some(key) = key {
            self.numbers.insert(key, self.dropped + self.kept.len());
        }
        self.kept.push_back(counted(arrival));
    }

    fn drop_oldest(&mut self) {
        let number = self.dropped;
        let Some(oldest) = self.kept.pop_front() else {
            return;
        };
        self.dropped += 1;
        let Some(event_id) = oldest.event_id else {
            return;
        };
        let key = Key {
            pixel: oldest.pixel,
            event: if self.literal_names {
                oldest.event
            } else {
                oldest.canonical
            },
            event_id,
        };
        if self.numbers.get(&key) == Some(&number) {
            self.numbers.remove(&key);
        }
    }
}

fn first_received_ms(conversion: &Conversion) -> u64 {
    conversion
        .signals
        .first()
        .map_or(0, |signal| signal.received_at_ms)
}

fn age_ms(conversion: &Conversion, arrival: &Arrival) -> u64 {
    arrival
        .received_at_ms
        .saturating_sub(first_received_ms(conversion))
}

fn counted(arrival: Arrival) -> Conversion {
    let note = match (&arrival.event_id, arrival.channel) {
        (Some(_), _) => None,
        (None, Channel::Server) if arrival.user.contains_key("ttp") => {
            Some(COUNTED_EACH_TIME_DESPITE_TTP)
        }
        (None, _) => Some(COUNTED_EACH_TIME),
    };
    let signal = signal(&arrival, Outcome::Counted);
    Conversion {
        pixel: arrival.pixel,
        canonical: canonical(&arrival.event).to_owned(),
        event: arrival.event,
        event_id: arrival.event_id,
        test_event_code: None,
        count: 1,
        signals: vec![signal],
        gap_ms: None,
        user: arrival.user,
        properties: arrival.properties,
        page: arrival.page,
        limited_data_use: arrival.limited_data_use,
        note,
    }
}

fn join(conversion: &mut Conversion, arrival: Arrival, windows: Windows) -> Outcome {
    let spoke_already = conversion
        .signals
        .iter()
        .any(|signal| signal.channel == arrival.channel);
    let outcome = if !spoke_already && age_ms(conversion, &arrival) <= millis(windows.merge) {
        Outcome::Merged
    } else {
        Outcome::Deduplicated
    };
    if conversion.signals.len() < SIGNALS_KEPT {
        conversion.signals.push(signal(&arrival, outcome));
    }
    conversion.gap_ms = gap_ms(&conversion.signals);
    if outcome == Outcome::Merged {
        conversion.limited_data_use |= arrival.limited_data_use;
        add_missing(&mut conversion.user, arrival.user);
        add_missing(&mut conversion.properties, arrival.properties);
        add_missing(&mut conversion.page, arrival.page);
    }
    outcome
}

fn signal(arrival: &Arrival, outcome: Outcome) -> Signal {
    Signal {
        channel: arrival.channel,
        event: arrival.event.clone(),
        outcome,
        received_at_ms: arrival.received_at_ms,
        event_time: arrival.event_time,
        match_keys: arrival.match_keys.clone(),
    }
}

fn gap_ms(signals: &[Signal]) -> Option<i64> {
    let first = |channel| {
        let signal = signals.iter().find(|signal| signal.channel == channel)?;
        i64::try_from(signal.received_at_ms).ok()
    };
    Some(first(Channel::Server)? - first(Channel::Pixel)?)
}

fn add_missing(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (key, value) in from {
        into.entry(key).or_insert(value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use Channel::{Pixel, Server};
    use Outcome::{Counted, Deduplicated, Merged};

    const MINUTE: u64 = 60_000;
    const HOUR: u64 = 60 * MINUTE;

    fn arrival(channel: Channel, event: &str, event_id: Option<&str>, at_ms: u64) -> Arrival {
        Arrival {
            channel,
            pixel: "P1".to_owned(),
            event: event.to_owned(),
            event_id: event_id.map(str::to_owned),
            received_at_ms: at_ms,
            event_time: None,
            match_keys: Vec::new(),
            user: Map::new(),
            properties: Map::new(),
            page: Map::new(),
            limited_data_use: false,
        }
    }

    fn ledger() -> Ledger {
        Ledger::new(Windows::default(), false, 100)
    }

    fn outcomes(arrivals: &[(Channel, u64)]) -> Vec<Outcome> {
        let mut ledger = ledger();
        arrivals
            .iter()
            .map(|(channel, at)| ledger.record(arrival(*channel, "Purchase", Some("e1"), *at)))
            .collect()
    }

    #[test]
    fn the_windows_decide_what_a_second_copy_is() {
        type Row = (&'static str, &'static [(Channel, u64)], &'static [Outcome]);
        let table: [Row; 9] = [
            (
                "pixel then server",
                &[(Pixel, 0), (Server, 1_000)],
                &[Counted, Merged],
            ),
            (
                "server then pixel",
                &[(Server, 0), (Pixel, 1_000)],
                &[Counted, Merged],
            ),
            (
                "at five minutes",
                &[(Pixel, 0), (Server, 5 * MINUTE)],
                &[Counted, Merged],
            ),
            (
                "past five minutes",
                &[(Pixel, 0), (Server, 5 * MINUTE + 1)],
                &[Counted, Deduplicated],
            ),
            (
                "server twice",
                &[(Server, 0), (Server, 1)],
                &[Counted, Deduplicated],
            ),
            (
                "pixel twice",
                &[(Pixel, 0), (Pixel, 47 * HOUR)],
                &[Counted, Deduplicated],
            ),
            (
                "at 48 hours",
                &[(Server, 0), (Server, 48 * HOUR)],
                &[Counted, Deduplicated],
            ),
            (
                "past 48 hours",
                &[(Server, 0), (Server, 48 * HOUR + 1)],
                &[Counted, Counted],
            ),
            (
                "each channel merges once",
                &[(Pixel, 0), (Pixel, 1), (Server, 2), (Server, 3)],
                &[Counted, Deduplicated, Merged, Deduplicated],
            ),
        ];
        for (name, arrivals, expected) in table {
            assert_eq!(outcomes(arrivals), expected, "{name}");
        }
    }

    #[test]
    fn the_window_is_not_renewed_by_copies() {
        let arrivals = [(Server, 0), (Server, 40 * HOUR), (Server, 50 * HOUR)];
        assert_eq!(outcomes(&arrivals), [Counted, Deduplicated, Counted]);
    }

    #[test]
    fn the_key_is_pixel_canonical_event_and_id() {
        let mut ledger = ledger();
        let mut record = |event, id, pixel: &str| {
            let mut arrival = arrival(Server, event, Some(id), 0);
            arrival.pixel = pixel.to_owned();
            ledger.record(arrival)
        };
        assert_eq!(record("Purchase", "e1", "P1"), Counted);
        assert_eq!(record("Subscribe", "e1", "P1"), Counted);
        assert_eq!(record("Purchase", "e2", "P1"), Counted);
        assert_eq!(record("Purchase", "e1", "P2"), Counted);
        assert_eq!(record("CompletePayment", "e1", "P1"), Deduplicated);
    }

    #[test]
    fn literal_names_keep_old_and_new_names_apart() {
        let mut ledger = Ledger::new(Windows::default(), true, 100);
        assert_eq!(
            ledger.record(arrival(Pixel, "Purchase", Some("e1"), 0)),
            Counted
        );
        assert_eq!(
            ledger.record(arrival(Server, "CompletePayment", Some("e1"), 0)),
            Counted
        );
    }

    #[test]
    fn without_an_id_every_copy_counts_and_says_so() {
        let mut ledger = ledger();
        let mut with_ttp = arrival(Server, "Purchase", None, 0);
        with_ttp.user.insert("ttp".to_owned(), json!("abc"));
        assert_eq!(ledger.record(with_ttp), Counted);
        assert_eq!(ledger.record(arrival(Pixel, "Purchase", None, 0)), Counted);
        let notes: Vec<_> = ledger.conversions().iter().map(|c| c.note).collect();
        assert_eq!(
            notes,
            [Some(COUNTED_EACH_TIME_DESPITE_TTP), Some(COUNTED_EACH_TIME)]
        );
    }

    #[test]
    fn merging_adds_what_is_missing_and_the_first_wins() {
        let mut ledger = ledger();
        let mut pixel = arrival(Pixel, "Purchase", Some("e1"), 1_000);
        pixel.user.insert("ttp".to_owned(), json!("from-pixel"));
        let mut server = arrival(Server, "Purchase", Some("e1"), 3_500);
        server.user.insert("ttp".to_owned(), json!("from-server"));
        server.user.insert("email".to_owned(), json!("digest"));
        ledger.record(pixel);
        ledger.record(server);
        let conversion = ledger.conversions().back().unwrap();
        assert_eq!(
            Value::Object(conversion.user.clone()),
            json!({"ttp": "from-pixel", "email": "digest"})
        );
        assert_eq!(conversion.gap_ms, Some(2_500));
        assert_eq!(conversion.count, 1);
    }

    #[test]
    fn a_dropped_copy_adds_nothing() {
        let mut ledger = ledger();
        ledger.record(arrival(Server, "Purchase", Some("e1"), 0));
        let mut again = arrival(Server, "Purchase", Some("e1"), 1);
        again.user.insert("email".to_owned(), json!("digest"));
        ledger.record(again);
        assert!(ledger.conversions().back().unwrap().user.is_empty());
    }

    #[test]
    fn the_oldest_conversions_make_room() {
        let mut ledger = Ledger::new(Windows::default(), false, 2);
        for id in ["e1", "e2", "e3"] {
            assert_eq!(
                ledger.record(arrival(Server, "Purchase", Some(id), 0)),
                Counted
            );
        }
        let kept: Vec<_> = ledger
            .conversions()
            .iter()
            .map(|c| c.event_id.as_deref())
            .collect();
        assert_eq!(kept, [Some("e2"), Some("e3")]);
        assert_eq!(
            ledger.record(arrival(Pixel, "Purchase", Some("e3"), 0)),
            Merged
        );
        assert_eq!(
            ledger.record(arrival(Server, "Purchase", Some("e1"), 0)),
            Counted
        );
        assert_eq!(ledger.numbers.len(), 2);
    }
}
