//! Tests whether a sale counts as already reported. The order must decide this, and not the memory for deduplication.

use super::*;
use crate::{
    decide::{Decision, Pay, Register, Registered, Replay, Taken},
    store::{Embedded, Source},
};

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// A store, and a time that the test sets. The store is changed with the same functions that the writer uses.
struct Later {
    state: State<<Embedded as Source>::Store>,
    now_ms: i64,
}

impl Later {
    /// Uses the store of `outlet`. After this call, the test must not use the store's own writer any more.
    fn of(outlet: &Outlet) -> Self {
        Self {
            state: State::load(outlet.embedded().writer(), 1).unwrap(),
            now_ms: crate::clock::now_ms(),
        }
    }

    fn after<'c, D: Decision<'c>>(&mut self, ms: i64, call: &D) -> D::Reply {
        self.now_ms += ms;
        let times = Times::undoubted(self.now_ms);
        let mut group = Group::new(&mut self.state.store, &mut self.state.position, times);
        let reply = group.carry_out_durably(call).unwrap().unwrap();
        group.commit().unwrap();
        reply
    }

    /// Moves the time by `ms`, and ends the events that have been held for 72 hours. Returns how many events ended.
    fn gives_up_after(&mut self, ms: i64) -> usize {
        self.now_ms += ms;
        let times = Times::undoubted(self.now_ms);
        self.state.sweep(times).unwrap().given_up
    }

    /// Ends the one event that has been held for 72 hours. Only then pays the order.
    fn is_paid_too_late(&mut self) {
        assert_eq!(self.gives_up_after(73 * HOUR_MS), 1);
        assert_eq!(self.is_paid_after(HOUR_MS, "1"), Became::Paid);
    }

    fn is_paid_after(&mut self, ms: i64, id: &str) -> Became {
        let taken: Taken = self.after(ms, &Pay(&receipt(id, 99_000, ORDER)));
        taken.payment.became
    }

    fn is_registered_after(&mut self, ms: i64) {
        let registered: Registered = self.after(
            ms,
            &Register {
                order: &registration(99_000),
                reports: &destination(None).into(),
            },
        );
        assert!(registered.is_ok());
    }
}

async fn register(intake: &Intake) {
    let orders = intake.orders();
    let registered = orders.register(registration(99_000), destination(None).into());
    assert!(registered.await.unwrap().is_ok());
}

/// Opens the store again, and returns its pending events.
async fn left(folder: &Path) -> Vec<Value> {
    let (intake, mut outlet, _letters) = reopened(folder).await;
    if intake.depth() == 0 {
        return Vec::new();
    }
    let batch = outlet.leased().await.claim_next(ANY).unwrap().unwrap();
    let read = |claimed: &Claimed| serde_json::from_slice(claimed.event()).unwrap();
    batch.events.iter().map(read).collect()
}

#[tokio::test]
async fn a_payment_after_72_hours_is_reported_with_the_click_of_what_waited() {
    if is_on_postgres() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (intake, outlet, letters) = opened(folder.path());
    let held = intake.enqueue([page("Subscribe", Part::Claims)]);
    assert_eq!(held.await.unwrap(), [Enqueued::Held]);
    let mut later = Later::of(&outlet);
    later.is_paid_too_late();
    let order = intake.orders().find(ORDER).unwrap().unwrap();
    assert_eq!(order.status(), Status::Paid);
    let id = EventId::derive("Subscribe", ORDER);
    assert_eq!(order.reported()["Subscribe"], id.as_str());

    // The held event became a dead letter, and then the payment reported the sale. TikTok must get the sale only once, so the
    // dead letter is not sent again.
    let dead = letters.newest(10).unwrap();
    assert_eq!(later.after(HOUR_MS, &Replay(&dead)), 0);
    assert!(letters.newest(10).unwrap().is_empty());
    drop((intake, outlet, letters, later));
    let left = left(folder.path()).await;
    let [sale] = left.as_slice() else {
        panic!("{left:#?}");
    };
    assert_eq!(
        (
            &sale["event"],
            &sale["event_id"],
            &sale["properties"]["value"]
        ),
        (&json!("Subscribe"), &json!(id.as_str()), &json!(99_000))
    );
    assert_eq!(sale["user"]["ttclid"], "E.C.P.x");
}

