//! The proxy holds a page's event about a payment until a provider confirms the payment.

use anyhow::{Result, ensure};
use duet_sandbox::Conversion;
use duet_tests::{Answer, Stack};
use serde_json::{Value, json};

const SECRET: &str = "a-webhook-secret";
const KEY: &str = "a-server-key-of-some-length";
const ORDER: &str = "PHO7K3M9Q2X";
const MONEY: [&str; 4] = ["CompletePayment", "Purchase", "Subscribe", "PlaceAnOrder"];

async fn stack() -> Result<Stack> {
    Stack::start(&[
        ("SEPAY_WEBHOOK_SECRET", SECRET),
        ("DUET_SERVER_KEY", KEY),
        ("DUET_TRUSTED_PROXIES", "127.0.0.1"),
    ])
    .await
}

fn page(event: &str, value: i64) -> Value {
    json!({
        "event": event,
        "properties": {
            "order_id": ORDER, "value": value, "currency": "VND", "plan_id": "pro",
            "contents": [{ "content_id": "pro", "price": value, "quantity": 1 }],
        },
        "user": { "email": "lan@example.com", "ttclid": "E.C.P.click", "ttp": "02ttp" },
        "page": { "url": "https://shop.example/plans" },
    })
}

/// Posts an event as a browser with a public address does through a trusted web server.
async fn post(stack: &Stack, body: &Value) -> Result<Answer> {
    let request = stack.track(body)?.header("x-forwarded-for", "203.0.113.7");
    Answer::to(request.header("user-agent", "Mozilla/5.0 (shop)")).await
}

async fn pay(stack: &Stack, id: u64, amount: i64) -> Result<()> {
    let body = json!({
        "id": id, "gateway": "Vietcombank", "transactionDate": "2026-03-25 14:02:37",
        "accountNumber": "0123499999", "subAccount": null, "code": null,
        "content": format!("{} chuyen tien", ORDER.to_lowercase()), "transferType": "in",
        "description": "", "transferAmount": amount, "accumulated": 0, "referenceCode": "MBVCB.1",
    });
    let request = stack.request("POST", "/api/payment/sepay/webhook")?;
    let request = request.header("authorization", format!("Apikey {SECRET}"));
    let answer = Answer::to(request.body(body.to_string())).await?;
    ensure!(
        answer.status == 200 && answer.body == json!({ "success": true }),
        "{answer:?}"
    );
    Ok(())
}

fn statuses(conversions: &[Conversion]) -> Vec<(String, Value)> {
    let mut seen: Vec<_> = conversions
        .iter()
        .map(|found| (found.event.clone(), found.properties["value"].clone()))
        .collect();
    seen.sort_by(|one, other| one.0.cmp(&other.0));
    seen
}

#[tokio::test]
async fn a_payment_lets_go_of_what_waited_for_it_with_the_banks_amount() -> Result<()> {
    let mut stack = stack().await?;
    post(&stack, &page("InitiateCheckout", 99_000)).await?;
    for (value, status) in [(1_000_000, "held"), (99_000, "duplicate")] {
        let answer = post(&stack, &page("CompletePayment", value)).await?;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["status"]),
            (202, &json!(status))
        );
    }
    stack.conversions(1).await?;
    stack.kill().await?;
    stack.run_proxy().await?;
    pay(&stack, 1, 99_000).await?;
    pay(&stack, 1, 99_000).await?;
    let conversions = stack.conversions(3).await?;
    let expected = [
        ("CompletePayment", 99_000),
        ("InitiateCheckout", 99_000),
        ("Subscribe", 99_000),
    ];
    assert_eq!(
        statuses(&conversions),
        expected.map(|(name, value)| (name.to_owned(), json!(value)))
    );
    Ok(())
}

