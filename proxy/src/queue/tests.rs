use duet_events::{EventId, EventName};
use serde_json::value::RawValue;

use super::*;
use crate::tiktok::Verdict;

fn entry(id: &str, test_event_code: Option<&str>) -> Entry {
    let name = EventName::parse("Purchase").unwrap();
    Entry {
        key: DedupKey::of("P", &name, &EventId::parse(id).unwrap(), test_event_code),
        remember_until_ms: i64::MAX,
        record: Record {
            accepted_at_ms: 1,
            pixel_id: "P".to_owned(),
            test_event_code: test_event_code.map(str::to_owned),
            name: "Purchase".to_owned(),
            event_id: id.to_owned(),
            pixel: None,
            event: RawValue::from_string(format!(r#"{{"event_id":"{id}"}}"#)).unwrap(),
        },
    }
}

const ANY: Limits = Limits {
    events: 1000,
    bytes: usize::MAX,
};

fn ids(batch: Option<Batch>) -> Vec<String> {
    batch
        .map(|batch| {
            batch
                .events
                .iter()
                .map(|claimed| claimed.record.event_id.clone())
                .collect()
        })
        .unwrap_or_default()
}

#[tokio::test]
async fn what_goes_in_comes_out_in_order_until_it_is_settled() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, mut outlet, _letters) = open(folder.path(), 0, Arc::default()).unwrap();
    for id in ["a", "b", "c"] {
        assert_eq!(
            intake.enqueue(vec![entry(id, None)]).await.unwrap(),
            [Enqueued::Accepted]
        );
    }
    let first = outlet.claim(Limits { events: 2, ..ANY }).unwrap().unwrap();
    assert_eq!(ids(outlet.claim(ANY).unwrap()), ["c"]);
    assert_eq!(ids(outlet.claim(ANY).unwrap()), [""; 0]);
    outlet
        .settle(&first.events[..1], &Outcome::Delivered, 2)
        .unwrap();
    outlet.rewind();
    assert_eq!(ids(outlet.claim(ANY).unwrap()), ["b", "c"]);
}

#[tokio::test]
async fn a_restart_keeps_what_waits_and_what_was_seen() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (intake, mut outlet, _letters) = open(folder.path(), 0, Arc::default()).unwrap();
        intake
            .enqueue(vec![entry("a", None), entry("b", None)])
            .await
            .unwrap();
        let claimed = outlet.claim(Limits { events: 1, ..ANY }).unwrap().unwrap();
        outlet
            .settle(&claimed.events, &Outcome::Delivered, 2)
            .unwrap();
        drop(intake);
    }
    let (intake, mut outlet, _letters) = reopened(folder.path()).await;
    let again = intake
        .enqueue(vec![entry("a", None), entry("b", None), entry("c", None)])
        .await
        .unwrap();
    assert_eq!(
        again,
        [Enqueued::Duplicate, Enqueued::Duplicate, Enqueued::Accepted]
    );
    assert_eq!(ids(outlet.claim(ANY).unwrap()), ["b", "c"]);
}

#[tokio::test]
async fn of_concurrent_repeats_one_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, outlet, _letters) = open(folder.path(), 0, Arc::default()).unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let intake = intake.clone();
        calls.spawn(async move {
            intake
                .enqueue(vec![entry("a", None), entry("a", None)])
                .await
                .unwrap()
        });
    }
    let results = calls.join_all().await.concat();
    assert_eq!(results.len(), 100);
    assert_eq!(
        results
            .iter()
            .filter(|result| **result == Enqueued::Accepted)
            .count(),
        1
    );
    assert_eq!(outlet.depth(), 1);
}

#[tokio::test]
async fn test_traffic_and_live_traffic_do_not_travel_together() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, mut outlet, _letters) = open(folder.path(), 0, Arc::default()).unwrap();
    intake
        .enqueue(vec![
            entry("a", None),
            entry("b", Some("T")),
            entry("c", Some("T")),
            entry("d", None),
        ])
        .await
        .unwrap();
    let claims: Vec<_> =
        std::iter::from_fn(|| Some(ids(outlet.claim(ANY).unwrap())).filter(|ids| !ids.is_empty()))
            .collect();
    assert_eq!(claims, [vec!["a"], vec!["b", "c"], vec!["d"]]);
}

#[tokio::test]
async fn a_claim_keeps_to_a_number_of_bytes_but_never_comes_empty() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, mut outlet, _letters) = open(folder.path(), 0, Arc::default()).unwrap();
    intake
        .enqueue(vec![entry("a", None), entry("b", None), entry("c", None)])
        .await
        .unwrap();
    let one = r#"{"event_id":"a"}"#.len();
    assert_eq!(
        ids(outlet
            .claim(Limits {
                bytes: 2 * one,
                ..ANY
            })
            .unwrap()),
        ["a", "b"]
    );
    assert_eq!(
        ids(outlet.claim(Limits { bytes: 1, ..ANY }).unwrap()),
        ["c"]
    );
}

