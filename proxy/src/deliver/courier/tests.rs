use super::*;
use crate::tiktok::Trouble;

mod any_order;
mod world;

use world::{Event, PARALLEL, World};

fn verdict(code: i64) -> Verdict {
    Verdict {
        code,
        message: "words".to_owned(),
        request_id: None,
    }
}

fn taken() -> Reply {
    Reply::Taken(verdict(0))
}

fn refused(index: Option<usize>) -> Reply {
    Reply::Refused {
        verdict: verdict(40002),
        index,
    }
}

fn ids(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.id).collect()
}

#[test]
fn a_settlement_is_returned_until_it_is_confirmed_and_nothing_starts_before() {
    let mut world = World::new(50);
    world.arrive(Class::Second, 60);
    let [first, _] = world.start();
    world.answer(first, taken());
    world.arrive(Class::Second, 1);
    for _ in 0..3 {
        let next = world.next();
        let outcome = Outcome::Delivered(verdict(0));
        assert!(
            matches!(next, Do::Settle { events, outcome: end, .. } if events.len() == 50 && *end == outcome)
        );
    }
    world.confirm();
    assert_eq!(ids(&world.send()), [60]);
}

#[test]
fn a_reply_from_before_a_rewind_is_ignored_and_its_events_are_sent_again() {
    let mut world = World::new(50);
    world.arrive(Class::First, 2);
    let [request] = world.start();
    world.rewind();
    assert_eq!(world.answer(request, taken()), None);
    assert_eq!(ids(&world.send()), [0, 1]);
}

#[test]
fn what_is_too_old_expires_and_the_rest_of_its_batch_is_sent() {
    let mut world = World::new(50);
    world.arrive(Class::Second, 2);
    world.pass(Duration::from_millis(1));
    world.arrive(Class::Second, 2);
    let week = Duration::from_hours(7 * 24);
    world.pass(week);
    let expired = world.settle();
    assert_eq!((ids(&expired.0), expired.1), (vec![0, 1], Outcome::Expired));
    assert_eq!(ids(&world.send()), [2, 3]);
}

#[test]
fn a_batch_without_an_allowance_keeps_its_turn() {
    let mut world = World::new(1);
    world.arrive(Class::Second, 2);
    let later = world.now + Duration::from_secs(2);
    for _ in 0..2 {
        let next = world.next_if_allowed(Err(later));
        assert_eq!(next, Do::Wait(Wait::Until(later)));
    }
    assert_eq!(ids(&world.send()), [0]);
}

#[test]
fn batches_that_were_sent_without_success_say_how_often_and_when_they_go_again() {
    let mut world = World::new(50);
    world.arrive(Class::Second, 3);
    assert_eq!(world.tried(), []);
    let [request] = world.start();
    assert_eq!(world.tried(), [], "no answer has come");
    let throttled = Reply::Throttled(verdict(40_100));
    world.answer(request, throttled);
    let [tried] = world.tried().try_into().unwrap();
    assert_eq!(
        (tried.numbers, tried.attempts, tried.code),
        ((0, 2), 1, Some(40_100))
    );
    let waits_ms = tried.next_ms.unwrap() - tried.answered_ms;
    assert!((60_000..=75_000).contains(&waits_ms), "{waits_ms}");
    world.pass(Duration::from_secs(75));
    let [request] = world.start();
    let [again] = world.tried().try_into().unwrap();
    assert_eq!((again.attempts, again.next_ms), (1, None));
    world.answer(request, Reply::Unreachable(Trouble::TimedOut));
    let [tried] = world.tried().try_into().unwrap();
    assert_eq!((tried.attempts, tried.code), (2, None));
}

