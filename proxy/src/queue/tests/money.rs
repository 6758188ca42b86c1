//! Tests orders and payments with a real store.

use duet_events::{Country, order::Order as Registration};
use serde_json::{Value, json, value::RawValue};

use super::*;
use crate::{
    money::{Currency, Money},
    orders::{By, Status, Unregistered},
    payments::{OrderHint, Transfer, memo::Memo},
};

mod crashes;
mod late;
mod several;
mod withdrawn;

const ORDER: &str = "PHO7K3M9Q2X";

fn dong(minor: i64) -> Money {
    Money::of_minor(minor, Currency::VND).unwrap()
}

fn page(name: &str, part: Part) -> Entry<'static, Value> {
    page_of(ORDER, name, part)
}

fn page_of(order_id: &str, name: &str, part: Part) -> Entry<'static, Value> {
    let destination = destination(None);
    let event_name = EventName::parse(name).unwrap();
    let id = EventId::derive(name, order_id);
    let event = json!({
        "event": name, "event_time": 1, "event_id": id.as_str(),
        "user": { "ttclid": "E.C.P.x" },
        "properties": { "value": 1, "currency": "USD", "order_id": order_id, "plan_id": "pro" },
    });
    Entry {
        key: DedupKey::of(&destination, &event_name, &id),
        remember: Remember::Days90,
        destination,
        class: Class::Second,
        trace: Trace::default(),
        note: Some(Note {
            order_id: order_id.to_owned(),
            by: By::Page,
            part,
        }),
        event: Box::leak(Box::new(event)),
    }
}

fn registration(amount: i64) -> Registration {
    registration_of(ORDER, amount)
}

fn registration_of(order_id: &str, amount: i64) -> Registration {
    let order =
        json!({ "order_id": order_id, "amount": amount, "currency": "VND", "plan_id": "pro" });
    let raw = RawValue::from_string(order.to_string()).unwrap();
    Registration::read(&raw, Country::parse("VN")).unwrap()
}

fn receipt(id: &str, amount: i64, content: &str) -> Receipt {
    Receipt {
        transfer: Transfer::new(
            "sepay",
            id.to_owned(),
            dong(amount),
            OrderHint::Memo(Memo {
                code: None,
                content: content.to_owned(),
                description: String::new(),
            }),
        ),
        parked: None,
        pattern: None,
        renewals: None,
        destinations: destination(None).into(),
    }
}

async fn became(intake: &Intake, id: &str, amount: i64, content: &str) -> Became {
    let taken = intake.orders().pay(receipt(id, amount, content)).await;
    taken.unwrap().payment.became
}

/// Returns the names and values of the pending events, in the order in which they are delivered.
fn waiting(lane: &mut Lane) -> Vec<(String, i64)> {
    let mut events = Vec::new();
    while let Some(batch) = lane.claim_next(ANY).unwrap() {
        events.extend(batch.events);
    }
    let read = |claimed: &Claimed| {
        let event: Value = serde_json::from_slice(claimed.event()).unwrap();
        let name = event["event"].as_str().unwrap().to_owned();
        (name, event["properties"]["value"].as_i64().unwrap())
    };
    events.iter().map(read).collect()
}

fn named<const N: usize>(expected: [(&str, i64); N]) -> Vec<(String, i64)> {
    expected
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
}

#[tokio::test]
async fn a_payment_releases_what_waited_for_it_and_is_reported_once() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (intake, outlet, _letters) = opened(folder.path());
        let begun = intake.enqueue([page("InitiateCheckout", Part::Begins)]);
        assert_eq!(begun.await.unwrap(), [Enqueued::Accepted]);
        let claims = [
            page("CompletePayment", Part::Claims),
            page("Subscribe", Part::Claims),
            page("Subscribe", Part::Claims),
        ];
        let enqueued = intake.enqueue(claims).await.unwrap();
        assert_eq!(
            enqueued,
            [Enqueued::Held, Enqueued::Held, Enqueued::Duplicate]
        );
        assert_eq!(outlet.depth(), 1);
    }
    let (intake, mut outlet, _letters) = reopened(folder.path()).await;
    let memo = "ct tu 0123 pho7k3m9q2x FT25308710231543";
    let mut copies = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let orders = intake.orders().clone();
        copies.spawn(async move { orders.pay(receipt("92704", 99_000, memo)).await });
    }
    let taken = copies.join_all().await.into_iter().map(Result::unwrap);
    let first: Vec<_> = taken.filter(|taken| !taken.is_repeat).collect();
    let [first] = first.as_slice() else {
        panic!("{first:?}");
    };
    assert_eq!(first.payment.became, Became::Paid);
    let mut lane = outlet.leased().await;
    assert_eq!(
        waiting(&mut lane),
        named([
            ("CompletePayment", 99_000),
            ("Subscribe", 99_000),
            ("InitiateCheckout", 1)
        ])
    );
    assert_eq!(
        became(&intake, "92705", 99_000, memo).await,
        Became::PaidBefore
    );
    let order = intake.orders().find(ORDER).unwrap().unwrap();
    assert_eq!(order.status(), Status::Paid);
    assert_eq!(
        order.reported()["Subscribe"],
        EventId::derive("Subscribe", ORDER).as_str()
    );
    assert_eq!(waiting(&mut lane), []);
    assert_eq!(intake.orders().payments().unwrap().len(), 2);
}

