//! Tests a machine with a wrong clock. No event expires too early, no event counts twice, and the operator is informed.
#![cfg(target_os = "linux")]

use anyhow::Result;
use duet_sandbox::{Fault, clerk::KeySetAnswer};
use duet_tests::Stack;
use serde_json::{Value, json};

use crate::dead_letters::dead_letters;

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;

fn lead(id: &str) -> Value {
    json!({ "event": "Lead", "event_id": id, "user": { "external_id": "u" } })
}

async fn clock(stack: &Stack) -> Result<Value> {
    Ok(stack.get("/readyz").await?.body["checks"]["clock"].clone())
}

/// Waits until `count` events are delivered. Then the proxy has read TikTok's answers, which contain TikTok's time.
async fn delivered(stack: &Stack, count: i64) -> Result<()> {
    stack
        .until("the answers are read", async |stack| {
            let metrics = stack.metrics().await?;
            Ok(metrics.count("duet_events_ended_total{outcome=\"delivered\"}") == count)
        })
        .await
}

async fn is_suspect(stack: &Stack) -> Result<bool> {
    let answer = stack.get("/readyz").await?;
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    let metrics = stack
        .request("GET", "/metrics")?
        .send()
        .await?
        .text()
        .await?;
    let metric = metrics.contains("duet_clock_suspect 1\n");
    let word = answer.body["checks"]["clock"].is_string();
    assert_eq!((metric, answer.body["status"] == "degraded"), (word, word));
    Ok(word)
}

#[tokio::test]
async fn what_waits_outlives_a_start_with_a_clock_eight_days_ahead() -> Result<()> {
    let mut stack = Stack::start_with_faults(&[]).await?;
    let hang = stack.sandbox.inject(Fault::BadGateway {});
    for id in ["a", "b", "c"] {
        stack.accepted(&lead(id)).await?;
    }
    assert!(!is_suspect(&stack).await?);
    stack.kill().await?;
    stack.faults()?.set_clock(8 * DAY_MS)?;
    stack.run_proxy().await?;
    assert!(is_suspect(&stack).await?);
    // Wait until the proxy has tried each event once more. Only at that moment could an event expire.
    let tried = stack.requests().len();
    stack
        .until("the events are sent again", async |stack| {
            Ok(stack.requests().len() > tried)
        })
        .await?;
    stack.sandbox.remove_fault(hang);
    stack.conversions(3).await?;
    delivered(&stack, 3).await?;
    assert_eq!(
        dead_letters(&stack, &["list"]).await?,
        "there are no dead letters\n"
    );
    // TikTok's answer contains TikTok's time, so the proxy sees that the system's clock is still wrong.
    assert_eq!(
        clock(&stack).await?,
        "suspect: wrong, or set since the start"
    );
    assert!(stack.log().contains("the system's clock"));
    Ok(())
}

#[tokio::test]
async fn a_clock_set_eight_days_ahead_gives_nothing_up_and_repeats_nothing() -> Result<()> {
    let stack = Stack::start_with_faults(&[]).await?;
    stack.accepted(&lead("before")).await?;
    stack.conversions(1).await?;
    let fault = stack.sandbox.inject(Fault::BadGateway {});
    stack.accepted(&lead("waits")).await?;
    stack.faults()?.set_clock(8 * DAY_MS)?;
    assert!(is_suspect(&stack).await?);
    let again = stack.accepted(&lead("before")).await?;
    assert_eq!(again.body["status"], "duplicate", "{again:?}");
    stack.sandbox.remove_fault(fault);
    delivered(&stack, 2).await?;
    // The proxy now uses TikTok's time for new events and for checking stated event times.
    stack.accepted(&lead("after")).await?;
    let now_s = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)?
        .as_secs();
    let mut dated = lead("dated");
    dated["event_time"] = json!(now_s - 60);
    stack.accepted(&dated).await?;
    stack.conversions(4).await?;
    stack.faults()?.set_clock(0)?;
    assert!(!is_suspect(&stack).await?);
    Ok(())
}

#[tokio::test]
async fn a_clock_set_back_does_not_keep_clerks_keys_from_being_loaded() -> Result<()> {
    let mut stack =
        Stack::prepare_with_faults(&[("CLERK_AUTHORIZED_PARTIES", "https://shop.example.com")])
            .await?;
    let issuer = stack.sandbox_url().to_owned();
    stack.set("CLERK_ISSUER", &issuer);
    stack.sandbox.clerk().answer_with(KeySetAnswer::Error);
    stack.run_proxy().await?;
    stack
        .until("the proxy has requested the keys", async |stack| {
            Ok(stack.metrics().await?.sum("duet_clerk_key_fetches_total") > 0)
        })
        .await?;
    stack.faults()?.set_clock(-5 * HOUR_MS)?;
    stack.sandbox.clerk().answer_with(KeySetAnswer::Keys);
    stack
        .until("the keys are loaded", async |stack| {
            Ok(stack.get("/readyz").await?.body["checks"]["clerk"] == "ok")
        })
        .await
}
