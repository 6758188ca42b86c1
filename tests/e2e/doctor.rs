//! `duet-proxy doctor` finds what is wrong and says what to do.

use anyhow::Result;
use duet_sandbox::Fault;
use duet_tests::{Answer, Stack, stack::binary};
use serde_json::{Value, json};
use tokio::process::Command;

async fn doctor(stack: &Stack, settings: &[(&str, &str)]) -> Result<(bool, String)> {
    let output = Command::new(binary("duet-proxy")?)
        .arg("doctor")
        .env_clear()
        .envs(
            stack
                .settings()
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        )
        .envs(settings.iter().copied())
        .output()
        .await?;
    Ok((output.status.success(), String::from_utf8(output.stdout)?))
}

#[tokio::test]
async fn a_healthy_proxy_has_nothing_but_ok() -> Result<()> {
    let mut stack = Stack::start(&[]).await?;
    let (healthy, said) = doctor(&stack, &[]).await?;
    assert!(
        healthy && said.lines().all(|line| line.starts_with("ok ")),
        "{said}"
    );
    assert!(said.contains("in use by a running proxy"), "{said}");
    stack.stop().await?;
    let (healthy, said) = doctor(&stack, &[]).await?;
    assert!(healthy && said.contains("0 events wait"), "{said}");
    assert_eq!(
        (
            stack.sandbox.totals().conversions,
            stack.sandbox.tests("TEST00000").len()
        ),
        (0, 2)
    );
    Ok(())
}

#[tokio::test]
async fn each_problem_is_named_with_what_to_do() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    stack.sandbox.inject(Fault::TokenRevoked {});
    let nowhere = [
        ("DUET_DATA_DIR", "/proc/nowhere"),
        ("TIKTOK_TEST_EVENT_CODE", "TEST1"),
    ];
    let (healthy, said) = doctor(&stack, &nowhere).await?;
    assert!(!healthy);
    for words in [
        "problem  store: /proc/nowhere",
        "problem  token and pixel: TikTok refuses: 40105",
        "make a new token",
        "problem  test traffic: ALL traffic is test traffic",
        "ok       clock",
    ] {
        assert!(said.contains(words), "{words} is not in\n{said}");
    }
    let (healthy, said) =
        doctor(&stack, &[("DUET_COUNTRY", "Vietnam"), ("DUET_LISTEN", "x")]).await?;
    assert!(
        !healthy
            && said.contains("problem  settings: DUET_COUNTRY")
            && said.contains("DUET_LISTEN"),
        "{said}"
    );
    Ok(())
}

#[tokio::test]
async fn anybody_can_see_which_address_the_proxy_takes_for_theirs() -> Result<()> {
    let stack = Stack::start(&[("DUET_TRUSTED_PROXIES", "127.0.0.1")]).await?;
    let greeting = |forwarded: &str| {
        Ok::<_, anyhow::Error>(
            stack
                .request("GET", "/api/analytics/tiktok/track")?
                .header("x-forwarded-for", forwarded),
        )
    };
    assert_eq!(
        Answer::to(greeting("203.0.113.7")?).await?.body["your_ip"],
        json!("203.0.113.7")
    );
    assert_eq!(
        Answer::to(greeting("192.168.1.1")?).await?.body["your_ip"],
        Value::Null
    );
    Ok(())
}
