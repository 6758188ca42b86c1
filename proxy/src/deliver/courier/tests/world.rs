//! The surroundings of a courier: a lane, a clock and TikTok. [`World`] checks every step that the courier returns.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

pub(super) const PARALLEL: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) id: u64,
    pub(super) class: Class,
    pub(super) accepted_at_ms: i64,
}

/// A lane whose store fails if `fails` is set.
#[derive(Default)]
pub(super) struct Lane {
    /// The events that have arrived and whose settlement is not on disk, in order.
    pub(super) kept: BTreeMap<u64, Event>,
    claimed: BTreeSet<u64>,
    pub(super) fails: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failed;

impl Claims for Lane {
    type Event = Event;
    type Error = Failed;

    fn claim(&mut self, class: Class, limits: Limits) -> Result<Vec<Event>, Failed> {
        self.check()?;
        let events: Vec<_> = self.waiting(class).take(limits.events).copied().collect();
        self.claimed.extend(events.iter().map(|event| event.id));
        Ok(events)
    }

    fn any(&mut self, class: Class, _: usize) -> Result<bool, Failed> {
        self.check()?;
        Ok(self.waiting(class).next().is_some())
    }

    fn is_withdrawn(&self, _: &Event) -> bool {
        false
    }

    fn accepted_at_ms(event: &Event) -> i64 {
        event.accepted_at_ms
    }
}

impl Lane {
    fn waiting(&self, class: Class) -> impl Iterator<Item = &Event> {
        let kept = self.kept.values();
        kept.filter(move |event| event.class == class && !self.claimed.contains(&event.id))
    }

    fn check(&self) -> Result<(), Failed> {
        if self.fails { Err(Failed) } else { Ok(()) }
    }
}

pub(super) struct World {
    pub(super) now: Instant,
    now_ms: i64,
    courier: Courier<Event>,
    pub(super) lane: Lane,
    pub(super) chance: f64,
    most: usize,
    arrived: u64,
    pub(super) under_way: BTreeMap<RequestId, Vec<Event>>,
    /// The requests that started before a rewind.
    pub(super) given_up: Vec<RequestId>,
    settling: Option<(Vec<Event>, Outcome)>,
    pub(super) ended: BTreeMap<u64, Outcome>,
    /// The times at which the last request started, failed and was throttled.
    started: Option<Instant>,
    failed: Option<Instant>,
    throttled: Option<Instant>,
}

impl World {
    /// Creates a world whose requests may have at most `most` events.
    pub(super) fn new(most: usize) -> Self {
        let limits = Limits {
            events: most,
            bytes: 1_000_000,
        };
        Self {
            now: Instant::now(),
            now_ms: 0,
            courier: Courier::new(limits, PARALLEL),
            lane: Lane::default(),
            chance: 1.0,
            most,
            arrived: 0,
            under_way: BTreeMap::new(),
            given_up: Vec::new(),
            settling: None,
            ended: BTreeMap::new(),
            started: None,
            failed: None,
            throttled: None,
        }
    }

    pub(super) fn arrive(&mut self, class: Class, events: usize) {
        for _ in 0..events {
            let event = Event {
                id: self.arrived,
                class,
                accepted_at_ms: self.now_ms,
            };
            self.arrived += 1;
            self.lane.kept.insert(event.id, event);
        }
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.now_ms += i64::try_from(time.as_millis()).unwrap();
    }

    pub(super) fn next(&mut self) -> Do<'_, Event> {
        self.next_if_allowed(Ok(()))
    }

