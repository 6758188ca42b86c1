//! Tests decisions. The books, which a decision reads, are in memory.

use std::{cell::RefCell, sync::LazyLock};

use duet_events::{Country, EventId, EventName, order::Order as Registration};
use serde_json::{json, value::RawValue};

use super::*;
use crate::{
    history::{Salt, Sender, Trace},
    money::{Currency, Money},
    orders::{By, Order},
    payments::{Name, OrderHint, Transfer, memo::Memo},
};

mod back;
mod kinds;
mod out_of_order;

const ORDER: &str = "PHO7K3M9Q2X";

mod pixels;

static TRACE: LazyLock<Trace> = LazyLock::new(|| Trace::new(Sender::Page, None, &[]));

fn dong(minor: i64) -> Money {
    Money::of_minor(minor, Currency::VND).unwrap()
}

/// Books without any records.
struct Empty;

impl Books for Empty {
    type Error = Fault;

    fn salt(&self) -> Salt {
        Salt::from([7; 16])
    }

    fn order(&self, _: &str) -> Result<Option<Order>, Fault> {
        Ok(None)
    }

    fn found(&self, _: &Lookup) -> Result<Vec<String>, Fault> {
        Ok(Vec::new())
    }

    fn payment(&self, _: &str, _: &str) -> Result<Option<Payment>, Fault> {
        Ok(None)
    }

    fn held(&self, _: HeldId) -> Result<Option<HeldEvent>, Fault> {
        Ok(None)
    }

    fn letter(&self, _: LetterId) -> Result<Option<DeadLetter>, Fault> {
        Ok(None)
    }

    fn has_letter(&self, _: LetterId) -> Result<bool, Fault> {
        Ok(false)
    }

    fn knows(&self, _: &DedupKey, _: i64) -> Result<bool, Fault> {
        Ok(false)
    }

    fn next_number(&self) -> u64 {
        0
    }
}

/// Books that panic if a decision reads a record that its call has not named in advance.
struct Named<'a, B> {
    books: &'a B,
    /// The records that the decision may read. Each record that is read can add further records.
    reads: RefCell<Reads>,
}

impl<B: Books> Named<'_, B> {
    fn may_read_order(&self, id: &str) {
        let is_named = self.reads.borrow().orders.contains(id);
        assert!(
            is_named,
            "the call must name the order {id} before it is read"
        );
    }
}

impl<B: Books> Books for Named<'_, B> {
    type Error = B::Error;

    fn order(&self, id: &str) -> Result<Option<Order>, B::Error> {
        self.may_read_order(id);
        let order = self.books.order(id)?;
        if let Some(order) = &order {
            self.reads.borrow_mut().with_order(order);
        }
        Ok(order)
    }

    fn found(&self, name: &Lookup) -> Result<Vec<String>, B::Error> {
        let is_named = self.reads.borrow().lookups.contains(name);
        assert!(is_named, "the call must name {name:?} before it is read");
        let found = self.books.found(name)?;
        self.reads.borrow_mut().with_found(name, &found);
        Ok(found)
    }

    fn payment(&self, provider: &str, id: &str) -> Result<Option<Payment>, B::Error> {
        let key = (provider.to_owned(), id.to_owned());
        let is_named = self.reads.borrow().payments.contains(&key);
        assert!(
            is_named,
            "the call must name the payment {id} before it is read"
        );
        let payment = self.books.payment(provider, id)?;
        if let Some(payment) = &payment {
            self.reads.borrow_mut().with_payment(payment);
        }
        Ok(payment)
    }

    fn held(&self, id: HeldId) -> Result<Option<HeldEvent>, B::Error> {
        let held = self.books.held(id)?;
        if let Some(held) = &held {
            self.may_read_order(&held.order_id);
        }
        Ok(held)
    }

    fn letter(&self, id: LetterId) -> Result<Option<DeadLetter>, B::Error> {
        assert!(self.reads.borrow().letters.contains(&id));
        self.books.letter(id)
    }

    fn has_letter(&self, id: LetterId) -> Result<bool, B::Error> {
        assert!(self.reads.borrow().letters.contains(&id));
        self.books.has_letter(id)
    }

    fn knows(&self, key: &DedupKey, expiry_ms: i64) -> Result<bool, B::Error> {
        assert!(self.reads.borrow().keys.contains_key(key));
        self.books.knows(key, expiry_ms)
    }

    fn salt(&self) -> Salt {
        self.books.salt()
    }

    fn next_number(&self) -> u64 {
        self.books.next_number()
    }
}

