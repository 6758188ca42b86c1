//! The proxy recognises a repeated event, however much later and by whichever route it comes.

use anyhow::Result;
use duet_tests::Stack;
use serde_json::{Value, json};
use tokio::task::JoinSet;

fn event(name: &str, id: &str) -> Value {
    json!({ "event": name, "event_id": id, "user": { "external_id": "u" } })
}

async fn status(stack: &Stack, body: &Value) -> Result<Value> {
    Ok(stack.accepted(body).await?.body["status"].clone())
}

#[tokio::test]
async fn a_repeat_is_a_duplicate_also_after_a_restart() -> Result<()> {
    let mut stack = Stack::start(&[]).await?;
    assert_eq!(status(&stack, &event("Purchase", "a")).await?, "accepted");
    assert_eq!(status(&stack, &event("Purchase", "a")).await?, "duplicate");
    assert_eq!(
        status(&stack, &event("CompletePayment", "a")).await?,
        "duplicate"
    );
    assert_eq!(status(&stack, &event("Subscribe", "a")).await?, "accepted");
    stack.conversions(2).await?;
    stack.kill().await?;
    stack.run_proxy().await?;
    assert_eq!(status(&stack, &event("Purchase", "a")).await?, "duplicate");
    assert_eq!(status(&stack, &event("Purchase", "b")).await?, "accepted");
    stack.conversions(3).await?;
    Ok(())
}

#[tokio::test]
async fn of_fifty_repeats_at_once_one_is_accepted() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let request = stack.track(&event("Purchase", "a"))?;
        calls.spawn(async move {
            duet_tests::Answer::to(request).await.unwrap().body["status"].clone()
        });
    }
    let statuses = calls.join_all().await;
    assert_eq!(
        statuses
            .iter()
            .filter(|status| **status == "accepted")
            .count(),
        1
    );
    assert_eq!(
        statuses
            .iter()
            .filter(|status| **status == "duplicate")
            .count(),
        49
    );
    stack.conversions(1).await?;
    Ok(())
}

#[tokio::test]
async fn an_order_gives_its_events_their_ids() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let body = json!({ "event": "Subscribe", "properties": { "order_id": "PHO7K3M9Q2X" }, "user": { "external_id": "u" } });
    let answer = stack.accepted(&body).await?;
    assert_eq!(
        answer.body["event_id"],
        "8dfcc057-77d8-88a5-b01a-e0d0586f4129"
    );
    assert_eq!(status(&stack, &body).await?, "duplicate");
    stack.conversions(1).await?;
    Ok(())
}
