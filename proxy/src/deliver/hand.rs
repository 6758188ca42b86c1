//! Keeps the claimed events that are not in a request, and decides which of them are sent next.

use std::{
    collections::VecDeque,
    mem,
    time::{Duration, Instant},
};

use super::pace::{LONGEST_TROUBLE, doubled};
use crate::{decide::Class, history::Sent};

/// After this many first-class requests in a row, one second-class request is sent. Without this limit, an endless stream of
/// conversions could make second-class events expire.
const FIRST_IN_A_ROW: u32 = 9;
/// While other events are pending, a batch that has failed is sent again only after this many requests without such a batch,
/// because the batch may be the cause of its failure.
const UNTROUBLED_IN_A_ROW: u32 = 3;
/// The limit of batches in hand is this many times higher if failed batches are counted too.
const TROUBLED_ROOM: usize = 4;

/// A batch of events and its history.
#[derive(Debug)]
pub(super) struct Load<E> {
    /// At least one event.
    pub(super) events: Vec<E>,
    pub(super) class: Class,
    /// How often the batch was sent. `troubles` counts the failures of these attempts, and `unclear` the answers with a code
    /// whose meaning is unclear.
    pub(super) attempts: u32,
    pub(super) troubles: u32,
    pub(super) unclear: u32,
    /// When the last attempt ended, and the code of TikTok's answer. The code is `None` if no answer of TikTok arrived.
    pub(super) answer: Option<(Instant, Option<i64>)>,
    pub(super) due: Instant,
    /// How many requests of the courier had succeeded when this batch was made.
    pub(super) since: u64,
    /// Whether the batch consists of one event that a refusal named as faulty.
    pub(super) named: bool,
}

impl<E> Load<E> {
    pub(super) fn new(events: Vec<E>, class: Class, due: Instant, since: u64) -> Self {
        Self {
            events,
            class,
            attempts: 0,
            troubles: 0,
            unclear: 0,
            answer: None,
            due,
            since,
            named: false,
        }
    }

    /// Returns how the batch was sent.
    pub(super) fn sent(&self) -> Sent {
        Sent {
            attempts: self.attempts,
            batch: u32::try_from(self.events.len()).unwrap_or(u32::MAX),
        }
    }

    /// Cuts the batch into pieces of at most `most` events. Each piece keeps the history of the batch.
    pub(super) fn cut(mut self, most: usize) -> Vec<Self> {
        let most = most.max(1);
        let mut pieces = Vec::new();
        while self.events.len() > most {
            let rest = self.events.split_off(most);
            let events = mem::replace(&mut self.events, rest);
            pieces.push(Self { events, ..self });
        }
        pieces.push(self);
        pieces
    }

    /// Divides a batch of at least two events. If a refusal names an event, the parts are this event and the other events.
    /// Otherwise the parts are halves. The parts are due at `due` and have no history.
    pub(super) fn divide(mut self, named: Option<usize>, due: Instant, since: u64) -> [Self; 2] {
        let named = named.filter(|index| *index < self.events.len());
        let first = if let Some(index) = named {
            vec![self.events.remove(index)]
        } else {
            let second = self.events.split_off(self.events.len() / 2);
            mem::replace(&mut self.events, second)
        };
        let part = |events| Self::new(events, self.class, due, since);
        let first = Self {
            named: named.is_some(),
            ..part(first)
        };
        [first, part(self.events)]
    }
}

/// Returns how long a batch waits after it has failed this many times. `share` (0 to 1) selects the time. The time is never
/// longer than the longest pause of the lane.
pub(super) fn backoff(troubles: u32, share: f64) -> Duration {
    doubled(Duration::from_secs(1), troubles, LONGEST_TROUBLE).mul_f64(share.clamp(0.0, 1.0))
}

/// The batches in hand, and the class whose turn it is.
#[derive(Debug)]
pub(super) struct Hand<E> {
    loads: VecDeque<Load<E>>,
    /// The largest number of batches of one class that have not failed.
    room: usize,
    /// How many first-class requests were sent since the last second-class request.
    first_in_a_row: u32,
    /// How many requests were sent since the last request with a batch that had failed before.
    untroubled_in_a_row: u32,
}

impl<E> Hand<E> {
    pub(super) fn new(room: usize) -> Self {
        Self {
            loads: VecDeque::new(),
            room,
            first_in_a_row: 0,
            untroubled_in_a_row: 0,
        }
    }

    /// Returns the classes in the order in which they can send next.
    pub(super) fn turns(&self) -> [Class; 2] {
        if self.first_in_a_row < FIRST_IN_A_ROW {
            [Class::First, Class::Second]
        } else {
            [Class::Second, Class::First]
        }
    }

    /// Records that this batch is being sent.
    pub(super) fn sends(&mut self, load: &Load<E>) {
        self.first_in_a_row = match load.class {
            Class::First => self.first_in_a_row.saturating_add(1),
            Class::Second => 0,
        };
        self.untroubled_in_a_row = if load.troubles > 0 {
            0
        } else {
            self.untroubled_in_a_row.saturating_add(1)
        };
    }