#[tokio::test]
async fn a_refused_event_is_kept_with_tiktoks_words_until_it_is_replayed_or_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, mut outlet, letters) = open(folder.path(), 0, Arc::default()).unwrap();
    intake
        .enqueue(vec![entry("a", None), entry("b", None)])
        .await
        .unwrap();
    let claimed = outlet.claim(ANY).unwrap().unwrap();
    let verdict = Verdict {
        code: 40002,
        message: "Invalid value".to_owned(),
        request_id: Some("r1".to_owned()),
    };
    outlet
        .settle(&claimed.events, &Outcome::Refused(verdict), 2)
        .unwrap();
    drop((intake, outlet, letters));

    let (intake, mut outlet, letters) = reopened(folder.path()).await;
    assert_eq!(outlet.depth(), 0);
    let dead = letters.newest(10).unwrap();
    let (newest, oldest) = (&dead[0], &dead[1]);
    assert_eq!(
        (newest.1.outcome.as_str(), newest.1.code),
        ("refused", Some(40002))
    );
    assert_eq!(
        (
            newest.1.record.event_id.as_str(),
            oldest.1.record.event_id.as_str()
        ),
        ("b", "a")
    );

    assert_eq!(letters.replay(vec![oldest.0, oldest.0]).await.unwrap(), 1);
    assert_eq!(letters.replay(vec![oldest.0]).await.unwrap(), 0);
    assert_eq!(letters.remove(&[newest.0, oldest.0]).unwrap(), 1);
    assert_eq!(letters.newest(10).unwrap().len(), 0);
    assert_eq!(ids(outlet.claim(ANY).unwrap())[0], "a");
    drop(intake);
}

#[tokio::test]
async fn a_dead_letter_is_kept_for_30_days() {
    let folder = tempfile::tempdir().unwrap();
    let store = disk::Store::open(folder.path()).unwrap();
    store.admit(&[vec![entry("a", None)]], &mut 0, 1).unwrap();
    let claimed: Vec<_> = store
        .waiting_from(0)
        .map(|row| {
            row.map(|(sequence, record)| Claimed { sequence, record })
                .unwrap()
        })
        .collect();
    store.settle(&claimed, &Outcome::Expired, 1_000).unwrap();
    let days_30 = 30 * 24 * 60 * 60 * 1000;
    assert_eq!(store.sweep(1_000 + days_30).unwrap(), 0);
    assert_eq!(store.sweep(1_001 + days_30).unwrap(), 1);
    assert_eq!(store.dead_letters().count(), 0);
}

#[tokio::test]
async fn a_key_is_forgotten_when_its_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let store = disk::Store::open(folder.path()).unwrap();
    let mut sequence = 0;
    let mut admit = |now_ms| {
        let entry = Entry {
            remember_until_ms: 100,
            ..entry("a", None)
        };
        store
            .admit(&[vec![entry]], &mut sequence, now_ms)
            .unwrap()
            .concat()
    };
    assert_eq!(admit(10), [Enqueued::Accepted]);
    assert_eq!(admit(99), [Enqueued::Duplicate]);
    assert_eq!(store.sweep(99).unwrap(), 0);
    assert_eq!(store.sweep(101).unwrap(), 1);
    assert_eq!(admit(101), [Enqueued::Accepted]);
}

#[tokio::test]
async fn nothing_is_taken_once_the_disk_is_nearly_full() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, outlet, _letters) = open(folder.path(), u64::MAX, Arc::default()).unwrap();
    assert!(matches!(
        intake.enqueue(vec![entry("a", None)]).await,
        Err(Error::DiskFull)
    ));
    assert!(!intake.is_writable().await);
    assert_eq!(outlet.depth(), 0);
}

#[tokio::test]
async fn a_store_is_writable_again_without_an_event_to_try_it_with() {
    let parent = tempfile::tempdir().unwrap();
    let (data, moved) = (parent.path().join("data"), parent.path().join("moved"));
    let (intake, _outlet, _letters) = open(&data, u64::MAX, Arc::default()).unwrap();
    assert!(intake.enqueue(vec![entry("a", None)]).await.is_err());
    assert!(!intake.is_writable().await);
    // Of a folder that has moved the file system does not say how full it is; the open store can write on.
    std::fs::rename(data, moved).unwrap();
    assert!(intake.is_writable().await);
}

#[tokio::test]
async fn a_second_process_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(folder.path(), 0, Arc::default()).unwrap();
    assert!(matches!(
        open(folder.path(), 0, Arc::default()),
        Err(Error::Locked)
    ));
}

#[tokio::test]
async fn a_store_of_a_later_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    {
        let database = fjall::Database::builder(folder.path()).open().unwrap();
        let about = database
            .keyspace("about", fjall::KeyspaceCreateOptions::default)
            .unwrap();
        about.insert("format", 2_u32.to_be_bytes()).unwrap();
    }
    assert!(matches!(
        open(folder.path(), 0, Arc::default()),
        Err(Error::Newer { found: 2, known: 1 })
    ));
}

/// The writer's thread lets go of the folder a moment after the last handle is dropped.
async fn reopened(folder: &Path) -> (Intake, Outlet, DeadLetters) {
    for _ in 0..10_000 {
        match open(folder, 0, Arc::default()) {
            Err(Error::Locked) => tokio::task::yield_now().await,
            opened => return opened.unwrap(),
        }
    }
    panic!("the folder stays locked");
}
