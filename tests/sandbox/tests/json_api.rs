//! Tests the JSON API, the page, and how the sandbox stops.

#![allow(clippy::unwrap_used, reason = "an error here must fail the test")]

mod sandbox_under_test;

use duet_sandbox::{Sandbox, serve};
use sandbox_under_test::*;
use serde_json::{Value, json};
use tokio::net::TcpListener;

async fn post(running: &Running, path: &str, body: Value) -> reqwest::Response {
    running
        .client
        .post(running.url(path))
        .body(body.to_string())
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn faults_are_added_listed_and_removed() {
    let running = start().await;
    let added = post(
        &running,
        "/sandbox/faults",
        json!({"fault": "code", "code": 50000, "times": 3}),
    )
    .await;
    let id = added.json::<Value>().await.unwrap()["id"].as_u64().unwrap();
    assert_eq!(running.code(&one("e1")).await, 50000);
    let listed = running.get("/sandbox/faults").await;
    assert_eq!(listed[0]["fault"], "code");
    assert_eq!(
        (&listed[0]["times"], &listed[0]["struck"]),
        (&json!(2), &json!(1))
    );
    let url = running.url(&format!("/sandbox/faults/{id}"));
    assert_eq!(
        running.client.delete(&url).send().await.unwrap().status(),
        204
    );
    assert_eq!(
        running.client.delete(&url).send().await.unwrap().status(),
        404
    );
    post(&running, "/sandbox/faults", json!({"fault": "bad_gateway"})).await;
    running
        .client
        .delete(running.url("/sandbox/faults"))
        .send()
        .await
        .unwrap();
    assert_eq!(running.code(&one("e1")).await, 0);
}

#[tokio::test]
async fn a_fault_that_cannot_be_read_is_refused_with_the_reason() {
    let running = start().await;
    let refused = post(
        &running,
        "/sandbox/faults",
        json!({"fault": "hang", "time": 1}),
    )
    .await;
    assert_eq!(refused.status(), 400);
    assert!(refused.text().await.unwrap().contains("time"));
    assert_eq!(running.sandbox.faults(), []);
}

#[tokio::test]
async fn the_clock_is_moved_and_everything_forgotten() {
    let running = start().await;
    assert_eq!(running.code(&one("e1")).await, 0);
    let moved = post(&running, "/sandbox/clock", json!({"advance_ms": 5_000})).await;
    assert_eq!(
        moved.json::<Value>().await.unwrap()["now_ms"],
        (NOW_S + 5) * 1000
    );
    assert_eq!(
        post(&running, "/sandbox/clock", json!({"advance": 5}))
            .await
            .status(),
        400
    );
    assert_eq!(
        post(&running, "/sandbox/reset", json!({})).await.status(),
        204
    );
    let totals = running.get("/sandbox/totals").await;
    assert_eq!(
        (&totals["conversions"], &totals["requests"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(totals["now_ms"], (NOW_S + 5) * 1000);
    assert_eq!(running.get("/sandbox/conversions").await, json!([]));
}

#[tokio::test]
async fn lists_can_be_cut_to_the_newest_or_to_one_id() {
    let running = start().await;
    for id in ["e1", "e2", "e3"] {
        running.code(&one(id)).await;
    }
    let ids = |list: Value| -> Vec<String> {
        let list = list.as_array().unwrap().clone();
        list.iter()
            .map(|c| c["event_id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        ids(running.get("/sandbox/conversions?limit=2").await),
        ["e2", "e3"]
    );
    assert_eq!(
        ids(running.get("/sandbox/conversions?event_id=e2").await),
        ["e2"]
    );
    assert_eq!(running.sandbox.conversions_of("e1").len(), 1);
    let requests = running.get("/sandbox/requests?limit=1").await;
    assert_eq!(requests[0]["number"], 3);
    assert_eq!(requests[0]["token"], "right");
    assert_eq!(requests[0]["body"]["data"][0]["event_id"], "e3");
    assert_eq!(
        (&requests[0]["code"], &requests[0]["status"]),
        (&json!(0), &json!(200))
    );
}

#[tokio::test]
async fn a_request_kept_from_before_a_reset_does_not_mark_a_new_one() {
    let running = start().await;
    running.code(&one("e1")).await;
    running.sandbox.reset();
    running.code(&one("e2")).await;
    assert_eq!(running.sandbox.requests()[0].number, 2);
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let running = start().await;
    let response = running.client.get(running.url("/")).send().await.unwrap();
    let policy = response.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("connect-src 'self'"));
    let page = response.text().await.unwrap();
    assert!(!page.contains("innerHTML") && !page.contains("src=\"") && !page.contains("https://"));
}

#[tokio::test]
async fn stopping_lets_hanging_requests_go() {
    let sandbox = Sandbox::new(options());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(serve(listener, sandbox.clone(), async {
        stopped.await.ok();
    }));
    sandbox.inject(duet_sandbox::Fault::Hang {});
    let client = http_client();
    let request = client
        .post(format!("http://{address}/open_api/v1.3/event/track/"))
        .body("{}");
    let sending = tokio::spawn(request.send());
    assert!(
        sandbox
            .wait_until(DEADLINE, |s| s.totals().requests == 1)
            .await
    );
    stop.send(()).unwrap();
    let answer = tokio::time::timeout(DEADLINE, sending).await.unwrap();
    assert_eq!(answer.unwrap().unwrap().status(), 200);
    tokio::time::timeout(DEADLINE, serving)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}
