use duet_events::{Country, EventId};
use serde_json::{Value, json, value::RawValue};

use super::*;
use crate::money::{Currency, Money};

const PIXEL: &str = "C4A1B2C3D4E5F6G7H8I9";
const DAY: i64 = 24 * 60 * 60 * 1000;

fn dong(minor: i64) -> Money {
    Money::of_minor(minor, Currency::VND).unwrap()
}

fn event(event: &Value) -> String {
    event.to_string()
}

fn named(name: &str) -> Value {
    json!({ "event": name, "event_time": 1, "event_id": "e", "user": {} })
}

fn begun() -> Order {
    Order::begin("PHO7K3M9Q2X", 0)
}

fn registration(amount: i64, currency: &str) -> duet_events::order::Order {
    let order = json!({
        "order_id": "PHO7K3M9Q2X", "amount": amount, "currency": currency,
        "plan_id": "pro", "plan_name": "Pro", "billing_cycle": "monthly",
        "user": { "email": "lan@example.com" },
    });
    let raw = RawValue::from_string(order.to_string()).unwrap();
    duet_events::order::Order::read(&raw, Country::parse("VN")).unwrap()
}

fn registered(amount: i64, currency: &str) -> Order {
    let mut order = begun();
    order.register(&registration(amount, currency), 0).unwrap();
    order
}

fn conversion(order: &Order) -> Value {
    serde_json::from_slice(&order.conversion(1_767_323_045_000).unwrap().json).unwrap()
}

#[test]
fn transfers_add_up_until_the_amount_is_reached() {
    let mut order = registered(99_000, "VND");
    assert_eq!(order.status(), Status::Pending);
    assert_eq!(order.receive(dong(50_000), 1), Received::Partial);
    assert_eq!(order.status(), Status::Partial);
    assert_eq!(order.receive(dong(49_000), 2), Received::Paid);
    assert_eq!(
        (order.status(), order.received()),
        (Status::Paid, Some(dong(99_000)))
    );
    assert_eq!(order.receive(dong(99_000), 3), Received::PaidBefore);
    assert_eq!(order.received(), Some(dong(99_000)));
}

#[test]
fn too_much_pays_and_is_said() {
    let mut order = registered(99_000, "VND");
    assert_eq!(order.receive(dong(100_000), 1), Received::Overpaid);
}

#[test]
fn an_order_that_only_a_page_began_is_paid_by_its_first_transfer() {
    assert_eq!(begun().receive(dong(1), 1), Received::Paid);
}

#[test]
fn an_order_in_another_currency_is_not_paid_in_dong() {
    let mut order = registered(99_000, "USD");
    assert_eq!(order.receive(dong(99_000), 1), Received::OtherCurrency);
    assert_eq!((order.status(), order.received()), (Status::Pending, None));
}

#[test]
fn a_registration_may_come_after_the_money() {
    let mut order = registered(99_000, "VND");
    assert_eq!(order.receive(dong(50_000), 1), Received::Partial);
    order.register(&registration(50_000, "VND"), 2).unwrap();
    assert_eq!(order.pay_off(2), Some(Received::Paid));
    assert_eq!(order.pay_off(3), None);
}

#[test]
fn an_old_registration_that_is_sent_again_is_refused() {
    let mut order = registered(99_000, "VND");
    order.register(&registration(99_000, "VND"), 1).unwrap();
    order.register(&registration(199_000, "VND"), 2).unwrap();
    let replayed = order.register(&registration(99_000, "VND"), 3);
    assert_eq!(replayed, Err(Unregistered::Replaced));
    assert_eq!(order.receive(dong(99_000), 4), Received::Partial);
    assert_eq!(order.receive(dong(100_000), 5), Received::Paid);
    order.register(&registration(199_000, "VND"), 6).unwrap();
    let late = order.register(&registration(1_000, "VND"), 7);
    assert_eq!(late, Err(Unregistered::Paid));
}

#[test]
fn an_order_is_forgotten_after_30_days_and_a_paid_one_after_90() {
    let mut order = registered(99_000, "VND");
    assert!(!order.is_over(30 * DAY - 1) && order.is_over(30 * DAY));
    let text = event(&named("ViewContent"));
    order.is_named_by(&EventText::of(text.as_bytes()).unwrap(), By::Page, DAY);
    assert!(!order.is_over(31 * DAY - 1) && order.is_over(31 * DAY));
    order.receive(dong(99_000), 2 * DAY);
    assert!(!order.is_over(92 * DAY - 1) && order.is_over(92 * DAY));
}

#[test]
fn a_reported_order_is_known_as_long_as_the_ids_of_its_events() {
    let mut order = Order::note("PHO7K3M9Q2X", 0);
    assert!(!order.is_worth_keeping());
    order.reports("Purchase", "id", PIXEL);
    assert!(order.is_worth_keeping() && !order.is_begun());
    assert_eq!(order.status(), Status::Unknown);
    assert!(!order.is_over(90 * DAY - 1) && order.is_over(90 * DAY));
}

