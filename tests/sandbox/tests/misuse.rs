//! Tests requests that no sender should make, over real HTTP: too large, too frequent, at another address, or with an
//! exposed token.

mod sandbox_under_test;

use duet_sandbox::Rule;
use sandbox_under_test::*;
use serde_json::{Value, json};

#[tokio::test]
async fn a_body_beyond_the_limit_is_turned_away() {
    let mut options = options();
    options.limits.body_bytes = 2_000;
    let running = start_with(options).await;
    assert_eq!(running.code(&one("e1")).await, 0);
    let large = body(&vec![event("e2"); 20]).to_string();
    assert_eq!(running.posting(large).send().await.unwrap().status(), 413);
    assert_eq!(running.sandbox.requests()[1].status, Some(413));
}

#[tokio::test]
async fn a_rate_limit_answers_40100_until_the_second_is_over() {
    let mut options = options();
    options.limits.requests_per_second = Some(2);
    let running = start_with(options).await;
    let mut codes = Vec::new();
    for id in ["e1", "e2", "e3"] {
        codes.push(running.code(&one(id)).await);
    }
    assert_eq!(codes, [0, 0, 40100]);
    running
        .sandbox
        .advance_clock(std::time::Duration::from_secs(1));
    assert_eq!(running.code(&one("e3")).await, 0);
}

#[tokio::test]
async fn tokens_are_seen_where_they_do_not_belong_and_never_kept() {
    let running = start().await;
    let url = running.url(&format!("/open_api/v1.3/event/track/?access_token={TOKEN}"));
    let from_a_page = running
        .client
        .post(url)
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("origin", "https://shop.test")
        .body(with(one("e1"), "/partner_name", Some(json!(TOKEN))).to_string());
    let response = from_a_page.send().await.unwrap();
    assert!(
        !response
            .headers()
            .contains_key("access-control-allow-origin")
    );
    assert_eq!(response.json::<Value>().await.unwrap()["code"], 40105);
    assert_eq!(
        running.rules(),
        [
            Rule::TokenExposed,
            Rule::TokenExposed,
            Rule::AuthorizationHeader,
            Rule::RequestContentType,
            Rule::WrongToken
        ]
    );
    for path in [
        "/sandbox/requests",
        "/sandbox/violations",
        "/sandbox/totals",
    ] {
        assert!(
            !running.get(path).await.to_string().contains(TOKEN),
            "{path}"
        );
    }
}

#[tokio::test]
async fn requests_nobody_expects_are_recorded() {
    let running = start().await;
    for (method, path, status) in [
        ("POST", "/open_api/v1.3/pixel/track/", 404),
        ("POST", "/open_api/v1.2/pixel/batch/", 404),
        ("POST", "/open_api/v1.3/event/track", 404),
        ("GET", "/open_api/v1.3/event/track/", 405),
        ("GET", "/anything?email=a@example.com", 404),
    ] {
        running.sandbox.reset();
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let response = running
            .client
            .request(method, running.url(path))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), status, "{path}");
        let rule = if status == 404 {
            Rule::UnexpectedRoute
        } else {
            Rule::UnexpectedMethod
        };
        assert_eq!(running.rules(), [rule], "{path}");
        assert!(!running.sandbox.violations()[0].field.contains('?'));
    }
}

/// Tests two bodies that other senders are known to post to this route by mistake.
#[tokio::test]
async fn legacy_bodies_fail() {
    let running = start().await;
    let v1 = json!({
        "pixel_code": PIXEL, "event": "Purchase", "event_id": "e1", "timestamp": "2026-01-02T03:04:05Z",
        "context": {"ip": "203.0.113.7"}, "properties": {}
    });
    assert_eq!(running.code(&v1).await, 40002);
    let inside =
        json!({"data": [{"event_source": "web", "event_source_id": PIXEL, "event": "Purchase"}]});
    assert_eq!(running.code(&inside).await, 40002);
}