#[tokio::test]
async fn an_order_is_found_in_other_capitals_if_one_alone_fits() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, ..) = opened(folder.path());
    let orders = intake.orders();
    let register = async |id| {
        let registered = orders.register(registration_of(id, 99_000), destination(None).into());
        assert!(registered.await.unwrap().is_ok());
    };
    let found = |id| orders.spelt_otherwise(id).unwrap();
    assert_eq!(found("pho7k3m9q2x"), None);
    register(ORDER).await;
    assert_eq!(found("pho7k3m9q2x").as_deref(), Some(ORDER));
    // Only an id that differs in capital or small letters is found. The same spelling, a part of the id, and the id with a
    // hyphen are not found.
    for other in [ORDER, "pho7k3m9q2", "pho-7k3m9q2x"] {
        assert_eq!(found(other), None, "{other}");
    }
    register("Pho7k3m9q2x").await;
    assert_eq!(found("pho7k3m9q2x"), None);
}

#[tokio::test]
async fn a_server_says_what_is_to_be_paid_and_transfers_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, mut outlet, _letters) = opened(folder.path());
    let register = |amount| {
        let orders = intake.orders();
        orders.register(registration(amount), destination(None).into())
    };
    assert!(register(99_000).await.unwrap().is_ok());
    assert_eq!(became(&intake, "1", 50_000, ORDER).await, Became::Partial);
    assert_eq!(outlet.depth(), 0);
    assert_eq!(became(&intake, "2", 50_000, ORDER).await, Became::Overpaid);
    let mut lane = outlet.leased().await;
    assert_eq!(waiting(&mut lane), named([("Subscribe", 100_000)]));
    let again = register(1_000).await.unwrap().map(|_| ());
    assert_eq!(again, Err(Unregistered::Paid));
    let page = intake.enqueue([page("CompletePayment", Part::Claims)]);
    assert_eq!(page.await.unwrap(), [Enqueued::Accepted]);
    assert_eq!(waiting(&mut lane), named([("CompletePayment", 100_000)]));
}

#[tokio::test]
async fn money_that_names_no_order_or_several_is_put_on_record() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, outlet, _letters) = opened(folder.path());
    let other = page_of("OTHER12345", "InitiateCheckout", Part::Begins);
    let begun = intake.enqueue([page("InitiateCheckout", Part::Begins), other]);
    begun.await.unwrap();
    for (id, memo, expected) in [
        ("1", "cam on", Became::Unmatched),
        ("2", "PHO7K3M9Q2X OTHER12345", Became::Ambiguous),
        ("3", "PHO7K3M9Q", Became::Unmatched),
        ("4", "PHO-7K3M.9Q2X", Became::Paid),
        ("5", "PHO7K3M9Q2X OTHER12345", Became::Paid),
    ] {
        assert_eq!(became(&intake, id, 50_000, memo).await, expected, "{memo}");
    }
    assert_eq!(outlet.depth(), 4);
}

