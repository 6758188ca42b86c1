//! Tests an outage of TikTok, and how the proxy delivers after the outage.

use std::{
    collections::BTreeSet,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use duet_sandbox::Fault;
use duet_tests::{Answer, Stack};
use serde_json::{Value, json};

use crate::events::{arrived, event, ids, post_all, post_views};

#[tokio::test]
async fn after_an_outage_one_request_tries_and_more_follow_as_answers_come() -> Result<()> {
    const ANSWER_MS: u64 = 150;
    // Requests within this time count as sent at the same time. This time is shorter than the time for an answer, even if
    // both times are rounded.
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
        .until("TikTok has got more than one request", async |stack| {
            Ok(stack.sandbox.totals().requests > 1)
        })
        .await?;
    assert_eq!(stack.metrics().await?.count("duet_queue_events"), 3000);
    // The proxy reports a stuck queue only after 15 minutes.
    assert_eq!(stack.get("/readyz").await?.body["checks"]["queue"], "ok");
    let before = stack.sandbox.totals().requests;
    // Slow answers show which requests run at the same time.
    stack.sandbox.inject(Fault::Slow { ms: ANSWER_MS });
    stack.sandbox.remove_fault(outage);
    let conversions = stack.conversions(3000).await?;
    let expected: BTreeSet<_> = ids.iter().map(String::as_str).collect();
    assert_eq!(arrived(&conversions), expected);

    let requests = stack.requests();
    // A request that was running when the outage ended can have failed or succeeded, so only requests with slow answers are
    // checked.
    let back: Vec<_> = requests
        .iter()
        .filter(|request| request.number > before && request.fault == Some("slow"))
        .collect();
    let first = back
        .first()
        .context("the proxy must have sent a request after the outage")?;
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
        .until("the test events arrived", async |stack| {
            let tests = ["TEST1", "TEST2"].map(|code| stack.sandbox.tests(code).len());
            Ok(tests == [15, 15])
        })
        .await?;
    stack
        .until("the token works", async |_| Ok(token().await? == "ok"))
        .await?;
    for request in stack.requests() {
        let body = request.body.context("the request must have a body")?;
        let code = body["test_event_code"].as_str();
        let events = body["data"]
            .as_array()
            .context("the body must have a list of events")?;
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

#[tokio::test]
async fn one_throttle_after_trouble_delays_nothing_for_minutes() -> Result<()> {
    let stack = Stack::start(&[("DUET_SEND_PARALLEL", "1"), ("DUET_LOG", "info")]).await?;
    stack.sandbox.inject(Fault::BadGateway {}.times(3));
    let throttle = Fault::Code {
        code: 40100,
        message: None,
    };
    stack.sandbox.inject(throttle.times(1));
    let ids = ids("e", 120);
    post_all(&stack, &ids).await?;
    // The wait for the conversions is at most two minutes. The proxy sends again at most 75 s after the throttle.
    let conversions = stack.conversions(120).await?;
    let expected: BTreeSet<_> = ids.iter().map(String::as_str).collect();
    assert_eq!(arrived(&conversions), expected);
    Ok(())
}

#[tokio::test]
async fn after_an_outage_everything_moves_however_often_it_failed() -> Result<()> {
    let stack = Stack::start(&[("DUET_LOG", "info")]).await?;
    let outage = stack.sandbox.inject(Fault::BadGateway {});
    let ids = ids("e", 120);
    post_all(&stack, &ids).await?;
    stack
        .until("TikTok has got more than 8 requests", async |stack| {
            Ok(stack.sandbox.totals().requests > 8)
        })
        .await?;
    stack.sandbox.remove_fault(outage);
    let conversions = stack.conversions(120).await?;
    let expected: BTreeSet<_> = ids.iter().map(String::as_str).collect();
    assert_eq!(arrived(&conversions), expected);
    Ok(())
}

#[tokio::test]
async fn live_events_that_come_too_late_to_be_merged_are_counted() -> Result<()> {
    const WINDOW_S: u64 = 300;
    let stack = Stack::start(&[("DUET_LOG", "info")]).await?;
    let now_s = || anyhow::Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs());
    let outage = stack.sandbox.inject(Fault::BadGateway {});
    let happened = |id: &str, at: u64| {
        let mut event = event(id);
        event["event_time"] = json!(at);
        event
    };
    let closes_soon = now_s()? - WINDOW_S + 20;
    stack.accepted(&happened("late", closes_soon)).await?;
    stack
        .accepted(&happened("backdated", closes_soon - 3600))
        .await?;
    stack.accepted(&happened("in-time", now_s()?)).await?;
    stack
        .until(
            "the time in which TikTok merges copies is over",
            async |_| Ok(now_s()? > closes_soon + WINDOW_S),
        )
        .await?;
    stack.sandbox.remove_fault(outage);
    stack.conversions(3).await?;
    stack
        .until("the late event is counted", async |stack| {
            let metrics = stack.metrics().await?;
            let ended = metrics.sum("duet_events_ended_total") == 3;
            Ok(ended && metrics.count("duet_merge_window_missed_total") == 1)
        })
        .await
}

/// Returns the number of events in each request that TikTok accepted.
fn sizes(stack: &Stack) -> Vec<usize> {
    let requests = stack.requests();
    let bodies = requests.iter().filter_map(|request| request.body.as_ref());
    bodies
        .filter_map(|body| Some(body["data"].as_array()?.len()))
        .collect()
}

#[tokio::test]
async fn requests_begin_with_50_events_and_double_while_more_waits() -> Result<()> {
    let mut stack = Stack::start(&[
        // No server listens at this address, so posted events stay pending until the restart.
        ("TIKTOK_API_BASE", "http://127.0.0.1:9"),
        ("DUET_SEND_PARALLEL", "1"),
        ("DUET_SEND_LIMIT", "off"),
        ("DUET_RATE_LIMIT", "off"),
        ("DUET_LOG", "info"),
    ])
    .await?;
    let ids: Vec<_> = ids("e", 2000);
    post_views(&stack, &ids).await?;
    stack.kill().await?;
    let sandbox = stack.sandbox_url().to_owned();
    stack.set("TIKTOK_API_BASE", &sandbox);
    stack.run_proxy().await?;
    stack.conversions(2000).await?;
    assert_eq!(sizes(&stack), [50, 100, 200, 400, 800, 450]);
    Ok(())
}