/// The records after all decisions so far, and the events that these decisions sent.
#[derive(Default)]
struct Shop {
    records: Records,
    numbers: u64,
    arrivals: usize,
    /// The pixel and the id of each event that was sent.
    sent: Vec<(String, String)>,
    /// The text of each event that was sent.
    texts: Vec<String>,
    notices: Vec<Notice>,
    /// How many paid orders are not reported.
    unreported: i64,
}

impl Shop {
    /// Decides a call and applies the changes. Checks that the decision reads only the records that the call has named.
    fn decide<'a, D: Decision<'a>>(&mut self, call: &D, now_ms: i64) -> D::Reply {
        let books = Layered {
            below: &Empty,
            above: &self.records,
            numbers: self.numbers,
        };
        let named = Named {
            books: &books,
            reads: RefCell::new(call.reads()),
        };
        let (changes, reply) = call.decide(&named, Times::undoubted(now_ms)).unwrap();
        self.arrivals += changes.arrivals.len();
        for arrival in &changes.arrivals {
            let event = std::str::from_utf8(&arrival.event).unwrap();
            self.texts.push(event.to_owned());
            let event_id = super::Named::of(event).event_id.into_owned();
            let pixel_id = arrival.destination.pixel_id.clone();
            self.sent.push((pixel_id, event_id));
        }
        self.notices.extend(changes.notices);
        self.unreported += changes.counts.unreported;
        self.numbers += changes.numbers;
        self.records.extend(changes.records);
        reply
    }
}

fn destination() -> To {
    Arc::new(Destination {
        pixel_id: "P".to_owned(),
        test_event_code: None,
    })
}

fn event<'a>(to: &'a To, key: DedupKey, note: &'a Note, json: &'a str) -> Event<'a> {
    Event {
        key,
        remember: Remember::Days90,
        destination: to,
        class: Class::Second,
        trace: &TRACE,
        note: Some(note),
        json: json.as_bytes(),
    }
}

fn receipt(to: &To) -> Receipt {
    Receipt {
        transfer: Transfer::new(
            "sepay",
            "1".to_owned(),
            dong(99_000),
            OrderHint::Memo(Memo {
                code: None,
                content: format!("{ORDER} chuyen tien"),
                description: String::new(),
            }),
        ),
        parked: None,
        pattern: None,
        renewals: None,
        destinations: Arc::clone(to).into(),
    }
}

#[test]
fn every_call_reads_only_what_it_names_in_advance() {
    let to = destination();
    let mut shop = Shop::default();
    let order = json!({ "order_id": ORDER, "amount": 99_000, "currency": "VND", "plan_id": "pro" });
    let raw = RawValue::from_string(order.to_string()).unwrap();
    let order = Registration::read(&raw, Country::parse("VN")).unwrap();
    let register = Register {
        order: &order,
        reports: &Arc::clone(&to).into(),
    };
    assert!(shop.decide(&register, 1).is_ok());

    let name = EventName::parse("Subscribe").unwrap();
    let id = EventId::derive("Subscribe", ORDER);
    let json = json!({
        "event": "Subscribe", "event_time": 1, "event_id": id.as_str(), "user": {},
        "properties": { "order_id": ORDER },
    })
    .to_string();
    let note = Note {
        order_id: ORDER.to_owned(),
        by: By::Page,
        part: Part::Claims,
    };
    let event = event(&to, DedupKey::of(&to, &name, &id), &note, &json);
    let admit = Admit([event, event].into_iter());
    let held = [Enqueued::Held, Enqueued::Duplicate];
    assert_eq!(shop.decide(&admit, 2), held);
    let (held_id, _) = shop.records.held.first_key_value().unwrap();
    let give_up = GiveUp {
        id: *held_id,
        order_id: ORDER,
    };
    assert!(!shop.decide(&give_up, 3));
    assert!(shop.decide(&give_up, 4 + crate::limits::HOLD_MS));

    let letters: Vec<_> = shop.records.letters.clone().into_iter().collect();
    let letters: Vec<_> = letters
        .into_iter()
        .filter_map(|(id, letter)| Some((id, letter?)))
        .collect();
    assert_eq!(shop.decide(&Replay(&letters), 5), 1);
    shop.decide(&TakeBack(&letters[0].1), 6);
    assert_eq!(shop.decide(&Remove(&[letters[0].0]), 7), 0);

    let receipt = receipt(&to);
    assert_eq!(shop.decide(&Pay(&receipt), 8).payment.became, Became::Paid);
    assert_eq!(shop.arrivals, 1);
    let forget = Forget {
        orders: &[ORDER.to_owned()],
        payments: &[("sepay".to_owned(), "1".to_owned())],
    };
    shop.decide(&forget, 9);
    assert_eq!(shop.decide(&Withdraw(ORDER), 10), Some(0));
}

