//! The values in `/metrics` must be consistent with each other and with `docs/delivery.md`.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Result, ensure};
use duet_sandbox::Fault;
use duet_tests::{
    Answer, Stack,
    faults::{Call, Data},
};
use serde_json::json;

use crate::{
    dead_letters::dead_letters,
    events::{ids, post_all, post_views},
    pays::{PRICE, Shop},
};

/// Runs a proxy until every metric has a value: events are delivered, refused, repeated, invalid and still pending, and a
/// bank reports a payment.
async fn mixed_run() -> Result<Stack> {
    let shop = Shop::open(&[("DUET_MONEY_EVENTS", "open"), ("DUET_LOG", "info")]).await?;
    shop.pay("NOBODYS0RDER", 50_000).await?;
    let Shop { stack } = shop;
    stack.sandbox.inject(Fault::RefuseEvent {
        event_id: "bad".to_owned(),
        name_index: true,
    });
    post_all(&stack, &ids("good-", 130)).await?;
    post_all(&stack, &ids("bad-", 3)).await?;
    post_all(&stack, &ids("good-", 20)).await?;
    let invalid = json!({ "event": "purchase", "colour": 1 });
    let answer = Answer::to(stack.track(&invalid)?).await?;
    assert_eq!(answer.status.as_u16(), 422);
    stack
        .until("the first 133 events have ended", async |stack| {
            Ok(stack.metrics().await?.sum("duet_events_ended_total") == 133)
        })
        .await?;
    stack.sandbox.inject(Fault::BadGateway {});
    post_all(&stack, &ids("later-", 7)).await?;
    stack
        .until("a request to TikTok has failed", async |stack| {
            let metrics = stack.metrics().await?;
            Ok(metrics.count("duet_tiktok_answers_total{code=\"none\"}") > 0)
        })
        .await?;
    stack.leaves_waiting(7);
    Ok(stack)
}

#[tokio::test]
async fn what_was_accepted_has_ended_or_waits() -> Result<()> {
    let metrics = mixed_run().await?.metrics().await?;
    assert_eq!(metrics.balance(), (140, 140));
    let ended =
        |outcome| metrics.count(&format!("duet_events_ended_total{{outcome=\"{outcome}\"}}"));
    assert_eq!((ended("delivered"), ended("refused")), (130, 3));
    assert_eq!(metrics.count("duet_queue_events"), 7);
    assert_eq!(metrics.count("duet_events_held"), 0);
    assert_eq!(metrics.sum("duet_events_accepted_total"), 140);
    assert_eq!(metrics.sum("duet_payments_total"), 1);
    assert_eq!(metrics.count("duet_events_duplicate_total"), 20);
    assert_eq!(metrics.sum("duet_events_invalid_total"), 1);
    // The first 130 events need two posts. Each later group of events needs one post.
    assert_eq!(metrics.count("duet_requests_total{status=\"202\"}"), 5);
    assert_eq!(metrics.count("duet_requests_total{status=\"422\"}"), 1);
    assert_eq!(metrics.count("duet_request_seconds_count"), 6);
    // The delivery time includes only delivered events. The dead letters were not delivered.
    assert_eq!(metrics.count("duet_delivery_seconds_count"), 130);
    assert_eq!(metrics.count("duet_ready"), 1);
    assert_eq!(metrics.count("duet_test_mode"), 0);
    Ok(())
}

#[tokio::test]
async fn every_answer_belongs_to_a_request() -> Result<()> {
    let stack = mixed_run().await?;
    stack.sandbox.clear_faults();
    stack.leaves_waiting(0);
    stack
        .until("no event is pending", async |stack| {
            Ok(stack.metrics().await?.count("duet_queue_events") == 0)
        })
        .await?;
    let metrics = stack.metrics().await?;
    let requests = i64::try_from(stack.sandbox.totals().requests)?;
    assert_eq!(metrics.sum("duet_tiktok_answers_total"), requests);
    assert_eq!(metrics.count("duet_batch_events_count"), requests);
    Ok(())
}

#[tokio::test]
async fn the_page_lists_every_metric_and_no_other() -> Result<()> {
    let metrics = mixed_run().await?.metrics().await?;
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/delivery.md");
    let page = std::fs::read_to_string(page)?;
    let rows = page.lines().filter(|line| line.starts_with("| `duet_"));
    let listed: BTreeSet<_> = rows
        .map(|row| {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            (cells[1].trim_matches('`').to_owned(), cells[2].to_owned())
        })
        .collect();
    assert_eq!(&listed, metrics.families());
    Ok(())
}

