use std::{
    pin::pin,
    sync::{Arc, mpsc},
};

use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use duet_events::{EventId, EventName};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::{
    decide::{Class, DedupKey, Destination, Enqueued, Remember},
    history::Trace,
    outcome::Outcome,
    queue::{self, Entry, Intake, Lane, Limits, Outlet},
};

const ANY: Limits = Limits {
    events: usize::MAX,
    bytes: usize::MAX,
};

fn asked(method: &str, path: &str, body: &Value) -> Request<Body> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json");
    request.body(Body::from(body.to_string())).unwrap()
}

async fn answered<T: serde::de::DeserializeOwned>(router: &Router, request: Request<Body>) -> T {
    let answer = router.clone().oneshot(request).await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    serde_json::from_slice(&body).unwrap()
}

async fn accept(intake: &Intake, ids: impl Iterator<Item = String>) {
    let destination = Arc::new(Destination {
        pixel_id: "P".to_owned(),
        test_event_code: None,
    });
    let name = EventName::parse("Lead").unwrap();
    let events: Vec<_> = ids
        .map(|id| json!({ "event": "Lead", "event_id": id }))
        .collect();
    let entries = events.iter().map(|event| {
        let id = EventId::parse(event["event_id"].as_str().unwrap()).unwrap();
        Entry {
            key: DedupKey::of(&destination, &name, &id),
            remember: Remember::Hours48,
            destination: Arc::clone(&destination),
            class: Class::Second,
            trace: Trace::default(),
            note: None,
            event,
        }
    });
    let results = intake.enqueue(entries).await.unwrap();
    assert_eq!(results, vec![Enqueued::Accepted; events.len()]);
}

/// A store with dead letters, and the routes for operators' commands.
struct Operated {
    intake: Intake,
    lane: Lane,
    _outlet: Outlet,
    router: Router,
}

/// Returns a store in which the events with the ids 0 to `count` have expired, in this order.
async fn letters(folder: &Path, count: usize) -> Operated {
    let (intake, mut outlet, letters) = queue::open(folder, 0, Arc::default()).unwrap();
    accept(&intake, (0..count).map(|number| number.to_string())).await;
    let mut lane = outlet.lane().await;
    let claimed = lane.claim(Class::Second, ANY).unwrap().unwrap();
    for (at_ms, events) in (1_000_000..).zip(claimed.events.chunks(100)) {
        let expired = Outcome::Expired;
        lane.settle(events, &expired, at_ms).await.unwrap();
    }
    Operated {
        router: router(letters, &intake),
        intake,
        lane,
        _outlet: outlet,
    }
}

async fn pages(router: &Router) -> Vec<Vec<Letter>> {
    let mut pages: Vec<Vec<Letter>> = Vec::new();
    loop {
        let last = pages.last().and_then(|page| page.last());
        let path = last.map_or("/dead-letters".to_owned(), |letter| {
            format!("/dead-letters?before={}", letter.id)
        });
        let page: Vec<Letter> = answered(router, asked("GET", &path, &json!(null))).await;
        if page.is_empty() {
            return pages;
        }
        pages.push(page);
    }
}

#[tokio::test]
async fn letters_are_listed_in_pages_the_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let Operated { router, .. } = &letters(folder.path(), 1_201).await;
    let pages = pages(router).await;
    let sizes: Vec<_> = pages.iter().map(Vec::len).collect();
    assert_eq!(sizes, [500, 500, 201]);
    let ids = pages.iter().flatten().map(|letter| &letter.letter.event_id);
    let expected: Vec<_> = (0..1_201).rev().map(|number| number.to_string()).collect();
    assert!(ids.eq(&expected));
}

