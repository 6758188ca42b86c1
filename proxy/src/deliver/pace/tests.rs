use proptest::prelude::*;

use super::*;

fn pauses(why: Slow, share: f64) -> Vec<u64> {
    let mut now = Instant::now();
    let mut pace = Pace::new(4);
    (0..12)
        .map(|_| {
            let ticket = pace.started(now);
            let wait = pace.pause(why, ticket, now, share).unwrap();
            now += wait;
            wait.as_secs()
        })
        .collect()
}

#[test]
fn pauses_double_up_to_a_bound_and_are_random_below_it() {
    assert_eq!(
        pauses(Slow::Trouble, 1.0),
        [1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30, 30]
    );
    assert_eq!(pauses(Slow::Trouble, 0.0), [0; 12]);
    assert_eq!(pauses(Slow::Barred, 1.0)[..6], [2, 4, 8, 16, 30, 30]);
}

#[test]
fn throttling_waits_60_to_75_seconds_however_often_it_comes() {
    assert_eq!(pauses(Slow::Throttled, 0.0), [60; 12]);
    assert_eq!(pauses(Slow::Throttled, 1.0), [75; 12]);
}

#[test]
fn each_cause_counts_for_itself() {
    let mut now = Instant::now();
    let mut pace = Pace::new(4);
    let mut wait = |why| {
        let ticket = pace.started(now);
        let wait = pace.pause(why, ticket, now, 1.0).unwrap();
        now += wait;
        wait.as_secs()
    };
    let waits = [
        Slow::Trouble,
        Slow::Trouble,
        Slow::Trouble,
        Slow::Throttled,
        Slow::Barred,
        Slow::Trouble,
        Slow::Barred,
    ];
    assert_eq!(waits.map(&mut wait), [1, 2, 4, 75, 2, 8, 4]);
}

#[test]
fn a_throttle_among_requests_that_failed_together_is_heeded_whichever_comes_first() {
    let start = Instant::now();
    let mut pace = Pace::new(4);
    let tickets = [0; 3].map(|_| pace.started(start));
    let [trouble, throttle, late] = tickets;
    pace.pause(Slow::Trouble, trouble, start, 1.0).unwrap();
    let wait = pace.pause(Slow::Throttled, throttle, start, 0.0).unwrap();
    assert_eq!(wait, Duration::from_mins(1));
    // The third request was sent together with the first two, so its failure does not widen the gap again. But the minute that
    // TikTok asked for starts again now.
    let later = start + Duration::from_secs(14);
    assert_eq!(pace.pause(Slow::Throttled, late, later, 0.0), None);
    assert_eq!(pace.turn(0, later), Turn::Wait(Duration::from_mins(1)));
    assert_eq!(pace.gap, FIRST_GAP);
}

#[test]
fn after_trouble_one_request_tries_and_each_answer_allows_one_more() {
    let start = Instant::now();
    let mut pace = Pace::new(3);
    let tickets = [0; 3].map(|_| pace.started(start));
    assert_eq!(pace.turn(3, start), Turn::Full);
    let wait = pace.pause(Slow::Trouble, tickets[0], start, 1.0).unwrap();
    // Another request that failed at the same time must not lengthen the pause.
    assert_eq!(pace.pause(Slow::Trouble, tickets[1], start, 1.0), None);
    assert!(!pace.answered(tickets[2]));
    assert_eq!(pace.turn(0, start), Turn::Wait(wait));

    let later = start + wait;
    assert_eq!(
        (pace.turn(0, later), pace.turn(1, later)),
        (Turn::Go, Turn::Full)
    );
    for (allowed, recovered) in [(2, true), (3, false), (3, false)] {
        let ticket = pace.started(later);
        assert_eq!(pace.answered(ticket), recovered);
        assert_eq!(pace.turn(allowed - 1, later), Turn::Go);
        assert_eq!(pace.turn(allowed, later), Turn::Full);
    }
}

#[test]
fn throttling_leaves_a_gap_between_requests_that_closes_by_itself() {
    let mut now = Instant::now();
    let mut pace = Pace::new(4);
    for _ in 0..2 {
        let ticket = pace.started(now);
        now += pace.pause(Slow::Throttled, ticket, now, 0.0).unwrap();
    }
    let gaps: Vec<_> = (0..5)
        .map(|_| {
            let ticket = pace.started(now);
            pace.answered(ticket);
            match pace.turn(0, now) {
                Turn::Wait(gap) => {
                    now += gap;
                    gap.as_millis()
                }
                _ => 0,
            }
        })
        .collect();
    assert_eq!(gaps, [500, 250, 125, 0, 0]);
}

/// One step of a lane that always has events to send.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Starts as many requests as are allowed.
    Start,
    /// The running request at this position ends.
    End(usize, Option<Slow>),
    /// This many milliseconds pass.
    Pass(u64),
    /// Time passes until the next request may start.
    Wait,
}

fn act() -> impl Strategy<Value = Act> {
    let end = prop_oneof![
        Just(None),
        Just(Some(Slow::Trouble)),
        Just(Some(Slow::Barred)),
        Just(Some(Slow::Throttled)),
    ];
    prop_oneof![
        2 => Just(Act::Start),
        4 => (0_usize..4, end).prop_map(|(at, end)| Act::End(at, end)),
        1 => (0_u64..20_000).prop_map(Act::Pass),
        2 => Just(Act::Wait),
    ]
}

proptest! {
    #[test]
    fn the_next_request_is_never_later_than_promised_nor_sooner_than_tiktok_asks(
        acts in prop::collection::vec((act(), 0.0..=1.0), 1..200)
    ) {
        let start = Instant::now();
        let mut now = start;
        let mut pace = Pace::new(4);
        let mut under_way = Vec::new();
        let (mut failed, mut throttled, mut latest) = (None, None, start);
        for (act, share) in acts {
            match act {
                Act::Start => while pace.turn(under_way.len(), now) == Turn::Go {
                    under_way.push(pace.started(now));
                    latest = now;
                },
                Act::End(at, end) if at < under_way.len() => {
                    let ticket = under_way.remove(at);
                    match end {
                        None => { pace.answered(ticket); }
                        Some(why) => {
                            pace.pause(why, ticket, now, share);
                            if why == Slow::Throttled {
                                throttled = Some(now);
                            } else {
                                failed = Some(now);
                            }
                        }
                    }
                }
                Act::End(..) => {}
                Act::Pass(ms) => now += Duration::from_millis(ms),
                Act::Wait => if let Turn::Wait(wait) = pace.turn(0, now) {
                    now += wait;
                },
            }
            let wait = match pace.turn(0, now) {
                Turn::Wait(wait) => wait,
                Turn::Go => Duration::ZERO,
                Turn::Full => panic!("nothing is under way"),
            };
            let due = now + wait;
            let half_a_minute = Duration::from_secs(30);
            let longest = [Some(latest), failed].map(|at| at.map(|at| at + half_a_minute));
            let longest = longest.into_iter().chain([throttled.map(|at| at + LONGEST_THROTTLE)]);
            prop_assert!(wait.is_zero() || Some(due) <= longest.max().flatten());
            prop_assert!(throttled.is_none_or(|at| due >= at + Duration::from_mins(1)));
        }
    }
}
