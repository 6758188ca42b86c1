//! The same calls lead both stores to the same state and to the same replies, however they are grouped into commits and
//! however often the process starts anew.

use std::{path::PathBuf, sync::Arc};

use crate::{clock, sight::sight, store::Disk, task::Task};
use duet_events::{Country, EventId, EventName, order::Order as Registration};
use duet_proxy::{
    decide::{Class, DedupKey, Destination, LetterId, Note, Part, Receipt, Remember},
    orders::By,
    outcome::Outcome,
    payments::{OrderHint, Transfer, memo::Memo},
    queue::{self, Core, DeadLetters, Entry, Intake, Lane, Limits, Outlet},
    store::{Embedded, Error, Source},
};
use proptest::prelude::*;
use serde_json::{Value, json, value::RawValue};

const ORDERS: [&str; 5] = [
    "PHO7K3M9Q2X",
    "pho-7k3m9q2x",
    "PHO7K3M9Q2XCHUYEN",
    "ORDER00002",
    "ORDER00003",
];
const HOUR_MS: i64 = 60 * 60 * 1000;

#[derive(Clone, Debug)]
enum Act {
    Send(Vec<Sent>),
    Register(usize, i64),
    Pay(usize, u8, i64),
    Withdraw(usize),
    Replay,
    Remove,
    /// Claim so many events, and end those whose bit is set.
    Deliver {
        most: usize,
        bits: u8,
        dead: bool,
    },
    Hours(i64),
}

#[derive(Clone, Debug)]
struct Sent {
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
    (0..ORDERS.len(), name, part, by, own_id).prop_map(|(order, name, part, by, own_id)| Sent {
        order,
        name,
        part,
        by,
        own_id,
    })
}

fn act() -> impl Strategy<Value = Act> {
    let order = || 0..ORDERS.len();
    let amount = || prop_oneof![Just(1_000_i64), Just(2_000)];
    prop_oneof![
        6 => prop::collection::vec(sent(), 1..4).prop_map(Act::Send),
        2 => (order(), amount()).prop_map(|(order, amount)| Act::Register(order, amount)),
        4 => (order(), 0_u8..8, amount()).prop_map(|(order, id, amount)| Act::Pay(order, id, amount)),
        1 => order().prop_map(Act::Withdraw),
        1 => Just(Act::Replay),
        1 => Just(Act::Remove),
        4 => (1_usize..6, any::<u8>(), any::<bool>())
            .prop_map(|(most, bits, dead)| Act::Deliver { most, bits, dead }),
        2 => (1_i64..100).prop_map(Act::Hours),
    ]
}

fn destination() -> Arc<Destination> {
    Arc::new(Destination {
        pixel_id: "P".to_owned(),
        test_event_code: None,
    })
}

fn entry(sent: &Sent) -> Entry<'static, Value> {
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
        pixel: "unknown",
        note: sent.part.map(|part| Note {
            order_id: order_id.to_owned(),
            by: sent.by,
            part,
        }),
        event: Box::leak(Box::new(event)),
    }
}

fn registration(order: usize, amount: i64) -> Registration {
    let order =
        json!({ "order_id": ORDERS[order], "amount": amount, "currency": "VND", "plan_id": "pro" });
    let raw = RawValue::from_string(order.to_string()).unwrap();
    Registration::read(&raw, Country::parse("VN")).unwrap()
}

fn receipt(order: usize, id: u8, amount: i64) -> Receipt {
    Receipt {
        transfer: Transfer {
            provider: "sepay",
            id: id.to_string(),
            amount,
            account: None,
            reference: None,
            hint: OrderHint::Memo(Memo {
                code: None,
                content: format!("{} chuyen tien", ORDERS[order]),
                description: String::new(),
            }),
        },
        parked: None,
        pattern: None,
        destination: destination(),
    }
}

/// A queue over one of the stores, turned by hand.
struct Queue<S: Source> {
    source: S,
    parts: Option<(Core<S>, Intake, Outlet, DeadLetters)>,
    lane: Option<Lane>,
}

impl<S: Source> Queue<S> {
    fn over(source: S) -> Self {
        let mut queue = Self {
            source,
            parts: None,
            lane: None,
        };
        queue.restart();
        queue
    }

    fn restart(&mut self) {
        self.lane = None;
        self.parts = None;
        let parts = queue::over(self.source.clone(), clock::read, Arc::default());
        self.parts = Some(parts.unwrap());
    }

    fn parts(&mut self) -> &mut (Core<S>, Intake, Outlet, DeadLetters) {
        self.parts.as_mut().unwrap()
    }

    fn start(&mut self, act: &Act) -> Option<Task<String>> {
        let (_, intake, _, letters) = self.parts();
        let (intake, letters) = (intake.clone(), letters.clone());
        let task = match act.clone() {
            Act::Send(sent) => {
                let entries: Vec<_> = sent.iter().map(entry).collect();
                Task::start(async move { format!("{:?}", intake.enqueue(entries).await) })
            }
            Act::Register(order, amount) => Task::start(async move {
                let orders = intake.orders();
                let registered = orders.register(registration(order, amount), destination());
                format!(
                    "{:?}",
                    registered
                        .await
                        .map(|registered| registered.map(|order| order.status()))
                )
            }),
            Act::Pay(order, id, amount) => Task::start(async move {
                format!(
                    "{:?}",
                    intake.orders().pay(receipt(order, id, amount)).await
                )
            }),
            Act::Withdraw(order) => Task::start(async move {
                let withdrawn = intake.orders().withdraw(ORDERS[order].to_owned()).await;
                format!("{withdrawn:?}")
            }),
            Act::Replay | Act::Remove => {
                // Their numbers depend on what was committed together.
                let mut newest = letters.newest(100).unwrap();
                newest.sort_by_cached_key(|(_, letter)| format!("{letter:?}"));
                let ids: Vec<LetterId> = newest.iter().map(|(id, _)| *id).collect();
                let removes = matches!(act, Act::Remove);
                Task::start(async move {
                    let done = if removes {
                        letters.remove(&ids).await
                    } else {
                        letters.replay(&ids).await
                    };
                    format!("{done:?}")
                })
            }
            Act::Deliver { .. } | Act::Hours(_) => return None,
        };
        task.ok()
    }

