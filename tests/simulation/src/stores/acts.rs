//! The calls that the tests make on both stores. They are drawn at random.

use std::sync::Arc;

use duet_events::{Country, EventId, EventName, order::Order as Registration};
use duet_proxy::{
    decide::{Class, DedupKey, Destination, Note, Part, Receipt, Remember},
    history::Trace,
    orders::By,
    payments::{Kind, Name, OrderHint, Transfer, memo::Memo},
    queue::Entry,
};
use proptest::prelude::*;
use serde_json::{Value, json, value::RawValue};

use crate::shop::dong;

/// The order ids. The last order is used only by a commit that has something to sync.
pub(super) const ORDERS: [&str; 6] = [
    "PHO7K3M9Q2X",
    "pho-7k3m9q2x",
    "PHO7K3M9Q2XCHUYEN",
    "ORDER00002",
    "ORDER00003",
    "SYNCED0004",
];
/// How many of the orders the calls use.
const CALLED: usize = 5;

#[derive(Clone, Debug)]
pub(super) enum Act {
    Send(Vec<Sent>),
    /// Registers an order with an amount, and an id by which the provider knows the order.
    Register(usize, i64, Option<u8>),
    Pay(usize, u8, i64),
    Card(Card),
    Withdraw(usize),
    Replay,
    Remove,
    /// Claims some events, and ends those events whose bit is set.
    Deliver {
        most: usize,
        bits: u8,
        dead: bool,
    },
    Hours(i64),
}

/// A notification from a card provider, which itself knows that the amount is right.
#[derive(Clone, Debug)]
pub(super) struct Card {
    pub(super) id: u8,
    pub(super) also: Option<u8>,
    pub(super) kind: Kind,
    pub(super) name: Name,
    pub(super) amount: i64,
}

#[derive(Clone, Debug)]
pub(super) struct Sent {
    order: usize,
    name: &'static str,
    part: Option<Part>,
    by: By,
    own_id: Option<u8>,
}

fn sent() -> impl Strategy<Value = Sent> {
    let part = prop_oneof![
        Just(None),
        Just(Some(Part::Mentions)),
        Just(Some(Part::Begins)),
        Just(Some(Part::Reports)),
        Just(Some(Part::Claims)),
    ];
    let name = prop_oneof![
        Just("InitiateCheckout"),
        Just("CompletePayment"),
        Just("Subscribe"),
        Just("Purchase"),
    ];
    let by = prop_oneof![3 => Just(By::Page), 1 => Just(By::Server)];
    let own_id = prop::option::of(0_u8..4);
    (0..CALLED, name, part, by, own_id).prop_map(|(order, name, part, by, own_id)| Sent {
        order,
        name,
        part,
        by,
        own_id,
    })
}

fn card() -> impl Strategy<Value = Card> {
    let kind = prop_oneof![
        4 => Just(Kind::First),
        1 => Just(Kind::Renewal),
        3 => Just(Kind::Refund),
        1 => Just(Kind::Void),
    ];
    let provider = || "card".to_owned();
    let name = prop_oneof![
        (0..CALLED).prop_map(|order| Name::Order(ORDERS[order].to_owned())),
        (0_u8..3).prop_map(move |code| Name::Reference {
            provider: provider(),
            code: code.to_string(),
        }),
        (0_u8..8).prop_map(move |id| Name::Transfer {
            provider: provider(),
            id: id.to_string(),
        }),
    ];
    let amount = prop_oneof![Just(0_i64), Just(1_000), Just(2_000)];
    let also = prop::option::of(0_u8..8);
    (0_u8..8, also, kind, name, amount).prop_map(|(id, also, kind, name, amount)| Card {
        id,
        also,
        kind,
        name,
        amount,
    })
}

pub(super) fn act() -> impl Strategy<Value = Act> {
    let order = || 0..CALLED;
    let amount = || prop_oneof![Just(1_000_i64), Just(2_000)];
    prop_oneof![
        6 => prop::collection::vec(sent(), 1..4).prop_map(Act::Send),
        2 => (order(), amount(), prop::option::of(0_u8..3))
            .prop_map(|(order, amount, code)| Act::Register(order, amount, code)),
        5 => card().prop_map(Act::Card),
        4 => (order(), 0_u8..8, amount()).prop_map(|(order, id, amount)| Act::Pay(order, id, amount)),
        1 => order().prop_map(Act::Withdraw),
        1 => Just(Act::Replay),
        1 => Just(Act::Remove),
        4 => (1_usize..6, any::<u8>(), any::<bool>())
            .prop_map(|(most, bits, dead)| Act::Deliver { most, bits, dead }),
        2 => (1_i64..100).prop_map(Act::Hours),
    ]
}

pub(super) fn destination() -> Arc<Destination> {
    Arc::new(Destination {
        pixel_id: "P".to_owned(),
        test_event_code: None,
    })
}

pub(super) fn entry(sent: &Sent) -> Entry<'static, Value> {
    let order_id = ORDERS[sent.order];
    let name = EventName::parse(sent.name).unwrap();
    let id = match sent.own_id {
        Some(number) => EventId::parse(&format!("own-{number}")).unwrap(),
        None => EventId::derive(sent.name, order_id),
    };
    let event = json!({
        "event": sent.name, "event_time": 1, "event_id": id.as_str(),
        "user": { "ttclid": format!("E.C.P.{:?}", sent.own_id) },
        "properties": { "value": 1, "currency": "USD", "order_id": order_id },
    });
    Entry {
        key: DedupKey::of(&destination(), &name, &id),
        remember: Remember::Days90,
        destination: destination(),
        class: Class::Second,
        trace: Trace::default(),
        note: sent.part.map(|part| Note {
            order_id: order_id.to_owned(),
            by: sent.by,
            part,
        }),
        event: Box::leak(Box::new(event)),
    }
}

pub(super) fn registration(order: usize, amount: i64, code: Option<u8>) -> Registration {
    let mut order =
        json!({ "order_id": ORDERS[order], "amount": amount, "currency": "VND", "plan_id": "pro" });
    if let Some(code) = code {
        order["references"] = json!({ "card": code });
    }
    let raw = RawValue::from_string(order.to_string()).unwrap();
    Registration::read(&raw, Country::parse("VN")).unwrap()
}

pub(super) fn receipt(order: usize, id: u8, amount: i64) -> Receipt {
    Receipt {
        transfer: Transfer::new(
            "sepay",
            id.to_string(),
            dong(amount),
            OrderHint::Memo(Memo {
                code: None,
                content: format!("{} chuyen tien", ORDERS[order]),
                description: String::new(),
            }),
        ),
        parked: None,
        pattern: None,
        renewals: None,
        destinations: destination().into(),
    }
}

pub(super) fn by_card(card: &Card) -> Receipt {
    let hint = OrderHint::Exact(vec![card.name.clone()]);
    Receipt {
        transfer: Transfer {
            also: card.also.map(|id| id.to_string()).into_iter().collect(),
            kind: card.kind,
            knows: true,
            ..Transfer::new("card", card.id.to_string(), dong(card.amount), hint)
        },
        renewals: EventName::parse("Subscribe").ok(),
        ..receipt(0, card.id, card.amount)
    }
}
