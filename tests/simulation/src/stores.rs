//! Checks that the same calls lead to the same data and the same replies in two stores. The result must not depend on how
//! the calls are grouped into commits, or on how often the process starts.

use std::{
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use duet_proxy::{
    payments::{Kind, Name},
    store::{Embedded, Postgres},
};
use duet_tests::Server;
use proptest::prelude::*;

use crate::{
    clock,
    store::{Disk, Fault},
    task::Task,
};

mod acts;
#[cfg(target_os = "linux")]
mod failing;
mod queue;

use acts::{Act, Card, ORDERS, act};
use queue::{Queue, replies};

/// What fails while a commit is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only there"))]
enum Harm {
    /// A sync fails, and the process can still read the data.
    SyncKeeps,
    /// A sync fails, and all data since the last sync is lost.
    SyncLoses,
}

/// A disk that can be made to fail.
trait Strike {
    /// Makes the disk fail from now on. `None` makes nothing fail.
    fn strike(&self, harm: Option<Harm>);

    /// Lets the disk work again.
    fn heal(&self);
}

/// A disk that never fails.
impl Strike for () {
    fn strike(&self, _: Option<Harm>) {}

    fn heal(&self) {}
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

/// Returns a new, empty database.
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
        let mut simulated = Queue::over(Disk::database(None));
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

/// Sends three calls. Carries out only the first call, whose commit fails. Returns the replies that have come.
fn replies_after(disk: &Disk, fault: Fault) -> [Option<String>; 3] {
    clock::start();
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
    let (folder, database) = (Disk::default(), || Disk::database(None));
    let late = [
        replies_after(&folder, Fault::Late),
        replies_after(&database(), Fault::Late),
        replies_after(&database(), Fault::Delayed { ms: 1_000 }),
    ];
    for replies in late {
        assert_eq!(replies, [stopped(), stopped(), stopped()]);
    }
    // After a commit that failed in another way, the store is opened again, and the other two calls stay queued.
    let others = [
        replies_after(&folder, Fault::SyncLoses),
        replies_after(&database(), Fault::Aborted),
        replies_after(&database(), Fault::Unsent),
        replies_after(&database(), Fault::Unanswered),
    ];
    for replies in others {
        assert_eq!(replies, [stopped(), None, None]);
    }
}

#[test]
fn the_event_of_a_sale_that_a_failed_commit_restored_is_not_withdrawn() {
    for fault in [Fault::SyncKeeps, Fault::Late] {
        clock::start();
        let disk = Disk::default();
        let mut queue = Queue::over(disk.clone());
        let card = |id, kind, name| {
            Act::Card(Card {
                id,
                also: None,
                kind,
                name,
                amount: 1_000,
            })
        };
        let order = || Name::Order(ORDERS[3].to_owned());
        let first = Name::Transfer {
            provider: "card".to_owned(),
            id: "1".to_owned(),
        };
        queue.together(&[Act::Register(3, 1_000, None)]);
        queue.together(&[card(1, Kind::First, order())]);
        queue.together(&[card(2, Kind::Refund, first)]);
        assert_eq!(queue.withdrawn(), (1, 0), "{fault:?}");
        disk.fails_with(&[fault]);
        queue.together(&[card(3, Kind::First, order())]);
        queue.recover();
        let (withdrawn, others) = queue.withdrawn();
        assert_eq!((withdrawn, others > 0), (0, true), "{fault:?}");
    }
}