#[test]
fn a_paid_order_is_unreported_while_tiktok_has_no_sale_of_it() {
    let mut order = registered(99_000, "VND");
    assert!(!order.is_unreported(), "an unpaid order is not unreported");
    order.receive(dong(99_000), 1);
    assert!(order.is_unreported());
    for (name, unreported) in [
        ("PlaceAnOrder", true),
        ("CompletePayment", false),
        ("Purchase", false),
        ("Subscribe", false),
    ] {
        order.reports(name, "id", PIXEL);
        assert_eq!(order.is_unreported(), unreported, "{name}");
        assert!(!order.takes_back(name, "another", PIXEL), "{name}");
        assert!(order.takes_back(name, "id", PIXEL), "{name}");
    }
    assert!(order.is_unreported());
}

#[test]
fn a_payment_carries_the_click_the_browser_and_the_person() {
    let mut order = registered(99_000, "VND");
    let text = event(&json!({
        "event": "InitiateCheckout", "event_time": 1, "event_id": "e",
        "user": { "ttclid": "E.C.P.x", "ttp": "t", "ip": "203.0.113.7", "user_agent": "UA", "email": "page" },
        "page": { "url": "https://shop.example/plans" },
        "properties": { "contents": [{ "content_id": "other" }], "value": 1 },
        "limited_data_use": true,
    }));
    order.is_named_by(&EventText::of(text.as_bytes()).unwrap(), By::Page, 1);
    order.receive(dong(99_000), 2);
    let id = EventId::derive("Subscribe", "PHO7K3M9Q2X");
    let sent = conversion(&order);
    assert_ne!(
        sent["user"]["email"], "page",
        "the server's data must be used, not the page's"
    );
    assert_eq!(
        sent,
        json!({
            "event": "Subscribe", "event_time": 1_767_323_045, "event_id": id.as_str(),
            "user": {
                "ttclid": "E.C.P.x", "ttp": "t", "ip": "203.0.113.7", "user_agent": "UA",
                "email": sent["user"]["email"],
            },
            "page": { "url": "https://shop.example/plans" },
            "properties": {
                "contents": [{ "content_id": "pro", "content_name": "Pro (monthly)", "price": 99_000, "quantity": 1 }],
                "content_type": "product", "value": 99_000, "currency": "VND", "order_id": "PHO7K3M9Q2X",
            },
            "limited_data_use": true,
        })
    );
}

#[test]
fn a_page_names_the_plan_of_an_order_that_nobody_registered() {
    let mut order = begun();
    let text = event(&json!({
        "event": "InitiateCheckout", "event_time": 1, "event_id": "e", "user": {},
        "properties": { "contents": [{ "content_id": "pro" }], "plan_id": "pro", "billing_cycle": "monthly" },
    }));
    order.is_named_by(&EventText::of(text.as_bytes()).unwrap(), By::Page, 1);
    order.receive(dong(50_000), 2);
    let sent = conversion(&order);
    assert_eq!(sent["event"], "Subscribe");
    assert_eq!(sent["properties"]["value"], 50_000);
    assert_eq!(sent["properties"]["contents"][0]["content_id"], "pro");
}

#[test]
fn without_a_plan_it_is_a_purchase() {
    let mut order = begun();
    order.receive(dong(50_000), 2);
    let sent = order.conversion(0).unwrap();
    assert_eq!(sent.name.as_str(), "Purchase");
    assert_eq!(sent.id, EventId::derive("Purchase", "PHO7K3M9Q2X"));
    assert!(!sent.is_attributed);
}

#[test]
fn whoever_names_a_paid_order_is_not_remembered() {
    let mut order = begun();
    order.receive(dong(50_000), 1);
    let text = event(&json!({
        "event": "ViewContent", "event_time": 1, "event_id": "e", "user": { "ttclid": "thief" },
    }));
    order.is_named_by(&EventText::of(text.as_bytes()).unwrap(), By::Page, 2);
    assert_eq!(conversion(&order)["user"], json!({}));
}

#[test]
fn a_pages_word_for_a_payment_waits_for_it_once() {
    let name = |name: &str| EventName::parse(name).unwrap();
    let mut order = registered(99_000, "VND");
    assert_eq!(
        order.gate(&name("CompletePayment"), "own", PIXEL),
        Gate::Hold
    );
    order.hold(Held {
        name: "Purchase".to_owned(),
        until_ms: 1,
        sequence: 7,
        is_derived: false,
        pixel_id: None,
    });
    assert_eq!(order.gate(&name("Purchase"), "own", PIXEL), Gate::Repeat);
    assert_eq!(order.gate(&name("Subscribe"), "own", PIXEL), Gate::Hold);
    // The earlier held event may come from a stranger, so the event with the derived id is held too.
    let derived = EventId::derive("Purchase", order.id());
    assert_eq!(
        order.gate(&name("Purchase"), derived.as_str(), PIXEL),
        Gate::Hold
    );
    order.hold(Held {
        name: "Purchase".to_owned(),
        until_ms: 1,
        sequence: 8,
        is_derived: true,
        pixel_id: None,
    });
    assert_eq!(
        order.gate(&name("Purchase"), derived.as_str(), PIXEL),
        Gate::Repeat
    );
    order.give_up(8);
    order.give_up(7);
    assert_eq!(order.gate(&name("Purchase"), "own", PIXEL), Gate::Hold);
    order.receive(dong(99_000), 2);
    let pass = Gate::Pass {
        received: dong(99_000),
    };
    assert_eq!(order.gate(&name("Purchase"), "own", PIXEL), pass);
    order.reports("Purchase", "id", PIXEL);
    assert_eq!(
        order.gate(&name("CompletePayment"), "own", PIXEL),
        Gate::Repeat
    );
    assert_eq!(order.gate(&name("Subscribe"), "own", PIXEL), pass);
}

