//! Posted events reach TikTok in the format that TikTok documents.

use std::{fs, path::Path};

use anyhow::Result;
use duet_tests::{Answer, Stack};
use serde_json::{Value, json};

const AGENT: &str = "Mozilla/5.0 (Linux; Android 14) Chrome/156.0 Mobile Safari/537.36";

#[tokio::test]
async fn every_golden_body_reaches_tiktok_as_its_golden_event() -> Result<()> {
    let stack = Stack::start(&[
        ("DUET_COUNTRY", "VN"),
        ("DUET_TRUSTED_PROXIES", "127.0.0.1"),
    ])
    .await?;
    let mut expected = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../events/golden"))? {
        let mut golden: Value = serde_json::from_slice(&fs::read(entry?.path())?)?;
        let now = now_s();
        golden["body"]["event_time"] = json!(now);
        let mut event = golden["tiktok"].take();
        event["event_time"] = json!(now);
        event["user"]["ip"] = json!("203.0.113.7");
        event["user"]["user_agent"] = json!(AGENT);
        expected.push(event);
        let request = stack
            .track(&golden["body"])?
            .header("user-agent", AGENT)
            .header("x-forwarded-for", "203.0.113.7");
        let answer = Answer::to(request).await?;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["status"]),
            (202, &json!("accepted"))
        );
        assert_eq!(answer.body.get("warnings"), None, "{answer:?}");
    }
    stack.conversions(expected.len()).await?;
    let bodies: Vec<_> = stack
        .requests()
        .into_iter()
        .filter_map(|request| request.body)
        .collect();
    let sent: Vec<_> = bodies
        .iter()
        .flat_map(|body| body["data"].as_array().unwrap())
        .collect();
    for event in &expected {
        assert!(
            sent.contains(&event),
            "TikTok must get the event\n{event:#}\ngot\n{sent:#?}"
        );
    }
    for body in &bodies {
        assert_eq!(body["event_source"], "web");
        assert_eq!(body["event_source_id"], "CDUETSANDBOX00000001");
        assert_eq!(body.get("test_event_code"), None);
    }
    Ok(())
}

#[tokio::test]
async fn the_bodies_of_the_replaced_system_work_unchanged() -> Result<()> {
    let stack = Stack::start(&[("DUET_COUNTRY", "VN")]).await?;
    let body = json!({ "event": "CompletePayment", "properties": { "contents": [{ "content_id": "PHO1", "content_type": "product",
        "content_name": "Starter", "price": 99000 }], "value": 99000, "currency": "VND", "description": "Payment completed for order PHO1" },
        "user": { "email": "test@example.com", "phone": "0901234567", "userId": "user_2abcDEF" }, "test_event_code": "TEST1" });
    let request = stack
        .request("POST", "/api/analytics/tiktok/track")?
        .json(&body);
    let answer = Answer::to(request).await?;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["success"]),
        (202, &json!(true))
    );
    assert_eq!(answer.body["warnings"][0]["field"], "test_event_code");
    let conversion = stack.conversions(1).await?.remove(0);
    assert_eq!(conversion.event, "CompletePayment");
    assert_eq!(
        conversion.user["email"],
        "973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b"
    );
    assert_eq!(
        conversion.user["phone"],
        "0c450d4175db5d08e888c726767096ac29c6dfa0cc8e755e42af0629a1d7ca4c"
    );
    assert_eq!(
        conversion.user["external_id"],
        "6d2d23ed645414b1cb2149eca473460493d4b387057afde07e344bd15ae526b3"
    );
    assert_eq!(conversion.properties["content_type"], "product");
    assert_eq!(
        conversion.properties["contents"],
        json!([{ "content_id": "PHO1", "content_name": "Starter", "price": 99000 }])
    );
    Ok(())
}

#[tokio::test]
async fn a_batch_is_answered_event_by_event() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let batch = json!({ "sent_at": now_s() * 1000, "events": [
        { "event": "ViewContent", "event_id": "a", "user": { "external_id": "u" } }, { "event": "Nope nope" }, 17,
        { "event": "ViewContent", "event_id": "a", "user": { "external_id": "u" } } ] });
    let answer = stack.accepted(&batch).await?;
    let statuses: Vec<_> = answer.body["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["status"].clone())
        .collect();
    assert_eq!(statuses, ["accepted", "invalid", "invalid", "duplicate"]);
    assert_eq!(answer.body["results"][1]["errors"][0]["field"], "event");
    assert_eq!(
        stack.conversions(1).await?[0].event_id.as_deref(),
        Some("a")
    );
    Ok(())
}