#[tokio::test]
async fn what_waits_in_vain_is_a_dead_letter_after_72_hours() {
    const HOUR_MS: i64 = 60 * 60 * 1000;
    if is_on_postgres() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (intake, outlet, letters) = opened(folder.path());
    let held = intake.enqueue([page("CompletePayment", Part::Claims)]);
    assert_eq!(held.await.unwrap(), [Enqueued::Held]);
    let mut state = State::load(outlet.embedded().writer(), 1).unwrap();
    let now = crate::clock::now_ms();
    let given_up = [71, 73].map(|hours| {
        let times = Times::undoubted(now + hours * HOUR_MS);
        state.sweep(times).unwrap().given_up
    });
    assert_eq!((given_up, state.position.held), ([0, 1], 0));
    let [(_, letter)] = letters.newest(10).unwrap().try_into().unwrap();
    assert_eq!(letter.outcome, "unverified");
}

#[tokio::test]
async fn orders_and_payments_are_forgotten_in_time() {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    if is_on_postgres() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (intake, outlet, _letters) = opened(folder.path());
    let begun = intake.enqueue([page("InitiateCheckout", Part::Begins)]);
    begun.await.unwrap();
    assert_eq!(became(&intake, "1", 1, "nobody").await, Became::Unmatched);
    let mut state = State::load(outlet.embedded().writer(), 1).unwrap();
    let records = [29, 31, 91].map(|days| {
        let times = Times::undoubted(crate::clock::now_ms() + days * DAY_MS);
        state.sweep(times).unwrap();
        outlet.embedded().records()
    });
    assert_eq!(records, [3, 1, 0]);
}

#[tokio::test]
async fn a_strangers_event_does_not_take_the_place_of_the_pages() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, mut outlet, letters) = opened(folder.path());
    let begun = intake.enqueue([page("InitiateCheckout", Part::Begins)]);
    begun.await.unwrap();
    let own = page("Subscribe", Part::Claims);
    let mut event = own.event.clone();
    event["event_id"] = json!("strangers");
    let strangers = Entry {
        key: DedupKey::numbered(7),
        event: &event,
        ..own
    };
    let held = intake.enqueue([strangers]).await.unwrap();
    assert_eq!(held, [Enqueued::Held]);
    for expected in [Enqueued::Held, Enqueued::Duplicate] {
        let held = intake.enqueue([page("Subscribe", Part::Claims)]);
        assert_eq!(held.await.unwrap(), [expected]);
    }
    assert_eq!(became(&intake, "1", 99_000, ORDER).await, Became::Paid);
    let mut lane = outlet.leased().await;
    let sent = lane.claim_of(Class::First, ANY).unwrap().unwrap().events;
    let ids: Vec<_> = sent.iter().map(id_of).collect();
    let derived = EventId::derive("Subscribe", ORDER);
    assert_eq!(ids, [derived.as_str()]);
    let [(_, letter)] = letters.newest(10).unwrap().try_into().unwrap();
    let named = Named::of(letter.event.get());
    assert_eq!(
        (&*named.event_id, &*letter.outcome),
        ("strangers", "unverified")
    );
}

#[tokio::test]
async fn what_a_server_reports_is_no_repeat_of_a_pages_held_word_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, mut outlet, letters) = opened(folder.path());
    let held = intake.enqueue([page("CompletePayment", Part::Claims)]);
    assert_eq!(held.await.unwrap(), [Enqueued::Held]);
    let report = || page("CompletePayment", Part::Reports);
    for expected in [Enqueued::Accepted, Enqueued::Duplicate] {
        assert_eq!(intake.enqueue([report()]).await.unwrap(), [expected]);
    }
    let mut lane = outlet.leased().await;
    let sent = waiting(&mut lane);
    assert_eq!(
        sent,
        named([("CompletePayment", 1), ("CompletePayment", 1)]),
        "one id"
    );
    let order = intake.orders().find(ORDER).unwrap().unwrap();
    assert_eq!(order.summary().events_held, 0);
    assert_eq!(letters.newest(1).unwrap().len(), 0);
}

#[tokio::test]
async fn a_strangers_use_of_an_id_keeps_no_servers_report_back() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, mut outlet, _letters) = opened(folder.path());
    let own = page_of("STRANGERS1", "CompletePayment", Part::Claims);
    let key = own.key;
    assert_eq!(intake.enqueue([own]).await.unwrap(), [Enqueued::Held]);
    let report = Entry {
        key,
        ..page("CompletePayment", Part::Reports)
    };
    assert_eq!(
        intake.enqueue([report]).await.unwrap(),
        [Enqueued::Accepted]
    );
    let mut lane = outlet.leased().await;
    assert_eq!(waiting(&mut lane), named([("CompletePayment", 1)]));
}
