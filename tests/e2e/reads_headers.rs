//! Tests headers as real browsers and web servers send them.

use anyhow::{Context, Result};
use duet_tests::{Answer, Stack};
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

fn lead(id: &str) -> Value {
    json!({ "event": "Lead", "event_id": id })
}

/// Returns the event with this id, as TikTok received it.
fn sent(stack: &Stack, id: &str) -> Option<Value> {
    let bodies = stack
        .requests()
        .into_iter()
        .filter_map(|request| request.body);
    let mut events = bodies.flat_map(|body| body["data"].as_array().cloned().unwrap_or_default());
    events.find(|event| event["event_id"] == id)
}

#[tokio::test]
async fn letters_beyond_ascii_in_a_header_cost_nothing_else_in_it() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let cookies = ["ten=Nguyễn Văn".as_bytes(), b"ten=Nguy\xean"];
    let browsers = [
        (
            "Mozilla/5.0 (Máy tính)".as_bytes(),
            "Mozilla/5.0 (Máy tính)",
        ),
        (b"Mozilla/5.0 (M\xe1y)", "Mozilla/5.0 (Máy)"),
    ];
    for (index, (cookie, (browser, _))) in cookies.into_iter().zip(browsers).enumerate() {
        let cookie = [cookie, b"; _ttp=t1; ttclid=E.C.P.a"].concat();
        let request = stack.track(&lead(&format!("e{index}")))?;
        let request = request.header("cookie", HeaderValue::from_bytes(&cookie)?);
        let request = request.header("user-agent", HeaderValue::from_bytes(browser)?);
        assert_eq!(Answer::to(request).await?.status.as_u16(), 202);
    }
    stack.conversions(2).await?;
    for (index, (_, browser)) in browsers.into_iter().enumerate() {
        let event = sent(&stack, &format!("e{index}")).context("the proxy must send the event")?;
        let user = &event["user"];
        assert_eq!(
            (&user["ttp"], &user["ttclid"], &user["user_agent"]),
            (&json!("t1"), &json!("E.C.P.a"), &json!(browser))
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_key_with_letters_beyond_ascii_is_a_key() -> Result<()> {
    let key = "chìa-khóa-của-máy-chủ";
    let stack = Stack::start(&[("DUET_SERVER_KEY", key)]).await?;
    let mut event = lead("a");
    event["user"] = json!({ "ip": "93.184.216.34", "user_agent": "curl" });
    for (bearer, status) in [
        (format!("Bearer {key}").into_bytes(), 202),
        (b"Bearer kh\xf3a-c\xfa\xe0-m\xe1y-ch".to_vec(), 401),
    ] {
        let request = stack.track(&event)?;
        let request = request.header("authorization", HeaderValue::from_bytes(&bearer)?);
        let answer = Answer::to(request).await?;
        assert_eq!(answer.status.as_u16(), status, "{answer:?}");
    }
    stack.conversions(1).await?;
    let event = sent(&stack, "a").context("the proxy must send the event")?;
    assert_eq!(event["user"]["ip"], "93.184.216.34");
    Ok(())
}

#[tokio::test]
async fn every_form_of_an_address_in_a_forwarding_header_is_read() -> Result<()> {
    let stack = Stack::start(&[("DUET_TRUSTED_PROXIES", "127.0.0.1,10.0.0.0/8")]).await?;
    let v6 = "2606:4700::1111";
    for (name, value, expected) in [
        ("x-forwarded-for", "[2606:4700::1111]", json!(v6)),
        ("x-forwarded-for", "[2606:4700::1111]:4711", json!(v6)),
        (
            "x-forwarded-for",
            "\"[2606:4700::1111]:4711\", 10.0.0.1",
            json!(v6),
        ),
        (
            "x-forwarded-for",
            "1.2.3.4, 93.184.216.34:80, 10.0.0.1,",
            json!("93.184.216.34"),
        ),
        ("x-real-ip", "[2606:4700::1111]", json!(v6)),
        (
            "forwarded",
            "for=\"[2606:4700::1111]:4711\";proto=https",
            json!(v6),
        ),
        (
            "forwarded",
            "for=1.2.3.4, For=93.184.216.34",
            json!("93.184.216.34"),
        ),
        ("forwarded", "for=_hidden", Value::Null),
        ("x-forwarded-for", "unknown", Value::Null),
    ] {
        let request = stack.request("GET", "/api/analytics/tiktok/track")?;
        let answer = Answer::to(request.header(name, value)).await?;
        assert_eq!(answer.body["your_ip"], expected, "{name}: {value}");
    }
    Ok(())
}
