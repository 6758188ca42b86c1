//! Only a valid session with Clerk identifies a visitor. A token that is not valid and a cookie of another Clerk instance
//! identify nobody.

use std::{
    fmt::Write,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use duet_sandbox::clerk::{KeySetAnswer, Mint, OldKey};
use duet_tests::{
    Answer, Stack,
    stack::{PATIENCE, binary, free_address, http_client},
};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::{process::Command, task::JoinSet, time};

use crate::keeps_secrets::content;

pub(crate) const USER: &str = "user_2abcDEF";
/// The SHA-256 of `USER`.
const DIGEST: &str = "6d2d23ed645414b1cb2149eca473460493d4b387057afde07e344bd15ae526b3";
const SHOP: &str = "https://shop.example";
/// A publishable key. The names of its cookies end with `_RK90Hasd`.
const PUBLISHABLE: &str = "pk_test_ZXhhbXBsZS1hcHAtMS5jbGVyay5hY2NvdW50cy5kZXYk";

/// Starts a proxy that uses the sandbox's Clerk.
async fn start() -> Result<Stack> {
    start_with(|_| {}).await
}

async fn start_with(before: impl FnOnce(&duet_sandbox::Sandbox)) -> Result<Stack> {
    let mut stack = Stack::prepare(&[
        ("CLERK_PUBLISHABLE_KEY", PUBLISHABLE),
        ("CLERK_AUTHORIZED_PARTIES", SHOP),
        ("DUET_RATE_LIMIT", "off"),
        ("DUET_LOG", "trace"),
    ])
    .await?;
    let issuer = stack.sandbox_url().to_owned();
    stack.set("CLERK_ISSUER", &issuer);
    before(&stack.sandbox);
    stack.run_proxy().await?;
    Ok(stack)
}

/// Starts a proxy that uses the sandbox's Clerk, and waits until the proxy has loaded Clerk's keys.
pub(crate) async fn warm() -> Result<Stack> {
    let stack = start().await?;
    stack.until("the keys are loaded", is_ready).await?;
    Ok(stack)
}

async fn is_ready(stack: &Stack) -> Result<bool> {
    Ok(stack.get("/readyz").await?.body["checks"]["clerk"] == "ok")
}

pub(crate) fn minted(stack: &Stack, mint: &Mint) -> Result<String> {
    let mint = Mint {
        azp: mint.azp.clone().or_else(|| Some(SHOP.to_owned())),
        ..mint.clone()
    };
    let now_s = i64::try_from(stack.sandbox.clock().now_ms() / 1000)?;
    Ok(stack
        .sandbox
        .clerk()
        .mint(stack.sandbox_url(), now_s, &mint))
}

fn lead(id: &str) -> Value {
    json!({ "event": "Lead", "event_id": id, "user": { "ttclid": "E.C.P.x" } })
}

fn with_cookie(stack: &Stack, id: &str, cookie: &str) -> Result<RequestBuilder> {
    Ok(stack.track(&lead(id))?.header("cookie", cookie))
}

pub(crate) fn with_bearer(stack: &Stack, id: &str, token: &str) -> Result<RequestBuilder> {
    Ok(stack.track(&lead(id))?.bearer_auth(token))
}

async fn status(request: RequestBuilder) -> Result<StatusCode> {
    Ok(Answer::to(request).await?.status)
}

/// Returns the `external_id` that TikTok received for an event.
fn external_id(stack: &Stack, id: &str) -> Option<Value> {
    let conversions = stack.sandbox.conversions_of(id);
    conversions.first()?.user.get("external_id").cloned()
}

#[tokio::test]
async fn every_way_a_token_travels_gives_the_digest_of_the_user() -> Result<()> {
    let stack = warm().await?;
    let token = minted(&stack, &Mint::of(USER))?;
    let old = Mint {
        clock_offset_s: -30,
        ..Mint::of("user_another")
    };
    let old = minted(&stack, &old)?;
    for request in [
        with_cookie(&stack, "plain", &format!("__session={token}"))?,
        with_cookie(
            &stack,
            "suffixed",
            &format!("a=b; __session_RK90Hasd={token}"),
        )?,
        with_cookie(
            &stack,
            "both",
            &format!("__session={old}; __session_RK90Hasd={token}"),
        )?,
        with_bearer(&stack, "bearer", &token)?,
    ] {
        assert_eq!(status(request).await?, StatusCode::ACCEPTED);
    }
    stack.conversions(4).await?;
    for id in ["plain", "suffixed", "both", "bearer"] {
        assert_eq!(external_id(&stack, id), Some(json!(DIGEST)), "{id}");
    }
    let metrics = stack.metrics().await?;
    assert_eq!(
        metrics.count(r#"duet_clerk_sessions_total{result="verified"}"#),
        4
    );
    assert_eq!(
        metrics.count(r#"duet_clerk_key_fetches_total{result="loaded"}"#),
        1
    );
    Ok(())
}

#[tokio::test]
async fn other_instances_cookies_on_the_same_domain_change_nothing() -> Result<()> {
    let stack = warm().await?;
    let token = minted(&stack, &Mint::of(USER))?;
    let now_s = stack.sandbox.clock().now_ms() / 1000;
    let before = now_s - 100;
    // A token of another Clerk instance. No valid signature is needed for this test.
    let other =
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2NsZXJrLm90aGVyLmV4YW1wbGUiLCJpYXQiOjF9.c2ln";
    let foreign = (0..20).fold(String::new(), |mut line, number| {
        let _ = write!(line, "__session_F{number}={other}; ");
        line
    });
    for (id, cookies) in [
        (
            "staging",
            format!("__client_uat=0; __client_uat={before}; __session={token}"),
        ),
        (
            "suffixed",
            format!("__client_uat=0; __client_uat_RK90Hasd={before}; __session={token}"),
        ),
        ("foreign", format!("{foreign}__session={token}")),
        (
            "letters",
            format!("ten=Nguyễn Văn; __session_RK90Hasd={token}"),
        ),
    ] {
        let request = with_cookie(&stack, id, &cookies)?;
        assert_eq!(status(request).await?, StatusCode::ACCEPTED, "{id}");
    }
    let both = format!("__client_uat=0; __client_uat=0; __session={token}");
    let both = with_cookie(&stack, "signed-out", &both)?;
    assert_eq!(status(both).await?, StatusCode::ACCEPTED);
    stack.conversions(5).await?;
    for id in ["staging", "suffixed", "foreign", "letters"] {
        assert_eq!(external_id(&stack, id), Some(json!(DIGEST)), "{id}");
    }
    assert_eq!(external_id(&stack, "signed-out"), None);
    Ok(())
}

#[tokio::test]
async fn without_a_publishable_key_other_instances_cookies_hide_none_of_ours() -> Result<()> {
    let mut stack = Stack::prepare(&[("CLERK_AUTHORIZED_PARTIES", SHOP)]).await?;
    let issuer = stack.sandbox_url().to_owned();
    stack.set("CLERK_ISSUER", &issuer);
    stack.run_proxy().await?;
    stack.until("the keys are loaded", is_ready).await?;
    let token = minted(&stack, &Mint::of(USER))?;
    let other =
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2NsZXJrLm90aGVyLmV4YW1wbGUiLCJpYXQiOjF9.c2ln";
    let mut cookies = String::new();
    for number in 0..20 {
        let _ = write!(cookies, "__session_F{number}={other}; ");
    }
    let request = with_cookie(&stack, "a", &format!("{cookies}__session_RK90Hasd={token}"))?;
    assert_eq!(status(request).await?, StatusCode::ACCEPTED);
    stack.conversions(1).await?;
    assert_eq!(external_id(&stack, "a"), Some(json!(DIGEST)));
    Ok(())
}

#[tokio::test]
async fn the_verified_id_wins_over_what_the_page_claims() -> Result<()> {
    let stack = warm().await?;
    let claim = json!({ "event": "Lead", "event_id": "a", "user": { "userId": "user_forged" } });
    let token = minted(&stack, &Mint::of(USER))?;
    let answer = Answer::to(stack.track(&claim)?.bearer_auth(token)).await?;
    assert_eq!(answer.body["warnings"][0]["rule"], "session");
    stack.conversions(1).await?;
    assert_eq!(external_id(&stack, "a"), Some(json!(DIGEST)));
    Ok(())
}

#[tokio::test]
async fn an_invalid_token_in_the_header_is_401_and_takes_no_event() -> Result<()> {
    let stack = warm().await?;
    let good = minted(&stack, &Mint::of(USER))?;
    let expired = Mint {
        clock_offset_s: -100,
        ..Mint::of(USER)
    };
    let expired = minted(&stack, &expired)?;
    let elsewhere = Mint {
        azp: Some("https://evil.example".to_owned()),
        ..Mint::of(USER)
    };
    let elsewhere = minted(&stack, &elsewhere)?;
    for bad in [&expired, &elsewhere, "eyJh.eyJz.c2ln", &format!("{good}=")] {
        let cookie = format!("__session={good}");
        let request = with_bearer(&stack, "bad", bad)?.header("cookie", cookie);
        let answer = Answer::to(request).await?;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{bad}");
        assert_eq!(answer.body["code"], "invalid_session");
    }
    assert_eq!(
        status(with_bearer(&stack, "good", &good)?).await?,
        StatusCode::ACCEPTED
    );
    stack.conversions(1).await?;
    assert!(stack.sandbox.conversions_of("bad").is_empty());
    Ok(())
}

#[tokio::test]
async fn an_event_with_a_cookie_that_does_not_hold_is_taken_as_anybodys() -> Result<()> {
    let stack = warm().await?;
    let expired = Mint {
        clock_offset_s: -100,
        ..Mint::of(USER)
    };
    let expired = format!("__session={}", minted(&stack, &expired)?);
    let signed_out = format!(
        "__session={}; __client_uat=0",
        minted(&stack, &Mint::of(USER))?
    );
    for (id, cookie) in [("expired", &expired), ("signed-out", &signed_out)] {
        assert_eq!(
            status(with_cookie(&stack, id, cookie)?).await?,
            StatusCode::ACCEPTED
        );
    }
    let claim = json!({ "event": "Lead", "event_id": "claims", "user": { "userId": USER } });
    let claim = stack.track(&claim)?.header("cookie", &expired);
    assert_eq!(status(claim).await?, StatusCode::ACCEPTED);
    stack.conversions(3).await?;
    assert_eq!(external_id(&stack, "expired"), None);
    assert_eq!(external_id(&stack, "signed-out"), None);
    assert_eq!(external_id(&stack, "claims"), Some(json!(DIGEST)));
    Ok(())
}

#[tokio::test]
async fn an_impersonated_session_sends_tiktok_nothing() -> Result<()> {
    let stack = warm().await?;
    let acted = Mint {
        impersonator: Some("user_support".to_owned()),
        ..Mint::of(USER)
    };
    let acted = minted(&stack, &acted)?;
    for request in [
        with_bearer(&stack, "a", &acted)?,
        with_cookie(&stack, "b", &format!("__session={acted}"))?,
    ] {
        let answer = Answer::to(request).await?;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        let result = &answer.body["results"][0];
        assert_eq!(result["status"], "invalid");
        assert_eq!(result["errors"][0]["rule"], "impersonated");
    }
    let token = minted(&stack, &Mint::of(USER))?;
    status(with_bearer(&stack, "own", &token)?).await?;
    let conversions = stack.conversions(1).await?;
    assert_eq!(conversions[0].event_id.as_deref(), Some("own"));
    let metrics = stack.metrics().await?;
    assert_eq!(
        metrics.count(r#"duet_clerk_sessions_total{result="impersonated"}"#),
        2
    );
    Ok(())
}

#[tokio::test]
async fn a_new_key_is_found_with_one_question_and_a_flood_of_others_asks_no_more() -> Result<()> {
    let started = Instant::now();
    let stack = warm().await?;
    // The proxy loaded the keys once at its start. After that, it requests the keys at most once in ten seconds.
    let most = || 1 + started.elapsed().as_secs() / 10;
    stack.sandbox.clerk().rotate(OldKey::Removed);
    for number in 0..50 {
        let header = json!({ "kid": format!("ins_junk{number}") });
        let junk = Mint {
            header: header
                .as_object()
                .cloned()
                .context("the header must be an object")?,
            ..Mint::of(USER)
        };
        let junk = minted(&stack, &junk)?;
        assert_eq!(
            status(with_bearer(&stack, "junk", &junk)?).await?,
            StatusCode::UNAUTHORIZED
        );
    }
    let asked = stack.sandbox.clerk().key_set_hits();
    assert!(asked <= most(), "{asked}");
    // Wait until the pause after the first request for keys is over.
    stack
        .until("the proxy has loaded the new key", async |stack| {
            let token = minted(stack, &Mint::of(USER))?;
            let answered = status(with_bearer(stack, "rotated", &token)?).await?;
            Ok(answered == StatusCode::ACCEPTED)
        })
        .await?;
    let asked = stack.sandbox.clerk().key_set_hits();
    assert!((2..=most()).contains(&asked), "{asked}");
    stack.conversions(1).await?;
    assert_eq!(external_id(&stack, "rotated"), Some(json!(DIGEST)));
    Ok(())
}

#[tokio::test]
async fn two_hundred_requests_at_a_cold_start_ask_for_the_keys_once() -> Result<()> {
    let stack = start().await?;
    let token = minted(&stack, &Mint::of(USER))?;
    let mut requests = JoinSet::new();
    for number in 0..200 {
        requests.spawn(with_bearer(&stack, &format!("cold{number}"), &token)?.send());
    }
    while let Some(answer) = requests.join_next().await {
        assert_eq!(answer??.status(), StatusCode::ACCEPTED);
    }
    assert_eq!(stack.sandbox.clerk().key_set_hits(), 1);
    stack.conversions(200).await?;
    Ok(())
}

#[tokio::test]
async fn a_start_without_keys_is_degraded_and_recovers() -> Result<()> {
    let stack = start_with(|sandbox| sandbox.clerk().answer_with(KeySetAnswer::Error)).await?;
    let ready = stack.get("/readyz").await?;
    assert_eq!(ready.status, StatusCode::OK);
    assert_eq!(ready.body["status"], "degraded");
    let token = minted(&stack, &Mint::of(USER))?;
    let answer = Answer::to(with_bearer(&stack, "early", &token)?).await?;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.body["code"], "no_session_keys");
    assert!(answer.headers.contains_key("retry-after"));
    let cookie = format!("__session={token}");
    assert_eq!(
        status(with_cookie(&stack, "anybody", &cookie)?).await?,
        StatusCode::ACCEPTED
    );
    stack.sandbox.clerk().answer_with(KeySetAnswer::Keys);
    stack.until("the keys are loaded", is_ready).await?;
    let token = minted(&stack, &Mint::of(USER))?;
    assert_eq!(
        status(with_bearer(&stack, "late", &token)?).await?,
        StatusCode::ACCEPTED
    );
    // The proxy must use the loaded keys while Clerk is unavailable.
    stack.sandbox.clerk().answer_with(KeySetAnswer::Error);
    assert_eq!(
        status(with_bearer(&stack, "on", &token)?).await?,
        StatusCode::ACCEPTED
    );
    stack.conversions(3).await?;
    for (id, expected) in [
        ("anybody", None),
        ("late", Some(DIGEST)),
        ("on", Some(DIGEST)),
    ] {
        assert_eq!(
            external_id(&stack, id),
            expected.map(|digest| json!(digest)),
            "{id}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn no_user_id_and_no_token_is_on_disk_in_a_log_or_in_an_answer() -> Result<()> {
    let mut stack = warm().await?;
    let canary = "user_2canaryXYZ";
    let token = minted(&stack, &Mint::of(canary))?;
    let expired = Mint {
        clock_offset_s: -100,
        ..Mint::of(canary)
    };
    let expired = minted(&stack, &expired)?;
    let acted = Mint {
        impersonator: Some("user_2canaryADMIN".to_owned()),
        ..Mint::of(canary)
    };
    let acted = minted(&stack, &acted)?;
    let mut said = String::new();
    for (id, bearer) in [("a", &token), ("b", &expired), ("c", &acted)] {
        let answer = Answer::to(with_bearer(&stack, id, bearer)?).await?;
        let cookie = format!("__session={bearer}");
        let other = Answer::to(with_cookie(&stack, &format!("{id}2"), &cookie)?).await?;
        write!(said, "{answer:?}{other:?}")?;
    }
    stack.conversions(3).await?;
    let metrics = stack
        .request("GET", "/metrics")?
        .send()
        .await?
        .text()
        .await?;
    assert!(stack.stop().await?);
    let log = stack.log();
    assert!(
        log.contains("reason=\"expired\"") && log.contains("ins_test1"),
        "{log}"
    );
    said += &metrics;
    said += &log;
    let stored = content(&stack.data_dir())?;
    let secrets = [&token, &expired, &acted].map(|token| token.rsplit('.').next().unwrap());
    for canary in ["user_2canary"].iter().chain(&secrets) {
        assert!(
            !said.contains(canary),
            "{canary} must not be in an answer, in the metrics or in the log"
        );
        let kept = stored
            .windows(canary.len())
            .any(|part| part == canary.as_bytes());
        assert!(!kept, "no file may contain {canary}");
    }
    Ok(())
}

#[tokio::test]
async fn doctor_says_whether_keys_can_be_loaded() -> Result<()> {
    let stack = warm().await?;
    let doctor = async || -> Result<String> {
        let settings = stack.settings().iter().cloned();
        let output = Command::new(binary("duet-proxy")?)
            .arg("doctor")
            .env_clear()
            .envs(settings)
            .output()
            .await?;
        Ok(String::from_utf8(output.stdout)?)
    };
    let said = doctor().await?;
    let issuer = stack.sandbox_url();
    assert!(
        said.contains(&format!("ok       clerk: {issuer}, public keys loaded: 1")),
        "{said}"
    );
    stack.sandbox.clerk().answer_with(KeySetAnswer::Error);
    let said = doctor().await?;
    assert!(
        said.contains("problem  clerk") && said.contains("status is 500"),
        "{said}"
    );
    Ok(())
}

#[tokio::test]
async fn the_demo_proxy_trusts_the_sandboxs_clerk() -> Result<()> {
    let (shop, sandbox) = (free_address().await?, free_address().await?);
    let _demo = Command::new(binary("duet-proxy")?)
        .args(["dev", "--sandbox-listen", &sandbox.to_string()])
        .env_clear()
        .env("DUET_LISTEN", shop.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let (shop, sandbox) = (format!("http://{shop}"), format!("http://{sandbox}"));
    let http = http_client();
    let signed_in = async || -> Result<Value> {
        let sign_in = http
            .post(format!("{sandbox}/clerk/sign-in"))
            .header("origin", &shop);
        let token = Answer::to(sign_in.body(json!({ "user_id": USER }).to_string())).await?;
        let token = token.body["token"]
            .as_str()
            .context("the sandbox must answer with a token")?;
        let track = http.post(format!("{shop}/api/analytics/tiktok/track"));
        let track = track.header("origin", &shop).bearer_auth(token);
        Answer::to(track.body(lead("demo").to_string())).await?;
        let counted = http.get(format!("{sandbox}/sandbox/conversions"));
        Ok(Answer::to(counted).await?.body[0]["user"]["external_id"].clone())
    };
    let patience = async {
        while !signed_in().await.is_ok_and(|seen| seen == DIGEST) {
            time::sleep(Duration::from_millis(50)).await;
        }
    };
    time::timeout(PATIENCE, patience).await?;
    Ok(())
}
