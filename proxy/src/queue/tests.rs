use std::{
    collections::BTreeSet,
    sync::{Mutex, OnceLock},
    time::Duration,
};

use duet_events::{EventId, EventName};
use tokio::time;

use super::{group::Group, writer::State, *};
use crate::{
    clock::Times,
    decide::{
        Became, Class, DeadLetter, DedupKey, Destination, Enqueued, Named, Note, Part, Receipt,
        Remember,
    },
    history::Trace,
    outcome::Outcome,
    tiktok::Verdict,
};

mod change_log;
mod classes;
mod clock;
mod crashes;
mod damage;
mod history;
mod money;

/// Runs a test on a separate runtime with one thread.
fn on_this_thread(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(test);
}

fn destination(test_event_code: Option<&str>) -> Arc<Destination> {
    Arc::new(Destination {
        pixel_id: "P".to_owned(),
        test_event_code: test_event_code.map(str::to_owned),
    })
}

fn entry_for(destination: Arc<Destination>, id: &str) -> Entry<'static, serde_json::Value> {
    let name = EventName::parse("Purchase").unwrap();
    let event = serde_json::json!({ "event": "Purchase", "event_id": id });
    Entry {
        key: DedupKey::of(&destination, &name, &EventId::parse(id).unwrap()),
        remember: Remember::Hours48,
        destination,
        class: Class::Second,
        trace: Trace::default(),
        note: None,
        event: Box::leak(Box::new(event)),
    }
}

fn entry(id: &str) -> Entry<'static, serde_json::Value> {
    entry_for(destination(None), id)
}

fn entries<const N: usize>(ids: [&str; N]) -> [Entry<'static, serde_json::Value>; N] {
    ids.map(entry)
}

impl Outlet {
    fn embedded(&self) -> &Embedded {
        self.embedded.as_ref().unwrap()
    }

    /// Returns a lane as [`Outlet::lane`] does, after this process has got the lease to deliver the lane's events.
    async fn leased(&mut self) -> Lane {
        let mut lane = self.lane().await;
        while !lane.is_leased() {
            time::sleep(Duration::from_millis(5)).await;
        }
        lane.rewind();
        lane
    }
}

/// Returns whether the tests run on PostgreSQL. If so, a test that needs a folder ends without testing anything.
fn is_on_postgres() -> bool {
    std::env::var_os("DUET_TEST_QUEUE").is_some_and(|store| store == "postgres")
}

/// Opens the store of a test: in the test's folder, or in a database whose name is made from the folder's.
fn open(
    folder: &Path,
    reserve_bytes: u64,
    metrics: Arc<Metrics>,
) -> Result<(Intake, Outlet, DeadLetters), Error> {
    static SERVER: OnceLock<duet_tests::Server> = OnceLock::new();
    static DATABASES: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if !is_on_postgres() {
        return super::open(folder, reserve_bytes, metrics);
    }
    let server = SERVER.get_or_init(|| duet_tests::Server::start().unwrap());
    let name = hex_of(folder.as_os_str().as_encoded_bytes());
    if DATABASES.lock().unwrap().insert(name.clone()) {
        server.create_database(&name).unwrap();
    }
    let database = server.setting(&name).parse().unwrap();
    open_shared(&database, true, metrics)
}

fn hex_of(bytes: &[u8]) -> String {
    let digits = bytes
        .iter()
        .rev()
        .take(20)
        .map(|byte| format!("{byte:02x}"));
    std::iter::once("t".to_owned()).chain(digits).collect()
}

const ANY: Limits = Limits {
    events: 1000,
    bytes: usize::MAX,
};

fn most(events: usize) -> Limits {
    Limits { events, ..ANY }
}

fn id_of(claimed: &Claimed) -> String {
    let event = std::str::from_utf8(claimed.event()).unwrap();
    Named::of(event).event_id.into_owned()
}

fn ids(batch: Option<Batch>) -> Vec<String> {
    let events = batch.map(|batch| batch.events).unwrap_or_default();
    events.iter().map(id_of).collect()
}

fn opened(folder: &Path) -> (Intake, Outlet, DeadLetters) {
    open(folder, 0, Arc::default()).unwrap()
}

