//! Tests the promises that hold whatever the order of arrivals, replies, settlements and failures of the store is.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Act {
    Arrive(Class, usize),
    /// The courier is asked once for its next step. If a request needs an allowance, it can start after this many milliseconds.
    Next(Option<u64>),
    /// The store confirms that the current settlement is on disk.
    Confirm,
    /// The running request at this position gets a reply.
    Answer(usize, Reply),
    /// A request that started before a rewind gets a reply.
    AnswerLate(usize, Reply),
    /// The store fails. The value states whether the current settlement was written before the failure.
    Fail(bool),
    /// The store fails while the courier claims events.
    FailToClaim,
    Pass(Duration),
}

fn reply() -> impl Strategy<Value = Reply> {
    let place = || prop::option::of(0_usize..60);
    let named = prop::collection::vec(0_usize..60, 0..4);
    let in_part = |named: Vec<usize>| Reply::TakenInPart {
        verdict: verdict(20001),
        refused: named.into_iter().map(|at| (at, String::new())).collect(),
    };
    prop_oneof![
        4 => Just(taken()),
        1 => named.prop_map(in_part),
        2 => place().prop_map(refused),
        1 => Just(Reply::Barred(verdict(40105))),
        1 => Just(Reply::Throttled(verdict(40100))),
        1 => Just(Reply::Later(verdict(50000))),
        2 => Just(Reply::Unclear(verdict(40700))),
        1 => Just(Reply::Unreachable(Trouble::TimedOut)),
        1 => Just(Reply::Unreachable(Trouble::NotJson(413))),
    ]
}

fn class() -> impl Strategy<Value = Class> {
    prop_oneof![Just(Class::First), Just(Class::Second)]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (class(), 1_usize..120).prop_map(|(class, events)| Act::Arrive(class, events)),
        12 => Just(Act::Next(None)),
        1 => (1_u64..5000).prop_map(|after_ms| Act::Next(Some(after_ms))),
        6 => Just(Act::Confirm),
        8 => (0..PARALLEL, reply()).prop_map(|(at, reply)| Act::Answer(at, reply)),
        1 => (0_usize..20, reply()).prop_map(|(at, reply)| Act::AnswerLate(at, reply)),
        1 => any::<bool>().prop_map(Act::Fail),
        1 => Just(Act::FailToClaim),
        4 => (1_u64..100).prop_map(|seconds| Act::Pass(Duration::from_secs(seconds))),
        1 => (1_u64..100).prop_map(|hours| Act::Pass(Duration::from_hours(hours))),
    ]
}

fn take(world: &mut World, act: Act) {
    match act {
        Act::Arrive(class, events) => world.arrive(class, events),
        Act::Next(after_ms) => {
            let later = after_ms.map(|ms| world.now + Duration::from_millis(ms));
            if world.try_next(later.map_or(Ok(()), Err)).is_err() {
                world.rewind();
            }
        }
        Act::Confirm => {
            world.confirm();
        }
        Act::Answer(at, reply) => {
            if let Some(&request) = world.under_way.keys().nth(at) {
                assert!(world.answer(request, reply).is_some());
            }
        }
        Act::AnswerLate(at, reply) => {
            if let Some(&request) = world.given_up.get(at) {
                assert_eq!(world.answer(request, reply), None);
            }
        }
        Act::Fail(is_written) => {
            if is_written {
                world.write();
            }
            world.rewind();
        }
        Act::FailToClaim => world.lane.fails = true,
        Act::Pass(time) => world.pass(time),
    }
}

proptest! {
    /// Runs the steps. [`World`] checks each request, settlement and waiting time.
    #[test]
    fn every_event_is_in_one_place_at_a_time_and_ends_once(
        most in 1_usize..200,
        acts in prop::collection::vec((act(), 0.0..=1.0), 1..200)
    ) {
        let mut world = World::new(most);
        for (act, chance) in acts {
            world.chance = chance;
            take(&mut world, act);
        }
        world.rewind();
        world.drain(|_| taken());
        world.all_have_ended();
    }

    #[test]
    fn exactly_the_events_at_fault_are_refused(
        events in 1_usize..300,
        at_fault in prop::collection::btree_set(0_u64..300, 0..6),
        troubles in prop::collection::vec(prop::option::weighted(0.3, reply_without_a_verdict()), 0..40),
        hints in prop::collection::vec(prop::option::of(0_usize..300), 0..10),
    ) {
        let mut world = World::new(200);
        world.arrive(Class::Second, events);
        let (mut troubles, mut hints) = (troubles.into_iter(), hints.into_iter());
        world.drain(|events| {
            if let Some(Some(trouble)) = troubles.next() {
                return trouble;
            }
            let is_refused = events.iter().any(|event| at_fault.contains(&event.id));
            if is_refused { refused(hints.next().flatten()) } else { taken() }
        });
        world.all_have_ended();
        for (id, outcome) in &world.ended {
            prop_assert_eq!(outcome.is_dead(), at_fault.contains(id));
        }
    }
}

fn reply_without_a_verdict() -> impl Strategy<Value = Reply> {
    prop_oneof![
        Just(Reply::Unreachable(Trouble::TimedOut)),
        Just(Reply::Unreachable(Trouble::NotJson(413))),
        Just(Reply::Throttled(verdict(40100))),
        Just(Reply::Barred(verdict(40105))),
        Just(Reply::Later(verdict(50000))),
    ]
}