#[tokio::test]
async fn test_traffic_is_marked_at_the_root_and_kept_apart() -> Result<()> {
    let key = "a-server-key-of-some-length";
    let stack = Stack::start(&[("DUET_SERVER_KEY", key)]).await?;
    let event =
        |id: &str| json!({ "event": "Lead", "event_id": id, "user": { "external_id": "u" } });
    let mut rehearsal = event("rehearsal");
    rehearsal["test_event_code"] = json!("TEST42");
    let answer = Answer::to(stack.track(&rehearsal)?.bearer_auth(key)).await?;
    assert_eq!(answer.status.as_u16(), 202);
    stack.accepted(&event("real")).await?;
    assert_eq!(
        stack.conversions(1).await?[0].event_id.as_deref(),
        Some("real")
    );
    stack
        .until("the test event arrived", async |stack| {
            Ok(stack.sandbox.tests("TEST42").len() == 1)
        })
        .await
}

#[tokio::test]
async fn a_configured_code_makes_all_traffic_test_traffic_until_its_time_is_over() -> Result<()> {
    let event = json!({ "event": "Lead", "event_id": "a", "user": { "external_id": "u" } });
    let code = ("TIKTOK_TEST_EVENT_CODE", "TEST7");
    let stack = Stack::start(&[code]).await?;
    assert!(stack.log().contains("ALL TRAFFIC IS TEST TRAFFIC"));
    stack.accepted(&event).await?;
    stack
        .until("the test event arrived", async |stack| {
            Ok(stack.sandbox.tests("TEST7").len() == 1)
        })
        .await?;
    assert_eq!(stack.sandbox.totals().conversions, 0);
    assert_eq!(stack.metrics().await?.count("duet_test_mode"), 1);
    assert_eq!(
        stack.requests()[0].body.as_ref().unwrap()["test_event_code"],
        "TEST7"
    );

    let over = Stack::start(&[code, ("TIKTOK_TEST_EVENT_UNTIL", "2026-01-01T00:00:00Z")]).await?;
    assert!(!over.log().contains("TEST TRAFFIC"));
    over.accepted(&event).await?;
    over.conversions(1).await?;
    assert_eq!(over.metrics().await?.count("duet_test_mode"), 0);
    Ok(())
}

#[tokio::test]
async fn a_server_names_its_customers_address_and_a_page_cannot() -> Result<()> {
    let key = "a-server-key-of-some-length";
    let stack = Stack::start(&[("DUET_SERVER_KEY", key)]).await?;
    let event = |id: &str| json!({ "event": "Lead", "event_id": id, "user": { "external_id": "u", "ip": "203.0.113.9", "user_agent": AGENT } });
    Answer::to(stack.track(&event("server"))?.bearer_auth(key)).await?;
    stack.accepted(&event("page")).await?;
    let by_id = |id: &str| stack.sandbox.conversions_of(id).remove(0).user;
    stack.conversions(2).await?;
    assert_eq!(
        (&by_id("server")["ip"], &by_id("server")["user_agent"]),
        (&json!("203.0.113.9"), &json!(AGENT))
    );
    assert_eq!(
        (by_id("page").get("ip"), by_id("page").get("user_agent")),
        (None, None)
    );
    Ok(())
}

#[tokio::test]
async fn a_click_id_is_kept_in_a_cookie_for_30_days() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let origin = format!("http://{}", stack.address());
    let landing =
        json!({ "event": "Lead", "page": { "url": "https://shop.example/?ttclid=E.C.P.click" } });
    let answer = Answer::to(stack.track(&landing)?.header("origin", &origin)).await?;
    let cookie = answer.headers["set-cookie"].to_str()?;
    assert_eq!(
        cookie,
        "ttclid=E.C.P.click; Max-Age=2592000; Path=/; SameSite=Lax"
    );
    let later = stack
        .track(&json!({ "event": "Purchase" }))?
        .header("origin", &origin)
        .header("cookie", "ttclid=E.C.P.click; _ttp=browser");
    assert_eq!(Answer::to(later).await?.headers.get("set-cookie"), None);
    stack.conversions(2).await?;
    for conversion in stack.sandbox.conversions() {
        assert_eq!(conversion.user["ttclid"], "E.C.P.click");
    }
    Ok(())
}

fn now_s() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
