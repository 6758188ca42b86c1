//! Tests the kinds of transfers, and how each kind changes the order.

use serde_json::Value;

use super::*;
use crate::{
    limits::{DELIVERY_MS, WAITING_PAYMENT_MS},
    orders::{Status, Unregistered},
    payments::Kind,
};

const DAY: i64 = 24 * 60 * 60 * 1000;

pub(super) fn dollars(minor: i64) -> Money {
    Money::of_minor(minor, Currency::parse("USD").unwrap()).unwrap()
}

pub(super) fn registration(
    order_id: &str,
    amount: &str,
    currency: &str,
    references: &Value,
) -> Registration {
    let text = format!(
        r#"{{"order_id":"{order_id}","amount":{amount},"currency":"{currency}","references":{references}}}"#
    );
    let raw = RawValue::from_string(text).unwrap();
    Registration::read(&raw, Country::parse("VN")).unwrap()
}

/// Returns a report of the provider "Polar" that names the order by the shop's own id.
pub(super) fn told(kind: Kind, id: &str, money: Money) -> Transfer {
    Transfer {
        kind,
        knows: true,
        ..Transfer::new("polar", id.to_owned(), money, OrderHint::order(ORDER))
    }
}

pub(super) fn taken_back(kind: Kind, id: &str, money: Money, payment: &str) -> Transfer {
    let name = Name::Transfer {
        provider: "polar".to_owned(),
        id: payment.to_owned(),
    };
    Transfer {
        hint: OrderHint::Exact(vec![name]),
        ..told(kind, id, money)
    }
}

impl Shop {
    pub(super) fn register_as(&mut self, order: &Registration, now_ms: i64) -> Registered {
        let to = destination();
        let register = Register {
            order,
            reports: &to.into(),
        };
        self.decide(&register, now_ms)
    }

    pub(super) fn is_registered(&mut self, now_ms: i64) -> Order {
        let order = registration(ORDER, "29.00", "USD", &json!({}));
        self.register_as(&order, now_ms).unwrap()
    }

    /// Lets a page send an event that begins the order.
    pub(super) fn begins(&mut self, now_ms: i64) {
        self.begins_as(ORDER, now_ms);
    }

    fn begins_as(&mut self, order_id: &str, now_ms: i64) {
        let to = destination();
        let name = EventName::parse("InitiateCheckout").unwrap();
        let id = EventId::derive("InitiateCheckout", order_id);
        let json = json!({
            "event": "InitiateCheckout", "event_time": 1, "event_id": id.as_str(),
            "user": { "ttclid": "E.C.P.x", "ip": "203.0.113.7", "email": "e" },
            "page": { "url": "https://shop.example/" },
            "properties": { "order_id": order_id },
        })
        .to_string();
        let note = Note {
            order_id: order_id.to_owned(),
            by: By::Page,
            part: Part::Begins,
        };
        let event = event(&to, DedupKey::of(&to, &name, &id), &note, &json);
        self.decide(&Admit([event].into_iter()), now_ms);
        self.texts.clear();
    }

    /// Lets a page send an event that reports the order as paid.
    fn claims(&mut self, name: &str, now_ms: i64) -> Enqueued {
        let to = destination();
        let id = EventId::derive(name, ORDER);
        let json = json!({
            "event": name, "event_time": 1, "event_id": id.as_str(), "user": {},
            "properties": { "order_id": ORDER },
        })
        .to_string();
        let note = Note {
            order_id: ORDER.to_owned(),
            by: By::Page,
            part: Part::Claims,
        };
        let key = DedupKey::of(&to, &EventName::parse(name).unwrap(), &id);
        let event = event(&to, key, &note, &json);
        self.decide(&Admit([event].into_iter()), now_ms)[0]
    }

    /// Makes every payment expire. Then checks that no lookup leads to a payment any more.
    pub(super) fn forgets_payments(&mut self) {
        let payments: Vec<_> = self.records.payments.keys().cloned().collect();
        let forget = Forget {
            orders: &[],
            payments: &payments,
        };
        self.decide(&forget, 200 * DAY);
        let left = self.records.lookups.iter().filter(|(name, found)| {
            matches!(name, Lookup::Also { .. } | Lookup::Waiting(_)) && !found.is_empty()
        });
        assert_eq!(left.count(), 0);
        assert!(self.records.payments.values().all(Option::is_none));
    }

    pub(super) fn pays(&mut self, transfer: Transfer, now_ms: i64) -> Payment {
        self.pays_by(transfer, None, None, now_ms).payment
    }