#[tokio::test]
async fn one_command_replays_or_drops_all_letters_and_counts_them() {
    let folder = tempfile::tempdir().unwrap();
    let operated = letters(folder.path(), 1_201).await;
    let (intake, router) = (&operated.intake, &operated.router);
    let replay = |body| asked("POST", "/dead-letters/replay", &body);
    let done: Done = answered(router, replay(json!({ "named": ["7", "no", "1200"] }))).await;
    assert_eq!((done.letters, done.unknown), (2, vec!["no".to_owned()]));
    let done: Done = answered(router, replay(json!("all"))).await;
    assert_eq!((done.letters, intake.depth()), (1_199, 1_201));
    let done: Done = answered(router, replay(json!("all"))).await;
    assert_eq!((done.letters, pages(router).await.len()), (0, 0));

    let folder = tempfile::tempdir().unwrap();
    let operated = letters(folder.path(), 1_201).await;
    let (intake, router) = (&operated.intake, &operated.router);
    let drop_all = asked("POST", "/dead-letters/drop", &json!("all"));
    let done: Done = answered(router, drop_all).await;
    assert_eq!((done.letters, intake.depth()), (1_201, 0));
    assert_eq!(pages(router).await.len(), 0);
}

#[tokio::test]
async fn an_event_that_dies_again_while_all_are_replayed_is_not_replayed_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut operated = letters(folder.path(), 1_201).await;
    let (lane, router) = (&mut operated.lane, &operated.router);
    let replay = answered::<Done>(router, asked("POST", "/dead-letters/replay", &json!("all")));
    let mut replay = pin!(replay);
    // Let every replayed event expire at once, so that its new dead letter is newer than all others.
    let done = loop {
        tokio::select! {
            done = &mut replay => break done,
            () = lane.arrival(None) => {
                while let Some(batch) = lane.claim(Class::Second, ANY).unwrap() {
                    let expired = Outcome::Expired;
                    lane.settle(&batch.events, &expired, 2_000_000).await.unwrap();
                }
            }
        }
    };
    assert_eq!(done.letters, 1_201);
}

#[tokio::test]
async fn letters_are_not_replayed_into_the_disks_reserve() {
    let folder = tempfile::tempdir().unwrap();
    drop(letters(folder.path(), 3).await);
    let opened = loop {
        match queue::open(folder.path(), u64::MAX, Arc::default()) {
            Err(Error::Locked) => tokio::task::yield_now().await,
            opened => break opened,
        }
    };
    let (intake, _outlet, letters) = opened.unwrap();
    let router = &router(letters, &intake);
    let request = asked("POST", "/dead-letters/replay", &json!("all"));
    let refused = router.clone().oneshot(request).await.unwrap();
    assert_eq!(refused.status(), StatusCode::INSUFFICIENT_STORAGE);
    assert_eq!(pages(router).await.iter().flatten().count(), 3);
    let request = asked("POST", "/dead-letters/drop", &json!("all"));
    let done: Done = answered(router, request).await;
    assert_eq!(done.letters, 3);
}

/// A blocked task keeps the only thread for blocking work busy, as a slow disk would.
#[test]
fn events_are_accepted_while_letters_and_payments_are_read() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let operated = letters(folder.path(), 3).await;
        let (intake, router) = (&operated.intake, &operated.router);
        for (number, request) in [
            asked("GET", "/dead-letters", &json!(null)),
            asked("POST", "/dead-letters/show", &json!(["1"])),
            asked("POST", "/dead-letters/replay", &json!({ "named": ["1"] })),
            asked("POST", "/dead-letters/drop", &json!("all")),
            asked("GET", "/payments", &json!(null)),
        ]
        .into_iter()
        .enumerate()
        {
            let (free, busy) = mpsc::channel::<()>();
            tokio::task::spawn_blocking(move || busy.recv());
            let mut reading = pin!(router.clone().oneshot(request));
            let id = format!("meanwhile-{number}");
            tokio::select! {
                biased;
                _ = &mut reading => panic!("{id}: the store must be read on a thread for blocking work, not on the runtime's thread"),
                () = accept(intake, std::iter::once(id.clone())) => {}
            }
            drop(free);
            assert!(reading.await.unwrap().status().is_success());
        }
    });
}
