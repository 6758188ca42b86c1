//! Tests a store on a machine with a wrong time of day.

use std::sync::atomic::AtomicI64;

use super::*;
use crate::{clock, orders::By};

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;
const ORDER: &str = "PHO7K3M9Q2X";

/// Opens the store with a clock that reads its time from `read`.
async fn opened_by(
    read: fn() -> Reading,
    folder: &Path,
) -> (Intake, Outlet, DeadLetters, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::default());
    let opened = async {
        loop {
            match open_by(read, folder, 0, Arc::clone(&metrics)) {
                Err(Error::Locked) => time::sleep(Duration::from_millis(1)).await,
                opened => return opened.unwrap(),
            }
        }
    };
    let (intake, outlet, letters) = opened.await;
    (intake, outlet, letters, metrics)
}

fn claim() -> Entry<'static, serde_json::Value> {
    let name = EventName::parse("CompletePayment").unwrap();
    let id = EventId::derive("CompletePayment", ORDER);
    let event = serde_json::json!({
        "event": "CompletePayment", "event_time": 1, "event_id": id.as_str(),
        "user": {}, "properties": { "value": 1, "currency": "VND", "order_id": ORDER },
    });
    let destination = destination(None);
    Entry {
        key: DedupKey::of(&destination, &name, &id),
        remember: Remember::Days90,
        destination,
        class: Class::Second,
        trace: Trace::default(),
        note: Some(Note {
            order_id: ORDER.to_owned(),
            by: By::Page,
            part: Part::Claims,
        }),
        event: Box::leak(Box::new(event)),
    }
}