#[tokio::test]
async fn a_payments_event_carries_the_click_the_browser_and_the_person() -> Result<()> {
    let stack = stack().await?;
    post(&stack, &page("InitiateCheckout", 99_000)).await?;
    pay(&stack, 1, 99_000).await?;
    let conversions = stack.conversions(2).await?;
    let subscribe = conversions.iter().find(|found| found.event == "Subscribe");
    let subscribe = subscribe.unwrap();
    assert_eq!(
        subscribe.event_id.as_deref(),
        Some("8dfcc057-77d8-88a5-b01a-e0d0586f4129")
    );
    assert_eq!(subscribe.page["url"], "https://shop.example/plans");
    assert_eq!(subscribe.properties["order_id"], ORDER);
    assert_eq!(subscribe.properties["contents"][0]["content_id"], "pro");
    assert_eq!(
        Value::Object(subscribe.user.clone()),
        json!({
            "email": "73a6c858deff3ab5702ea7c38b0031b91e385ea9bf8ec3353eaead0199ccfb14",
            "ttclid": "E.C.P.click", "ttp": "02ttp",
            "ip": "203.0.113.7", "user_agent": "Mozilla/5.0 (shop)",
        })
    );
    Ok(())
}

#[tokio::test]
async fn an_unpaid_order_is_never_a_conversion() -> Result<()> {
    let stack = stack().await?;
    for name in MONEY {
        let answer = post(&stack, &page(name, 99_000)).await?;
        let expected = if name == "Purchase" {
            "duplicate"
        } else {
            "held"
        };
        assert_eq!(answer.body["status"], expected, "{name}");
    }
    // This event is accepted last. If the proxy sent the held event, the held event would arrive before this one.
    stack.accepted(&json!({ "event": "ViewContent" })).await?;
    let conversions = stack.conversions(1).await?;
    assert_eq!(conversions[0].event, "ViewContent");
    assert_eq!(stack.metrics().await?.count("duet_events_held"), 3);
    Ok(())
}

#[tokio::test]
async fn a_payment_without_an_order_is_not_taken_from_a_page() -> Result<()> {
    let stack = stack().await?;
    for name in MONEY {
        let answer = post(&stack, &json!({ "event": name })).await?;
        assert_eq!(answer.status, 422, "{name}");
        let error = &answer.body["results"][0]["errors"][0];
        assert_eq!(
            (&error["field"], &error["rule"]),
            (&json!("properties.order_id"), &json!("required"))
        );
    }
    let server = stack.track(&json!({ "event": "Purchase" }))?;
    assert_eq!(Answer::to(server.bearer_auth(KEY)).await?.status, 202);
    stack.conversions(1).await?;
    Ok(())
}

#[tokio::test]
async fn an_operator_is_told_that_nothing_can_verify_payments() -> Result<()> {
    let stack = Stack::start(&[("DUET_MONEY_EVENTS", "verified")]).await?;
    let answer = post(&stack, &page("Subscribe", 99_000)).await?;
    assert_eq!(answer.body["status"], "held");
    assert!(stack.log().contains("no payment webhook is set up"));
    Ok(())
}

#[tokio::test]
async fn open_takes_a_page_at_its_word() -> Result<()> {
    let settings = [
        ("SEPAY_WEBHOOK_SECRET", SECRET),
        ("DUET_MONEY_EVENTS", "open"),
    ];
    let stack = Stack::start(&settings).await?;
    let answer = post(&stack, &page("CompletePayment", 1)).await?;
    assert_eq!(answer.body["status"], "accepted");
    stack.conversions(1).await?;
    Ok(())
}

#[tokio::test]
async fn a_page_that_reports_a_payment_late_reports_the_banks_amount() -> Result<()> {
    let stack = stack().await?;
    post(&stack, &page("InitiateCheckout", 99_000)).await?;
    pay(&stack, 1, 50_000).await?;
    let answer = post(&stack, &page("CompletePayment", 1_000_000_000)).await?;
    assert_eq!(answer.body["status"], "accepted");
    let conversions = stack.conversions(3).await?;
    assert_eq!(
        statuses(&conversions)[0],
        ("CompletePayment".to_owned(), json!(50_000))
    );
    let standing = stack.get(&format!("/api/orders/{ORDER}")).await?.body;
    assert_eq!(standing["status"], "paid");
    assert_eq!(
        standing["event_ids"],
        json!({
            "Subscribe": "8dfcc057-77d8-88a5-b01a-e0d0586f4129",
            "CompletePayment": "fe42ae63-b5ad-8eb5-b022-89b5eb26d7db",
        })
    );
    Ok(())
}
