//! Tests which pages may send events, and which headers the browsers get for these pages.

use anyhow::Result;
use duet_tests::{Answer, Stack};
use serde_json::json;

const SHOP: &str = "https://shop.example";
const TRACK: &str = "/api/analytics/tiktok/track";
const WITH_SLASH: &str = "/api/analytics/tiktok/track/";

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
async fn a_listed_page_may_send_every_header_that_it_asks_for() -> Result<()> {
    let settings = [
        ("DUET_ALLOWED_ORIGINS", SHOP),
        ("SEPAY_WEBHOOK_SECRET", "a-secret"),
    ];
    let stack = Stack::start(&settings).await?;
    let asked = "baggage,content-type,sentry-trace,traceparent,x-new-one";
    let preflight = |path: &str, origin: &str| {
        let request = stack.request("OPTIONS", path)?.header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        anyhow::Ok(request.header("access-control-request-headers", asked))
    };
    let told = |answer: &Answer| {
        let names = answer.headers.keys().map(|name| name.as_str().to_owned());
        names
            .filter(|name| name.starts_with("access-control-"))
            .count()
    };
    for path in [TRACK, WITH_SLASH, "/api/orders/PHO7K3M9Q2X"] {
        let answer = Answer::to(preflight(path, SHOP)?).await?;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        assert_eq!(answer.headers["access-control-allow-headers"], asked);
        assert_eq!(answer.headers["access-control-allow-origin"], SHOP);
        let answer = Answer::to(preflight(path, "https://evil.example")?).await?;
        assert_eq!((answer.status.as_u16(), told(&answer)), (403, 0), "{path}");
        let answer = Answer::to(preflight(path, "null")?).await?;
        assert_eq!((answer.status.as_u16(), told(&answer)), (403, 0), "{path}");
    }
    for path in [
        "/api/orders",
        "/api/payment/sepay/webhook",
        "/healthz",
        "/readyz",
        "/metrics",
        "/nowhere",
    ] {
        let answer = Answer::to(preflight(path, SHOP)?).await?;
        assert!(answer.status.is_client_error(), "{path}: {answer:?}");
        assert_eq!(told(&answer), 0, "{path}: {answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_page_that_hides_its_origin_counts_as_the_proxys_own_if_its_browser_says_so() -> Result<()>
{
    let stack = Stack::start(&[("DUET_ALLOWED_ORIGINS", SHOP)]).await?;
    let mut clicked = lead();
    clicked["page"] = json!({ "url": "https://shop.example/?ttclid=E.C.P.a" });
    let hidden = |path: &str, site: Option<&str>| {
        let request = stack.request("POST", path)?.body(clicked.to_string());
        let request = request.header("origin", "null");
        anyhow::Ok(match site {
            Some(site) => request.header("sec-fetch-site", site),
            None => request,
        })
    };
    for path in [TRACK, WITH_SLASH] {
        let answer = Answer::to(hidden(path, Some("same-origin"))?).await?;
        assert_eq!(answer.status.as_u16(), 202, "{path}: {answer:?}");
        let mut names = answer.headers.keys();
        let shares =
            names.any(|name| name.as_str().starts_with("access-control-") || name == "set-cookie");
        assert!(!shares, "{answer:?}");
        for site in [None, Some("same-site"), Some("cross-site"), Some("none")] {
            let answer = Answer::to(hidden(path, site)?).await?;
            assert_eq!(answer.status.as_u16(), 403, "{path} {site:?}");
        }
    }
    let status = stack.request("GET", "/api/orders/PHO7K3M9Q2X")?;
    let status = status
        .header("origin", "null")
        .header("sec-fetch-site", "same-origin");
    assert_eq!(Answer::to(status).await?.status.as_u16(), 403);
    stack.conversions(2).await?;
    Ok(())
}

#[tokio::test]
async fn an_app_in_a_web_view_can_be_listed() -> Result<()> {
    let app = "capacitor://localhost";
    let stack = Stack::start(&[("DUET_ALLOWED_ORIGINS", &format!("{SHOP}, {app}"))]).await?;
    let answer = Answer::to(stack.track(&lead())?.header("origin", app)).await?;
    assert_eq!(answer.status.as_u16(), 202);
    assert_eq!(answer.headers["access-control-allow-origin"], app);
    let other = stack.track(&lead())?.header("origin", "ionic://localhost");
    assert_eq!(Answer::to(other).await?.status.as_u16(), 403);
    stack.conversions(1).await?;
    Ok(())
}

#[tokio::test]
async fn each_of_several_forwarded_hosts_is_the_proxys_own() -> Result<()> {
    let stack = Stack::start(&[("DUET_TRUSTED_PROXIES", "127.0.0.1")]).await?;
    for (name, hosts, status) in [
        ("x-forwarded-host", "shop.example, inner.example", 202),
        ("x-forwarded-host", "inner.example,shop.example", 202),
        ("x-forwarded-host", "shop.example:443", 202),
        ("forwarded", "for=1.2.3.4;host=\"shop.example\"", 202),
        ("x-forwarded-host", "a.shop.example, inner.example", 403),
        ("x-forwarded-host", "shop.example.evil.example", 403),
    ] {
        let request = stack.track(&lead())?.header("origin", SHOP);
        let answer = Answer::to(request.header(name, hosts)).await?;
        assert_eq!(answer.status.as_u16(), status, "{name}: {hosts}");
    }
    stack.conversions(4).await?;
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