    /// Does some acts in one commit; the replies.
    fn together(&mut self, acts: &[Act]) -> Vec<String> {
        let mut tasks: Vec<_> = acts.iter().map(|act| self.start(act)).collect();
        self.parts().0.turn(usize::MAX, false);
        let replies = tasks.iter_mut();
        replies
            .map(|task| task.as_mut().and_then(Task::reply).unwrap_or_default())
            .collect()
    }

    /// Claims and ends some events; their texts.
    fn deliver(&mut self, most: usize, bits: u8, dead: bool) -> Vec<String> {
        let (_, _, outlet, _) = self.parts();
        if let Some(lane) = outlet.lane_now() {
            self.lane = Some(lane);
        }
        let Some(mut lane) = self.lane.take() else {
            return Vec::new();
        };
        let limits = Limits {
            events: most,
            bytes: usize::MAX,
        };
        let mut ended = Vec::new();
        for class in Class::ALL {
            let Some(batch) = lane.claim(class, limits).unwrap() else {
                continue;
            };
            let mut events = batch.events;
            let mut index = 0;
            events.retain(|_| {
                index += 1;
                bits >> (index - 1) & 1 == 1
            });
            ended.extend(
                events
                    .iter()
                    .map(|event| String::from_utf8_lossy(event.event()).into_owned()),
            );
            let at_ms = lane.clock().stamp_ms();
            let outcome = if dead { Outcome::Expired } else { delivered() };
            let settling = async move {
                let settled = lane.settle(&events, &outcome, at_ms).await;
                (lane, settled)
            };
            let (given_back, settled) = match Task::start(settling) {
                Err(over) => over,
                Ok(mut task) => {
                    self.parts().0.turn(usize::MAX, false);
                    task.reply().unwrap()
                }
            };
            settled.unwrap();
            lane = given_back;
        }
        lane.rewind();
        self.lane = Some(lane);
        ended
    }

    fn sweep(&mut self) {
        self.parts().0.turn(usize::MAX, true);
    }

    fn sight(mut self) -> Result<String, Error> {
        self.lane = None;
        self.parts = None;
        let store = self.source.open()?;
        sight(&self.source, &store)
    }
}

fn delivered() -> Outcome {
    Outcome::Delivered(duet_proxy::tiktok::Verdict {
        code: 0,
        message: "OK".to_owned(),
        request_id: None,
    })
}

/// Does the acts one by one, or in groups of these sizes with a start in between where a size is even.
fn replies<S: Source>(queue: &mut Queue<S>, acts: &[Act], groups: &[usize]) -> Vec<String> {
    clock::start();
    let mut replies = Vec::new();
    let mut groups = groups.iter().cycle();
    let mut rest = acts;
    while !rest.is_empty() {
        let size = groups.next().copied().unwrap_or(1);
        // Time passes, a sweep runs and events are delivered between commits.
        let alone = |act: &Act| {
            matches!(
                act,
                Act::Deliver { .. } | Act::Hours(_) | Act::Replay | Act::Remove
            )
        };
        let together = rest.iter().take(size.max(1));
        let count = together.take_while(|act| !alone(act)).count().max(1);
        let (now, later) = rest.split_at(count);
        match &now[0] {
            Act::Deliver { most, bits, dead } => replies.extend(queue.deliver(*most, *bits, *dead)),
            Act::Hours(hours) => {
                clock::pass(hours * HOUR_MS);
                queue.sweep();
            }
            _ => replies.extend(queue.together(now)),
        }
        if size % 2 == 0 {
            queue.restart();
        }
        rest = later;
    }
    replies
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    (folder, path)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn both_stores_agree(acts in prop::collection::vec(act(), 1..40), groups in prop::collection::vec(1_usize..6, 1..6)) {
        let (_folder, path) = folder();
        let mut embedded = Queue::over(Embedded::at(&path).unwrap());
        let mut simulated = Queue::over(Disk::default());
        prop_assert_eq!(
            replies(&mut embedded, &acts, &groups),
            replies(&mut simulated, &acts, &groups)
        );
        prop_assert_eq!(embedded.sight().unwrap(), simulated.sight().unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn grouping_and_restarts_change_nothing(acts in prop::collection::vec(act(), 1..60), groups in prop::collection::vec(1_usize..6, 1..6)) {
        let mut one_by_one = Queue::over(Disk::default());
        let mut grouped = Queue::over(Disk::default());
        prop_assert_eq!(
            replies(&mut one_by_one, &acts, &[1]),
            replies(&mut grouped, &acts, &groups)
        );
        prop_assert_eq!(one_by_one.sight().unwrap(), grouped.sight().unwrap());
    }
}
