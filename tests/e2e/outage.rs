//! TikTok away for a while, and what happens when it is back.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use duet_sandbox::Fault;
use duet_tests::{Answer, Stack};
use serde_json::{Value, json};

use crate::events::{arrived, event, ids, post_all};

#[tokio::test]
async fn after_an_outage_one_request_tries_and_more_follow_as_answers_come() -> Result<()> {
    const ANSWER_MS: u64 = 150;
    // Less than an answer takes, whatever clocks round to.
    const AT_ONCE_MS: u64 = ANSWER_MS - 10;
    let stack = Stack::start(&[
        ("DUET_SEND_LIMIT", "off"),
        ("DUET_RATE_LIMIT", "off"),
        ("DUET_LOG", "info"),
    ])
    .await?;
    let outage = stack.sandbox.inject(Fault::BadGateway {});
    let ids = ids("e", 3000);
    post_all(&stack, &ids).await?;
    stack
        .until("TikTok was asked more than once", async |stack| {
            Ok(stack.sandbox.totals().requests > 1)
        })
        .await?;
    assert_eq!(stack.metrics().await?.count("duet_queue_events"), 3000);
    // Nobody is told that the queue is stuck before a quarter of an hour.
    assert_eq!(stack.get("/readyz").await?.body["checks"]["queue"], "ok");
    let before = stack.sandbox.totals().requests;
    // A slow answer shows what is under way beside it.
    stack.sandbox.inject(Fault::Slow { ms: ANSWER_MS });
    stack.sandbox.remove_fault(outage);
    let conversions = stack.conversions(3000).await?;
    let expected: BTreeSet<_> = ids.iter().map(String::as_str).collect();
    assert_eq!(arrived(&conversions), expected);

    let requests = stack.requests();
    // One that was on its way when the outage ended may count to either side.
    let back: Vec<_> = requests
        .iter()
        .filter(|request| request.number > before && request.fault == Some("slow"))
        .collect();
    let first = back.first().context("there are no requests")?;
    let beside_it = back
        .iter()
        .skip(1)
        .take_while(|request| request.received_at_ms < first.received_at_ms + AT_ONCE_MS);
    assert_eq!(beside_it.count(), 0, "{back:?}");
    let at_once: Vec<_> = back
        .iter()
        .map(|request| {
            let since = request.received_at_ms.saturating_sub(AT_ONCE_MS);
            let during = since..=request.received_at_ms;
            back.iter()
                .filter(|other| other.number <= request.number)
                .filter(|other| during.contains(&other.received_at_ms))
                .count()
        })
        .collect();
    assert!(at_once.iter().all(|requests| *requests <= 4), "{at_once:?}");
    assert!(at_once.iter().any(|requests| *requests > 1), "{at_once:?}");
    assert!(back.len() <= 3000 / 50 + 8, "{} requests", back.len());
    Ok(())
}

#[tokio::test]
async fn test_traffic_and_live_traffic_share_no_request_and_wait_out_a_bar_together() -> Result<()>
{
    let key = "a-server-key-of-some-length";
    let stack = Stack::start(&[("DUET_SERVER_KEY", key), ("DUET_SEND_LIMIT", "off")]).await?;
    let revoked = stack.sandbox.inject(Fault::TokenRevoked {});
    for number in 0..30 {
        let mut rehearsal = event(&format!("test-{number}"));
        rehearsal["test_event_code"] = json!(if number % 2 == 0 { "TEST1" } else { "TEST2" });
        let answer = Answer::to(stack.track(&rehearsal)?.bearer_auth(key)).await?;
        assert_eq!(answer.status.as_u16(), 202);
        stack.accepted(&event(&format!("live-{number}"))).await?;
    }
    let token = async || {
        Ok::<_, anyhow::Error>(stack.get("/readyz").await?.body["checks"]["token"].clone())
    };
    stack
        .until("the token is refused", async |_| {
            Ok(token().await? == "refused")
        })
        .await?;
    assert_eq!(stack.metrics().await?.count("duet_queue_events"), 60);
    stack.sandbox.remove_fault(revoked);
    stack.conversions(30).await?;
    stack
        .until("the rehearsals arrived", async |stack| {
            let tests = ["TEST1", "TEST2"].map(|code| stack.sandbox.tests(code).len());
            Ok(tests == [15, 15])
        })
        .await?;
    stack
        .until("the token works", async |_| Ok(token().await? == "ok"))
        .await?;
    for request in stack.requests() {
        let body = request.body.context("there is no body")?;
        let code = body["test_event_code"].as_str();
        let events = body["data"].as_array().context("there are no events")?;
        let of_this_lane = |event: &Value| {
            let id = event["event_id"].as_str().unwrap();
            let number: usize = id.split_once('-').unwrap().1.parse().unwrap();
            let own = match (id.starts_with("test-"), number % 2) {
                (false, _) => None,
                (true, 0) => Some("TEST1"),
                (true, _) => Some("TEST2"),
            };
            own == code
        };
        assert!(events.iter().all(of_this_lane), "{body}");
    }
    Ok(())
}
