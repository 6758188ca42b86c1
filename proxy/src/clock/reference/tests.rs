use proptest::prelude::*;

use super::*;

/// A time in 2026, and the boot clock's reading at this time, both in milliseconds.
const T: i64 = 1_767_323_045_000;
const UP: i64 = 5_000_000;

/// Returns the reading of the clocks `after_ms` after the start. The wall clock is `wrong_ms` ahead.
fn at(after_ms: i64, wrong_ms: i64) -> Reading {
    Reading {
        wall_ms: T + after_ms + wrong_ms,
        boot_ms: UP + after_ms,
    }
}

fn expiry(reference: &mut Reference, now: Reading) -> i64 {
    reference.read(now).expiry_ms
}

#[test]
fn a_start_is_doubted_by_the_last_commit() {
    for (last_commit_ms, doubt) in [
        (None, None),
        (Some(T), None),
        (Some(T + CLOSE_MS), None),
        (Some(T + CLOSE_MS + 1), Some(Suspect::Behind)),
        (Some(T + 8 * DAY_MS), Some(Suspect::Behind)),
        (Some(T - DAY_MS), None),
        (Some(T - DAY_MS - 1), Some(Suspect::Ahead)),
        (Some(0), Some(Suspect::Ahead)),
    ] {
        let mut reference = Reference::start(at(0, 0), last_commit_ms);
        assert_eq!(reference.suspect(), doubt, "{last_commit_ms:?}");
        let times = reference.read(at(1, 0));
        let (expiry_ms, confirmed_ms) = match doubt {
            None => (T + 1, Some(T + 1)),
            Some(_) => (0, None),
        };
        let expected = Times {
            day_ms: T + 1,
            stamp_ms: T + 1,
            expiry_ms,
            confirmed_ms,
        };
        assert_eq!(times, expected, "{last_commit_ms:?}");
    }
}

#[test]
fn a_doubt_ends_with_tiktoks_time_or_an_hour_of_uptime() {
    let eight_ahead = || Reference::start(at(0, 8 * DAY_MS), Some(T));
    let mut reference = eight_ahead();
    let almost = HOUR_MS - 1;
    assert_eq!(expiry(&mut reference, at(almost, 8 * DAY_MS)), 0);
    assert_eq!(
        expiry(&mut reference, at(HOUR_MS, 8 * DAY_MS)),
        T + HOUR_MS + 8 * DAY_MS
    );
    assert_eq!(reference.suspect(), None);

    let mut reference = eight_ahead();
    reference.dated(at(1_000, 8 * DAY_MS), T + 1_000);
    let times = reference.read(at(2_000, 8 * DAY_MS));
    assert_eq!((times.day_ms, times.stamp_ms), (T + 2_000, T + 2_000));
    assert_eq!(
        (times.expiry_ms, times.confirmed_ms),
        (T + 2_000, Some(T + 2_000))
    );
    assert_eq!(reference.suspect(), Some(Suspect::Differs));
    assert_eq!(reference.ahead_ms(), 8 * DAY_MS);
    // As long as the system's clock stays wrong by the same amount, TikTok's time continues with the boot clock.
    let times = reference.read(at(5 * HOUR_MS, 8 * DAY_MS));
    assert_eq!(
        (times.day_ms, times.expiry_ms),
        (T + 5 * HOUR_MS, T + 5 * HOUR_MS)
    );
    let times = reference.read(at(6 * HOUR_MS, 0));
    assert_eq!((times.day_ms, reference.suspect()), (T + 6 * HOUR_MS, None));
}

#[test]
fn a_clock_that_is_set_while_the_process_runs_changes_no_period() {
    for wrong_ms in [-5 * HOUR_MS, -8 * DAY_MS, 8 * DAY_MS, 40 * DAY_MS] {
        let mut reference = Reference::start(at(0, 0), Some(T));
        let now = at(1_000, wrong_ms);
        let times = reference.read(now);
        assert_eq!((times.stamp_ms, times.expiry_ms), (T + 1_000, T + 1_000));
        // A difference of a few hours from the last commit can be a correction by NTP. A difference of days cannot be one.
        let is_far = wrong_ms.abs() > DAY_MS;
        let expected_ms = if is_far { T + 1_000 } else { now.wall_ms };
        assert_eq!(times.day_ms, expected_ms);
        assert_eq!(reference.suspect(), Some(Suspect::Differs));
        reference.dated(at(2_000, wrong_ms), T + 2_000);
        assert_eq!(reference.read(at(3_000, wrong_ms)).day_ms, T + 3_000);
    }
}

