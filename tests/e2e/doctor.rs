//! `duet-proxy doctor` finds problems and states what fixes each problem.

use anyhow::Result;
use duet_sandbox::Fault;
use duet_tests::{Answer, Stack, stack::binary};
use serde_json::{Value, json};
use tokio::process::Command;

pub(crate) async fn doctor(stack: &Stack, settings: &[(&str, &str)]) -> Result<(bool, String)> {
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
    assert!(
        said.contains("in use by a running proxy; format ")
            && said.contains(", which this version writes"),
        "{said}"
    );
    stack.stop().await?;
    let (healthy, said) = doctor(&stack, &[]).await?;
    assert!(healthy && said.contains("pending events: 0;"), "{said}");
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
async fn a_folder_of_an_older_version_fits_and_stays_as_it_is() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let archive = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../proxy/tests/format-4.tar.gz"
    );
    let folder = tempfile::tempdir()?;
    let mut tar = Command::new("tar");
    tar.args(["-xzSf", archive, "-C"]);
    assert!(tar.arg(folder.path()).status().await?.success());
    let data = folder.path().join("data").display().to_string();
    // Run the doctor twice, because the first run must not change the format.
    for _ in 0..2 {
        let (healthy, said) = doctor(&stack, &[("DUET_DATA_DIR", &data)]).await?;
        assert!(
            healthy && said.contains("format 4, which this version can read"),
            "{said}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_version_names_the_commit_and_the_features() -> Result<()> {
    for flag in ["--version", "-V"] {
        let output = Command::new(binary("duet-proxy")?)
            .arg(flag)
            .output()
            .await?;
        let said = String::from_utf8(output.stdout)?;
        let start = concat!("duet-proxy ", env!("CARGO_PKG_VERSION"), " (commit: ");
        assert!(
            said.starts_with(start) && said.ends_with("; features: dev)\n"),
            "{said}"
        );
    }
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
        "problem  token and pixel: TikTok refuses the token: 40105",
        "make a new token",
        "problem  test traffic: ALL traffic is test traffic",
        "ok       clock",
    ] {
        assert!(
            said.contains(words),
            "the output must contain {words}, got\n{said}"
        );
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
async fn a_variable_that_only_looks_like_a_setting_is_a_problem() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    for (variable, words) in [
        (
            "DUET_TRUSTED_PROXY",
            "the setting with the nearest name is DUET_TRUSTED_PROXIES",
        ),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "has no effect in this version yet",
        ),
    ] {
        let (healthy, said) = doctor(&stack, &[(variable, "127.0.0.1")]).await?;
        let line = said.lines().find(|line| line.starts_with("problem"));
        assert!(!healthy, "{said}");
        let line = line.unwrap_or_default();
        assert!(
            line.contains("variables") && line.contains(variable) && line.contains(words),
            "{said}"
        );
    }
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
