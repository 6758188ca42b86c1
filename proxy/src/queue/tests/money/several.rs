//! Tests several proxies that share one database in PostgreSQL.

use duet_tests::Server;

use super::*;

type Parts = (Intake, Outlet, DeadLetters);

/// Opens the queue as another proxy on the same database does.
fn joined(server: &Server) -> Parts {
    let database = server.setting("shop").parse().unwrap();
    open_shared(&database, false, Arc::default()).unwrap()
}

fn numbered(round: usize) -> Vec<Entry<'static, Value>> {
    let ids = (0..40).map(|number| format!("{round}-{number}"));
    ids.map(|id| entry(&id)).collect()
}

fn accepted(results: Result<Vec<Enqueued>, Error>) -> usize {
    let results = results.unwrap().into_iter();
    results
        .filter(|result| *result == Enqueued::Accepted)
        .count()
}

#[tokio::test]
async fn of_equal_events_at_two_proxies_one_is_accepted() {
    let server = Server::start().unwrap();
    let [one, other] = [joined(&server), joined(&server)];
    for round in 0..20 {
        let mut backwards = numbered(round);
        backwards.reverse();
        let (here, there) =
            tokio::join!(one.0.enqueue(numbered(round)), other.0.enqueue(backwards));
        assert_eq!(accepted(here) + accepted(there), 40, "round {round}");
    }
    let live = "select sum(jsonb_array_length(convert_from(places, 'UTF8')::jsonb -> 'lanes')) > 0 from duet.slots";
    assert_eq!(server.sql("shop", live).unwrap().trim(), "t");
    let [here, there] = [&one, &other].map(|parts| parts.1.store.place().unwrap().waiting());
    assert_eq!((here, there), (800, 800));
}

#[tokio::test]
async fn a_transfer_and_an_order_are_paid_once_at_two_proxies() {
    let server = Server::start().unwrap();
    let [one, other] = [joined(&server), joined(&server)];
    let [here, there] = [one.0.orders(), other.0.orders()];
    for round in 0..20 {
        let order = format!("ORDER{round:05}");
        let registered = here.register(registration_of(&order, 99_000), destination(None).into());
        registered.await.unwrap().unwrap();
        let [first, second] = [2 * round, 2 * round + 1].map(|id| id.to_string());
        let told = |id: &str| receipt(id, 99_000, &order);
        let (a, b, c) = tokio::join!(
            here.pay(told(&first)),
            there.pay(told(&first)),
            there.pay(told(&second))
        );
        let taken = [a.unwrap(), b.unwrap(), c.unwrap()];
        let repeats = taken.iter().filter(|taken| taken.is_repeat).count();
        assert_eq!(repeats, 1, "{taken:?}");
        let mut became: Vec<_> = taken
            .iter()
            .filter(|taken| !taken.is_repeat)
            .map(|taken| taken.payment.became.label())
            .collect();
        became.sort_unstable();
        assert_eq!(became, ["paid", "paid_before"], "{taken:?}");
    }
    assert_eq!(here.payments().unwrap().len(), 40);
    // Each of the 20 orders was reported only once.
    assert_eq!(one.1.store.place().unwrap().waiting(), 20);
}

/// Sets the names of the standbys for which a commit waits.
fn waits_for(server: &Server, standbys: &str) {
    let set = format!("alter system set synchronous_standby_names = '{standbys}'");
    server.sql("postgres", &set).unwrap();
    server.sql("postgres", "select pg_reload_conf()").unwrap();
}

#[tokio::test]
async fn nothing_is_answered_that_no_standby_has_not_even_a_repeat() {
    let server = Server::start().unwrap();
    let (intake, ..) = joined(&server);
    intake.enqueue(entries(["known"])).await.unwrap();
    waits_for(&server, "nobody");
    for id in ["known", "new"] {
        assert!(intake.enqueue(entries([id])).await.is_err(), "{id}");
    }
    assert!(!intake.is_writable().await);
    waits_for(&server, "");
    let again = async {
        loop {
            // A transaction whose connection was dropped still waits for the standby on the server. Until this wait ends,
            // the transaction keeps its locks, so the first tries fail.
            if let Ok(results) = intake.enqueue(entries(["known", "later"])).await {
                return results;
            }
        }
    };
    let again = time::timeout(Duration::from_mins(2), again).await.unwrap();
    assert_eq!(again, [Enqueued::Duplicate, Enqueued::Accepted]);
    assert!(intake.is_writable().await);
}

#[tokio::test]
async fn a_wait_that_somebody_cancels_is_no_success() {
    let server = Server::start().unwrap();
    let (intake, ..) = joined(&server);
    intake.enqueue(entries(["first"])).await.unwrap();
    waits_for(&server, "nobody");
    let waiting = intake.begin(entries(["second"])).unwrap();
    let cancels = tokio::task::spawn_blocking(move || {
        let cancel = "select count(pg_cancel_backend(pid)) from pg_stat_activity where wait_event = 'SyncRep'";
        while server.sql("postgres", cancel).unwrap().trim() == "0" {}
        server
    });
    assert!(waiting.done().await.is_err());
    drop(cancels.await.unwrap());
}