/// Opens the folder again as soon as it is free. The writer's thread releases the folder a moment after the last handle was
/// dropped.
async fn reopened(folder: &Path) -> (Intake, Outlet, DeadLetters) {
    let free = async {
        loop {
            match open(folder, 0, Arc::default()) {
                Err(Error::Locked) => time::sleep(Duration::from_millis(1)).await,
                opened => return opened.unwrap(),
            }
        }
    };
    let free = time::timeout(Duration::from_mins(2), free).await;
    free.expect("the folder must become free")
}

/// Returns how many events the metrics count as received, and how many as ended, pending or held.
fn balance(metrics: &Metrics) -> (i64, i64) {
    let text = metrics.text();
    let sum = |name: &str| -> i64 {
        let series = text.lines().filter_map(|line| line.rsplit_once(' '));
        let meant = series.filter(|(series, _)| series.split('{').next() == Some(name));
        meant
            .map(|(_, value)| value.parse::<i64>().unwrap_or_default())
            .sum()
    };
    let came = [
        "duet_events_accepted_total",
        "duet_events_found",
        "duet_events_replayed_total",
    ];
    let went = [
        "duet_events_ended_total",
        "duet_queue_events",
        "duet_events_held",
    ];
    (came.map(sum).iter().sum(), went.map(sum).iter().sum())
}

#[tokio::test]
async fn an_event_counts_also_where_its_caller_has_gone() {
    let folder = tempfile::tempdir().unwrap();
    let metrics = Arc::new(Metrics::default());
    let (intake, mut outlet, _letters) = open(folder.path(), 0, Arc::clone(&metrics)).unwrap();
    drop(intake.begin(entries(["a", "b"])).unwrap());
    let twice = intake.enqueue(entries(["a", "c"])).await.unwrap();
    assert_eq!(twice, [Enqueued::Duplicate, Enqueued::Accepted]);
    assert_eq!(balance(&metrics), (3, 3));
    let mut lane = outlet.leased().await;
    let batch = lane.claim_next(ANY).unwrap().unwrap();
    settled(&mut lane, &batch.events[..2]).await;
    assert_eq!(balance(&metrics), (3, 3));
    assert!(
        metrics
            .text()
            .contains("duet_events_ended_total{outcome=\"delivered\"} 2")
    );
}

async fn settled(lane: &mut Lane, events: &[Claimed]) {
    lane.settle(events, &delivered(), 2).await.unwrap();
}

fn delivered() -> Outcome {
    Outcome::Delivered(Verdict {
        code: 0,
        message: "OK".to_owned(),
        request_id: None,
    })
}

#[tokio::test]
async fn what_goes_in_comes_out_in_order_until_it_is_settled() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, mut outlet, _letters) = opened(folder.path());
    for id in ["a", "b", "c"] {
        let enqueued = intake.enqueue(vec![entry(id)]).await.unwrap();
        assert_eq!(enqueued, [Enqueued::Accepted]);
    }
    let mut lane = outlet.leased().await;
    let first = lane.claim_next(most(2)).unwrap().unwrap();
    assert_eq!(ids(lane.claim_next(ANY).unwrap()), ["c"]);
    assert_eq!(ids(lane.claim_next(ANY).unwrap()), [""; 0]);
    settled(&mut lane, &first.events[..1]).await;
    assert_eq!(outlet.depth(), 2);
    lane.rewind();
    assert_eq!(ids(lane.claim_next(ANY).unwrap()), ["b", "c"]);
}

#[tokio::test]
async fn events_of_one_commit_are_settled_in_any_order_and_any_parts() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (intake, mut outlet, _letters) = opened(folder.path());
        let all = entries(["a", "b", "c", "d", "e", "f"]);
        intake.enqueue(all).await.unwrap();
        let mut lane = outlet.leased().await;
        let batch = lane.claim_next(ANY).unwrap().unwrap();
        let of = |places: &[usize]| -> Vec<_> {
            places.iter().map(|at| batch.events[*at].clone()).collect()
        };
        settled(&mut lane, &of(&[4, 1])).await;
        settled(&mut lane, &of(&[2])).await;
        assert_eq!(outlet.depth(), 3);
    }
    {
        let (_intake, mut outlet, _letters) = reopened(folder.path()).await;
        assert_eq!(outlet.depth(), 3);
        let mut lane = outlet.leased().await;
        let batch = lane.claim_next(ANY).unwrap().unwrap();
        settled(&mut lane, &batch.events[1..2]).await;
        lane.rewind();
        assert_eq!(ids(lane.claim_next(ANY).unwrap()), ["a", "f"]);
        lane.rewind();
        let batch = lane.claim_next(ANY).unwrap().unwrap();
        settled(&mut lane, &batch.events).await;
    }
    let (intake, outlet, _letters) = reopened(folder.path()).await;
    assert_eq!((intake.depth(), outlet.depth()), (0, 0));
    if !is_on_postgres() {
        assert_eq!(outlet.embedded().rows_and_marks(), 0);
    }
}

