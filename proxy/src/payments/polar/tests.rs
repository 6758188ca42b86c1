use serde_json::{Value, json};

use super::*;
use crate::payments::samples::{POLAR, POLAR_SECRET, Sent, by_polar, ignored, polar, told, with};

const OLD: &str = "v1,wXHzXerMGQ2sIMDAWQZo9E1qfihdJPFCHytJ0fzQYRw=";
const ID: &str = "11111111-2222-4333-8444-555555555555";

fn sent(changes: &[(&str, Value)]) -> Sent {
    let body = with(serde_json::from_str(POLAR).unwrap(), changes);
    by_polar(&body.to_string(), POLAR_SECRET)
}

fn order(id: &str) -> Name {
    Name::Order(id.to_owned())
}

fn of(id: &str) -> Name {
    Name::transfer(PROVIDER, id.to_owned())
}

#[test]
fn an_order_is_paid_under_both_kinds_of_keys() {
    let new = by_polar(POLAR, POLAR_SECRET);
    let mut old = new.clone();
    old.headers[2].1 = OLD.to_owned();
    for sent in [new, old] {
        let transfer = told(sent.read(&polar()));
        assert_eq!((transfer.provider, transfer.id.as_str()), ("polar", ID));
        assert_eq!(transfer.money.to_string(), "29.00 USD");
        assert_eq!(transfer.hint, OrderHint::Exact(vec![order("PHO7K3M9Q2X")]));
        assert_eq!(transfer.kind, Kind::First);
        assert!(transfer.knows && !transfer.is_test && transfer.also.is_empty());
    }
}

#[test]
fn a_key_of_a_few_bytes_signs_nothing() {
    // The secret encodes only one byte, which anybody can guess.
    let short = "whsec_AA==";
    let settings = Polar {
        secrets: Secrets::generated(short).unwrap(),
    };
    assert_eq!(
        by_polar(POLAR, short).read(&settings),
        Err(Refused::Unauthorised)
    );
}

#[test]
fn an_order_in_a_state_before_payment_pays_nothing() {
    for status in ["draft", "pending", "void"] {
        let read = sent(&[("/data/status", json!(status))]).read(&polar());
        assert_eq!(ignored(read), "not_a_payment", "{status}");
    }
}

#[test]
fn the_billing_reason_says_what_a_payment_is_for() {
    for (reason, kind) in [
        (json!("purchase"), Kind::First),
        (json!("subscription_create"), Kind::First),
        (json!("subscription_cycle"), Kind::Renewal),
        (json!("subscription_cycle_after_trial"), Kind::Renewal),
        (json!("subscription_update"), Kind::Renewal),
        (Value::Null, Kind::First),
    ] {
        let changes = [
            ("/data/billing_reason", reason.clone()),
            ("/data/subscription_id", json!("sub-1")),
        ];
        let transfer = told(sent(&changes).read(&polar()));
        assert_eq!(transfer.kind, kind, "{reason}");
        // The first payment is stored under the id of its subscription. Later payments find the order by this id.
        let mut names = vec![order("PHO7K3M9Q2X")];
        if kind == Kind::Renewal {
            names.push(of("sub-1"));
            assert!(transfer.also.is_empty());
        } else {
            assert_eq!(transfer.also, ["sub-1"]);
        }
        assert_eq!(transfer.hint, OrderHint::Exact(names));
    }
}

#[test]
fn only_order_paid_pays() {
    for event in [
        "order.created",
        "order.updated",
        "checkout.updated",
        "checkout.completed",
        "subscription.active",
        "",
    ] {
        let sent = sent(&[("/type", json!(event))]);
        assert_eq!(ignored(sent.read(&polar())), "not_a_payment", "{event}");
    }
    let free = sent(&[("/data/total_amount", json!(0))]);
    assert!(told(free.read(&polar())).money.is_zero());
}

#[test]
fn money_that_goes_back_names_its_order_and_its_payment() {
    let refunded = sent(&[
        ("/type", json!("order.refunded")),
        ("/data/status", json!("partially_refunded")),
        ("/data/refunded_amount", json!(1000)),
        ("/data/refunded_tax_amount", json!(200)),
    ]);
    let transfer = told(refunded.read(&polar()));
    assert_eq!(transfer.money.to_string(), "12.00 USD");
    assert_eq!(transfer.id, format!("{ID}:refunded:1200"));
    assert_eq!(
        transfer.hint,
        OrderHint::Exact(vec![order("PHO7K3M9Q2X"), of(ID)])
    );
    assert_eq!(transfer.kind, Kind::Refund);
    assert_eq!(transfer.share, Share::Sum(transfer.money));
    for (dispute, kind) in [
        (Value::Null, Kind::Refund),
        (json!({ "id": "d" }), Kind::Chargeback),
    ] {
        let refund = json!({ "type": "refund.created", "data": { "id": "r-1", "order_id": ID,
            "status": "succeeded", "amount": 1000, "tax_amount": 200, "currency": "usd",
            "metadata": {}, "dispute": dispute } });
        let transfer = told(by_polar(&refund.to_string(), POLAR_SECRET).read(&polar()));
        assert_eq!((transfer.id.as_str(), transfer.kind), ("r-1", kind));
        // The sum of refunds that the order states contains this refund.
        assert_eq!((transfer.also.len(), transfer.share), (0, Share::Part));
        assert_eq!(transfer.hint, OrderHint::Exact(vec![of(ID)]));
        let pending = with(refund, &[("/data/status", json!("pending"))]);
        let pending = by_polar(&pending.to_string(), POLAR_SECRET);
        assert_eq!(ignored(pending.read(&polar())), "not_a_payment");
    }
}

#[test]
fn a_payment_is_kept_whatever_its_checkout_was_given() {
    for (metadata, names) in [
        (json!({ "order_id": 92704 }), vec![order("92704")]),
        (json!({ "order_id": " PHO7 " }), vec![order("PHO7")]),
        (json!({ "order_id": true }), vec![]),
        (json!({ "order_id": "" }), vec![]),
        (json!({}), vec![]),
        (json!("text"), vec![]),
    ] {
        let sent = sent(&[("/data/metadata", metadata.clone())]);
        let transfer = told(sent.read(&polar()));
        assert_eq!(transfer.hint, OrderHint::Exact(names), "{metadata}");
    }
    let by_subscription = sent(&[
        ("/data/metadata", json!({})),
        (
            "/data/subscription",
            json!({ "metadata": { "order_id": "PHO7K3M9Q2X" } }),
        ),
    ]);
    let transfer = told(by_subscription.read(&polar()));
    assert_eq!(transfer.hint, OrderHint::Exact(vec![order("PHO7K3M9Q2X")]));
}

#[test]
fn what_cannot_be_read_is_named() {
    for (pointer, value, field) in [
        ("/data", json!([]), "data"),
        ("/data/id", Value::Null, "id"),
        ("/data/total_amount", json!("29.00"), "total_amount"),
        ("/data/total_amount", json!(-1), "total_amount"),
        ("/data/total_amount", json!(2900.5), "total_amount"),
        ("/data/currency", json!("dollars"), "currency"),
    ] {
        let read = sent(&[(pointer, value)]).read(&polar());
        let Err(Refused::Invalid(problems)) = &read else {
            panic!("{read:?}");
        };
        assert_eq!(problems[0].field(), field);
    }
    let text = by_polar("not JSON", POLAR_SECRET).read(&polar());
    assert_eq!(text, Err(Refused::NotJson));
}