#[test]
fn the_events_that_20001_names_are_settled_apart() {
    let mut world = World::new(50);
    world.arrive(Class::Second, 3);
    let [request] = world.start();
    let named = vec![(2, "two".to_owned()), (0, "none".to_owned())];
    let reply = Reply::TakenInPart {
        verdict: verdict(20001),
        refused: named,
    };
    world.answer(request, reply);
    let settled: Vec<_> = (0..3).map(|_| world.settle()).collect();
    let ends = settled
        .iter()
        .map(|(events, outcome)| (ids(events), outcome.label()));
    let delivered = "delivered_with_warning";
    assert_eq!(
        ends.collect::<Vec<_>>(),
        [
            (vec![0], "refused"),
            (vec![2], "refused"),
            (vec![1], delivered)
        ]
    );
}

#[test]
fn hints_are_used_until_one_names_an_event_that_tiktok_takes() {
    let mut world = World::new(50);
    world.arrive(Class::Second, 4);
    let [request] = world.start();
    world.answer(request, refused(Some(2)));
    let [named, others] = world.start();
    assert_eq!(ids(world.events(named)), [2]);
    let way = world.answer(named, taken());
    assert_eq!(way, Some(Way::Open { misnamed: true }));
    world.settle();
    world.answer(others, refused(Some(2)));
    assert_eq!(ids(&world.send()), [0]);
    assert_eq!(ids(&world.send()), [1, 3]);
}

#[test]
fn a_batch_that_fails_while_others_get_through_is_divided_in_the_end() {
    let mut world = World::new(2);
    world.arrive(Class::Second, 2);
    let [mut suspect] = world.start();
    for troubles in 1..=SUSPICIOUS_TROUBLES {
        let trouble = Reply::Unreachable(Trouble::TimedOut);
        let way = world.answer(suspect, trouble);
        assert!(matches!(way, Some(Way::Slow { events: 2, attempts, .. }) if attempts == troubles));
        // In between, another request succeeds.
        world.arrive(Class::First, 1);
        world.pass(Duration::from_secs(30));
        let [other] = world.start();
        world.answer(other, taken());
        world.settle();
        if troubles < SUSPICIOUS_TROUBLES {
            suspect = world.start_one();
            assert_eq!(ids(world.events(suspect)), [0, 1]);
        }
    }
    let parts = [world.send(), world.send()];
    assert_eq!(parts.map(|part| ids(&part)), [[0], [1]]);
}

#[test]
fn an_unclear_code_refuses_an_event_at_the_eighth_time() {
    let mut world = World::new(50);
    world.arrive(Class::Second, 1);
    for _ in 0..7 {
        let request = world.start_when_due();
        world.answer(request, Reply::Unclear(verdict(40700)));
    }
    let request = world.start_when_due();
    world.answer(request, Reply::Unclear(verdict(40700)));
    assert_eq!(world.settle().1, Outcome::Refused(verdict(40700)));
}

#[test]
fn during_an_outage_the_next_request_starts_within_30_seconds() {
    let mut world = World::new(1);
    world.arrive(Class::Second, PARALLEL);
    for _ in 0..PARALLEL * 10 {
        let failed_at = world.now;
        let request = world.start_when_due();
        assert!(world.now - failed_at <= Duration::from_secs(30));
        world.answer(request, Reply::Unreachable(Trouble::TimedOut));
    }
}

#[test]
fn after_an_outage_a_batch_does_not_wait_for_its_own_next_attempt() {
    let mut world = World::new(1);
    world.arrive(Class::Second, 2);
    let [first, second] = world.start();
    world.answer(first, Reply::Unreachable(Trouble::TimedOut));
    world.pass(Duration::from_millis(900));
    world.answer(second, Reply::Unreachable(Trouble::TimedOut));
    let first = world.start_when_due();
    assert_eq!(ids(world.events(first)), [0]);
    world.answer(first, taken());
    world.settle();
    assert_eq!(ids(&world.send()), [1]);
}