#[tokio::test]
async fn a_restart_keeps_what_waits_and_what_was_seen() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (intake, mut outlet, _letters) = opened(folder.path());
        intake.enqueue(entries(["a", "b"])).await.unwrap();
        let mut lane = outlet.leased().await;
        let claimed = lane.claim_next(most(1)).unwrap().unwrap();
        settled(&mut lane, &claimed.events).await;
    }
    let (intake, mut outlet, _letters) = reopened(folder.path()).await;
    let again = intake.enqueue(entries(["a", "b", "c"])).await.unwrap();
    assert_eq!(
        again,
        [Enqueued::Duplicate, Enqueued::Duplicate, Enqueued::Accepted]
    );
    assert_eq!(outlet.depth(), 2);
    assert_eq!(
        ids(outlet.leased().await.claim_next(ANY).unwrap()),
        ["b", "c"]
    );
}

#[tokio::test]
async fn a_keyspace_is_empty_until_its_first_row_creates_it() {
    if is_on_postgres() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (intake, mut outlet, letters) = opened(folder.path());
    intake.enqueue(entries(["a"])).await.unwrap();
    assert!(letters.newest(1).unwrap().is_empty());
    assert!(intake.orders().payments().unwrap().is_empty());
    let exists = |name: &str| outlet.embedded().has_keyspace(name);
    assert!(exists("waiting") && !exists("dead") && !exists("runs") && !exists("orders"));
    let mut lane = outlet.leased().await;
    let claimed = lane.claim_next(ANY).unwrap().unwrap();
    let expired = Outcome::Expired;
    lane.settle(&claimed.events, &expired, 2).await.unwrap();
    assert_eq!(letters.newest(2).unwrap().len(), 1);
}

#[tokio::test]
async fn of_concurrent_repeats_one_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, outlet, _letters) = opened(folder.path());
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let intake = intake.clone();
        calls.spawn(async move { intake.enqueue(entries(["a", "a"])).await.unwrap() });
    }
    let results = calls.join_all().await.concat();
    assert_eq!(results.len(), 100);
    let accepted = results
        .iter()
        .filter(|result| **result == Enqueued::Accepted);
    assert_eq!(accepted.count(), 1);
    assert_eq!(outlet.depth(), 1);
}

#[tokio::test]
async fn test_traffic_and_live_traffic_have_lanes_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, mut outlet, _letters) = opened(folder.path());
    let test = destination(Some("T"));
    let mixed = vec![
        entry("a"),
        entry_for(Arc::clone(&test), "b"),
        entry("c"),
        entry_for(Arc::clone(&test), "a"),
    ];
    assert_eq!(
        intake.enqueue(mixed).await.unwrap(),
        [Enqueued::Accepted; 4]
    );
    let (mut live, mut tests) = (outlet.leased().await, outlet.leased().await);
    assert_eq!(tests.destination(), &test);
    assert_eq!(ids(live.claim_next(ANY).unwrap()), ["a", "c"]);
    assert_eq!(ids(tests.claim_next(ANY).unwrap()), ["b", "a"]);
}

#[tokio::test]
async fn a_lane_whose_events_all_wait_does_not_hold_up_another() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, mut outlet, _letters) = opened(folder.path());
    for number in 0..100 {
        intake
            .enqueue(vec![entry(&number.to_string())])
            .await
            .unwrap();
    }
    let _live = outlet.leased().await;
    let test = vec![entry_for(destination(Some("T")), "x")];
    intake.enqueue(test).await.unwrap();
    assert_eq!(
        ids(outlet.leased().await.claim_next(most(1)).unwrap()),
        ["x"]
    );
}