    pub(super) fn pays_by(
        &mut self,
        transfer: Transfer,
        renewals: Option<&str>,
        test_event_code: Option<&str>,
        now_ms: i64,
    ) -> Taken {
        let to = Arc::new(Destination {
            pixel_id: "P".to_owned(),
            test_event_code: test_event_code.map(str::to_owned),
        });
        let receipt = Receipt {
            transfer,
            parked: None,
            pattern: None,
            renewals: renewals.map(|name| EventName::parse(name).unwrap()),
            destinations: to.into(),
        };
        self.decide(&Pay(&receipt), now_ms)
    }

    pub(super) fn order(&self) -> Order {
        self.records.orders[ORDER].clone().unwrap()
    }

    pub(super) fn payment(&self, id: &str) -> Payment {
        self.known_payment(id).unwrap()
    }

    pub(super) fn known_payment(&self, id: &str) -> Option<Payment> {
        let key = ("polar".to_owned(), id.to_owned());
        self.records.payments.get(&key).cloned().flatten()
    }

    /// Returns the ids of the withdrawn events.
    pub(super) fn withdrawn(&self) -> Vec<&str> {
        self.records.withdrawn().map(String::as_str).collect()
    }

    pub(super) fn events(&self) -> Vec<(String, Value)> {
        let sent = self.texts.iter().map(|text| {
            let event: Value = serde_json::from_str(text).unwrap();
            let name = event["event"].as_str().unwrap().to_owned();
            (name, event["properties"]["value"].clone())
        });
        sent.collect()
    }
}

#[test]
fn a_providers_word_pays_the_order_and_a_difference_is_on_record() {
    for (money, became, value) in [
        (dollars(2_900), Became::Paid, "29"),
        (dollars(3_190), Became::AmountDiffers, "31.9"),
        (dollars(1_000), Became::AmountDiffers, "10"),
        (dong(750_000), Became::AmountDiffers, "750000"),
    ] {
        let mut shop = Shop::default();
        shop.is_registered(1);
        let payment = shop.pays(told(Kind::First, "1", money), 2);
        assert_eq!(
            (payment.became, payment.became.is_parked()),
            (became, false)
        );
        assert_eq!(shop.order().status(), Status::Paid);
        assert_eq!(shop.events()[0].0, "Purchase");
        assert_eq!(shop.events()[0].1.to_string(), value);
        let second = shop.pays(told(Kind::First, "2", money), 3);
        assert_eq!(second.became, Became::PaidBefore);
        assert_eq!(shop.texts.len(), 1);
    }
}

#[test]
fn sums_are_compared_where_the_provider_does_not_know() {
    for (money, became) in [
        (dollars(2_899), Became::Partial),
        (dollars(2_900), Became::Paid),
        (dollars(2_901), Became::Overpaid),
        (dong(2_900), Became::OtherCurrency),
        (dollars(0), Became::NotCounted),
    ] {
        let mut shop = Shop::default();
        shop.is_registered(1);
        let transfer = Transfer {
            knows: false,
            ..told(Kind::First, "1", money)
        };
        assert_eq!(shop.pays(transfer, 2).became, became, "{money}");
    }
}

#[test]
fn nothing_never_pays_and_the_first_above_it_is_the_sale() {
    let mut shop = Shop::default();
    shop.is_registered(1);
    let trial = shop.pays(told(Kind::First, "trial", dollars(0)), 2);
    assert_eq!(
        (trial.became, trial.became.is_parked()),
        (Became::Free, false)
    );
    assert_eq!(shop.order().status(), Status::Pending);
    let first = shop.pays(told(Kind::Renewal, "first", dollars(2_900)), 3);
    assert_eq!(first.became, Became::Paid);
    assert_eq!(shop.events(), [("Purchase".to_owned(), json!(29))]);
    let second = shop.pays(told(Kind::Renewal, "second", dollars(2_900)), 4);
    assert_eq!(second.became, Became::Renewed);
    assert_eq!(shop.texts.len(), 1);
    assert_eq!(shop.order().net(), Some(dollars(5_800)));
}

#[test]
fn a_payment_that_is_told_under_several_ids_counts_once_in_either_order() {
    let session = || Transfer {
        also: vec!["invoice".to_owned(), "intent".to_owned()],
        ..told(Kind::First, "session", dollars(2_900))
    };
    let invoice = || Transfer {
        also: vec!["intent".to_owned()],
        ..told(Kind::First, "invoice", dollars(2_900))
    };
    for told_so in [[session(), invoice()], [invoice(), session()]] {
        let mut shop = Shop::default();
        shop.is_registered(1);
        let [first, second] = told_so;
        assert_eq!(shop.pays(first.clone(), 2).became, Became::Paid);
        for again in [&second, &first, &second] {
            assert!(shop.pays_by(again.clone(), None, None, 3).is_repeat);
        }
        assert_eq!(shop.texts.len(), 1);
        assert_eq!(shop.order().received(), Some(dollars(2_900)));
        // A renewal is another payment than the first payment of its subscription, even if both have an id in common.
        let renewal = Transfer {
            also: vec!["intent".to_owned()],
            ..told(Kind::Renewal, "next", dollars(2_900))
        };
        assert_eq!(shop.pays(renewal, 4).became, Became::Renewed);
        shop.forgets_payments();
    }
}

