use serde_json::{Value, json};

use super::*;
use crate::payments::{
    Kind, Name, OrderHint,
    samples::{STRIPE, STRIPE_SECRET, by_stripe, ignored, stripe, told, with},
};

fn sent(event: &str, object: Value) -> Result<Notification, Refused> {
    let mut body = json!({ "id": "evt_1", "type": event, "livemode": true, "data": {} });
    body["data"]["object"] = object;
    read(&body)
}

fn read(body: &Value) -> Result<Notification, Refused> {
    by_stripe(&body.to_string(), STRIPE_SECRET).read(&stripe())
}

fn names(names: &[&str]) -> OrderHint {
    let name = |name: &&str| match name.strip_prefix("of ") {
        Some(id) => Name::transfer(PROVIDER, id.to_owned()),
        None => Name::Order((*name).to_owned()),
    };
    OrderHint::Exact(names.iter().map(name).collect())
}

fn session() -> Value {
    json!({ "id": "cs_1", "client_reference_id": "PHO7K3M9Q2X", "amount_total": 2900, "currency": "usd",
            "payment_status": "paid", "payment_intent": "pi_1", "invoice": null, "subscription": null })
}

fn invoice() -> Value {
    json!({ "id": "in_1", "amount_paid": 2900, "currency": "usd", "billing_reason": "subscription_create",
            "parent": { "subscription_details": { "subscription": "sub_1", "metadata": { "order_id": "PHO7K3M9Q2X" } } } })
}

#[test]
fn a_paid_session_pays_the_order_that_it_names() {
    let transfer = told(by_stripe(STRIPE, STRIPE_SECRET).read(&stripe()));
    assert_eq!(
        (transfer.provider, transfer.id.as_str()),
        ("stripe", "cs_live_duet1")
    );
    assert_eq!(transfer.money.to_string(), "99000 VND");
    assert_eq!(transfer.hint, names(&["PHO7K3M9Q2X"]));
    assert!(transfer.knows && !transfer.is_test);
    for event in [
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
    ] {
        let transfer = told(sent(event, session()));
        assert_eq!(transfer.id, "pi_1");
        assert_eq!(transfer.also, ["cs_1"]);
        assert_eq!(transfer.kind, Kind::First);
    }
    let metadata = with(
        session(),
        &[
            ("/client_reference_id", Value::Null),
            ("/metadata", json!({ "order_id": "PHO7K3M9Q2X" })),
        ],
    );
    assert_eq!(
        told(sent("checkout.session.completed", metadata)).hint,
        names(&["PHO7K3M9Q2X"])
    );
}

#[test]
fn what_is_not_paid_pays_nothing() {
    for status in ["unpaid", "no_payment_required", ""] {
        let session = with(session(), &[("/payment_status", json!(status))]);
        assert_eq!(
            ignored(sent("checkout.session.completed", session)),
            "not_a_payment"
        );
    }
    for event in [
        "checkout.session.expired",
        "payment_intent.succeeded",
        "charge.succeeded",
        "invoice.created",
        "",
    ] {
        assert_eq!(ignored(sent(event, session())), "not_a_payment", "{event}");
    }
    let trial = with(invoice(), &[("/amount_paid", json!(0))]);
    assert!(told(sent("invoice.paid", trial)).money.is_zero());
}

#[test]
fn the_session_of_a_free_trial_names_the_order_of_its_subscription() {
    let trial = with(
        session(),
        &[
            ("/payment_status", json!("no_payment_required")),
            ("/amount_total", json!(0)),
            ("/payment_intent", Value::Null),
            ("/invoice", json!("in_1")),
            ("/subscription", json!("sub_1")),
        ],
    );
    let transfer = told(sent("checkout.session.completed", trial.clone()));
    assert!(transfer.money.is_zero() && transfer.kind == Kind::First);
    assert_eq!(transfer.hint, names(&["PHO7K3M9Q2X"]));
    assert_eq!(transfer.id, "in_1");
    assert_eq!(transfer.also, ["cs_1", "sub_1"]);
    // A session that only saves a card for later has no amount.
    let setup = with(
        trial,
        &[("/amount_total", Value::Null), ("/currency", Value::Null)],
    );
    let setup = sent("checkout.session.completed", setup);
    assert_eq!(ignored(setup), "not_a_payment");
}