/// Waits until a sweep has run.
async fn swept(intake: &Intake) {
    // The sweep is requested once a minute. After 61 s it has been requested.
    time::sleep(Duration::from_secs(61)).await;
    // A call in the same commit as the sweep is answered before the sweep runs. A later call is answered after the sweep.
    caught_up(intake).await;
    caught_up(intake).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_forgotten_by_a_start_that_is_months_ahead_until_it_is_confirmed() {
    static AHEAD_MS: AtomicI64 = AtomicI64::new(0);
    static UP_MS: AtomicI64 = AtomicI64::new(0);
    fn read() -> Reading {
        let (now, up_ms) = (clock::reading(), UP_MS.load(Ordering::Relaxed));
        Reading {
            wall_ms: now.wall_ms + up_ms + AHEAD_MS.load(Ordering::Relaxed),
            boot_ms: now.boot_ms + up_ms,
        }
    }
    let folder = tempfile::tempdir().unwrap();
    {
        let (intake, mut outlet, _letters, _) = opened_by(read, folder.path()).await;
        intake.enqueue([entry("a")]).await.unwrap();
        let mut lane = outlet.leased().await;
        let events = lane.claim_next(ANY).unwrap().unwrap().events;
        let at_ms = lane.clock().stamp_ms();
        lane.settle(&events, &Outcome::Expired, at_ms)
            .await
            .unwrap();
        let held = intake.enqueue([claim()]).await.unwrap();
        assert_eq!(held, [Enqueued::Held]);
    }
    AHEAD_MS.store(100 * DAY_MS, Ordering::Relaxed);
    // A second start changes nothing, because a commit at a doubtful time must not confirm the time for the next start.
    for start in 0..2 {
        let (intake, _outlet, letters, metrics) = opened_by(read, folder.path()).await;
        assert_eq!(intake.clock().suspect(), Some(clock::Suspect::Ahead));
        swept(&intake).await;
        assert_eq!(letters.newest(10).unwrap().len(), 1);
        assert_eq!(metrics.events_held.get(), 1);
        assert!(intake.orders().find(ORDER).unwrap().is_some());
        let again = intake.enqueue([entry("a"), claim(), entry(&start.to_string())]);
        let expected = [Enqueued::Duplicate, Enqueued::Duplicate, Enqueued::Accepted];
        assert_eq!(again.await.unwrap(), expected);
    }
    // TikTok's time shows that the clock is wrong. With TikTok's time, the entries are not old enough to expire.
    let (intake, outlet, letters, metrics) = opened_by(read, folder.path()).await;
    intake.clock().dated(read().wall_ms - 100 * DAY_MS);
    swept(&intake).await;
    let kept = (letters.newest(10).unwrap().len(), metrics.events_held.get());
    assert_eq!(kept, (1, 1));
    // TikTok states no time now, so the clock is confirmed after an hour of uptime.
    drop((intake, outlet, letters));
    let (intake, _outlet, letters, metrics) = opened_by(read, folder.path()).await;
    UP_MS.store(HOUR_MS, Ordering::Relaxed);
    swept(&intake).await;
    let kept = (letters.newest(10).unwrap(), metrics.events_held.get());
    assert_eq!((intake.clock().suspect(), kept.1), (None, 0));
    let outcomes = kept.0.iter().map(|(_, letter)| letter.outcome.as_str());
    assert_eq!(outcomes.collect::<Vec<_>>(), ["unverified"]);
    let again = intake.enqueue([entry("a")]).await.unwrap();
    assert_eq!(again, [Enqueued::Accepted]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_while_the_store_is_open_ends_no_period() {
    static AHEAD_MS: AtomicI64 = AtomicI64::new(0);
    fn read() -> Reading {
        let now = clock::reading();
        Reading {
            wall_ms: now.wall_ms + AHEAD_MS.load(Ordering::Relaxed),
            boot_ms: now.boot_ms,
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let (intake, _outlet, _letters, metrics) = opened_by(read, folder.path()).await;
    let taken = intake.enqueue([entry("a"), claim()]).await.unwrap();
    assert_eq!(taken, [Enqueued::Accepted, Enqueued::Held]);
    for ahead_ms in [8 * DAY_MS, -8 * DAY_MS, 100 * DAY_MS] {
        AHEAD_MS.store(ahead_ms, Ordering::Relaxed);
        swept(&intake).await;
        assert_eq!(metrics.events_held.get(), 1);
        let again = intake.enqueue([entry("a"), claim()]).await.unwrap();
        assert_eq!(again, [Enqueued::Duplicate; 2]);
        assert_eq!(intake.clock().suspect(), Some(clock::Suspect::Differs));
    }
    AHEAD_MS.store(0, Ordering::Relaxed);
    assert_eq!(intake.clock().suspect(), None);
}

#[tokio::test(start_paused = true)]
async fn what_was_accepted_by_a_clock_far_behind_is_not_old_once_that_is_set_right() {
    static AHEAD_MS: AtomicI64 = AtomicI64::new(-1000 * DAY_MS);
    fn read() -> Reading {
        let now = clock::reading();
        Reading {
            wall_ms: now.wall_ms + AHEAD_MS.load(Ordering::Relaxed),
            boot_ms: now.boot_ms,
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let (intake, _outlet, _letters, metrics) = opened_by(read, folder.path()).await;
    let taken = intake.enqueue([entry("a"), claim()]).await.unwrap();
    assert_eq!(taken, [Enqueued::Accepted, Enqueued::Held]);
    AHEAD_MS.store(0, Ordering::Relaxed);
    intake.clock().dated(clock::now_ms());
    assert_eq!(intake.clock().suspect(), None);
    swept(&intake).await;
    assert_eq!(metrics.events_held.get(), 1);
    let again = intake.enqueue([entry("a"), claim()]).await.unwrap();
    assert_eq!(again, [Enqueued::Duplicate; 2]);
}

#[tokio::test(start_paused = true)]
async fn an_idle_store_keeps_the_time_once_an_hour() {
    static UP_MS: AtomicI64 = AtomicI64::new(0);
    fn read() -> Reading {
        let (now, up_ms) = (clock::reading(), UP_MS.load(Ordering::Relaxed));
        Reading {
            wall_ms: now.wall_ms + up_ms,
            boot_ms: now.boot_ms + up_ms,
        }
    }
    let folder = tempfile::tempdir().unwrap();
    {
        let (intake, outlet, _letters, _) = opened_by(read, folder.path()).await;
        let written_ms = || outlet.embedded().writer().position().unwrap().written_ms;
        swept(&intake).await;
        let first = written_ms();
        assert!(first.is_some());
        swept(&intake).await;
        assert_eq!(written_ms(), first);
        UP_MS.store(30 * HOUR_MS, Ordering::Relaxed);
        swept(&intake).await;
        assert!(written_ms() >= first.map(|first| first + 30 * HOUR_MS));
    }
    let (intake, ..) = opened_by(read, folder.path()).await;
    assert_eq!(intake.clock().suspect(), None);
}
