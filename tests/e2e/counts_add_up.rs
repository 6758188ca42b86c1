//! `/metrics` agrees with itself and with `docs/delivery.md`.

use std::{collections::BTreeSet, path::Path};

use anyhow::Result;
use duet_sandbox::Fault;
use duet_tests::{Answer, Stack};
use serde_json::json;

use crate::{
    events::{ids, post_all},
    pays::Shop,
};

/// A run in which everything happens that is counted: events are delivered, refused, repeated, invalid, some still
/// wait, and a bank tells of a payment.
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
        .until("all of these have ended", async |stack| {
            Ok(stack.metrics().await?.sum("duet_events_ended_total") == 133)
        })
        .await?;
    stack.sandbox.inject(Fault::BadGateway {});
    post_all(&stack, &ids("later-", 7)).await?;
    stack
        .until("TikTok was asked in vain", async |stack| {
            let metrics = stack.metrics().await?;
            Ok(metrics.count("duet_tiktok_answers_total{code=\"none\"}") > 0)
        })
        .await?;
    Ok(stack)
}

#[tokio::test]
async fn what_was_accepted_has_ended_or_waits() -> Result<()> {
    let metrics = mixed_run().await?.metrics().await?;
    let ended =
        |outcome| metrics.count(&format!("duet_events_ended_total{{outcome=\"{outcome}\"}}"));
    assert_eq!((ended("delivered"), ended("refused")), (130, 3));
    assert_eq!(metrics.count("duet_queue_events"), 7);
    assert_eq!(metrics.count("duet_events_held"), 0);
    assert_eq!(metrics.sum("duet_events_accepted_total"), 140);
    assert_eq!(metrics.sum("duet_payments_total"), 1);
    assert_eq!(metrics.count("duet_events_duplicate_total"), 20);
    assert_eq!(metrics.sum("duet_events_invalid_total"), 1);
    // Posts: 2 of the first events, then 1 each.
    assert_eq!(metrics.count("duet_requests_total{status=\"202\"}"), 5);
    assert_eq!(metrics.count("duet_requests_total{status=\"422\"}"), 1);
    assert_eq!(metrics.count("duet_request_seconds_count"), 6);
    // Dead letters never reached TikTok, so they say nothing about how long that takes.
    assert_eq!(metrics.count("duet_delivery_seconds_count"), 130);
    assert_eq!(metrics.count("duet_ready"), 1);
    assert_eq!(metrics.count("duet_test_mode"), 0);
    Ok(())
}

#[tokio::test]
async fn every_answer_belongs_to_a_request() -> Result<()> {
    let stack = mixed_run().await?;
    stack.sandbox.clear_faults();
    stack
        .until("nothing waits", async |stack| {
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