#[test]
fn an_event_without_an_object_is_answered_if_it_is_not_about_money() {
    let thin = json!({ "id": "evt_1", "object": "v2.core.event", "livemode": true,
        "type": "v1.billing.meter.error_report_triggered", "related_object": { "id": "mtr_1" } });
    assert_eq!(ignored(read(&thin)), "not_a_payment");
    let paid = with(thin, &[("/type", json!("invoice.paid"))]);
    assert!(matches!(read(&paid), Err(Refused::Invalid(_))));
}

#[test]
fn a_session_and_its_invoice_are_one_payment() {
    let session = with(
        session(),
        &[
            ("/payment_intent", Value::Null),
            ("/invoice", json!("in_1")),
            ("/subscription", json!("sub_1")),
        ],
    );
    let session = told(sent("checkout.session.completed", session));
    assert_eq!(session.id, "in_1");
    assert_eq!(session.also, ["cs_1", "sub_1"]);
    let earlier_api = with(
        invoice(),
        &[
            ("/parent", Value::Null),
            ("/subscription", json!("sub_1")),
            ("/payment_intent", json!("pi_1")),
            (
                "/subscription_details",
                json!({ "metadata": { "order_id": "PHO7K3M9Q2X" } }),
            ),
        ],
    );
    for (invoice, also) in [
        (invoice(), &["sub_1"][..]),
        (earlier_api, &["pi_1", "sub_1"]),
    ] {
        let transfer = told(sent("invoice.paid", invoice));
        assert_eq!((transfer.id.as_str(), transfer.kind), ("in_1", Kind::First));
        assert_eq!(transfer.also, also);
        assert_eq!(transfer.hint, names(&["PHO7K3M9Q2X"]));
    }
}

#[test]
fn a_later_invoice_is_a_renewal_and_finds_its_order_by_its_subscription() {
    for reason in [
        "subscription_cycle",
        "subscription_update",
        "subscription_threshold",
    ] {
        let later = with(
            invoice(),
            &[("/id", json!("in_2")), ("/billing_reason", json!(reason))],
        );
        let transfer = told(sent("invoice.paid", later));
        assert_eq!(
            (transfer.id.as_str(), transfer.kind),
            ("in_2", Kind::Renewal)
        );
        assert!(transfer.also.is_empty());
        assert_eq!(transfer.hint, names(&["PHO7K3M9Q2X", "of sub_1"]));
    }
}

#[test]
fn money_that_goes_back_is_told_once_for_each_refund() {
    let charge = json!({ "id": "ch_1", "amount": 2900, "amount_refunded": 1500, "currency": "usd",
        "payment_intent": "pi_1", "metadata": { "order_id": "PHO7K3M9Q2X" } });
    let body = json!({ "type": "charge.refunded", "livemode": true, "data": { "object": charge,
        "previous_attributes": { "amount_refunded": 1000 } } });
    let second = told(read(&body));
    assert_eq!(second.money.to_string(), "5.00 USD");
    assert_eq!(
        (second.id.as_str(), second.kind),
        ("ch_1:refunded:1500", Kind::Refund)
    );
    assert_eq!(second.hint, names(&["PHO7K3M9Q2X", "of pi_1", "of ch_1"]));
    let first = told(sent("charge.refunded", charge));
    assert_eq!(first.money.to_string(), "15.00 USD");
    // If an event does not state the sum before its refund, its amount can be too large. The stated sum of all refunds
    // corrects this.
    for refunded in [&first, &second] {
        assert_eq!(refunded.share, Share::Sum(first.money));
    }
    let refund = json!({ "id": "re_1", "amount": 1500, "currency": "usd", "charge": "ch_1",
        "payment_intent": "pi_1", "status": "succeeded", "metadata": {} });
    let transfer = told(sent("refund.created", refund.clone()));
    assert_eq!(transfer.id, "re_1");
    assert_eq!((transfer.also.len(), transfer.share), (0, Share::Part));
    assert_eq!(transfer.hint, names(&["of pi_1", "of ch_1"]));
    let pending = with(refund, &[("/status", json!("pending"))]);
    assert_eq!(ignored(sent("refund.updated", pending)), "not_a_payment");
    let dispute = json!({ "id": "dp_1", "amount": 2900, "currency": "usd", "charge": "ch_1",
        "payment_intent": "pi_1", "metadata": {} });
    let transfer = told(sent("charge.dispute.created", dispute));
    assert_eq!(
        (transfer.id.as_str(), transfer.kind),
        ("dp_1", Kind::Chargeback)
    );
    assert_eq!(transfer.hint, names(&["of pi_1", "of ch_1"]));
}

