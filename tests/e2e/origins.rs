//! Which pages may send events, and what their browsers are told.

use anyhow::Result;
use duet_tests::{Answer, Stack};
use serde_json::json;

const SHOP: &str = "https://shop.example";

fn lead() -> serde_json::Value {
    json!({ "event": "Lead", "user": { "external_id": "u" } })
}

#[tokio::test]
async fn a_listed_page_of_another_origin_may_send_and_read() -> Result<()> {
    let stack = Stack::start(&[("DUET_ALLOWED_ORIGINS", SHOP)]).await?;
    for body in [lead(), json!({ "event": "no no" })] {
        let answer = Answer::to(stack.track(&body)?.header("origin", SHOP)).await?;
        assert_eq!(answer.headers["access-control-allow-origin"], SHOP);
        assert_eq!(answer.headers["access-control-allow-credentials"], "true");
        assert!(answer.headers["vary"].to_str()?.contains("origin"));
    }
    for other in [
        "https://shop.example:8443",
        "http://shop.example",
        "https://shop.example.evil.example",
        "https://a.shop.example",
    ] {
        let answer = Answer::to(stack.track(&lead())?.header("origin", other)).await?;
        assert_eq!(
            (
                answer.status.as_u16(),
                answer.headers.get("access-control-allow-origin")
            ),
            (403, None),
            "{other}"
        );
    }
    stack.conversions(1).await?;
    Ok(())
}

#[tokio::test]
async fn a_preflight_is_answered_with_the_exact_origin() -> Result<()> {
    let stack = Stack::start(&[("DUET_ALLOWED_ORIGINS", SHOP)]).await?;
    let preflight = |origin: &str| {
        let request = stack.request("OPTIONS", "/api/analytics/tiktok/track")?;
        Ok::<_, anyhow::Error>(
            request
                .header("origin", origin)
                .header("access-control-request-method", "POST")
                .header(
                    "access-control-request-headers",
                    "authorization,content-type",
                ),
        )
    };
    let answer = Answer::to(preflight(SHOP)?).await?;
    assert!(answer.status.is_success());
    assert_eq!(answer.headers["access-control-allow-origin"], SHOP);
    assert_eq!(answer.headers["access-control-allow-credentials"], "true");
    assert!(
        answer.headers["access-control-allow-methods"]
            .to_str()?
            .contains("POST")
    );
    assert_eq!(
        answer.headers["access-control-allow-headers"].to_str()?,
        "authorization,content-type"
    );
    assert_eq!(
        Answer::to(preflight("https://evil.example")?)
            .await?
            .status
            .as_u16(),
        403
    );
    Ok(())
}

#[tokio::test]
async fn the_proxys_own_origin_needs_no_listing_even_behind_another_proxy() -> Result<()> {
    let stack = Stack::start(&[("DUET_TRUSTED_PROXIES", "127.0.0.1")]).await?;
    let own = format!("http://{}", stack.address());
    assert_eq!(
        Answer::to(stack.track(&lead())?.header("origin", own))
            .await?
            .status
            .as_u16(),
        202
    );
    let behind = stack
        .track(&lead())?
        .header("origin", SHOP)
        .header("x-forwarded-host", "shop.example");
    assert_eq!(Answer::to(behind).await?.status.as_u16(), 202);
    stack.conversions(2).await?;
    Ok(())
}

#[tokio::test]
async fn a_stranger_cannot_forward_himself_into_the_own_origin() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let forged = stack
        .track(&lead())?
        .header("origin", SHOP)
        .header("x-forwarded-host", "shop.example");
    assert_eq!(Answer::to(forged).await?.status.as_u16(), 403);
    Ok(())
}
