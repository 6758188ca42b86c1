//! Tests every status that the track route can return. The body must state the reason for each rejection.

use std::time::Duration;

use anyhow::Result;
use duet_tests::{Answer, Stack};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

fn said(answer: &Answer) -> (u16, &Value, &Value) {
    assert!(answer.body["error"].is_string(), "{answer:?}");
    (
        answer.status.as_u16(),
        &answer.body["success"],
        &answer.body["code"],
    )
}

#[tokio::test]
async fn every_no_has_a_status_a_code_and_a_sentence() -> Result<()> {
    let stack = Stack::start(&[("DUET_SERVER_KEY", "a-server-key-of-some-length")]).await?;
    let track = "/api/analytics/tiktok/track";
    let post =
        |body: &str| Ok::<_, anyhow::Error>(stack.request("POST", track)?.body(body.to_owned()));
    let large = format!(
        r#"{{"event":"Lead","properties":{{"x":"{}"}}}}"#,
        "x".repeat(256 * 1024)
    );
    for (request, status, code) in [
        (post("{")?, 400, "not_json"),
        (post("")?, 400, "not_json"),
        (post("[]")?, 422, "invalid"),
        (post(r#"{"event":"two words"}"#)?, 422, "invalid"),
        (
            post(r#"{"events":[{"event":"two words"},{}]}"#)?,
            422,
            "invalid",
        ),
        (
            post("{}")?.bearer_auth("not-the-key-of-this-server"),
            401,
            "wrong_server_key",
        ),
        (
            post("{}")?.header("origin", "https://evil.example"),
            403,
            "origin_not_allowed",
        ),
        (
            post("{}")?.header("origin", "null"),
            403,
            "origin_not_allowed",
        ),
        (stack.request("POST", "/nowhere")?, 404, "not_found"),
        (stack.request("PUT", track)?, 405, "method_not_allowed"),
        (post(&large)?, 413, "too_large"),
    ] {
        let answer = Answer::to(request).await?;
        assert_eq!(said(&answer), (status, &json!(false), &json!(code)));
    }
    Ok(())
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_answered_with_those_that_it_takes() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let track = "/api/analytics/tiktok/track";
    let with_slash = format!("{track}/");
    for (path, allowed) in [
        (track, "GET,HEAD,POST,OPTIONS"),
        (with_slash.as_str(), "GET,HEAD,POST,OPTIONS"),
        ("/healthz", "GET,HEAD"),
        ("/api/orders", "POST"),
    ] {
        let answer = stack.request("DELETE", path)?.send().await?;
        assert_eq!(answer.status().as_u16(), 405, "{path}");
        assert_eq!(answer.headers()["allow"], allowed, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn refused_events_say_which_field_broke_which_rule() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let answer = Answer::to(stack.track(
        &json!({ "event": "Lead", "event_id": "a", "limitedDataUse": true, "event_time": 1 }),
    )?)
    .await?;
    assert_eq!(answer.status.as_u16(), 422);
    let result = &answer.body["results"][0];
    assert_eq!(
        (&result["event_id"], &result["status"]),
        (&json!("a"), &json!("invalid"))
    );
    assert_eq!(
        (&result["errors"][0]["field"], &result["errors"][0]["rule"]),
        (&json!("limitedDataUse"), &json!("misspelt"))
    );
    assert!(result["errors"][0]["message"].is_string());
    let old = Answer::to(stack.track(&json!({ "event": "Lead", "event_time": 1 }))?).await?;
    assert_eq!(old.body["results"][0]["errors"][0]["rule"], "too_old");
    Ok(())
}

#[tokio::test]
async fn a_wrong_detail_is_said_and_counted_and_costs_no_event() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let odd = json!({ "event": "Purchase", "event_id": 92704, "evnt_time": 1, "pixel": "gone",
        "properties": { "contents": [{ "content_id": 7, "content_type": "socks", "quantity": 2.0 }, "x"],
                        "value": "29.00", "currency": "usd", "order_id": 1234 },
        "user": { "external_id": 42, "email": ["nobody", null] } });
    let answer = stack.accepted(&odd).await?;
    assert_eq!(answer.body["event_id"], "92704");
    let warnings = answer.body["results"][0]["warnings"].as_array().unwrap();
    assert_eq!(&answer.body["warnings"], &json!(warnings));
    let said: Vec<_> = warnings
        .iter()
        .map(|warning| {
            (
                warning["field"].as_str().unwrap(),
                warning["rule"].as_str().unwrap(),
            )
        })
        .collect();
    for expected in [
        ("event_id", "number_as_text"),
        ("user.email", "email"),
        ("user.external_id", "number_as_text"),
        ("properties.currency", "currency_code"),
        ("properties.contents.0.content_id", "number_as_text"),
        ("properties.contents.0.quantity", "whole_number"),
        ("properties.contents.0.content_type", "content_type"),
        ("properties.contents.1", "object"),
        ("properties.value", "text_as_number"),
        ("properties.order_id", "number_as_text"),
        ("pixel", "pixel"),
        ("evnt_time", "unknown_field"),
    ] {
        assert!(
            said.contains(&expected),
            "{said:?} must contain {expected:?}"
        );
    }
    let near = warnings
        .iter()
        .find(|warning| warning["field"] == "evnt_time")
        .unwrap();
    assert!(
        near["message"].as_str().unwrap().contains("event_time"),
        "{near}"
    );
    let [conversion] = stack.conversions(1).await?.try_into().unwrap();
    assert_eq!(
        serde_json::to_value(&conversion.properties)?,
        json!({ "contents": [{ "content_id": "7", "quantity": 2 }], "value": 29, "currency": "USD", "order_id": "1234" })
    );
    let metrics = stack.get("/metrics").await?.body;
    let metrics = metrics.as_str().unwrap();
    for line in [
        "duet_warnings_total{rule=\"number_as_text\"} 4",
        "duet_warnings_total{rule=\"unknown_field\"} 1",
    ] {
        assert!(
            metrics.lines().any(|printed| printed == line),
            "the metrics must contain {line}: {metrics}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_body_is_read_behind_a_byte_order_mark_and_with_half_an_emoji() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let body = "\u{feff}{\"event\":\"Search\",\"user\":{\"external_id\":\"u\"},\"properties\":{\"query\":\"ph\\ud83c\",\"note\":\"\\udf5c\"}}";
    let request = stack.request("POST", "/api/analytics/tiktok/track")?;
    let answer = Answer::to(request.body(body)).await?;
    assert_eq!(answer.status.as_u16(), 202, "{answer:?}");
    let warnings = answer.body["warnings"].as_array().unwrap();
    let rules: Vec<_> = warnings.iter().map(|warning| &warning["rule"]).collect();
    assert_eq!(rules, ["byte_order_mark", "unicode", "unicode"]);
    let [conversion] = stack.conversions(1).await?.try_into().unwrap();
    assert_eq!(
        serde_json::to_value(&conversion.properties)?,
        json!({ "query": "ph\u{fffd}", "note": "\u{fffd}" })
    );
    Ok(())
}

#[tokio::test]
async fn any_content_type_is_read_as_json() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    for kind in [
        "application/json",
        "text/plain",
        "application/x-www-form-urlencoded",
        "nonsense",
    ] {
        let request = stack
            .track(&json!({ "event": "Lead", "user": { "external_id": "u" } }))?
            .header("content-type", kind);
        assert_eq!(Answer::to(request).await?.status.as_u16(), 202, "{kind}");
    }
    stack.conversions(4).await?;
    Ok(())
}

#[tokio::test]
async fn asking_whether_anybody_is_there_is_answered() -> Result<()> {
    let stack = Stack::start(&[("DUET_TRACK_PATH", "/collect")]).await?;
    for path in ["/collect", "/healthz"] {
        let answer = stack.get(path).await?;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["status"]),
            (200, &json!("ok"))
        );
    }
    assert_eq!(
        stack.get("/readyz").await?.body["checks"],
        json!({ "store": "ok", "queue": "ok", "token": "ok" })
    );
    assert_eq!(
        stack
            .get("/api/analytics/tiktok/track")
            .await?
            .status
            .as_u16(),
        404
    );
    Ok(())
}

#[tokio::test]
async fn no_cache_keeps_what_is_said_of_an_order() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    for (id, status) in [
        ("PHO7K3M9Q2X", 200),
        ("%C4%91%C6%A1n-01", 200),
        ("%FF", 404),
        ("a%C3", 404),
    ] {
        let answer = stack.get(&format!("/api/orders/{id}")).await?;
        assert_eq!(answer.status.as_u16(), status, "{id}");
        assert_eq!(answer.headers["cache-control"], "no-store", "{id}");
        if status == 404 {
            assert_eq!(said(&answer), (404, &json!(false), &json!("not_found")));
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let mut slow = TcpStream::connect(stack.address()).await?;
    slow.write_all(
        b"POST /api/analytics/tiktok/track HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{",
    )
    .await?;
    // The proxy must serve other callers at the same time.
    stack
        .accepted(&json!({ "event": "Lead", "user": { "external_id": "u" } }))
        .await?;
    stack.conversions(1).await?;
    let mut head = [0; 12];
    time::timeout(Duration::from_mins(1), slow.read_exact(&mut head)).await??;
    assert_eq!(&head, b"HTTP/1.1 408");
    Ok(())
}

#[tokio::test]
async fn what_happened_can_be_read_as_metrics() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let event = json!({ "event": "Lead", "event_id": "a", "pixel": "blocked", "user": { "external_id": "u" } });
    stack.accepted(&event).await?;
    stack.accepted(&event).await?;
    Answer::to(stack.track(&json!({ "event": "two words" }))?).await?;
    stack.conversions(1).await?;
    let lines = [
        "duet_events_accepted_total{pixel=\"blocked\"} 1",
        "duet_events_duplicate_total 1",
        "duet_events_invalid_total{rule=\"event_name\"} 1",
        "duet_events_ended_total{outcome=\"delivered\"} 1",
        "duet_tiktok_answers_total{code=\"0\"} 1",
        "duet_requests_total{status=\"202\"} 2",
        "duet_queue_events 0",
        "duet_delivery_seconds_count 1",
        "duet_ready 1",
        "duet_test_mode 0",
    ];
    stack
        .until("all answers are counted", async |stack| {
            let text = stack.get("/metrics").await?.body;
            let text = text.as_str().unwrap_or_default();
            Ok(lines
                .iter()
                .all(|line| text.lines().any(|printed| printed == *line)))
        })
        .await
}

#[tokio::test]
async fn a_client_that_asks_too_much_is_told_when_to_come_back_and_others_are_served() -> Result<()>
{
    let key = "a-server-key-of-some-length";
    let settings = [
        ("DUET_RATE_LIMIT", "5/1h"),
        ("DUET_TRUSTED_PROXIES", "127.0.0.1"),
        ("DUET_SERVER_KEY", key),
    ];
    let stack = Stack::start(&settings).await?;
    let event = json!({ "event": "Lead", "user": { "external_id": "u" } });
    let from = |client: &str| {
        Ok::<_, anyhow::Error>(stack.track(&event)?.header("x-forwarded-for", client))
    };
    for _ in 0..5 {
        assert_eq!(Answer::to(from("203.0.113.7")?).await?.status.as_u16(), 202);
    }
    let refused = Answer::to(from("203.0.113.7")?).await?;
    assert_eq!(said(&refused), (429, &json!(false), &json!("too_many")));
    assert!(refused.headers["retry-after"].to_str()?.parse::<u64>()? > 0);
    assert_eq!(Answer::to(from("203.0.113.8")?).await?.status.as_u16(), 202);
    assert_eq!(
        Answer::to(from("203.0.113.7")?.bearer_auth(key))
            .await?
            .status
            .as_u16(),
        202
    );
    stack.conversions(7).await?;
    Ok(())
}