#[test]
fn a_sale_counts_once_whoever_reports_it_after_the_bank() {
    let to = destination();
    let mut shop = Shop::default();
    let stated = |name: &str, note: &Note| {
        let id = EventId::derive(name, ORDER);
        let json = json!({
            "event": name, "event_time": 1, "event_id": id.as_str(), "user": { "ttclid": "c" },
            "properties": { "order_id": ORDER },
        });
        let key = DedupKey::of(&to, &EventName::parse(name).unwrap(), &id);
        (key, json.to_string(), note.clone())
    };
    let note = |by, part| Note {
        order_id: ORDER.to_owned(),
        by,
        part,
    };
    let admit = |shop: &mut Shop, (key, json, note): (DedupKey, String, Note)| {
        let event = event(&to, key, &note, &json);
        shop.decide(&Admit([event].into_iter()), 1)[0]
    };
    let begins = stated("InitiateCheckout", &note(By::Page, Part::Begins));
    assert_eq!(admit(&mut shop, begins), Enqueued::Accepted);
    let receipt = receipt(&to);
    assert_eq!(shop.decide(&Pay(&receipt), 2).payment.became, Became::Paid);
    for name in ["CompletePayment", "Purchase"] {
        for (by, part) in [(By::Page, Part::Claims), (By::Server, Part::Reports)] {
            let again = stated(name, &note(by, part));
            assert_eq!(
                admit(&mut shop, again),
                Enqueued::Duplicate,
                "{name} {by:?}"
            );
        }
    }
    assert_eq!(shop.arrivals, 2);
}

#[test]
fn an_operator_is_told_what_becomes_of_a_paid_orders_event() {
    let to = destination();
    let mut shop = Shop::default();
    let mut order = Order::begin(ORDER, 0);
    order.receive(dong(99_000), 1);
    order.reports("Subscribe", "s", &to.pixel_id);
    shop.records.orders.insert(ORDER.to_owned(), Some(order));
    let event = json!({
        "event": "Subscribe", "event_time": 1, "event_id": "s", "user": {},
        "properties": { "order_id": ORDER },
    });
    let letter = DeadLetter {
        outcome: "refused".to_owned(),
        ended_at_ms: 2,
        code: None,
        message: None,
        request_id: None,
        accepted_at_ms: 1,
        destination: to,
        event: RawValue::from_string(event.to_string()).unwrap(),
        trace: Trace::default(),
    };
    let letters = [7, 8].map(|sequence| (LetterId::new(2, sequence), letter.clone()));
    for (id, letter) in &letters {
        shop.records.letters.insert(*id, Some(letter.clone()));
    }
    shop.decide(&TakeBack(&letter), 3);
    shop.decide(&TakeBack(&letter), 4);
    // The second dead letter is an event of the same sale, so it is not sent.
    assert_eq!(shop.decide(&Replay(&letters), 5), 1);
    let order_id = ORDER.to_owned();
    let unreported = Notice::Unreported {
        order_id: order_id.clone(),
        outcome: "refused".to_owned(),
    };
    let not_sent_again = Notice::NotSentAgain {
        order_id,
        event_id: "s".to_owned(),
    };
    assert_eq!(shop.notices, [unreported, not_sent_again]);
}

#[test]
fn keys_are_found_however_many_there_are() {
    let mut keys = Keys::default();
    for number in 0..40 {
        let until_ms = i64::try_from(number).unwrap();
        let remember = Remember::Hours48;
        keys.insert(
            DedupKey::numbered(number % 30),
            Remembered { remember, until_ms },
        );
        for known in 0..30 {
            let last = (0..=number).rev().find(|number| number % 30 == known);
            let found = keys.get(&DedupKey::numbered(known));
            let until_ms = found.map(|found| found.until_ms);
            assert_eq!(until_ms, last.map(|last| i64::try_from(last).unwrap()));
        }
    }
    assert_eq!(keys.iter().count(), 40);
}