#[tokio::test]
async fn a_page_that_says_so_again_after_72_hours_is_no_repeat() {
    if is_on_postgres() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (intake, outlet, letters) = opened(folder.path());
    let held = intake.enqueue([page("CompletePayment", Part::Claims)]);
    assert_eq!(held.await.unwrap(), [Enqueued::Held]);
    Later::of(&outlet).is_paid_too_late();
    drop((intake, outlet, letters));
    let (intake, mut outlet, letters) = reopened(folder.path()).await;
    let again = || intake.enqueue([page("CompletePayment", Part::Claims)]);
    assert_eq!(again().await.unwrap(), [Enqueued::Accepted]);
    assert_eq!(again().await.unwrap(), [Enqueued::Duplicate]);
    let mut lane = outlet.leased().await;
    let expected = named([("Subscribe", 99_000), ("CompletePayment", 99_000)]);
    assert_eq!(waiting(&mut lane), expected);
    // The dead letter contains the event that the page sent first. The page's second event has reported the same sale
    // since then, so the dead letter is not sent again.
    let [(letter, _)] = letters.newest(10).unwrap().try_into().unwrap();
    assert_eq!(letters.replay(&[letter]).await.unwrap(), 0);
    assert_eq!(waiting(&mut lane), []);
}

#[tokio::test]
async fn an_order_that_is_forgotten_and_registered_anew_is_reported() {
    if is_on_postgres() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (intake, outlet, letters) = opened(folder.path());
    let held = intake.enqueue([page("Subscribe", Part::Claims)]);
    assert_eq!(held.await.unwrap(), [Enqueued::Held]);
    let mut later = Later::of(&outlet);
    assert_eq!(later.gives_up_after(73 * HOUR_MS), 1);
    later.is_registered_after(31 * DAY_MS);
    assert_eq!(later.is_paid_after(0, "1"), Became::Paid);
    drop((intake, outlet, letters, later));
    let left = left(folder.path()).await;
    assert_eq!(left.len(), 1, "{left:#?}");
    assert_eq!(left[0]["event"], "Subscribe");
}

#[tokio::test]
async fn what_a_server_reported_is_known_as_long_as_its_id_and_not_reported_again() {
    if is_on_postgres() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (intake, outlet, letters) = opened(folder.path());
    // At this time, the order is not registered yet.
    let reported = intake.enqueue([page("Subscribe", Part::Reports)]);
    assert_eq!(reported.await.unwrap(), [Enqueued::Accepted]);
    let order = intake.orders().find(ORDER).unwrap().unwrap();
    assert_eq!(order.status(), Status::Unknown);
    let mut later = Later::of(&outlet);
    assert_eq!(later.is_paid_after(DAY_MS, "1"), Became::Unmatched);
    later.is_registered_after(60 * DAY_MS);
    assert_eq!(later.is_paid_after(0, "2"), Became::Paid);
    drop((intake, outlet, letters, later));
    let left = left(folder.path()).await;
    assert_eq!(left.len(), 1, "{left:#?}");
    assert_eq!(left[0]["properties"]["value"], 1);
}

