//! Tests what the history stores about events, for each outcome of an event.

use super::*;
use crate::{
    decide::Note as Named,
    history::{Sender, Sent, Wanted},
    live::Note,
    orders::By,
};

const HISTORY_ORDER: &str = "PHO7K3M9Q2X";

/// Returns an event in which a page reports the payment of an order.
fn claimed(id: &str) -> Entry<'static, serde_json::Value> {
    let event = serde_json::json!({
        "event": "Purchase", "event_time": 1, "event_id": id, "user": { "ttp": "x" },
        "properties": { "value": 99_000, "currency": "VND", "order_id": HISTORY_ORDER },
    });
    let note = Named {
        order_id: HISTORY_ORDER.to_owned(),
        by: By::Page,
        part: crate::decide::Part::Claims,
    };
    Entry {
        note: Some(note),
        trace: Trace::new(Sender::Page, None, &[]),
        event: Box::leak(Box::new(event)),
        ..entry(id)
    }
}

/// Returns the outcomes of the order's events, newest first.
fn outcomes(intake: &Intake) -> Vec<String> {
    let history = intake.history();
    let wanted = Wanted {
        order: Some(history.salt().order(HISTORY_ORDER)),
        ..Wanted::default()
    };
    let found = history.find(&wanted, 10).unwrap();
    found.into_iter().map(|(_, end)| end.outcome).collect()
}

#[tokio::test]
async fn a_delivered_event_leaves_a_record_in_the_commit_that_settles_it() {
    let folder = tempfile::tempdir().unwrap();
    let before_ms = crate::clock::now_ms();
    {
        let (intake, mut outlet, _letters) = opened(folder.path());
        let mut notes = intake.live().listen().unwrap();
        let traced = |id| Entry {
            trace: Trace::new(Sender::Server, None, &[]),
            ..entry(id)
        };
        intake.enqueue(["a", "b", "c"].map(traced)).await.unwrap();
        let mut lane = outlet.leased().await;
        let batch = lane.claim_next(ANY).unwrap().unwrap();
        let when = lane::When {
            at_ms: before_ms,
            sent: Sent {
                attempts: 3,
                batch: 2,
            },
        };
        lane.settle(&batch.events[..2], &delivered(), when)
            .await
            .unwrap();
        let Note::Ended(end) = notes.try_recv().unwrap() else {
            panic!("the note must be about an ended event");
        };
        assert_eq!((end.events.len(), end.sent.attempts), (2, 3));
    }
    let (intake, ..) = reopened(folder.path()).await;
    let history = intake.history();
    let page = history.page(None, 10).unwrap();
    let [(_, end)] = &page[..] else {
        panic!("{page:?}");
    };
    assert_eq!(
        (end.outcome.as_str(), end.code, end.at_ms),
        ("delivered", Some(0), before_ms)
    );
    let senders: Vec<_> = end.events.iter().map(|ended| ended.trace.sender).collect();
    assert_eq!(senders, [Some(Sender::Server); 2]);
    let of = |id: &str| Wanted {
        events: vec![history.salt().event(id)],
        ..Wanted::default()
    };
    for (id, found) in [("a", 1), ("b", 1), ("c", 0)] {
        assert_eq!(history.find(&of(id), 10).unwrap().len(), found, "{id}");
    }
    let hours = history.hours(0..i64::MAX).unwrap();
    let events = hours.iter().flat_map(|(_, hour)| &hour.lines);
    assert_eq!(events.map(|line| line.events).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn a_held_event_that_is_given_up_leaves_a_record() {
    if is_on_postgres() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (intake, outlet, _letters) = opened(folder.path());
    let held = intake.enqueue([claimed("own-1")]).await.unwrap();
    assert_eq!(held, [Enqueued::Held]);
    let mut state = State::load(outlet.embedded().writer(), 1).unwrap();
    let late = crate::clock::Times {
        expiry_ms: crate::clock::now_ms() + crate::limits::HOLD_MS + 60_000,
        ..intake.clock().times()
    };
    state.sweep(late).unwrap();
    assert_eq!(outcomes(&intake), ["unverified"]);
}

#[tokio::test]
async fn a_withdrawn_order_leaves_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, mut outlet, _letters) = opened(folder.path());
    let open = Entry {
        note: None,
        ..claimed("own-1")
    };
    intake.enqueue([open]).await.unwrap();
    let mut lane = outlet.leased().await;
    let batch = lane.claim_next(ANY).unwrap().unwrap();
    settled(&mut lane, &batch.events).await;
    intake.enqueue([claimed("own-2")]).await.unwrap();
    assert_eq!(outcomes(&intake), ["delivered"]);
    let orders = intake.orders();
    let withdrawn = orders.withdraw(HISTORY_ORDER.to_owned()).await.unwrap();
    assert_eq!(withdrawn, Some(1));
    assert_eq!(outcomes(&intake), [""; 0]);
    assert!(intake.history().removed(HISTORY_ORDER).unwrap().is_some());
    let left = intake.history().page(None, 10).unwrap();
    assert!(left.is_empty(), "{left:?}");
}
