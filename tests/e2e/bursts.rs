//! If one address uses up its rate limit, the events of other addresses are not delayed.

use anyhow::{Context, Result};
use duet_sandbox::{Fault, LoggedRequest};
use duet_tests::{Answer, Stack};
use serde_json::{Value, json};

use crate::events::event;

const STRANGER: &str = "203.0.113.7";
const CUSTOMER: &str = "203.0.113.8";

/// Posts an event as a trusted web server does that reports the address of the client. Returns the status.
async fn post_from(stack: &Stack, address: &str, body: &Value) -> Result<u16> {
    let request = stack.track(body)?.header("x-forwarded-for", address);
    Ok(Answer::to(request).await?.status.as_u16())
}

fn bodies(kind: &str, count: usize) -> Value {
    let events = (0..100).map(|number| {
        let mut event = event(&format!("{kind}-{count}-{number}"));
        event["event"] = json!(kind);
        event
    });
    json!({ "events": events.collect::<Vec<_>>() })
}

/// Returns the ids of a request's events.
fn ids_in(request: &LoggedRequest) -> Result<Vec<String>> {
    let body = request
        .body
        .as_ref()
        .context("the request must have a body")?;
    let events = body["data"]
        .as_array()
        .context("the body must have a list of events")?;
    let ids = events.iter().filter_map(|event| event["event_id"].as_str());
    Ok(ids.map(str::to_owned).collect())
}

/// Returns the event ids in each request that TikTok accepted before the request with this event, and the event ids in the
/// request with this event.
fn up_to(stack: &Stack, id: &str) -> Result<(Vec<Vec<String>>, Vec<String>)> {
    let mut before = Vec::new();
    for request in stack.requests() {
        if request.code != Some(0) {
            continue;
        }
        let ids = ids_in(&request)?;
        if ids.iter().any(|other| other == id) {
            return Ok((before, ids));
        }
        before.push(ids);
    }
    anyhow::bail!("TikTok must get {id}")
}

#[tokio::test]
async fn a_burst_of_one_address_is_overtaken_by_anothers_purchase() -> Result<()> {
    let stack = Stack::start(&[
        ("DUET_TRUSTED_PROXIES", "127.0.0.1"),
        ("DUET_SEND_PARALLEL", "1"),
        ("DUET_LOG", "info"),
    ])
    .await?;
    let outage = stack.sandbox.inject(Fault::BadGateway {});
    let mut refused = 0;
    for count in 0..100 {
        // Send both views and money events, because one address must not fill the first class with either kind.
        let kind = if count % 4 == 0 {
            "Purchase"
        } else {
            "ViewContent"
        };
        let status = post_from(&stack, STRANGER, &bodies(kind, count)).await?;
        refused += usize::from(status == 429);
    }
    let waiting = stack.metrics().await?.count("duet_queue_events");
    println!("{waiting} events are pending, {refused} bodies were rejected");
    assert!(refused > 0 && waiting >= 1200, "{refused} {waiting}");
    let purchase = event("the-customers");
    assert_eq!(post_from(&stack, CUSTOMER, &purchase).await?, 202);

    stack.sandbox.remove_fault(outage);
    stack.conversions(usize::try_from(waiting)? + 1).await?;
    let (before, with) = up_to(&stack, "the-customers")?;
    // Before the purchase, TikTok may get only the first requests since the outage, and the stranger's share of the first
    // class.
    assert!(
        before.len() <= 3,
        "at most 3 requests may come before the purchase, got {}",
        before.len()
    );
    let ahead: usize = before.iter().map(Vec::len).sum();
    let behind = usize::try_from(waiting)? - ahead - with.len();
    assert!(
        behind >= 1000,
        "at least 1000 events must come after the purchase, got {behind} and {ahead} before the purchase"
    );
    Ok(())
}

#[tokio::test]
async fn a_body_costs_its_events_and_is_taken_whole_or_not_at_all() -> Result<()> {
    let stack = Stack::start(&[
        ("DUET_RATE_LIMIT", "10/1h"),
        ("DUET_TRUSTED_PROXIES", "127.0.0.1"),
    ])
    .await?;
    let body = |kind: &str, count: usize| {
        let events: Vec<_> = (0..count)
            .map(|number| event(&format!("{kind}{number}")))
            .collect();
        json!({ "events": events })
    };
    // The limit is ten events. Six events are accepted. Six more would exceed the limit, so they are rejected, which counts
    // as one event. Three more events are accepted.
    for (kind, count, status) in [("a", 6, 202), ("b", 6, 429), ("c", 3, 202), ("d", 1, 429)] {
        let answered = post_from(&stack, STRANGER, &body(kind, count)).await?;
        assert_eq!(answered, status, "{kind}");
    }
    // A body with more events than the limit uses up the whole limit.
    for (kind, count, status) in [("e", 40, 202), ("f", 1, 429)] {
        let answered = post_from(&stack, CUSTOMER, &body(kind, count)).await?;
        assert_eq!(answered, status, "{kind}");
    }
    // An address that has used up its limit can still ask for an order's status.
    let ask = stack.request("GET", "/api/orders/PHO7K3M9Q2X")?;
    let asked = Answer::to(ask.header("x-forwarded-for", STRANGER)).await?;
    assert_eq!(asked.status.as_u16(), 200);
    stack.conversions(6 + 3 + 40).await?;
    Ok(())
}

#[tokio::test]
async fn settings_within_which_a_burst_delays_others_are_warned_of() -> Result<()> {
    let warns = |stack: &Stack| {
        stack
            .log()
            .contains("can delay another customer's conversion")
    };
    let mut stack = Stack::start(&[]).await?;
    assert!(
        !warns(&stack),
        "the proxy must not warn if the limits are within the defaults"
    );
    assert!(
        stack
            .log()
            .contains("DUET_RATE_LIMIT is 1200/1m by default and counts events")
    );
    assert!(stack.stop().await?);
    stack.set("DUET_SEND_LIMIT", "1/1s");
    stack.run_proxy().await?;
    assert!(warns(&stack));
    Ok(())
}