#[tokio::test]
async fn a_paid_order_whose_event_tiktok_refused_is_counted_until_it_is_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let metrics = Arc::new(Metrics::default());
    let (intake, mut outlet, letters) = open(folder.path(), 0, Arc::clone(&metrics)).unwrap();
    register(&intake).await;
    assert_eq!(became(&intake, "1", 99_000, ORDER).await, Became::Paid);
    let mut lane = outlet.leased().await;
    let batch = lane.claim_next(ANY).unwrap().unwrap();
    let refused = Outcome::Refused(Verdict {
        code: 40002,
        message: "no".to_owned(),
        request_id: None,
    });
    assert_eq!(metrics.paid_unreported.get(), 0);
    lane.settle(&batch.events, &refused, 2).await.unwrap();
    assert_eq!(metrics.paid_unreported.get(), 1);
    let order = intake.orders().find(ORDER).unwrap().unwrap();
    assert!(order.is_unreported() && order.reported().is_empty());

    let [(letter, _)] = letters.newest(10).unwrap().try_into().unwrap();
    assert_eq!(letters.replay(&[letter]).await.unwrap(), 1);
    assert_eq!(waiting(&mut lane), named([("Subscribe", 99_000)]));
    // The metric changes shortly after the command was answered.
    let counted = async {
        while metrics.paid_unreported.get() != 0 {
            tokio::task::yield_now().await;
        }
    };
    let counted = time::timeout(Duration::from_mins(2), counted).await;
    counted.expect("the order must no longer be counted as unreported");
}

#[tokio::test]
async fn a_report_that_tiktok_refused_does_not_keep_the_payment_back() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, mut outlet, letters) = opened(folder.path());
    register(&intake).await;
    let reported = intake.enqueue([page("Subscribe", Part::Reports)]);
    assert_eq!(reported.await.unwrap(), [Enqueued::Accepted]);
    let mut lane = outlet.leased().await;
    let batch = lane.claim_next(ANY).unwrap().unwrap();
    let expired = Outcome::Expired;
    lane.settle(&batch.events, &expired, 2).await.unwrap();
    assert_eq!(became(&intake, "1", 99_000, ORDER).await, Became::Paid);
    assert_eq!(waiting(&mut lane), named([("Subscribe", 99_000)]));
    let [(letter, _)] = letters.newest(10).unwrap().try_into().unwrap();
    letters.replay(&[letter]).await.unwrap();
    assert_eq!(waiting(&mut lane), []);
}

#[tokio::test]
async fn an_order_knows_who_named_it_also_by_an_event_that_is_a_repeat() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, _outlet, _letters) = opened(folder.path());
    let checkout = || page("InitiateCheckout", Part::Begins);
    assert_eq!(
        intake.enqueue([checkout()]).await.unwrap(),
        [Enqueued::Accepted]
    );
    let withdrawn = intake.orders().withdraw(ORDER.to_owned()).await.unwrap();
    assert_eq!(withdrawn, Some(0));
    assert_eq!(
        intake.enqueue([checkout()]).await.unwrap(),
        [Enqueued::Duplicate]
    );
    let order = intake.orders().find(ORDER).unwrap().unwrap();
    assert_eq!(order.status(), Status::Pending);
    assert_eq!(order.summary().match_keys, ["ttclid"]);
}

#[tokio::test]
async fn a_page_begins_no_order_that_reads_like_a_live_one_and_a_server_does() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, _outlet, _letters) = opened(folder.path());
    let checkout = |id| page_of(id, "InitiateCheckout", Part::Begins);
    let both = [
        checkout(ORDER),
        checkout("pho-7k3m9q2x"),
        checkout("PHO 7K3M9Q2X"),
    ];
    let accepted = [Enqueued::Accepted; 3];
    assert_eq!(intake.enqueue(both).await.unwrap(), accepted);
    let orders = intake.orders();
    assert!(orders.find("pho-7k3m9q2x").unwrap().is_none());
    let registered = registration_of("PHO-7K3M-9Q2X", 99_000);
    let registered = orders.register(registered, destination(None).into()).await;
    assert!(registered.unwrap().is_ok());
    assert_eq!(became(&intake, "1", 99_000, ORDER).await, Became::Paid);
    let paid = orders.find("PHO-7K3M-9Q2X").unwrap().unwrap();
    assert_eq!(paid.status(), Status::Paid);
}
