//! Checks that the same calls give the same state and the same replies in both stores. The grouping of calls into commits
//! and the number of process starts must not matter.

use std::{
    iter,
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use crate::{
    clock,
    shop::dong,
    sight::sight,
    store::{Disk, Fault},
    task::Task,
};
use duet_events::{Country, EventId, EventName, order::Order as Registration};
use duet_proxy::{
    decide::{Class, DedupKey, Destination, LetterId, Note, Part, Receipt, Remember},
    history::Trace,
    orders::By,
    outcome::Outcome,
    payments::{Kind, Name, OrderHint, Transfer, memo::Memo},
    queue::{self, Core, DeadLetters, Entry, Intake, Lane, Limits, Outlet},
    store::{Embedded, Error, Postgres, Source},
};
use duet_tests::Server;
use proptest::prelude::*;
use serde_json::{Value, json, value::RawValue};

#[cfg(target_os = "linux")]
mod failing;

/// The last order only provides something to sync.
const ORDERS: [&str; 6] = [
    "PHO7K3M9Q2X",
    "pho-7k3m9q2x",
    "PHO7K3M9Q2XCHUYEN",
    "ORDER00002",
    "ORDER00003",
    "SYNCED0004",
];
/// The number of orders that calls use.
const CALLED: usize = 5;
const HOUR_MS: i64 = 60 * 60 * 1000;

/// The disk's fault while a commit is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only there"))]
enum Harm {
    /// A sync fails, and its data can still be read.
    SyncKeeps,
    /// A sync fails, and all data after the last sync is lost.
    SyncLoses,
}

/// Makes a disk fail.
trait Strike {
    /// Makes calls fail from now on.
    fn strike(&self, harm: Option<Harm>);

    /// Ends the failures.
    fn heal(&self);
}

/// A disk that works.
impl Strike for () {
    fn strike(&self, _: Option<Harm>) {}

    fn heal(&self) {}
}

#[derive(Clone, Debug)]
enum Act {
    Send(Vec<Sent>),
    /// An amount, and an id by which a provider knows the order.
    Register(usize, i64, Option<u8>),
    Pay(usize, u8, i64),
    Card(Card),
    Withdraw(usize),
    Replay,
    Remove,
    /// Claim some events, and end the events whose bit is set.
    Deliver {
        most: usize,
        bits: u8,
        dead: bool,
    },
    Hours(i64),
}

/// What a provider tells that knows what is paid.
#[derive(Clone, Debug)]
struct Card {
    id: u8,
    also: Option<u8>,
    kind: Kind,
    name: Name,
    amount: i64,
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

fn act() -> impl Strategy<Value = Act> {
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
        trace: Trace::default(),
        note: sent.part.map(|part| Note {
            order_id: order_id.to_owned(),
            by: sent.by,
            part,
        }),
        event: Box::leak(Box::new(event)),
    }
}

fn registration(order: usize, amount: i64, code: Option<u8>) -> Registration {
    let mut order =
        json!({ "order_id": ORDERS[order], "amount": amount, "currency": "VND", "plan_id": "pro" });
    if let Some(code) = code {
        order["references"] = json!({ "card": code });
    }
    let raw = RawValue::from_string(order.to_string()).unwrap();
    Registration::read(&raw, Country::parse("VN")).unwrap()
}

fn receipt(order: usize, id: u8, amount: i64) -> Receipt {
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

fn by_card(card: &Card) -> Receipt {
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

/// A queue over one of the stores, run step by step.
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
            Act::Card(card) => {
                let receipt = by_card(&card);
                Task::start(async move { format!("{:?}", intake.orders().pay(receipt).await) })
            }
            Act::Register(order, amount, code) => Task::start(async move {
                let orders = intake.orders();
                let registered =
                    orders.register(registration(order, amount, code), destination().into());
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
                // The numbers depend on the grouping into commits.
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

    /// Carries out some acts in one commit and returns the replies.
    fn together(&mut self, acts: &[Act]) -> Vec<String> {
        let mut tasks: Vec<_> = acts.iter().map(|act| self.start(act)).collect();
        self.parts().0.turn(usize::MAX, false);
        let replies = tasks.iter_mut();
        replies
            .map(|task| task.as_mut().and_then(Task::reply).unwrap_or_default())
            .collect()
    }

    /// Claims and ends some events and returns their texts.
    fn deliver(&mut self, most: usize, bits: u8, dead: bool) -> Vec<String> {
        if self.source.is_shared() {
            self.parts().0.look();
        }
        let (_, _, outlet, _) = self.parts();
        if let Some(lane) = outlet.lane_now() {
            self.lane = Some(lane);
        }
        let Some(mut lane) = self.lane.take() else {
            return Vec::new();
        };
        // The store may have been reopened since then.
        lane.rewind();
        let limits = Limits {
            events: most,
            bytes: usize::MAX,
        };
        let mut ended = Vec::new();
        for class in Class::ALL {
            read_ahead(&mut lane, limits);
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

    /// Commits something with a sync, which also syncs all earlier commits.
    fn sync(&mut self, amount: usize) {
        let amount = 1_000 + i64::try_from(amount).unwrap();
        let synced = Act::Register(ORDERS.len() - 1, amount, None);
        self.together(&[synced]);
    }

    /// Reopens the store if its disk has failed, until that works.
    fn recover(&mut self) {
        loop {
            let intake = self.parts().1.clone();
            let Ok(mut task) = Task::start(async move { intake.is_writable().await }) else {
                return;
            };
            self.parts().0.turn(usize::MAX, false);
            if task.reply() == Some(true) {
                return;
            }
        }
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

/// Reads events of a shared store ahead.
fn read_ahead(lane: &mut Lane, limits: Limits) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(lane.read_ahead(limits)).unwrap();
}

fn delivered() -> Outcome {
    Outcome::Delivered(duet_proxy::tiktok::Verdict {
        code: 0,
        message: "OK".to_owned(),
        request_id: None,
    })
}

/// Carries out the acts one by one, or in groups of these sizes. After a group with an even size, the process restarts.
fn replies<S: Source>(queue: &mut Queue<S>, acts: &[Act], groups: &[usize]) -> Vec<String> {
    replies_on(queue, acts, groups, iter::empty(), &())
}

/// Does what [`replies`] does, on a disk that fails before each commit as `harms` say, and works again after the commit. When
/// the disk fails, no data waits for a sync, because the embedded store's own threads might sync such data.
fn replies_on<S: Source>(
    queue: &mut Queue<S>,
    acts: &[Act],
    groups: &[usize],
    mut harms: impl Iterator<Item = Option<Harm>>,
    disk: &impl Strike,
) -> Vec<String> {
    clock::start();
    let mut replies = Vec::new();
    let mut groups = groups.iter().cycle();
    let mut rest = acts;
    while !rest.is_empty() {
        let size = groups.next().copied().unwrap_or(1);
        // Between commits time passes, a sweep runs and events are delivered.
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
            _ => {
                if let Some(harm) = harms.next() {
                    queue.sync(rest.len());
                    disk.strike(harm);
                }
                replies.extend(queue.together(now));
                disk.heal();
                queue.recover();
            }
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

/// Returns an empty database.
fn database() -> Postgres {
    static SERVER: OnceLock<Server> = OnceLock::new();
    static DATABASES: AtomicU32 = AtomicU32::new(0);
    let server = SERVER.get_or_init(|| Server::start().unwrap());
    let name = format!("shop{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    server.create_database(&name).unwrap();
    Postgres::at(&server.setting(&name).parse().unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn postgresql_agrees(acts in prop::collection::vec(act(), 1..40), groups in prop::collection::vec(1_usize..6, 1..6)) {
        let mut database = Queue::over(database());
        let mut simulated = Queue::over(Disk::default());
        prop_assert_eq!(
            replies(&mut database, &acts, &groups),
            replies(&mut simulated, &acts, &groups)
        );
        prop_assert_eq!(database.sight().unwrap(), simulated.sight().unwrap());
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

/// Sends three calls and carries out the first, which fails. Returns the replies that there are then.
fn replies_after(fault: Fault) -> [Option<String>; 3] {
    clock::start();
    let disk = Disk::default();
    let mut queue = Queue::over(disk.clone());
    disk.fails_with(&[fault]);
    let acts = [0, 3, 4].map(|order| Act::Register(order, 1_000, None));
    let mut tasks = acts.map(|act| queue.start(&act).unwrap());
    queue.parts().0.turn(1, false);
    tasks.each_mut().map(Task::reply)
}

#[test]
fn queued_calls_are_rejected_together_with_a_commit_that_took_too_long() {
    let stopped = || Some("Err(Stopped)".to_owned());
    let replies = replies_after(Fault::Late);
    assert_eq!(replies, [stopped(), stopped(), stopped()]);
    // After any other failure, the store is opened again for the queued calls.
    assert_eq!(replies_after(Fault::SyncLoses), [stopped(), None, None]);
}