#[test]
fn what_meets_trouble_is_sent_again_in_pieces_of_50() {
    let mut world = World::new(1000);
    world.arrive(Class::Second, 150);
    let [request] = world.start();
    let reply = Reply::TakenInPart {
        verdict: verdict(20001),
        refused: vec![(0, String::new())],
    };
    world.answer(request, reply);
    world.settle();
    world.settle();
    let [request] = world.start();
    assert_eq!(world.events(request).len(), 100);
    world.answer(request, Reply::Unreachable(Trouble::TimedOut));
    let sizes = [(); 2].map(|()| {
        let request = world.start_when_due();
        let size = world.events(request).len();
        world.answer(request, taken());
        world.settle();
        size
    });
    assert_eq!(sizes, [50, 50]);
}

#[test]
fn requests_grow_only_while_more_of_their_class_waits() {
    let mut world = World::new(1000);
    world.arrive(Class::Second, 150);
    let sizes = |world: &mut World| {
        let request = world.start_one();
        let size = world.events(request).len();
        world.answer(request, taken());
        world.settle();
        size
    };
    assert_eq!([sizes(&mut world), sizes(&mut world)], [50, 100]);
    // After the last event, the courier waits until an event arrives.
    assert_eq!(world.next(), Do::Wait(Wait::Arrival(None)));
    world.arrive(Class::Second, 300);
    assert_eq!([sizes(&mut world), sizes(&mut world)], [100, 200]);
}

#[test]
fn a_reply_says_what_the_way_to_tiktok_is_like() {
    let open = Way::Open { misnamed: false };
    let slow = |seconds| Way::Slow {
        events: 1,
        attempts: 1,
        pause: Some(Duration::from_secs(seconds)),
    };
    let barred = Way::Barred {
        verdict: verdict(40105),
        pause: Some(Duration::from_secs(2)),
    };
    for (reply, way) in [
        (taken(), open),
        (refused(None), Way::Open { misnamed: false }),
        (Reply::Later(verdict(50000)), slow(1)),
        (Reply::Unclear(verdict(40700)), slow(1)),
        (Reply::Throttled(verdict(40100)), slow(75)),
        (Reply::Barred(verdict(40105)), barred),
    ] {
        let mut world = World::new(50);
        world.arrive(Class::Second, 1);
        let [request] = world.start();
        assert_eq!(world.answer(request, reply), Some(way));
    }
}

#[test]
fn of_replies_that_failed_together_the_first_one_pauses() {
    let mut world = World::new(1);
    world.arrive(Class::Second, PARALLEL);
    let [first, second, _] = world.start();
    assert_eq!(world.next(), Do::Wait(Wait::Reply));
    let pause = |way| match way {
        Some(Way::Slow { pause, .. }) => pause,
        other => panic!("{other:?}"),
    };
    let trouble = || Reply::Unreachable(Trouble::TimedOut);
    let second_long = Duration::from_secs(1);
    assert_eq!(pause(world.answer(first, trouble())), Some(second_long));
    assert_eq!(pause(world.answer(second, trouble())), None);
}

/// A lane: which events are pending or withdrawn, and when each event arrived.
#[derive(Default)]
struct Shop {
    waiting: VecDeque<u64>,
    arrived: BTreeMap<u64, Instant>,
    withdrawn: Vec<u64>,
}

#[test]
fn a_withdrawn_event_ends_before_its_first_attempt_and_not_after_it() {
    let mut courier = Courier::new(
        Limits {
            events: 10,
            bytes: usize::MAX,
        },
        PARALLEL,
    );
    let mut shop = Shop::default();
    shop.waiting.extend([1, 2, 3]);
    shop.withdrawn = vec![2];
    let now = Instant::now();
    let ended = Do::Settle {
        events: &[2],
        outcome: &Outcome::Withdrawn,
        sent: Sent::default(),
    };
    let next = |courier: &mut Courier<u64>, shop: &mut Shop, now| {
        format!("{:?}", courier.next(now, 0, shop, || Ok(())).unwrap())
    };
    assert_eq!(next(&mut courier, &mut shop, now), format!("{ended:?}"));
    courier.settled();
    let Ok(Do::Send { request, events }) = courier.next(now, 0, &mut shop, || Ok(())) else {
        panic!("the courier must send the other events");
    };
    assert_eq!(events, [1, 3]);
    // Event 3 is withdrawn after its first attempt. TikTok may have it already, so the courier sends the event again.
    shop.withdrawn.push(3);
    courier.answered(request, Reply::Unreachable(Trouble::TimedOut), now, || 0.0);
    let later = now + Duration::from_mins(10);
    let Ok(Do::Send { events, .. }) = courier.next(later, 0, &mut shop, || Ok(())) else {
        panic!("the courier must send both events again");
    };
    assert_eq!(events, [1, 3]);
}