#[test]
fn a_time_that_tiktok_has_stated_stays_the_time_of_day_when_the_clock_is_set() {
    for wrong_ms in [-40 * DAY_MS, -5 * HOUR_MS, 5 * HOUR_MS, 40 * DAY_MS] {
        let mut reference = Reference::start(at(0, 0), None);
        reference.dated(at(1_000, 0), T + 1_000);
        let times = reference.read(at(2_000, wrong_ms));
        assert_eq!(times.day_ms, T + 2_000);
        // TikTok's answer contradicts the new time once. After that, no answer of TikTok comes.
        reference.dated(at(3_000, wrong_ms), T + 3_000);
        let times = reference.read(at(3_000 + 3 * DAY_MS, wrong_ms));
        let expected_ms = T + 3_000 + 3 * DAY_MS;
        assert_eq!((times.day_ms, times.stamp_ms), (expected_ms, expected_ms));
    }
}

#[test]
fn small_differences_are_none() {
    let mut reference = Reference::start(at(0, 0), Some(T));
    reference.dated(at(0, 0), T - 30_000);
    let times = reference.read(at(1_000, 50_000));
    assert_eq!((times.day_ms, times.stamp_ms), (T + 51_000, T + 1_000));
    assert_eq!(reference.suspect(), None);
    reference.read(at(2_000, SUSPECT_MS));
    assert_eq!(reference.suspect(), None);
    reference.read(at(3_000, SUSPECT_MS + CLOSE_MS + 1));
    assert_eq!(reference.suspect(), Some(Suspect::Differs));
}

#[test]
fn a_difference_that_stays_for_a_day_without_tiktok_is_the_new_anchor() {
    // At the start, the clock was two days behind. A minute later it was set right.
    let mut reference = Reference::start(at(0, -2 * DAY_MS), None);
    reference.read(at(MINUTE_MS, 0));
    let times = reference.read(at(MINUTE_MS + DAY_MS - 1, 0));
    assert_eq!(times.stamp_ms, T + MINUTE_MS - DAY_MS - 1);
    let now = at(MINUTE_MS + DAY_MS, 0);
    let times = reference.read(now);
    assert_eq!((times.stamp_ms, reference.suspect()), (now.wall_ms, None));
    // An entry that was stored while the clock was two days behind must not expire two days early.
    assert_eq!(times.expiry_ms, now.wall_ms - 2 * DAY_MS);
    let week = at(MINUTE_MS + 8 * DAY_MS, 0);
    assert_eq!(expiry(&mut reference, week), week.wall_ms);
}

#[test]
fn a_difference_that_changes_or_that_tiktok_contradicts_is_no_anchor() {
    let mut reference = Reference::start(at(0, 0), None);
    for hour in 0..100 {
        let wrong_ms = if hour % 20 < 10 { DAY_MS } else { 2 * DAY_MS };
        let times = reference.read(at(hour * HOUR_MS, wrong_ms));
        assert_eq!(times.stamp_ms, T + hour * HOUR_MS);
    }
    let mut reference = Reference::start(at(0, DAY_MS), None);
    for hour in 0..100 {
        let now = at(hour * HOUR_MS, DAY_MS);
        if hour % 23 == 0 {
            reference.dated(now, T + hour * HOUR_MS);
        }
        let times = reference.read(now);
        assert_eq!(times.stamp_ms, T + hour * HOUR_MS);
    }
}

