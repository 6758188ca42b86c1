//! Tests attacks: strangers try to report a conversion that did not happen, or to hide a real conversion.

use anyhow::Result;
use duet_tests::{Answer, Stack};
use serde_json::{Value, json};

use crate::events::event;

const KEY: &str = "a-server-key-of-some-length";
const TRACK: &str = "/api/analytics/tiktok/track";

fn warned(answer: &Answer) -> Vec<&str> {
    let warnings = answer.body["warnings"].as_array();
    let fields = warnings.into_iter().flatten();
    fields
        .filter_map(|warning| warning["field"].as_str())
        .collect()
}

fn with(mut event: Value, field: &str, value: Value) -> Value {
    event[field] = value;
    event
}

#[tokio::test]
async fn a_key_counts_in_its_header_and_nowhere_else() -> Result<()> {
    let stack = Stack::start(&[("DUET_SERVER_KEY", KEY)]).await?;
    let test = |id: &str| with(event(id), "test_event_code", json!("TEST1")).to_string();
    let elsewhere = [
        stack.request(
            "POST",
            &format!("{TRACK}?key={KEY}&authorization=Bearer%20{KEY}"),
        )?,
        stack.request("POST", TRACK)?.header("x-server-key", KEY),
        stack
            .request("POST", TRACK)?
            .header("cookie", format!("authorization={KEY}")),
        stack.request("POST", TRACK)?.basic_auth("duet", Some(KEY)),
    ];
    for (index, request) in elsewhere.into_iter().enumerate() {
        let answer = Answer::to(request.body(test(&format!("e{index}")))).await?;
        assert_eq!(warned(&answer), ["test_event_code"], "{answer:?}");
    }
    for key in ["null", "undefined", &KEY[1..], &format!("{KEY}x")] {
        let request = stack.request("POST", TRACK)?.body(test("never"));
        let answer = Answer::to(request.header("authorization", format!("Bearer {key}"))).await?;
        assert_eq!(answer.status.as_u16(), 401, "{key}");
    }
    let conversions = stack.conversions(4).await?;
    assert!(
        conversions
            .iter()
            .all(|counted| counted.event_id.as_deref() != Some("never"))
    );
    Ok(())
}

#[tokio::test]
async fn a_token_that_looks_like_a_session_gives_no_more_than_a_page_has() -> Result<()> {
    let stack = Stack::start(&[("DUET_SERVER_KEY", KEY)]).await?;
    let mut claimed = with(event("a"), "test_event_code", json!("TEST1"));
    claimed["user"]["ip"] = json!("198.51.100.7");
    let request = stack
        .track(&claimed)?
        .bearer_auth("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c2VyXzEifQ.");
    let answer = Answer::to(request).await?;
    assert_eq!(warned(&answer), ["user.ip", "test_event_code"]);
    stack.conversions(1).await?;
    let requests = stack.requests();
    let body = requests[0].body.as_ref().unwrap();
    let user = &body["data"][0]["user"];
    assert_eq!(user.get("ip"), None, "{user}");
    assert!(!user.to_string().contains("user_1"), "{user}");
    Ok(())
}

#[tokio::test]
async fn a_repeat_is_recognised_whatever_else_a_page_changes_in_it() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    stack.accepted(&event("a")).await?;
    let mut dearer = event("a");
    dearer["properties"]["value"] = json!(990_000);
    for repeat in [
        dearer,
        with(event("a"), "event", json!("CompletePayment")),
        with(event("a"), "test_event_code", json!("TEST2")),
        with(event("a"), "user", json!({ "external_id": "another" })),
        with(event("a"), "pixel", json!("blocked")),
    ] {
        let answer = stack.accepted(&repeat).await?;
        assert_eq!(answer.body["status"], "duplicate", "{repeat}");
    }
    let counted = stack.conversions(1).await?;
    assert_eq!(stack.requests().len(), 1, "{counted:?}");
    Ok(())
}

#[tokio::test]
async fn a_batch_with_one_event_twice_counts_it_once() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let batch = json!({ "events": [event("a"), event("a"), event("b"), event("a")] });
    let answer = stack.accepted(&batch).await?;
    let results = answer.body["results"].as_array().unwrap();
    let statuses: Vec<_> = results.iter().map(|result| &result["status"]).collect();
    assert_eq!(statuses, ["accepted", "duplicate", "accepted", "duplicate"]);
    stack.conversions(2).await?;
    Ok(())
}

