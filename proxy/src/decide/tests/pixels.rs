//! Tests that a payment is reported to each pixel of its order, and only once to each pixel.

use super::*;
use crate::orders::Status;

const A: &str = "CAAAAAAAAAAAAAAAAAAA";
const B: &str = "CBBBBBBBBBBBBBBBBBBB";
const C: &str = "CCCCCCCCCCCCCCCCCCCC";

fn to(pixel_id: &str) -> To {
    Arc::new(Destination {
        pixel_id: pixel_id.to_owned(),
        test_event_code: None,
    })
}

/// Returns destinations for these pixels, in this sequence.
fn configured(pixel_ids: &[&str]) -> Destinations {
    let mut all = pixel_ids.iter().map(|id| to(id));
    Destinations {
        first: all.next().unwrap(),
        others: all.collect(),
    }
}

impl Shop {
    /// Lets a page send an event about the order to some pixels. The events of all pixels have the same id.
    fn page(&mut self, name: &str, part: Part, pixel_ids: &[&str]) -> Vec<Enqueued> {
        let id = EventId::derive(name, ORDER);
        let json = json!({
            "event": name, "event_time": 1, "event_id": id.as_str(), "user": { "ttclid": "c" },
            "properties": { "order_id": ORDER },
        });
        let (json, name) = (json.to_string(), EventName::parse(name).unwrap());
        let note = Note {
            order_id: ORDER.to_owned(),
            by: By::Page,
            part,
        };
        let to: Vec<_> = pixel_ids.iter().map(|id| to(id)).collect();
        let events = to
            .iter()
            .map(|to| event(to, DedupKey::of(to, &name, &id), &note, &json));
        self.decide(&Admit(events), 1)
    }

    fn registers(&mut self, pixel_ids: &[&str], configured: &Destinations) {
        let order = json!({
            "order_id": ORDER, "amount": 99_000, "currency": "VND", "pixel_ids": pixel_ids,
        });
        let raw = RawValue::from_string(order.to_string()).unwrap();
        let order = Registration::read(&raw, Country::parse("VN")).unwrap();
        let register = Register {
            order: &order,
            reports: &Reports {
                destinations: configured.clone(),
                renewals: None,
            },
        };
        assert!(self.decide(&register, 2).is_ok());
    }

    /// Applies the payment of the order. Returns the pixels that get the payment's event, each with the event's id.
    fn is_paid(&mut self, configured: &Destinations) -> Vec<(String, String)> {
        self.sent.clear();
        let receipt = Receipt {
            destinations: configured.clone(),
            ..receipt(&configured.first)
        };
        assert_eq!(self.decide(&Pay(&receipt), 3).payment.became, Became::Paid);
        std::mem::take(&mut self.sent)
    }
}

fn told(pixel_ids: &[&str], name: &str) -> Vec<(String, String)> {
    let id = EventId::derive(name, ORDER);
    let told = pixel_ids.iter();
    told.map(|pixel| ((*pixel).to_owned(), id.as_str().to_owned()))
        .collect()
}

#[test]
fn a_payment_goes_to_the_pixels_of_its_orders_events_then_of_its_registration_then_to_the_first() {
    for (begun, registered, now, expected) in [
        (&[B, C][..], &[A][..], &[A, B, C][..], &[B, C][..]),
        (&[B], &[], &[A, B, C], &[B]),
        (&[], &[C, B], &[A, B, C], &[C, B]),
        (&[], &[], &[A, B, C], &[A]),
        // A pixel that is no longer configured is left out.
        (&[B, C], &[A], &[A, C], &[C]),
        (&[B], &[C], &[A, C], &[C]),
        (&[B], &[], &[A, C], &[A]),
    ] {
        let mut shop = Shop::default();
        let now = configured(now);
        shop.registers(registered, &now);
        for pixel_id in begun {
            // The second event is a repeat of the first, so it changes nothing.
            for _ in 0..2 {
                shop.page("InitiateCheckout", Part::Begins, &[pixel_id]);
            }
        }
        let expected = told(expected, "Purchase");
        assert_eq!(shop.is_paid(&now), expected, "{begun:?} {registered:?}");
    }
}

