//! An event that TikTok refuses does not block other events, and costs only a few extra requests.

use std::collections::BTreeSet;

use anyhow::Result;
use duet_sandbox::Fault;
use duet_tests::Stack;

use crate::events::{arrived, event, ids, post_views};

/// How many requests halving needs to find one of 1,000 events, if both halves are sent each time.
const BY_HALVES: u64 = 20;

fn refuse(name_index: bool) -> Fault {
    Fault::RefuseEvent {
        event_id: "bad".to_owned(),
        name_index,
    }
}

fn blame_another() -> Fault {
    Fault::BlameAnother {
        event_id: "bad".to_owned(),
    }
}

/// The sizes of the growing requests that come before the first request with 1,000 events.
const BEFORE: [usize; 5] = [50, 100, 200, 400, 800];

/// Sends 1,000 events in one request. The events at `places` are bad and cause `fault`. Every good event must arrive, and
/// every bad event must be refused. Returns how many requests came after the request with 1,000 events.
async fn requests_beside_the_first(places: &[usize], fault: Fault) -> Result<u64> {
    let mut stack = Stack::start(&[
        // No server listens at this address, so the sandbox gets no request before the restart.
        ("TIKTOK_API_BASE", "http://127.0.0.1:9"),
        ("DUET_BATCH_BYTES", "5000000"),
        ("DUET_SEND_PARALLEL", "1"),
        ("DUET_SEND_LIMIT", "off"),
        ("DUET_RATE_LIMIT", "off"),
        ("DUET_LOG", "info"),
    ])
    .await?;
    let before: usize = BEFORE.iter().sum();
    let mut ids = ids("good-", before + 1000);
    for place in places {
        ids[before + place] = format!("bad-{place}");
    }
    post_views(&stack, &ids).await?;
    // After the restart, the proxy sends the pending events in full batches of growing size.
    stack.kill().await?;
    stack.sandbox.inject(fault);
    let sandbox = stack.sandbox_url().to_owned();
    stack.set("TIKTOK_API_BASE", &sandbox);
    stack.run_proxy().await?;

    let bad = places.len();
    let all = ids.len();
    let conversions = stack.conversions(all - bad).await?;
    // An event leaves the queue shortly before it is counted as ended.
    stack
        .until("all events have ended", async |stack| {
            Ok(stack.metrics().await?.sum("duet_events_ended_total") == i64::try_from(all)?)
        })
        .await?;
    let good: BTreeSet<_> = ids.iter().map(String::as_str).collect();
    let arrived = arrived(&conversions);
    assert!(arrived.is_subset(&good) && arrived.iter().all(|id| id.starts_with("good-")));
    let metrics = stack.metrics().await?;
    assert_eq!(metrics.count("duet_queue_events"), 0);
    let ended =
        |outcome| metrics.count(&format!("duet_events_ended_total{{outcome=\"{outcome}\"}}"));
    assert_eq!(ended("refused"), i64::try_from(bad)?);
    assert_eq!(ended("delivered"), i64::try_from(all - bad)?);
    Ok(stack.sandbox.totals().requests - u64::try_from(BEFORE.len())? - 1)
}

#[tokio::test]
async fn one_bad_event_among_1000_costs_20_requests() -> Result<()> {
    for place in [0, 617, 999] {
        let requests = requests_beside_the_first(&[place], refuse(false)).await?;
        assert!(requests <= BY_HALVES, "bad at {place}: {requests}");
    }
    Ok(())
}

#[tokio::test]
async fn one_bad_event_that_tiktok_names_costs_2_requests() -> Result<()> {
    assert_eq!(requests_beside_the_first(&[617], refuse(true)).await?, 2);
    Ok(())
}

#[tokio::test]
async fn three_bad_events_among_1000_cost_three_times_as_much_at_most() -> Result<()> {
    let places = [3, 500, 998];
    assert!(requests_beside_the_first(&places, refuse(false)).await? <= 3 * BY_HALVES);
    assert_eq!(requests_beside_the_first(&places, refuse(true)).await?, 6);
    Ok(())
}

#[tokio::test]
async fn a_place_that_is_named_wrongly_costs_no_good_event() -> Result<()> {
    let requests = requests_beside_the_first(&[617], blame_another()).await?;
    // TikTok names a good event as the bad one. The proxy sends this event alone, then the other events together, and then
    // halves of them.
    assert!(requests <= 2 + BY_HALVES, "{requests}");
    requests_beside_the_first(&[999], blame_another()).await?;
    requests_beside_the_first(&[0, 1, 2], blame_another()).await?;
    Ok(())
}

#[tokio::test]
async fn an_event_that_always_fails_holds_up_no_later_one() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    stack.sandbox.inject(Fault::CodeForEvent {
        event_id: "poison".to_owned(),
        code: 50000,
    });
    stack.accepted(&event("poison")).await?;
    stack
        .until("the event has failed", async |stack| {
            Ok(stack
                .metrics()
                .await?
                .count("duet_tiktok_answers_total{code=\"50000\"}")
                > 0)
        })
        .await?;
    for id in ["a", "b", "c"] {
        stack.accepted(&event(id)).await?;
        stack
            .until("the later event arrives", async |stack| {
                Ok(!stack.sandbox.conversions_of(id).is_empty())
            })
            .await?;
    }
    stack
        .until("only the event that fails is pending", async |stack| {
            Ok(stack.metrics().await?.count("duet_queue_events") == 1)
        })
        .await?;
    stack.leaves_waiting(1);
    Ok(())
}

#[tokio::test]
async fn events_that_tiktok_chokes_on_keep_no_others_for_long() -> Result<()> {
    let stack = Stack::start(&[("DUET_SEND_LIMIT", "off"), ("DUET_LOG", "info")]).await?;
    let choke = stack.sandbox.inject(Fault::CodeForEvent {
        event_id: "bad".to_owned(),
        code: 50000,
    });
    post_views(&stack, &ids("bad-", 5)).await?;
    let good = ids("good-", 60);
    for id in &good {
        post_views(&stack, std::slice::from_ref(id)).await?;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    stack
        .until("all good events arrive", async |stack| {
            let conversions = stack.sandbox.conversions();
            let is_good = |id: &str| id.starts_with("good-");
            let arrived = conversions.iter().filter_map(|one| one.event_id.as_deref());
            Ok(arrived.filter(|id| is_good(id)).count() == good.len())
        })
        .await?;
    stack.sandbox.remove_fault(choke);
    stack.conversions(65).await?;
    Ok(())
}