#[test]
fn a_payment_that_did_not_name_its_order_finds_it_when_it_is_told_again() {
    let mut shop = Shop::default();
    shop.is_registered(1);
    let invoice = Transfer {
        hint: OrderHint::Exact(Vec::new()),
        ..told(Kind::First, "invoice", dollars(2_900))
    };
    assert_eq!(shop.pays(invoice.clone(), 2).became, Became::Unmatched);
    assert!(shop.pays_by(invoice, None, None, 3).is_repeat);
    let session = Transfer {
        also: vec!["invoice".to_owned()],
        ..told(Kind::First, "session", dollars(2_900))
    };
    let taken = shop.pays_by(session, None, None, 4);
    assert_eq!(
        (taken.is_repeat, taken.payment.became),
        (false, Became::Paid)
    );
    assert_eq!(shop.payment("invoice").became, Became::Paid);
    assert_eq!(shop.texts.len(), 1);
    shop.forgets_payments();
}

#[test]
fn money_that_went_back_finds_its_payment_under_an_id_that_is_told_later() {
    let mut shop = Shop::default();
    shop.is_registered(1);
    shop.pays(told(Kind::First, "invoice", dollars(2_900)), 2);
    shop.pays(taken_back(Kind::Refund, "back", dollars(900), "session"), 3);
    assert_eq!(shop.order().net(), Some(dollars(2_900)));
    let session = Transfer {
        also: vec!["invoice".to_owned()],
        ..told(Kind::First, "session", dollars(2_900))
    };
    assert!(shop.pays_by(session, None, None, 4).is_repeat);
    assert_eq!(shop.order().net(), Some(dollars(2_000)));
    shop.forgets_payments();
}

#[test]
fn a_payment_waits_for_the_shops_server_and_not_for_a_page() {
    let by_reference = |knows| Transfer {
        knows,
        hint: OrderHint::Exact(vec![Name::Reference {
            provider: "payos".to_owned(),
            code: "92704".to_owned(),
        }]),
        ..told(Kind::First, "1", dollars(2_900))
    };
    let by_id = |knows| Transfer {
        knows,
        ..told(Kind::First, "1", dollars(2_900))
    };
    let order = registration(ORDER, "29", "USD", &json!({ "payos": 92704 }));
    for transfer in [
        by_reference(true),
        by_reference(false),
        by_id(true),
        by_id(false),
    ] {
        for (days, is_paid) in [(0, true), (29, true), (30, false)] {
            let mut shop = Shop::default();
            let parked = shop.pays(transfer.clone(), 1);
            assert_eq!(
                (parked.became, parked.became.is_parked()),
                (Became::Unmatched, true)
            );
            shop.begins(2);
            assert!(shop.pays_by(transfer.clone(), None, None, 3).is_repeat);
            assert_eq!(shop.order().status(), Status::Pending);
            let now_ms = 1 + days * DAY;
            assert_eq!(WAITING_PAYMENT_MS, 30 * DAY);
            let status = shop.register_as(&order, now_ms).unwrap().status();
            assert_eq!(status == Status::Paid, is_paid, "{days} days");
            assert_eq!(shop.texts.len(), usize::from(is_paid));
            let became = [Became::Unmatched, Became::Paid][usize::from(is_paid)];
            assert_eq!(shop.payment("1").became, became);
            // If the order is registered again, the payment is not applied again.
            shop.register_as(&order, now_ms).unwrap();
            assert_eq!(shop.texts.len(), usize::from(is_paid));
            shop.forgets_payments();
        }
    }
}