/// Checks that the metrics have these sums in one reading, and that the metrics balance.
async fn balance(stack: &Stack, terms: &[(&str, i64)]) -> Result<()> {
    let metrics = stack.metrics().await?;
    for (name, events) in terms {
        ensure!(
            metrics.sum(name) == *events,
            "{name} must be {events}, got {}",
            metrics.sum(name)
        );
    }
    let (came, went) = metrics.balance();
    ensure!(
        came == went,
        "both sums must be equal: {came} events were accepted, found or replayed, and {went} have ended, are pending or are held"
    );
    Ok(())
}

#[tokio::test]
async fn every_reading_balances_through_kills_replays_payments_and_a_failed_sync() -> Result<()> {
    const ACCEPTED: &str = "duet_events_accepted_total";
    const FOUND: &str = "duet_events_found";
    const REPLAYED: &str = "duet_events_replayed_total";
    const ENDED: &str = "duet_events_ended_total";
    const PENDING: &str = "duet_queue_events";
    const HELD: &str = "duet_events_held";
    let mut shop = Shop::open_with_faults(&[("DUET_LOG", "info")]).await?;
    let refusal = shop.stack.sandbox.inject(Fault::RefuseEvent {
        event_id: "bad".to_owned(),
        name_index: true,
    });
    post_views(&shop.stack, &ids("bad-", 2)).await?;
    shop.stack
        .until("both events are refused", async |stack| {
            Ok(stack.metrics().await?.sum(ENDED) == 2)
        })
        .await?;
    shop.stack.sandbox.remove_fault(refusal);
    let outage = shop.stack.sandbox.inject(Fault::BadGateway {});
    post_views(&shop.stack, &ids("later-", 5)).await?;
    for order_id in ["PHO7K3M9Q2X", "PHO7K3M9Q2Y"] {
        shop.register(order_id).await?;
        let claim = json!({ "event": "CompletePayment", "user": { "external_id": "u" },
                            "properties": { "order_id": order_id } });
        let answer = shop.stack.accepted(&claim).await?;
        assert_eq!(answer.body["status"], "held");
    }
    balance(
        &shop.stack,
        &[(ACCEPTED, 9), (ENDED, 2), (PENDING, 5), (HELD, 2)],
    )
    .await?;

    // At its start, a new process finds the events that the earlier process left.
    shop.stack.kill().await?;
    shop.stack.run_proxy().await?;
    balance(
        &shop.stack,
        &[(ACCEPTED, 0), (FOUND, 7), (PENDING, 5), (HELD, 2)],
    )
    .await?;

    // The payment releases the event that waited for it, and adds its own event. Then the other order is withdrawn, which
    // ends its event.
    shop.pay("PHO7K3M9Q2X", PRICE).await?;
    balance(&shop.stack, &[(ACCEPTED, 1), (PENDING, 7), (HELD, 1)]).await?;
    let withdraw = ["orders", "withdraw", "PHO7K3M9Q2Y"];
    shop.stack.command(&withdraw).await?;
    balance(&shop.stack, &[(ENDED, 1), (PENDING, 7), (HELD, 0)]).await?;

    // Of the three dead letters, two are pending again and one is held again.
    dead_letters(&shop.stack, &["replay", "--all"]).await?;
    balance(&shop.stack, &[(REPLAYED, 3), (PENDING, 9), (HELD, 1)]).await?;

    let view =
        json!({ "event": "ViewContent", "event_id": "unsure", "user": { "external_id": "u" } });
    // The caller gets a 503, although the event is stored.
    let faults = shop.stack.faults()?;
    faults.fail_next(Call::Fdatasync, 1, Data::Kept)?;
    let answer = Answer::to(shop.stack.track(&view)?).await?;
    assert_eq!(answer.status.as_u16(), 503);
    post_views(&shop.stack, &["sure".to_owned()]).await?;
    balance(&shop.stack, &[(ACCEPTED, 2), (FOUND, 8), (PENDING, 11)]).await?;
    shop.stack.sandbox.remove_fault(outage);
    shop.stack
        .until("no event is pending", async |stack| {
            Ok(stack.metrics().await?.count(PENDING) == 0)
        })
        .await?;
    balance(&shop.stack, &[(ENDED, 12), (REPLAYED, 3), (HELD, 1)]).await
}