#[test]
fn a_page_does_not_say_how_much_was_paid() {
    let text = event(&json!({
        "event": "CompletePayment", "event_time": 1, "event_id": "e", "user": {},
        "properties": { "value": 1_000_000_000, "currency": "USD", "order_id": "A", "note": [1, 2] },
    }));
    let sent = with_payment(text.as_bytes(), dong(99_000)).unwrap();
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!(
        sent["properties"],
        json!({ "value": 99_000, "currency": "VND", "order_id": "A", "note": [1, 2] })
    );
}

#[test]
fn an_order_reads_back_as_it_was_written() {
    let mut order = registered(99_000, "VND");
    order.receive(dong(50_000), 1);
    order.reports("Lead", "x", PIXEL);
    let text = serde_json::to_string(&order).unwrap();
    let again: Order = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
    assert!(!format!("{order:?}").contains(&conversion(&order)["user"]["email"].to_string()));
}

#[test]
fn a_providers_word_pays_whatever_was_registered() {
    let dollars = |minor| Money::of_minor(minor, Currency::parse("USD").unwrap()).unwrap();
    for (due, money, expected) in [
        ((2900, "USD"), dollars(2_900), Received::Differs),
        ((29, "USD"), dollars(2_900), Received::Paid),
        ((29, "USD"), dollars(3_190), Received::Differs),
        ((29, "USD"), dollars(100), Received::Differs),
        ((99_000, "VND"), dollars(390), Received::Differs),
    ] {
        let mut order = registered(due.0, due.1);
        assert_eq!(order.receive_whole(money, 1), expected, "{due:?} {money}");
        assert_eq!(
            (order.status(), order.received()),
            (Status::Paid, Some(money))
        );
        assert_eq!(order.receive_whole(money, 2), Received::PaidBefore);
        let sent = conversion(&order);
        assert_eq!(sent["properties"]["currency"], "USD");
        assert_eq!(sent["properties"]["value"].to_string(), money.number());
        assert_eq!(
            sent["properties"]["contents"][0]["price"].to_string(),
            money.number()
        );
    }
}

#[test]
fn a_currency_that_tiktok_does_not_list_goes_without_its_amount() {
    let dinar = Money::of_minor(29_500, Currency::parse("TND").unwrap()).unwrap();
    let mut order = registered(29, "USD");
    order.receive_whole(dinar, 1);
    let sent = conversion(&order);
    assert_eq!(
        sent["properties"],
        json!({
            "contents": [{ "content_id": "pro", "content_name": "Pro (monthly)", "quantity": 1 }],
            "content_type": "product", "order_id": "PHO7K3M9Q2X",
        })
    );
}

#[test]
fn orders_of_an_older_version_are_read() {
    let old = |bill: &str, received: i64| -> Order {
        let text = format!(
            r#"{{"id":"PHO7K3M9Q2X","touched_ms":7,"begun_ms":5,{bill}"plan":{{}},"visitor":{{"limited_data_use":false}},"received":{received}}}"#
        );
        serde_json::from_str(&text).unwrap()
    };
    let bill = |amount: &str, currency: &str| {
        format!(r#""bill":{{"amount":{amount},"currency":"{currency}","digest":"d"}},"#)
    };
    for (amount, currency, minor) in [
        ("99000.0", "VND", 99_000),
        ("1000000000000.0", "VND", 1_000_000_000_000),
        ("29.0", "USD", 2_900),
        ("29.99", "USD", 2_999),
        ("0.1", "USD", 10),
        ("4.35", "USD", 435),
        ("29.9999", "USD", 2_999),
        ("1.005", "KWD", 1_005),
    ] {
        let order = old(&bill(amount, currency), 0);
        let due = Money::of_minor(minor, Currency::parse(currency).unwrap());
        assert_eq!(order.due(), due, "{amount} {currency}");
        assert_eq!((order.status(), order.received()), (Status::Pending, None));
    }
    let partial = old(&bill("99000.0", "VND"), 50_000);
    assert_eq!(partial.status(), Status::Partial);
    assert_eq!(partial.received(), Some(dong(50_000)));
    assert_eq!(old("", 0).due(), None);
}

#[test]
fn a_registration_is_known_by_the_digest_that_an_older_version_gave_it() {
    let mut order = begun();
    let registration = registration(99_000, "VND");
    order.register(&registration, 0).unwrap();
    let text = serde_json::to_string(&order).unwrap();
    // This is the digest that the former version computed.
    assert!(
        text.contains(r#""digest":"816ed69174f6a7e5c2b7553327b6d14a""#),
        "{text}"
    );
}