#[test]
fn an_order_that_is_registered_first_is_found_by_its_reference() {
    let mut shop = Shop::default();
    let order = registration(
        ORDER,
        "29",
        "USD",
        &json!({ "payos": 92704, "vnpay": "T1" }),
    );
    shop.register_as(&order, 1).unwrap();
    let other = registration("OTHER00001", "29", "USD", &json!({ "payos": "92704" }));
    let taken = shop.register_as(&other, 2).unwrap_err();
    assert_eq!(taken, Unregistered::ReferenceTaken);
    // If an order is registered again, references that the new registration does not repeat are removed. If an order
    // expires, all its references are removed.
    let fewer = registration(ORDER, "29", "USD", &json!({ "payos": 92704 }));
    shop.register_as(&fewer, 3).unwrap();
    let vnpay = registration("OTHER00002", "29", "USD", &json!({ "vnpay": "T1" }));
    shop.register_as(&vnpay, 4).unwrap();
    assert_eq!(
        shop.register_as(&other, 4 + 30 * DAY).unwrap().id(),
        "OTHER00001"
    );
    let named = |provider: &str, code: &str| Name::Reference {
        provider: provider.to_owned(),
        code: code.to_owned(),
    };
    let mut transfer = told(Kind::First, "1", dollars(2_900));
    transfer.hint = OrderHint::Exact(vec![named("vnpay", "92704"), named("payos", "92704")]);
    let payment = shop.pays(transfer, 5 + 30 * DAY);
    assert_eq!(payment.order_id.as_deref(), Some("OTHER00001"));
}

#[test]
fn an_order_that_a_page_begins_under_anothers_reference_does_not_get_its_payment() {
    for is_begun_first in [false, true] {
        let mut shop = Shop::default();
        let order = registration(ORDER, "29", "USD", &json!({ "vnpay": "TXN999999" }));
        if is_begun_first {
            shop.begins_as("TXN999999", 1);
        }
        shop.register_as(&order, 2).unwrap();
        if !is_begun_first {
            shop.begins_as("TXN999999", 3);
        }
        let mut transfer = told(Kind::First, "1", dollars(2_900));
        transfer.hint = OrderHint::Exact(vec![
            Name::Order("TXN999999".to_owned()),
            Name::Reference {
                provider: "vnpay".to_owned(),
                code: "TXN999999".to_owned(),
            },
        ]);
        let payment = shop.pays(transfer, 4);
        assert_eq!(payment.order_id.as_deref(), Some(ORDER), "{is_begun_first}");
    }
}

#[test]
fn money_that_goes_back_is_kept_whenever_it_comes_and_nets() {
    for kind in [Kind::Refund, Kind::Chargeback, Kind::Void] {
        for is_named_by_payment in [false, true] {
            for is_first in [false, true] {
                let mut shop = Shop::default();
                shop.is_registered(1);
                let paid = told(Kind::First, "1", dollars(2_900));
                let back = if is_named_by_payment {
                    taken_back(kind, "back", dollars(900), "1")
                } else {
                    told(kind, "back", dollars(900))
                };
                let (one, other) = if is_first { (back, paid) } else { (paid, back) };
                shop.pays(one, 2);
                shop.pays(other, 3);
                let order = shop.order();
                assert_eq!(order.net(), Some(dollars(2_000)), "{kind:?} {is_first}");
                assert_eq!(order.status(), Status::Paid);
                assert_eq!(shop.payment("back").became, Became::Returned);
                // A refund of a part does not change the event that was sent.
                assert_eq!(shop.events(), [("Purchase".to_owned(), json!(29))]);
                assert_eq!(shop.withdrawn(), [""; 0]);
                shop.forgets_payments();
            }
        }
    }
}

#[test]
fn a_sale_that_is_taken_back_as_a_whole_is_withdrawn_unless_its_event_is_gone() {
    let id = EventId::derive("Purchase", ORDER);
    for (after_ms, withdrawn) in [(1, &[id.as_str()][..]), (DELIVERY_MS, &[])] {
        let mut shop = Shop::default();
        shop.is_registered(1);
        shop.pays(told(Kind::First, "1", dollars(2_900)), 2);
        shop.pays(told(Kind::Refund, "a", dollars(2_000)), 2 + after_ms);
        assert_eq!(shop.withdrawn(), [""; 0]);
        shop.pays(told(Kind::Refund, "b", dollars(900)), 2 + after_ms);
        assert_eq!(shop.withdrawn(), withdrawn);
        let order = shop.order();
        assert_eq!(
            (order.status(), order.net()),
            (Status::Paid, Some(dollars(0)))
        );
        assert!(order.is_returned() && !order.is_unreported());
        shop.decide(&Withdraw(ORDER), 3 + after_ms);
        assert_eq!(shop.withdrawn(), [""; 0]);
    }
}

#[test]
fn a_sale_that_was_taken_back_before_it_was_known_is_not_reported() {
    let mut shop = Shop::default();
    shop.begins(1);
    shop.pays(told(Kind::Refund, "back", dollars(2_900)), 2);
    shop.pays(told(Kind::First, "1", dollars(2_900)), 3);
    assert_eq!(shop.texts.len(), 0);
    assert!(shop.order().is_returned() && !shop.order().is_unreported());
    let held = shop.claims("Purchase", 4);
    assert_eq!(
        held,
        Enqueued::Duplicate,
        "a page's event must not report the sale either"
    );
}