#[test]
fn what_was_stamped_by_a_clock_that_was_ahead_expires_late_and_never_early() {
    // The clock is eight days ahead. TikTok's first answer, which contradicts the clock, comes only after an hour.
    let mut reference = Reference::start(at(0, 8 * DAY_MS), None);
    let stamp_ms = reference.read(at(0, 8 * DAY_MS)).stamp_ms;
    assert_eq!(stamp_ms, T + 8 * DAY_MS);
    reference.dated(at(HOUR_MS, 8 * DAY_MS), T + HOUR_MS);
    let two_days = at(2 * DAY_MS, 8 * DAY_MS);
    assert_eq!(expiry(&mut reference, two_days), T + 2 * DAY_MS);
    assert!(expiry(&mut reference, two_days) < stamp_ms + 2 * DAY_MS);
}

#[derive(Clone, Debug)]
enum Fact {
    /// This many milliseconds pass.
    Pass(i64),
    /// The wall clock is set to this many milliseconds ahead of the real time.
    Set(i64),
    /// TikTok states a time that is this many milliseconds ahead of the real time.
    Date(i64),
}

fn wrong() -> impl Strategy<Value = i64> {
    prop_oneof![
        3 => Just(0),
        2 => -2 * CLOSE_MS..2 * CLOSE_MS,
        2 => -30 * DAY_MS..30 * DAY_MS,
        1 => Just(-T),
    ]
}

fn fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        (0..2 * HOUR_MS).prop_map(Fact::Pass),
        (0..2 * DAY_MS).prop_map(Fact::Pass),
        wrong().prop_map(Fact::Set),
        wrong().prop_map(Fact::Date),
    ]
}

proptest! {
    #[test]
    fn nothing_is_older_than_the_boot_clock_says_for_a_week(
        start in wrong(),
        last in proptest::option::of(wrong()),
        facts in proptest::collection::vec(fact(), 0..60),
    ) {
        let (mut after_ms, mut wrong_ms) = (0, start);
        let last_commit_ms = last.map(|last| T + last);
        let mut reference = Reference::start(at(0, wrong_ms), last_commit_ms);
        let mut stamped: Vec<(i64, i64)> = Vec::new();
        for fact in facts {
            match fact {
                Fact::Pass(ms) => after_ms += ms,
                Fact::Set(ms) => wrong_ms = ms,
                Fact::Date(ms) => {
                    reference.dated(at(after_ms, wrong_ms), T + after_ms + ms);
                }
            }
            let times = reference.read(at(after_ms, wrong_ms));
            for (stamp_ms, stamped_after_ms) in &stamped {
                let age_ms = after_ms - stamped_after_ms;
                if age_ms < STAMPS_COUNT_MS {
                    prop_assert!(times.expiry_ms - stamp_ms <= age_ms);
                }
            }
            prop_assert!(times.expiry_ms <= times.stamp_ms);
            stamped.push((times.stamp_ms, after_ms));
        }
    }

    #[test]
    fn tiktoks_time_holds_whatever_becomes_of_the_systems_clock(
        start in wrong(),
        last in proptest::option::of(wrong()),
        sets in proptest::collection::vec((wrong(), 0..6 * HOUR_MS), 0..4),
    ) {
        let mut reference = Reference::start(at(0, start), last.map(|last| T + last));
        reference.dated(at(1, start), T + 1);
        let mut after_ms = 1;
        for (wrong_ms, ms) in sets {
            after_ms += ms / 4;
            let times = reference.read(at(after_ms, wrong_ms));
            prop_assert!(is_close(times.stamp_ms, T + after_ms));
            prop_assert!(times.confirmed_ms.is_some());
            prop_assert_eq!(
                reference.suspect().is_some(),
                reference.ahead_ms().abs() > SUSPECT_MS
            );
        }
    }

    #[test]
    fn nothing_expires_in_doubt(
        stopped in prop_oneof![-30 * DAY_MS..-CLOSE_MS - 1, DAY_MS + 1..30 * DAY_MS],
        sets in proptest::collection::vec((wrong(), 0..HOUR_MS / 10), 0..10),
    ) {
        let mut reference = Reference::start(at(0, 0), Some(T - stopped));
        let mut after_ms = 0;
        for (wrong_ms, ms) in sets {
            after_ms += ms;
            let times = reference.read(at(after_ms, wrong_ms));
            prop_assert_eq!((times.expiry_ms, times.confirmed_ms), (0, None));
            prop_assert!(reference.suspect().is_some());
        }
    }
}