#[tokio::test]
async fn a_page_cannot_write_what_is_between_the_proxy_and_tiktok() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    for field in [
        "access_token",
        "event_source",
        "event_source_id",
        "data",
        "partner_name",
    ] {
        let answer = stack
            .accepted(&with(event(field), field, json!("x")))
            .await?;
        let warning = &answer.body["warnings"][0];
        assert_eq!(
            (&warning["field"], &warning["rule"]),
            (&json!(field), &json!("unknown_field"))
        );
    }
    stack.conversions(5).await?;
    for request in stack.requests() {
        let body = request.body.unwrap();
        assert_eq!(body["event_source"], "web");
        assert_ne!(body["event_source_id"], "x");
        for event in body["data"].as_array().unwrap() {
            let fields = event.as_object().unwrap().values();
            assert!(fields.into_iter().all(|value| value != "x"), "{event}");
        }
    }
    let asked = stack.requests().len();
    let other = with(event("a"), "pixel_id", json!("CANOTHERPIXEL0000001"));
    let answer = Answer::to(stack.track(&other)?).await?;
    assert_eq!(
        answer.body["results"][0]["errors"][0]["rule"],
        "unknown_pixel"
    );
    assert_eq!(stack.requests().len(), asked);
    Ok(())
}

#[tokio::test]
async fn a_hundred_and_one_events_in_one_body_are_none() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let events: Vec<_> = (0..101)
        .map(|number| event(&format!("e{number}")))
        .collect();
    for body in [json!({ "events": events }), json!({ "events": [] })] {
        let answer = Answer::to(stack.track(&body)?).await?;
        let error = &answer.body["results"][0]["errors"][0];
        assert_eq!(
            (answer.status.as_u16(), &error["rule"]),
            (422, &json!("max_events"))
        );
    }
    assert!(stack.requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_forged_address_is_neither_sent_nor_counted_apart() -> Result<()> {
    let stack = Stack::start(&[("DUET_RATE_LIMIT", "3/1h")]).await?;
    let mut statuses = Vec::new();
    for number in 1..=4 {
        let request = stack.track(&event(&format!("e{number}")))?;
        let request = request.header("x-forwarded-for", format!("198.51.100.{number}"));
        statuses.push(
            Answer::to(request.header("x-real-ip", "8.8.8.8"))
                .await?
                .status
                .as_u16(),
        );
    }
    assert_eq!(statuses, [202, 202, 202, 429]);
    stack.conversions(3).await?;
    for request in stack.requests() {
        let body = request.body.unwrap().to_string();
        assert!(
            !body.contains("198.51.100.") && !body.contains("8.8.8.8"),
            "{body}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn only_a_post_of_the_track_path_brings_an_event() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let body = event("a").to_string();
    for (method, path, status) in [
        ("GET", TRACK, 200),
        ("PUT", TRACK, 405),
        ("PATCH", TRACK, 405),
        ("DELETE", TRACK, 405),
        ("POST", "/api/analytics/tiktok/track//", 404),
        ("POST", "/api/analytics/tiktok/tr%61ck", 404),
        ("POST", "/API/analytics/tiktok/track", 404),
        ("POST", "//api/analytics/tiktok/track", 404),
    ] {
        let request = stack.request(method, path)?.body(body.clone());
        let answer = Answer::to(request.header("x-http-method-override", "POST")).await?;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}");
    }
    stack.accepted(&event("b")).await?;
    stack.conversions(1).await?;
    assert_eq!(stack.requests().len(), 1);
    Ok(())
}

#[tokio::test]
async fn the_track_path_is_taken_with_a_slash_behind_it_and_no_other_is() -> Result<()> {
    let stack = Stack::start(&[
        ("DUET_SERVER_KEY", KEY),
        ("SEPAY_WEBHOOK_SECRET", "s"),
        ("DUET_MONEY_EVENTS", "open"),
    ])
    .await?;
    for (method, path, status) in [
        ("POST", "/api/analytics/tiktok/track/", 202),
        ("POST", "/api/analytics/tiktok/track/?a=b", 202),
        ("GET", "/api/analytics/tiktok/track/", 200),
        ("OPTIONS", "/api/analytics/tiktok/track/", 200),
        ("PUT", "/api/analytics/tiktok/track/", 405),
        ("GET", "/healthz/", 404),
        ("GET", "/readyz/", 404),
        ("GET", "/metrics/", 404),
        ("POST", "/api/orders/", 404),
        ("GET", "/api/orders/PHO7K3M9Q2X/", 404),
        ("POST", "/api/payment/sepay/webhook/", 404),
    ] {
        let body = event("a").to_string();
        let answer = Answer::to(stack.request(method, path)?.body(body)).await?;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}");
    }
    stack.conversions(1).await?;
    Ok(())
}