impl Claims for Shop {
    type Event = u64;
    type Error = ();

    fn claim(&mut self, class: Class, limits: Limits) -> Result<Vec<u64>, ()> {
        if class == Class::First {
            return Ok(Vec::new());
        }
        let most = limits.events.min(self.waiting.len());
        Ok(self.waiting.drain(..most).collect())
    }

    fn any(&mut self, class: Class, _: usize) -> Result<bool, ()> {
        Ok(class == Class::Second && !self.waiting.is_empty())
    }

    fn is_withdrawn(&self, event: &u64) -> bool {
        self.withdrawn.contains(event)
    }

    fn accepted_at_ms(_: &u64) -> i64 {
        0
    }
}

/// TikTok answers 50000 to every request that contains one of five bad events, and accepts all other requests.
#[test]
fn a_few_events_that_tiktok_chokes_on_keep_the_others_for_seconds_only() {
    for latency_ms in [10, 100, 500] {
        for chance in [0.2, 0.5, 0.9] {
            let slowest = slowest_beside_bad_events(latency_ms, chance);
            assert!(
                slowest < Duration::from_secs(20),
                "{latency_ms} {chance} {slowest:?}"
            );
        }
    }
}

/// Returns the longest time that a good event took. TikTok answers after `latency_ms`, and `chance` is the value of each
/// random number.
fn slowest_beside_bad_events(latency_ms: u64, chance: f64) -> Duration {
    const BAD: u64 = 5;
    let start = Instant::now();
    let at = |ms: u64| start + Duration::from_millis(ms);
    let mut shop = Shop::default();
    let mut courier = Courier::<u64>::new(
        Limits {
            events: 50,
            bytes: usize::MAX,
        },
        4,
    );
    let mut slowest = Duration::ZERO;
    let mut answers: BTreeMap<u64, Vec<(RequestId, bool)>> = BTreeMap::new();
    let mut next_id = 0;
    for ms in (0..300_000).step_by(10) {
        let now = at(ms);
        if ms == 0 {
            shop.waiting.extend(0..BAD);
            next_id = BAD;
        } else if ms % 300 == 0 {
            shop.waiting.push_back(next_id);
            shop.arrived.insert(next_id, now);
            next_id += 1;
        }
        for (request, is_bad) in answers.remove(&ms).into_iter().flatten() {
            let reply = if is_bad {
                Reply::Later(verdict(50000))
            } else {
                taken()
            };
            courier.answered(request, reply, now, || chance);
        }
        loop {
            match courier.next(now, 0, &mut shop, || Ok(())).unwrap() {
                Do::Send { request, events } => {
                    let is_bad = events.iter().any(|event| *event < BAD);
                    let answers = answers.entry(ms + latency_ms).or_default();
                    answers.push((request, is_bad));
                }
                Do::Settle { events, .. } => {
                    for event in events {
                        let took = now - shop.arrived[event];
                        slowest = slowest.max(took);
                    }
                    courier.settled();
                }
                Do::Wait(_) => break,
            }
        }
    }
    let oldest = shop
        .waiting
        .front()
        .map(|id| at(300_000) - shop.arrived[id]);
    slowest.max(oldest.unwrap_or_default())
}
