//! Tests orders: servers register orders, and pages begin orders and ask for their status.

use anyhow::Result;
use duet_tests::{Answer, Stack};
use serde_json::{Value, json};

const KEY: &str = "a-server-key-of-some-length";
const ORDER: &str = "PHO7K3M9Q2X";

async fn stack() -> Result<Stack> {
    Stack::start(&[("DUET_SERVER_KEY", KEY)]).await
}

fn order(amount: i64) -> Value {
    json!({ "order_id": ORDER, "amount": amount, "currency": "VND", "plan_id": "pro" })
}

async fn register(stack: &Stack, key: Option<&str>, body: &Value) -> Result<Answer> {
    let request = stack.request("POST", "/api/orders")?.body(body.to_string());
    Answer::to(match key {
        Some(key) => request.bearer_auth(key),
        None => request,
    })
    .await
}

async fn standing(stack: &Stack, id: &str) -> Result<Value> {
    let answer = stack.get(&format!("/api/orders/{id}")).await?;
    assert_eq!(answer.status, 200, "{answer:?}");
    Ok(answer.body)
}

#[tokio::test]
async fn a_server_registers_an_order_and_a_page_asks_for_it() -> Result<()> {
    let stack = stack().await?;
    let unknown = json!({ "order_id": ORDER, "status": "unknown", "event_ids": {} });
    assert_eq!(standing(&stack, ORDER).await?, unknown);
    let answer = register(&stack, Some(KEY), &order(99_000)).await?;
    assert_eq!(
        (answer.status.as_u16(), &answer.body),
        (
            200,
            &json!({ "success": true, "order_id": ORDER, "status": "pending", "event_ids": {} })
        )
    );
    let pending = json!({ "order_id": ORDER, "status": "pending", "event_ids": {} });
    assert_eq!(standing(&stack, ORDER).await?, pending);
    Ok(())
}

#[tokio::test]
async fn an_order_survives_a_kill() -> Result<()> {
    let mut stack = stack().await?;
    register(&stack, Some(KEY), &order(99_000)).await?;
    stack.kill().await?;
    stack.run_proxy().await?;
    assert_eq!(standing(&stack, ORDER).await?["status"], "pending");
    Ok(())
}

#[tokio::test]
async fn nobody_registers_an_order_without_the_server_key() -> Result<()> {
    let stack = stack().await?;
    for key in [
        None,
        Some("another-key-of-some-length"),
        Some("eyJh.eyJz.c2ln"),
    ] {
        let answer = register(&stack, key, &order(1_000)).await?;
        assert_eq!(answer.status, 401, "{answer:?}");
        assert_eq!(answer.body["success"], false);
    }
    assert_eq!(standing(&stack, ORDER).await?["status"], "unknown");
    let without_a_key = Stack::start(&[]).await?;
    let answer = register(&without_a_key, Some(KEY), &order(1_000)).await?;
    assert_eq!(answer.status, 401);
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_with_an_order_is_named() -> Result<()> {
    let stack = stack().await?;
    let body = json!({ "order_id": ORDER, "amount": 99_000.5, "currency": "VND", "paid": true });
    let answer = register(&stack, Some(KEY), &body).await?;
    assert_eq!(answer.status, 422);
    let error = answer.body["error"].as_str().unwrap();
    assert!(!error.contains("event"), "{error}");
    let errors = answer.body["results"][0]["errors"].as_array().unwrap();
    let named: Vec<_> = errors
        .iter()
        .map(|error| (&error["field"], &error["rule"]))
        .collect();
    assert_eq!(
        named,
        [
            (&json!("paid"), &json!("unknown_field")),
            (&json!("amount"), &json!("minor_units"))
        ]
    );
    let broken = stack.request("POST", "/api/orders")?.bearer_auth(KEY);
    let answer = Answer::to(broken.body("{")).await?;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["code"]),
        (400, &json!("not_json"))
    );
    Ok(())
}

#[tokio::test]
async fn an_old_registration_that_is_sent_again_changes_nothing() -> Result<()> {
    let stack = stack().await?;
    for amount in [99_000, 99_000, 199_000] {
        let answer = register(&stack, Some(KEY), &order(amount)).await?;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let answer = register(&stack, Some(KEY), &order(99_000)).await?;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["code"]),
        (409, &json!("order_replaced"))
    );
    Ok(())
}

#[tokio::test]
async fn a_page_begins_an_order_with_its_checkout() -> Result<()> {
    let stack = stack().await?;
    for (id, event, expected) in [
        ("ORDER00001", "ViewContent", "unknown"),
        ("ORDER00002", "CompletePayment", "unknown"),
        ("ORDER00003", "InitiateCheckout", "pending"),
        ("ORDER00004", "AddPaymentInfo", "pending"),
        ("ORDER00005", "PlaceAnOrder", "pending"),
    ] {
        let body = json!({ "event": event, "properties": { "order_id": id } });
        stack.accepted(&body).await?;
        assert_eq!(standing(&stack, id).await?["status"], expected, "{event}");
    }
    stack.conversions(5).await?;
    Ok(())
}