    pub(super) fn next_if_allowed(&mut self, allowance: Result<(), Instant>) -> Do<'_, Event> {
        self.try_next(allowance).unwrap()
    }

    pub(super) fn try_next(
        &mut self,
        allowance: Result<(), Instant>,
    ) -> Result<Do<'_, Event>, Failed> {
        let (now, now_ms) = (self.now, self.now_ms);
        let next = self
            .courier
            .next(now, now_ms, &mut self.lane, || allowance)?;
        match &next {
            Do::Send { request, events } => {
                assert_eq!(allowance, Ok(()));
                assert_eq!(
                    self.settling, None,
                    "the courier must not send while a settlement is written"
                );
                let minute = Duration::from_mins(1);
                assert!(self.throttled.is_none_or(|at| now >= at + minute));
                let oldest_ms = now_ms - limits::DELIVERY_MS;
                assert!(events.iter().all(|event| event.accepted_at_ms >= oldest_ms));
                assert!(events.len() <= self.most);
                are_free(events, &self.lane, &self.under_way);
                self.started = Some(now);
                let earlier = self.under_way.insert(*request, events.to_vec());
                assert!(earlier.is_none() && !self.given_up.contains(request));
                assert!(self.under_way.len() <= PARALLEL);
            }
            Do::Settle {
                events, outcome, ..
            } => {
                let given = (events.to_vec(), (*outcome).clone());
                match &self.settling {
                    Some(settling) => assert_eq!(settling, &given),
                    None => are_free(events, &self.lane, &self.under_way),
                }
                self.settling = Some(given);
            }
            Do::Wait(wait) => {
                assert_eq!(
                    self.settling, None,
                    "the courier must not wait while a settlement is not confirmed"
                );
                let until = match *wait {
                    Wait::Reply => {
                        assert!(
                            !self.under_way.is_empty(),
                            "the courier may wait for a reply only if a request runs"
                        );
                        None
                    }
                    Wait::Arrival(None) => {
                        let under_way: usize = self.under_way.values().map(Vec::len).sum();
                        assert_eq!(self.lane.kept.len(), under_way, "forgets events");
                        None
                    }
                    Wait::Arrival(until) => until,
                    Wait::Until(until) => Some(until),
                };
                let half_a_minute = Duration::from_secs(30);
                let promised = [
                    self.started.map(|at| at + half_a_minute),
                    self.failed.map(|at| at + half_a_minute),
                    self.throttled.map(|at| at + Duration::from_secs(75)),
                    allowance.err(),
                ];
                let promised = promised.into_iter().max().flatten();
                assert!(until.is_none_or(|until| until > now && Some(until) <= promised));
            }
        }
        Ok(next)
    }

    pub(super) fn tried(&self) -> Vec<Tried> {
        self.courier.tried(self.now, self.now_ms, |event| event.id)
    }

    /// Writes and confirms the current settlement. Returns whether there was one.
    pub(super) fn confirm(&mut self) -> bool {
        let is_settling = self.write();
        if is_settling {
            self.courier.settled();
        }
        is_settling
    }

    /// Writes the current settlement without confirming it. Returns whether there was one.
    pub(super) fn write(&mut self) -> bool {
        let Some((events, outcome)) = self.settling.take() else {
            return false;
        };
        for event in events {
            assert!(self.lane.kept.remove(&event.id).is_some());
            let earlier = self.ended.insert(event.id, outcome.clone());
            assert_eq!(earlier, None, "an event must end only once");
        }
        true
    }

    pub(super) fn rewind(&mut self) {
        self.lane.fails = false;
        self.lane.claimed.clear();
        self.settling = None;
        let given_up = std::mem::take(&mut self.under_way);
        self.given_up.extend(given_up.into_keys());
        self.courier.rewind();
    }

    pub(super) fn answer(&mut self, request: RequestId, reply: Reply) -> Option<Way> {
        let (now, chance) = (self.now, self.chance);
        self.under_way.remove(&request);
        let is_throttled = matches!(reply, Reply::Throttled(_));
        let way = self.courier.answered(request, reply, now, || chance);
        match way {
            Some(Way::Slow { .. }) if is_throttled => self.throttled = Some(now),
            Some(Way::Slow { .. } | Way::Barred { .. }) => self.failed = Some(now),
            Some(Way::Open { .. }) | None => {}
        }
        way
    }

    pub(super) fn events(&self, request: RequestId) -> &[Event] {
        &self.under_way[&request]
    }

    pub(super) fn start_one(&mut self) -> RequestId {
        match self.next() {
            Do::Send { request, .. } => request,
            other => panic!("{other:?}"),
        }
    }

    /// Lets time pass until a request starts.
    pub(super) fn start_when_due(&mut self) -> RequestId {
        loop {
            match self.next() {
                Do::Send { request, .. } => return request,
                Do::Wait(Wait::Until(at) | Wait::Arrival(Some(at))) => self.pass(at - self.now),
                other => panic!("{other:?}"),
            }
        }
    }

    pub(super) fn start<const REQUESTS: usize>(&mut self) -> [RequestId; REQUESTS] {
        [(); REQUESTS].map(|()| self.start_one())
    }

    pub(super) fn send(&mut self) -> Vec<Event> {
        let request = self.start_one();
        self.events(request).to_vec()
    }

    pub(super) fn settle(&mut self) -> (Vec<Event>, Outcome) {
        let settled = match self.next() {
            Do::Settle {
                events, outcome, ..
            } => (events.to_vec(), outcome.clone()),
            other => panic!("{other:?}"),
        };
        self.confirm();
        settled
    }

    /// Makes TikTok answer with `reply` until all events have ended.
    pub(super) fn drain(&mut self, mut reply: impl FnMut(&[Event]) -> Reply) {
        for _ in 0..10_000 {
            if let Some((&request, events)) = self.under_way.first_key_value() {
                let reply = reply(events);
                self.answer(request, reply);
            }
            let wait = match self.next() {
                Do::Send { .. } => continue,
                Do::Settle { .. } => None,
                Do::Wait(wait) => Some(wait),
            };
            match wait {
                None => assert!(self.confirm()),
                Some(Wait::Until(at) | Wait::Arrival(Some(at))) => self.pass(at - self.now),
                Some(Wait::Arrival(None)) if self.under_way.is_empty() => return,
                Some(Wait::Arrival(None) | Wait::Reply) => {}
            }
        }
        panic!("all events must end, but {} are left", self.lane.kept.len());
    }

    /// Checks that every event that arrived has ended.
    pub(super) fn all_have_ended(&self) {
        assert!(self.ended.keys().copied().eq(0..self.arrived));
    }
}

/// Checks that each of the `events` is claimed, is there only once, and is not in a running request.
fn are_free(events: &[Event], lane: &Lane, under_way: &BTreeMap<RequestId, Vec<Event>>) {
    let first = events.first().expect("at least one event");
    assert!(events.iter().all(|event| event.class == first.class));
    let ids: BTreeSet<_> = events.iter().map(|event| event.id).collect();
    assert_eq!(
        ids.len(),
        events.len(),
        "each event must be there only once"
    );
    let kept = |id| lane.claimed.contains(id) && lane.kept.contains_key(id);
    assert!(ids.iter().all(kept), "not claimed");
    let mut under_way = under_way.values().flatten();
    assert!(
        !under_way.any(|event| ids.contains(&event.id)),
        "no event may be in a running request"
    );
}
