//! Tests sales that were refunded or voided before their events were sent.

use super::*;
use crate::payments::{Kind, Name};

/// Returns a report of SePay's gateway about a payment of the order. If `payment` is given, the report is about cancelling
/// this payment.
fn gateway(kind: Kind, id: &str, payment: Option<&str>) -> Receipt {
    let name = match payment {
        Some(id) => Name::Transfer {
            provider: "sepay".to_owned(),
            id: id.to_owned(),
        },
        None => Name::Order(ORDER.to_owned()),
    };
    let hint = OrderHint::Exact(vec![name]);
    Receipt {
        transfer: Transfer {
            kind,
            ..Transfer::new("sepay", id.to_owned(), dong(99_000), hint)
        },
        ..receipt(id, 99_000, ORDER)
    }
}

fn withdrawn(lane: &mut Lane) -> Vec<bool> {
    let batch = lane.claim_of(Class::First, ANY).unwrap();
    let events = batch.map(|batch| batch.events).unwrap_or_default();
    events
        .iter()
        .map(|event| lane.is_withdrawn(event))
        .collect()
}

#[tokio::test]
async fn an_event_is_withdrawn_before_and_after_a_restart_and_ends_as_a_dead_letter() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (intake, mut outlet, _letters) = opened(folder.path());
        let orders = intake.orders();
        let registered = orders.register(registration(99_000), destination(None).into());
        registered.await.unwrap().unwrap();
        orders.pay(gateway(Kind::First, "1", None)).await.unwrap();
        let mut lane = outlet.leased().await;
        assert_eq!(withdrawn(&mut lane), [false]);
        lane.rewind();
        let void = gateway(Kind::Void, "1-void", Some("1"));
        let taken = orders.pay(void).await.unwrap();
        assert_eq!(taken.payment.became, Became::Returned);
        assert_eq!(withdrawn(&mut lane), [true]);
    }
    let (intake, mut outlet, letters) = reopened(folder.path()).await;
    let mut lane = outlet.leased().await;
    let batch = lane.claim_of(Class::First, ANY).unwrap().unwrap();
    assert!(lane.is_withdrawn(&batch.events[0]));
    let end = lane.settle(&batch.events, &Outcome::Withdrawn, 5);
    end.await.unwrap();
    let ended = letters.newest(1).unwrap();
    assert_eq!(ended[0].1.outcome, "withdrawn");
    let order = intake.orders().find(ORDER).unwrap().unwrap();
    assert_eq!(order.status(), Status::Paid);
    assert!(!order.is_unreported() && order.reported().is_empty());
    assert_eq!(order.net(), Some(Money::zero(Currency::VND)));
    // After this, neither an operator's replay nor a page can report the sale.
    letters.replay(&[ended[0].0]).await.unwrap();
    assert_eq!(outlet.depth(), 0);
    let pages = intake
        .enqueue([page("CompletePayment", Part::Claims)])
        .await;
    assert_eq!(pages.unwrap(), [Enqueued::Duplicate]);
}