#[tokio::test]
async fn a_claim_keeps_to_a_number_of_bytes_but_never_comes_empty() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, mut outlet, _letters) = opened(folder.path());
    intake.enqueue(entries(["a", "b", "c"])).await.unwrap();
    let one = entry("a").event.to_string().len();
    let mut lane = outlet.leased().await;
    let bytes = |bytes| Limits { bytes, ..ANY };
    assert_eq!(ids(lane.claim_next(bytes(2 * one)).unwrap()), ["a", "b"]);
    assert_eq!(ids(lane.claim_next(bytes(1)).unwrap()), ["c"]);
}

#[tokio::test]
async fn what_is_claimed_is_held_in_memory_and_the_rest_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, mut outlet, _letters) = opened(folder.path());
    for number in 0..200 {
        intake
            .enqueue(vec![entry(&number.to_string())])
            .await
            .unwrap();
    }
    let one = entry("100").event.to_string().len() + 12;
    let limits = Limits {
        events: 10,
        bytes: 10 * one,
    };
    let mut lane = outlet.leased().await;
    let batch = lane.claim_next(limits).unwrap().unwrap();
    assert_eq!(batch.events.len(), 10);
    assert!(
        lane.read() <= 24,
        "at most 24 rows may be read, but {} were read",
        lane.read()
    );
}

#[tokio::test]
async fn a_refused_event_is_kept_with_tiktoks_words_until_it_is_replayed_or_removed() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (intake, mut outlet, _letters) = opened(folder.path());
        intake.enqueue(entries(["a", "b"])).await.unwrap();
        let mut lane = outlet.leased().await;
        let claimed = lane.claim_next(ANY).unwrap().unwrap();
        let verdict = Verdict {
            code: 40002,
            message: "Invalid value".to_owned(),
            request_id: Some("r1".to_owned()),
        };
        let refused = Outcome::Refused(verdict);
        lane.settle(&claimed.events, &refused, 2).await.unwrap();
    }
    let (intake, mut outlet, letters) = reopened(folder.path()).await;
    assert_eq!(outlet.depth(), 0);
    let dead = letters.newest(10).unwrap();
    let (newest, oldest) = (&dead[0], &dead[1]);
    assert_eq!(
        (newest.1.outcome.as_str(), newest.1.code),
        ("refused", Some(40002))
    );
    let id = |letter: &DeadLetter| Named::of(letter.event.get()).event_id.into_owned();
    assert_eq!(
        (id(&newest.1), id(&oldest.1)),
        ("b".to_owned(), "a".to_owned())
    );

    assert_eq!(letters.replay(&[oldest.0, oldest.0]).await.unwrap(), 1);
    assert_eq!(letters.replay(&[oldest.0]).await.unwrap(), 0);
    assert_eq!(letters.remove(&[newest.0, oldest.0]).await.unwrap(), 1);
    assert_eq!(letters.newest(10).unwrap().len(), 0);
    assert_eq!(intake.depth(), 1);
    assert_eq!(ids(outlet.leased().await.claim_next(ANY).unwrap()), ["a"]);
}

#[tokio::test]
async fn a_dead_letter_is_kept_for_30_days() {
    if is_on_postgres() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (intake, mut outlet, letters) = opened(folder.path());
    intake.enqueue(entries(["a"])).await.unwrap();
    let mut lane = outlet.leased().await;
    let claimed = lane.claim_next(ANY).unwrap().unwrap();
    lane.settle(&claimed.events, &Outcome::Expired, 1_000)
        .await
        .unwrap();
    let days_30 = 30 * 24 * 60 * 60 * 1000;
    let mut state = State::load(outlet.embedded().writer(), 1).unwrap();
    let left = [1_000, 1_001].map(|ended_ms| {
        state.sweep(Times::undoubted(ended_ms + days_30)).unwrap();
        letters.newest(10).unwrap().len()
    });
    assert_eq!(left, [1, 0]);
}