#[test]
fn an_inquiry_of_a_bank_takes_no_money_until_it_is_a_chargeback() {
    let dispute = |status: &str| {
        json!({ "id": "dp_1", "amount": 2900, "currency": "usd", "charge": "ch_1",
                "payment_intent": "pi_1", "metadata": {}, "status": status })
    };
    let inquiry = sent("charge.dispute.created", dispute("warning_needs_response"));
    assert_eq!(ignored(inquiry), "not_a_payment");
    for event in ["charge.dispute.created", "charge.dispute.funds_withdrawn"] {
        let transfer = told(sent(event, dispute("needs_response")));
        assert_eq!(
            (transfer.id.as_str(), transfer.kind, transfer.share),
            ("dp_1", Kind::Chargeback, Share::Alone)
        );
    }
}

#[test]
fn amounts_have_the_decimals_that_stripe_gives_them() {
    for (amount, currency, expected) in [
        (2900, "usd", "29.00 USD"),
        (99_000, "vnd", "99000 VND"),
        (500, "jpy", "500 JPY"),
        (500, "MGA", "500.00 MGA"),
        (500, "isk", "5 ISK"),
        (500, "ugx", "5 UGX"),
        (5120, "kwd", "5.120 KWD"),
    ] {
        let session = with(
            session(),
            &[
                ("/amount_total", json!(amount)),
                ("/currency", json!(currency)),
            ],
        );
        let transfer = told(sent("checkout.session.completed", session));
        assert_eq!(transfer.money.to_string(), expected);
    }
    let fraction = with(
        session(),
        &[("/amount_total", json!(550)), ("/currency", json!("isk"))],
    );
    assert!(matches!(
        sent("checkout.session.completed", fraction),
        Err(Refused::Invalid(_))
    ));
}

#[test]
fn traffic_of_the_test_mode_is_known_as_such() {
    for (livemode, is_test) in [
        (json!(true), false),
        (json!(false), true),
        (Value::Null, true),
    ] {
        let body = json!({ "type": "checkout.session.completed", "livemode": livemode,
            "data": { "object": session() } });
        assert_eq!(told(read(&body)).is_test, is_test);
    }
}

#[test]
fn the_header_holds_one_time_and_a_signature_that_fits() {
    let genuine = by_stripe(STRIPE, STRIPE_SECRET);
    let header = genuine.headers[0].1.clone();
    let (time, signature) = header.split_once(',').unwrap();
    let zeros = format!("v1={}", "0".repeat(64));
    for (header, is_believed) in [
        (header.clone(), true),
        (format!("{time},{zeros},{signature},v0=x"), true),
        (format!("{signature}, {time}"), true),
        (format!("{time},{zeros}"), false),
        (format!("{time},{time},{signature}"), false),
        (format!("t=0,{signature}"), false),
        (format!("{time},{}", signature.replace("v1", "v0")), false),
        (time.to_owned(), false),
        (signature.to_owned(), false),
        (String::new(), false),
    ] {
        let mut sent = genuine.clone();
        sent.headers[0].1 = header.clone();
        let read = sent.read(&stripe());
        assert_eq!(read.is_ok(), is_believed, "{header}");
        assert_eq!(read == Err(Refused::Unauthorised), !is_believed, "{header}");
    }
}