#[test]
fn the_refund_of_a_second_payment_takes_nothing_from_the_sale() {
    let mut shop = Shop::default();
    shop.is_registered(1);
    shop.pays(told(Kind::First, "1", dollars(2_900)), 2);
    let twice = shop.pays(told(Kind::First, "2", dollars(2_900)), 3);
    assert_eq!(twice.became, Became::PaidBefore);
    shop.pays(taken_back(Kind::Refund, "back", dollars(2_900), "2"), 4);
    assert_eq!(shop.order().net(), Some(dollars(2_900)));
    assert_eq!(shop.withdrawn(), [""; 0]);
}

#[test]
fn an_attempt_that_is_cancelled_takes_nothing_from_the_next() {
    let mut shop = Shop::default();
    shop.is_registered(1);
    shop.pays(taken_back(Kind::Void, "void", dollars(2_900), "1"), 2);
    shop.pays(told(Kind::First, "2", dollars(2_900)), 3);
    assert_eq!(shop.order().net(), Some(dollars(2_900)));
    assert_eq!(shop.texts.len(), 1);
}

#[test]
fn renewals_are_on_record_and_reported_where_the_shop_wants_that() {
    for (days, has_click) in [(10, true), (30, false)] {
        let mut shop = Shop::default();
        shop.is_registered(1);
        shop.begins(1);
        shop.pays(told(Kind::First, "1", dollars(2_900)), 2);
        let now_ms = 1 + days * DAY;
        let quiet = shop.pays(told(Kind::Renewal, "2", dollars(2_900)), now_ms);
        assert_eq!(
            (quiet.became, quiet.became.is_parked()),
            (Became::Renewed, false)
        );
        assert_eq!(shop.texts.len(), 1);
        let renewal = told(Kind::Renewal, "3", dollars(3_100));
        for is_repeat in [false, true] {
            let taken = shop.pays_by(renewal.clone(), Some("Subscribe"), None, now_ms);
            assert_eq!(taken.is_repeat, is_repeat);
        }
        assert_eq!(shop.texts.len(), 2);
        let sent: Value = serde_json::from_str(&shop.texts[1]).unwrap();
        let order_id = format!("{ORDER}/3");
        let id = EventId::derive("Subscribe", &order_id);
        assert_eq!(sent["event"], "Subscribe");
        assert_eq!(sent["event_id"], id.as_str());
        assert_eq!(
            sent["properties"],
            json!({ "value": 31, "currency": "USD", "order_id": order_id })
        );
        assert_eq!(
            sent["user"].get("ttclid").is_some(),
            has_click,
            "{days} days"
        );
        assert_eq!(sent["user"].get("ip").is_some(), has_click);
        assert_eq!(sent["user"]["email"], "e");
        assert_eq!(shop.order().net(), Some(dollars(8_900)));
    }
}

#[test]
fn a_renewal_of_a_forgotten_order_is_on_record_without_an_alarm() {
    let mut shop = Shop::default();
    let renewal = told(Kind::Renewal, "2", dollars(2_900));
    let payment = shop.pays_by(renewal, Some("Subscribe"), None, 1).payment;
    assert_eq!(
        (payment.became, payment.became.is_parked()),
        (Became::Renewed, false)
    );
    assert_eq!(shop.texts.len(), 0);
    // If a page begins the order again, the renewal does not pay the order. After 30 days, the renewal does not pay the
    // order even if the shop's server registers the order.
    shop.begins(2);
    assert_eq!(shop.order().status(), Status::Pending);
    let late = shop.is_registered(1 + WAITING_PAYMENT_MS);
    assert_eq!(late.status(), Status::Pending);
}

#[test]
fn test_payments_are_on_record_and_reported_as_tests_alone() {
    for (code, became, sent) in [(None, Became::Test, 0), (Some("TEST1"), Became::Paid, 1)] {
        let mut shop = Shop::default();
        shop.is_registered(1);
        let transfer = Transfer {
            is_test: true,
            ..told(Kind::First, "1", dollars(2_900))
        };
        let payment = shop.pays_by(transfer, None, code, 2).payment;
        assert_eq!((payment.became, shop.texts.len()), (became, sent));
        assert_eq!(payment.became.is_parked(), code.is_none(), "never silent");
        assert_eq!(payment.order_id.as_deref(), Some(ORDER));
    }
}
