use axum::http::HeaderMap;

use super::*;
use crate::{
    history::{Salt, Sender, Sent, Trace},
    money::{Currency, Money},
};

const NOW_MS: i64 = 1_800_000_000_000;

fn digest(id: &str) -> Digest {
    Salt::from([1; 16]).event(id)
}

fn answered(id: &str, status: Status) -> Note {
    Note::Answered(Box::new(Answered {
        at_ms: NOW_MS,
        status,
        event: digest(id),
        event_id: id.to_owned(),
        name: "Purchase".to_owned(),
        order_id: Some(format!("ORDER-{id}")),
        pixel_id: "P".to_owned(),
        is_test: false,
        happened_s: NOW_MS / 1000,
        keys: [crate::history::Key::Email].into_iter().collect(),
        trace: Trace::new(Sender::Page, None, &[]),
        value: Money::of_minor(99_000, Currency::VND),
    }))
}

fn ended(ids: &[&str], outcome: &str) -> Note {
    let events = ids.iter().map(|id| Ended {
        event: digest(id),
        order: None,
        name: "Purchase".to_owned(),
        happened_s: NOW_MS / 1000,
        accepted_ms: NOW_MS,
        keys: crate::history::Keys::default(),
        trace: Trace::default(),
        value: None,
    });
    Note::Ended(Box::new(End {
        pixel_id: "P".to_owned(),
        is_test: false,
        outcome: outcome.to_owned(),
        code: Some(0),
        request_id: Some("R".to_owned()),
        at_ms: NOW_MS + 120,
        sent: Sent {
            attempts: 1,
            batch: 2,
        },
        events: events.collect(),
    }))
}

fn rejected() -> Note {
    Note::Rejected(Box::new(Rejected {
        at_ms: NOW_MS,
        event_id: None,
        errors: vec![("event".to_owned(), "missing".to_owned())],
    }))
}

fn fed(notes: impl IntoIterator<Item = Note>) -> Live {
    let live = Live::default();
    for note in notes {
        live.lock().note(note);
    }
    live
}

fn latest(live: &Live, filter: &str) -> Latest {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("events", filter);
    let view = View::of(Some(&query.finish()), &HeaderMap::new());
    live.latest(&view, NOW_MS + 1000)
}

#[test]
fn an_event_keeps_its_one_row_until_its_end() {
    let live = fed([
        answered("a", Status::Accepted),
        answered("a", Status::Duplicate),
        answered("a", Status::Duplicate),
        ended(&["a"], "delivered"),
    ]);
    let Latest { events, more, .. } = latest(&live, "");
    let [entry] = &events[..] else {
        panic!("{events:?}")
    };
    // The two repeats are counted in the row of the event. They have no rows of their own.
    assert_eq!((entry.repeats, more), (2, 2));
    assert_eq!(entry.end.as_ref().unwrap().outcome, "delivered");
    assert_eq!(entry.order_id.as_deref(), Some("ORDER-a"));
}

#[test]
fn an_answer_that_comes_after_the_end_is_added_to_its_row() {
    let live = fed([ended(&["a"], "delivered"), answered("a", Status::Accepted)]);
    let events = latest(&live, "").events;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].event_id.as_deref(), Some("a"));
    assert!(events[0].end.is_some());
}

#[test]
fn good_events_do_not_push_troubled_ones_out() {
    let bad = [
        answered("bad", Status::Accepted),
        rejected(),
        ended(&["bad"], "refused"),
    ];
    let good = (0..10_000).map(|id| answered(&id.to_string(), Status::Accepted));
    let live = fed(bad.into_iter().chain(good));
    assert_eq!(latest(&live, "is:refused").events.len(), 1);
    assert_eq!(latest(&live, "is:rejected").events.len(), 1);
    let feed = live.lock();
    assert_eq!(feed.entries.entries.len(), ENTRIES);
    assert_eq!(feed.entries.known.len(), ENTRIES);
}

#[test]
fn rows_and_more_are_all_events() {
    let live = fed((0..1_290).map(|id| answered(&id.to_string(), Status::Accepted)));
    live.lock().drops(Dropped {
        answered: 7,
        rejected: 3,
        ended: 100,
    });
    let latest = latest(&live, "");
    assert_eq!(latest.events.len(), ROWS);
    assert_eq!(latest.more + ROWS as u64, 1_300);
    assert_eq!(latest.answered, 1_300);
}

#[test]
fn words_choose_and_exclude_events() {
    let live = fed([
        answered("a", Status::Accepted),
        answered("b", Status::Held),
        rejected(),
        answered("c", Status::Accepted),
        ended(&["c"], "delivered"),
    ]);
    for (filter, expected) in [
        ("", 4),
        ("event:purchase", 3),
        ("event:Lead", 0),
        ("order:ORDER-a", 1),
        ("order:ORDER", 0),
        ("id:b", 1),
        ("is:held", 1),
        ("-is:held", 3),
        ("is:waiting", 1),
        ("is:delivered", 1),
        ("key:email", 3),
        ("key:-email", 1),
        ("-key:email", 1),
        ("key:nonsense", 0),
        ("purch -is:delivered", 2),
    ] {
        assert_eq!(latest(&live, filter).events.len(), expected, "{filter}");
    }
}

#[test]
fn a_quiet_page_does_not_claim_to_show_recent_events() {
    let live = fed([answered("a", Status::Accepted)]);
    for (query, now, later) in [
        (
            "lang=en",
            "All events of the last",
            "No event has arrived in the last",
        ),
        (
            "lang=vi",
            "Mọi sự kiện trong",
            "Không có sự kiện nào đến trong",
        ),
    ] {
        let view = View::of(Some(query), &HeaderMap::new());
        for (now_ms, expected, other) in [(NOW_MS, now, later), (NOW_MS + 60_000, later, now)] {
            let page = live.latest(&view, now_ms).html(&view).into_string();
            assert!(page.contains(expected) && !page.contains(other), "{page}");
        }
    }
}