#[test]
fn an_event_for_two_pixels_is_accepted_for_each_and_waits_for_each() {
    let mut shop = Shop::default();
    let both = configured(&[A, B]);
    let held = [Enqueued::Held, Enqueued::Held];
    assert_eq!(shop.page("CompletePayment", Part::Claims, &[A, B]), held);
    let repeats = [Enqueued::Duplicate, Enqueued::Duplicate];
    assert_eq!(shop.page("CompletePayment", Part::Claims, &[B, A]), repeats);
    assert_eq!(
        shop.page("Lead", Part::Mentions, &[A, B]),
        [Enqueued::Accepted; 2]
    );
    shop.sent.clear();
    // The released events report the sale, so the payment makes no event of its own.
    assert_eq!(shop.is_paid(&both), told(&[A, B], "CompletePayment"));
    assert_eq!(shop.page("Purchase", Part::Claims, &[A, B]), repeats);
    assert_eq!(shop.page("Purchase", Part::Reports, &[A, B]), repeats);
}

#[test]
fn a_held_event_goes_to_its_own_pixel_and_the_others_get_the_payments() {
    let mut shop = Shop::default();
    let both = configured(&[A, B]);
    shop.page("InitiateCheckout", Part::Begins, &[A, B]);
    shop.page("CompletePayment", Part::Claims, &[B]);
    let mut sent = shop.is_paid(&both);
    sent.sort();
    let mut expected = told(&[B], "CompletePayment");
    expected.extend(told(&[A], "Purchase"));
    expected.sort();
    assert_eq!(sent, expected);
}

#[test]
fn a_sale_that_one_pixel_lacks_is_missing_once_until_it_is_sent_again() {
    let mut shop = Shop::default();
    let both = configured(&[A, B]);
    shop.page("InitiateCheckout", Part::Begins, &[A, B]);
    let sent = shop.is_paid(&both);
    let letter = |(pixel_id, event_id): &(String, String)| DeadLetter {
        outcome: "refused".to_owned(),
        ended_at_ms: 4,
        code: None,
        message: None,
        request_id: None,
        accepted_at_ms: 3,
        destination: to(pixel_id),
        event: RawValue::from_string(
            json!({
                "event": "Purchase", "event_time": 1, "event_id": event_id, "user": {},
                "properties": { "order_id": ORDER },
            })
            .to_string(),
        )
        .unwrap(),
        trace: Trace::default(),
    };
    let letters: Vec<_> = sent.iter().map(letter).collect();
    let mut unreported = Vec::new();
    for letter in [&letters[1], &letters[0], &letters[1]] {
        shop.decide(&TakeBack(letter), 5);
        unreported.push(shop.unreported);
    }
    assert_eq!(unreported, [1, 1, 1]);
    let (b, a) = (LetterId::new(4, 1), LetterId::new(4, 2));
    for (id, letter, left) in [(b, &letters[1], 1), (a, &letters[0], 0)] {
        shop.records.letters.insert(id, Some(letter.clone()));
        shop.sent.clear();
        assert_eq!(shop.decide(&Replay(&[(id, letter.clone())]), 6), 1);
        assert_eq!(shop.sent[0].0, letter.destination.pixel_id);
        assert_eq!(shop.unreported, left);
    }
    let order = shop.records.orders[ORDER].as_ref().unwrap();
    assert_eq!(order.status(), Status::Paid);
    assert!(!order.is_unreported());
}

#[test]
fn a_test_payment_is_reported_only_if_every_pixel_has_a_test_code() {
    let of = |pixel_id: &str, code: Option<&str>| {
        Arc::new(Destination {
            pixel_id: pixel_id.to_owned(),
            test_event_code: code.map(str::to_owned),
        })
    };
    for (codes, became) in [
        ([Some("TEST1"), Some("TEST2")], Became::Paid),
        ([Some("TEST1"), None], Became::Test),
        ([None, Some("TEST2")], Became::Test),
        ([None, None], Became::Test),
    ] {
        let mut shop = Shop::default();
        let [first, second] = codes;
        let destinations = Destinations {
            first: of("A", first),
            others: vec![of("B", second)],
        };
        shop.registers(&["A", "B"], &destinations);
        let receipt = receipt(&destinations.first);
        let transfer = Transfer {
            is_test: true,
            ..receipt.transfer
        };
        let receipt = Receipt {
            transfer,
            destinations,
            ..receipt
        };
        let payment = shop.decide(&Pay(&receipt), 3).payment;
        assert_eq!(payment.became, became, "{codes:?}");
        assert_eq!(payment.became.is_parked(), became == Became::Test);
    }
}
