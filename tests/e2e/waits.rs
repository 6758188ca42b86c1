//! Tests `?wait=MS`. With this parameter, a server gets TikTok's answer and not only the proxy's confirmation.

use anyhow::Result;
use duet_sandbox::Fault;
use duet_tests::{Answer, Stack};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::events::event;

const KEY: &str = "a-server-key-of-some-length";
const LONG: &str = "30000";

async fn stack() -> Result<Stack> {
    Stack::start(&[("DUET_SERVER_KEY", KEY)]).await
}

fn waiting(stack: &Stack, ms: &str, body: &Value) -> Result<RequestBuilder> {
    let path = format!("/api/analytics/tiktok/track?wait={ms}");
    let request = stack.request("POST", &path)?;
    Ok(request.bearer_auth(KEY).body(body.to_string()))
}

fn said(answer: &Answer) -> (u16, &Value) {
    (answer.status.as_u16(), &answer.body["status"])
}

#[tokio::test]
async fn a_server_that_waits_hears_tiktoks_yes() -> Result<()> {
    let stack = stack().await?;
    let answer = Answer::to(waiting(&stack, LONG, &event("a"))?).await?;
    assert_eq!(said(&answer), (200, &json!("delivered")));
    assert_eq!(
        (&answer.body["event_id"], &answer.body["success"]),
        (&json!("a"), &json!(true))
    );
    for told in [&answer.body, &answer.body["results"][0]] {
        assert_eq!((&told["code"], &told["message"]), (&json!(0), &json!("OK")));
        assert!(told["request_id"].is_string(), "{told}");
    }
    stack.conversions(1).await?;
    Ok(())
}

#[tokio::test]
async fn a_server_that_waits_hears_tiktoks_no_in_tiktoks_words() -> Result<()> {
    let stack = stack().await?;
    let message = Some("Invalid value for currency.".to_owned());
    let code = 40002;
    stack.sandbox.inject(Fault::Code { code, message });
    let answer = Answer::to(waiting(&stack, LONG, &event("a"))?).await?;
    assert_eq!(said(&answer), (200, &json!("refused")));
    assert_eq!(
        (&answer.body["success"], &answer.body["code"]),
        (&json!(false), &json!(code))
    );
    assert_eq!(answer.body["message"], "Invalid value for currency.");
    assert!(answer.body["request_id"].is_string(), "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn a_server_that_waits_for_a_slow_tiktok_is_answered_as_if_it_had_not_waited() -> Result<()> {
    let stack = stack().await?;
    let outage = stack.sandbox.inject(Fault::Hang {});
    for (ms, id) in [("0", "a"), ("50", "b")] {
        let answer = Answer::to(waiting(&stack, ms, &event(id))?).await?;
        assert_eq!(said(&answer), (202, &json!("accepted")), "{ms}");
    }
    stack.sandbox.remove_fault(outage);
    stack.conversions(2).await?;
    Ok(())
}

#[tokio::test]
async fn a_server_does_not_wait_for_what_it_has_sent_before() -> Result<()> {
    let stack = stack().await?;
    let outage = stack.sandbox.inject(Fault::Hang {});
    stack.accepted(&event("a")).await?;
    let answer = Answer::to(waiting(&stack, LONG, &event("a"))?).await?;
    assert_eq!(said(&answer), (202, &json!("duplicate")));
    stack.sandbox.remove_fault(outage);
    stack.conversions(1).await?;
    Ok(())
}

#[tokio::test]
async fn a_batch_waits_for_all_of_its_events() -> Result<()> {
    let stack = stack().await?;
    stack.sandbox.inject(Fault::RefuseEvent {
        event_id: "bad".to_owned(),
        name_index: false,
    });
    stack.accepted(&event("old")).await?;
    let events = json!({ "events": [
        { "event": "two words" }, event("old"), event("good"), event("bad") ] });
    let answer = Answer::to(waiting(&stack, LONG, &events)?).await?;
    assert_eq!(said(&answer), (200, &json!("duplicate")));
    assert_eq!(answer.body["success"], false);
    let results = answer.body["results"].as_array().unwrap();
    let statuses: Vec<_> = results.iter().map(|result| &result["status"]).collect();
    assert_eq!(
        statuses,
        ["invalid", "duplicate", "delivered", "refused"],
        "{results:?}"
    );
    assert_eq!(results[0]["errors"][0]["rule"], "event_name");
    assert_eq!(
        (&results[2]["code"], &results[3]["code"]),
        (&json!(0), &json!(40002))
    );
    stack.conversions(2).await?;
    Ok(())
}

#[tokio::test]
async fn a_time_that_is_none_or_too_long_is_refused_by_its_name() -> Result<()> {
    let stack = stack().await?;
    for ms in ["30001", "-1", "soon", ""] {
        let answer = Answer::to(waiting(&stack, ms, &event("a"))?).await?;
        let error = &answer.body["results"][0]["errors"][0];
        assert_eq!(answer.status.as_u16(), 422, "{ms}");
        assert_eq!(
            (&error["field"], &error["rule"]),
            (&json!("wait"), &json!("max_ms"))
        );
    }
    assert!(stack.requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_page_cannot_make_the_proxy_wait_and_a_wrong_key_cannot_either() -> Result<()> {
    let stack = stack().await?;
    let outage = stack.sandbox.inject(Fault::Hang {});
    let path = "/api/analytics/tiktok/track?wait=30000";
    let page = stack.request("POST", path)?.body(event("a").to_string());
    let answer = Answer::to(page).await?;
    assert_eq!(said(&answer), (202, &json!("accepted")));
    let warning = &answer.body["warnings"][0];
    assert_eq!(
        (&warning["field"], &warning["rule"]),
        (&json!("wait"), &json!("server_key"))
    );
    let request = stack.request("POST", path)?.bearer_auth("not-the-key");
    assert_eq!(Answer::to(request).await?.status.as_u16(), 401);
    stack.sandbox.remove_fault(outage);
    stack.conversions(1).await?;
    Ok(())
}