/// Waits until the writer has executed all earlier calls. The calls that this function makes need no sync.
async fn caught_up(intake: &Intake) {
    // The first call may overtake earlier calls. The second call may be in the same commit as the earlier calls. After a
    // commit, the writer does some more work, which is done when a call in the next commit is answered.
    for _ in 0..3 {
        let nothing = |answer| writer::Call::Remove(Vec::new(), answer);
        assert_eq!(intake.writer().ask(nothing).await.unwrap(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_queue_clears_what_has_had_its_time_every_minute() {
    if is_on_postgres() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (intake, mut outlet, letters) = opened(folder.path());
    intake.enqueue(entries(["old", "new"])).await.unwrap();
    let mut lane = outlet.leased().await;
    let events = lane.claim_next(ANY).unwrap().unwrap().events;
    for (event, at_ms) in [
        (&events[..1], 1_000),
        (&events[1..], crate::clock::now_ms()),
    ] {
        lane.settle(event, &Outcome::Expired, at_ms).await.unwrap();
    }
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_mins(1)).await;
        caught_up(&intake).await;
        let dead = letters.newest(10).unwrap();
        let dead = dead
            .iter()
            .map(|(_, letter)| Named::of(letter.event.get()).event_id);
        assert_eq!(dead.collect::<Vec<_>>(), ["new"]);
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_synced_commit_says_that_the_disk_takes_writes_again() {
    if is_on_postgres() {
        return;
    }
    let parent = tempfile::tempdir().unwrap();
    let (data, moved) = (parent.path().join("data"), parent.path().join("moved"));
    let (intake, outlet, _letters) = open(&data, u64::MAX, Arc::default()).unwrap();
    assert!(intake.enqueue(vec![entry("a")]).await.is_err());
    std::fs::rename(data, moved).unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    caught_up(&intake).await;
    assert!(
        !outlet.writer.is_healthy(),
        "the sweep must try to write, so that the store's failure is known"
    );
    assert!(intake.is_writable().await);
    assert!(outlet.writer.is_healthy());
}

#[tokio::test]
async fn calls_that_come_together_share_one_sync() {
    let folder = tempfile::tempdir().unwrap();
    let metrics = Arc::new(Metrics::default());
    let (intake, _outlet, _letters) = open(folder.path(), 0, Arc::clone(&metrics)).unwrap();
    // Everything runs on this one thread, so all calls are sent before the first answer is read.
    let calls = (0..300).map(|number| {
        let intake = intake.clone();
        async move { intake.enqueue(vec![entry(&number.to_string())]).await }
    });
    let mut calls: tokio::task::JoinSet<_> = calls.collect();
    while let Some(result) = calls.join_next().await {
        assert_eq!(result.unwrap().unwrap(), [Enqueued::Accepted]);
    }
    let text = metrics.text();
    let syncs = text
        .lines()
        .find_map(|line| line.strip_prefix("duet_commit_seconds_count "))
        .unwrap();
    assert!(
        syncs.parse::<u32>().unwrap() < 100,
        "300 calls must need fewer than 100 syncs, but needed {syncs}"
    );
}

#[tokio::test]
async fn more_calls_than_may_wait_are_turned_away_and_the_others_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, outlet, _letters) = opened(folder.path());
    let calls = (0..20_000).map(|number| {
        let intake = intake.clone();
        async move { intake.enqueue(vec![entry(&number.to_string())]).await }
    });
    let mut calls: tokio::task::JoinSet<_> = calls.collect();
    let (mut taken, mut turned_away) = (0, 0);
    while let Some(result) = calls.join_next().await {
        match result.unwrap() {
            Ok(_) => taken += 1,
            Err(Error::Full) => turned_away += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(taken >= 1024 && turned_away > 0, "{taken} {turned_away}");
    assert_eq!(outlet.depth(), taken);
}

#[tokio::test]
async fn nothing_is_taken_once_the_disk_is_nearly_full() {
    if is_on_postgres() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (intake, outlet, _letters) = open(folder.path(), u64::MAX, Arc::default()).unwrap();
    assert!(matches!(
        intake.enqueue(vec![entry("a")]).await,
        Err(Error::DiskFull)
    ));
    assert!(!intake.is_writable().await);
    assert_eq!(outlet.depth(), 0);
}

#[tokio::test]
async fn a_store_is_writable_again_without_an_event_to_try_it_with() {
    if is_on_postgres() {
        return;
    }
    let parent = tempfile::tempdir().unwrap();
    let (data, moved) = (parent.path().join("data"), parent.path().join("moved"));
    let (intake, _outlet, _letters) = open(&data, u64::MAX, Arc::default()).unwrap();
    assert!(intake.enqueue(vec![entry("a")]).await.is_err());
    assert!(!intake.is_writable().await);
    // The folder has another name now, so the file system cannot report its free space. The open store can still write.
    std::fs::rename(data, moved).unwrap();
    assert!(intake.is_writable().await);
}