#[tokio::test]
async fn a_rehearsal_says_nothing_of_real_orders() -> Result<()> {
    let stack = stack().await?;
    let body = json!({
        "event": "InitiateCheckout", "properties": { "order_id": ORDER }, "test_event_code": "TEST1",
    });
    let answer = Answer::to(stack.track(&body)?.bearer_auth(KEY)).await?;
    assert_eq!(answer.status, 202);
    assert_eq!(standing(&stack, ORDER).await?["status"], "unknown");
    Ok(())
}

#[tokio::test]
async fn ids_that_can_be_guessed_are_not_asked_for_without_end() -> Result<()> {
    let stack = stack().await?;
    let mut answers = Vec::new();
    for number in 0..40 {
        let answer = stack.get(&format!("/api/orders/{number}")).await?;
        answers.push(answer.status.as_u16());
    }
    assert!(answers.contains(&429), "{answers:?}");
    assert_eq!(standing(&stack, ORDER).await?["status"], "unknown");
    Ok(())
}

#[tokio::test]
async fn guards_on_guessing_stay_on_without_a_rate_limit() -> Result<()> {
    let settings = [
        ("DUET_SERVER_KEY", KEY),
        ("DUET_RATE_LIMIT", "off"),
        ("SEPAY_WEBHOOK_SECRET", "a-webhook-secret"),
    ];
    let stack = Stack::start(&settings).await?;
    let webhook = "/api/payment/sepay/webhook";
    for (method, path, refused) in [
        ("GET", "/api/orders/7", 200),
        // The proxy removes invisible characters from an id.
        (
            "GET",
            "/api/orders/PHO%E2%80%8B%E2%80%8B%E2%80%8B%E2%80%8B%E2%80%8B%E2%80%8B57",
            200,
        ),
        ("GET", "/api/orders/PHO7K3M9Q2X", 401),
        ("POST", "/api/orders", 401),
        ("POST", webhook, 401),
    ] {
        let mut answers = Vec::new();
        for _ in 0..40 {
            let request = stack.request(method, path)?;
            let request = match refused {
                200 => request,
                _ => request.bearer_auth("a-guess-of-some-length").body("{}"),
            };
            answers.push(Answer::to(request).await?.status.as_u16());
        }
        let is_expected = |answer: &u16| *answer == refused || *answer == 429;
        assert!(answers.iter().all(is_expected), "{path}: {answers:?}");
        assert_eq!(answers.last(), Some(&429), "{path}: {answers:?}");
    }
    // An address with too many wrong keys is rejected, but the proxy still serves a caller without a key.
    for _ in 0..40 {
        assert_eq!(standing(&stack, ORDER).await?["status"], "unknown");
    }
    let answer = register(&stack, Some(KEY), &order(99_000)).await?;
    assert_eq!(answer.status, 200, "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn asking_for_orders_takes_nothing_from_the_events_of_an_address() -> Result<()> {
    let stack = Stack::start(&[("DUET_RATE_LIMIT", "3/1h")]).await?;
    let mut answers = Vec::new();
    for _ in 0..5 {
        let answer = stack.get(&format!("/api/orders/{ORDER}")).await?;
        answers.push(answer.status.as_u16());
    }
    assert_eq!(answers, [200, 200, 200, 429, 429]);
    stack.accepted(&json!({ "event": "ViewContent" })).await?;
    stack.conversions(1).await?;
    Ok(())
}

#[tokio::test]
async fn a_server_is_told_the_money_of_an_order_and_a_page_is_not() -> Result<()> {
    let stack = stack().await?;
    register(&stack, Some(KEY), &order(99_000)).await?;
    let path = format!("/api/orders/{ORDER}");
    let page = Answer::to(stack.request("GET", &path)?).await?;
    let server = Answer::to(stack.request("GET", &path)?.bearer_auth(KEY)).await?;
    let mut expected = json!({ "order_id": ORDER, "status": "pending", "event_ids": {} });
    assert_eq!(page.body, expected);
    expected["amount"] = json!(99_000);
    expected["currency"] = json!("VND");
    expected["received"] = json!(0);
    assert_eq!(server.body, expected);
    for answer in [page, server] {
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
    let guess = stack
        .request("GET", &path)?
        .bearer_auth("a-guess-of-some-length");
    assert_eq!(Answer::to(guess).await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn only_listed_pages_of_other_origins_ask_for_orders() -> Result<()> {
    let origin = "https://shop.example";
    let stack = Stack::start(&[("DUET_ALLOWED_ORIGINS", origin)]).await?;
    for (from, status, allowed) in [
        (origin, 200, Some(origin)),
        ("https://other.example", 403, None),
    ] {
        let request = stack.request("GET", &format!("/api/orders/{ORDER}"))?;
        let answer = Answer::to(request.header("origin", from)).await?;
        let header = answer.headers.get("access-control-allow-origin");
        let header = header.map(|value| value.to_str().unwrap());
        assert_eq!((answer.status.as_u16(), header), (status, allowed));
    }
    Ok(())
}