    /// Returns whether it is the turn of the batches that have failed: one of them is then sent ahead of the other
    /// batches.
    pub(super) fn is_troubleds_turn(&self) -> bool {
        self.untroubled_in_a_row >= UNTROUBLED_IN_A_ROW
    }

    /// Removes and returns the first batch of this class that is due and has not failed.
    pub(super) fn due(&mut self, class: Class, now: Instant) -> Option<Load<E>> {
        self.take(|load| load.class == class && load.due <= now && load.troubles == 0)
    }

    /// Removes and returns the first batch of this class that is due and has failed.
    pub(super) fn troubled_due(&mut self, class: Class, now: Instant) -> Option<Load<E>> {
        self.take(|load| load.class == class && load.due <= now && load.troubles > 0)
    }

    fn take(&mut self, is_meant: impl Fn(&Load<E>) -> bool) -> Option<Load<E>> {
        let at = self.loads.iter().position(is_meant)?;
        self.loads.remove(at)
    }

    /// Returns the earliest time at which a batch is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.loads.iter().map(|load| load.due).min()
    }

    /// Returns whether another batch of this class can be claimed. Failed batches stay in memory until they are sent again, so
    /// their number is limited.
    pub(super) fn has_room(&self, class: Class) -> bool {
        let of_class = || self.loads.iter().filter(|load| load.class == class);
        let untroubled = of_class().filter(|load| load.troubles == 0);
        untroubled.count() < self.room && of_class().count() < TROUBLED_ROOM * self.room
    }

    /// Returns all batches in hand.
    pub(super) fn loads(&self) -> impl Iterator<Item = &Load<E>> {
        self.loads.iter()
    }

    /// Puts a batch before all other batches of its class.
    pub(super) fn put_first(&mut self, load: Load<E>) {
        self.loads.push_front(load);
    }

    pub(super) fn put_last(&mut self, load: Load<E>) {
        self.loads.push_back(load);
    }

    /// Makes every batch due that has failed fewer times than `times`.
    pub(super) fn hurry(&mut self, times: u32, now: Instant) {
        for load in &mut self.loads {
            if load.troubles < times {
                load.due = now;
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.loads.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hand() -> Hand<u64> {
        Hand::new(2)
    }

    fn load(class: Class, due: Instant) -> Load<u64> {
        Load::new(vec![0], class, due, 0)
    }

    #[test]
    fn the_first_class_goes_first_and_every_tenth_request_is_the_seconds() {
        let mut hand = hand();
        let order: Vec<_> = (0..21)
            .map(|_| {
                let [class, _] = hand.turns();
                hand.sends(&load(class, Instant::now()));
                class
            })
            .collect();
        let second = order
            .iter()
            .enumerate()
            .filter(|(_, class)| **class == Class::Second)
            .map(|(at, _)| at);
        assert_eq!(second.collect::<Vec<_>>(), [9, 19]);
    }

    #[test]
    fn what_is_not_due_stays_and_fills_its_own_class_only() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let mut hand = hand();
        for due in [later, now] {
            hand.put_last(load(Class::Second, due));
        }
        assert!(!hand.has_room(Class::Second) && hand.has_room(Class::First));
        assert!(hand.due(Class::First, now).is_none());
        assert!(hand.due(Class::Second, now).is_some());
        assert!(hand.due(Class::Second, now).is_none());
        assert_eq!(hand.next_due(), Some(later));
        hand.hurry(1, now);
        assert!(hand.due(Class::Second, now).is_some());
    }

    #[test]
    fn a_divided_batch_is_the_named_event_and_the_others_or_else_two_halves() {
        let now = Instant::now();
        for (named, parts) in [
            (None, [vec![0, 1], vec![2, 3, 4]]),
            (Some(3), [vec![3], vec![0, 1, 2, 4]]),
            // TikTok's answer names a position that the request does not have.
            (Some(5), [vec![0, 1], vec![2, 3, 4]]),
        ] {
            let load = Load::new((0..5).collect(), Class::First, now, 0);
            let [first, second] = load.divide(named, now, 7);
            assert_eq!(first.named, named == Some(3));
            assert!(!second.named && second.since == 7);
            assert_eq!([first.events, second.events], parts);
        }
    }

    #[test]
    fn a_cut_batch_keeps_its_order_and_its_history() {
        let now = Instant::now();
        let mut load = Load::new((0..5).collect(), Class::Second, now, 0);
        load.troubles = 3;
        let pieces = load.cut(2);
        assert!(pieces.iter().all(|piece| piece.troubles == 3));
        let events: Vec<_> = pieces.into_iter().map(|piece| piece.events).collect();
        assert_eq!(events, [vec![0, 1], vec![2, 3], vec![4]]);
    }

    #[test]
    fn a_batch_waits_no_longer_than_its_lane() {
        let waits = [1, 2, 3, 5, 6, 40, u32::MAX].map(|troubles| backoff(troubles, 1.0).as_secs());
        assert_eq!(waits, [1, 2, 4, 16, 30, 30, 30]);
        assert_eq!(backoff(40, 0.0), Duration::ZERO);
    }
}
