//! Tests the output of the command line, and which settings prevent a start.

use std::{fs, process::Output};

use anyhow::Result;
use duet_tests::stack::{PATIENCE, binary};
use tokio::{process::Command, time};

/// A secret that must not appear in any output.
const SECRET: &str = "canary-token-of-some-length";
const PIXEL: &str = "C4A1B2C3D4E5F6G7H8I9";

/// Runs the proxy with these arguments and variables. The process must end by itself.
async fn ended(words: &[&str], variables: &[(&str, &str)]) -> Result<Output> {
    let running = Command::new(binary("duet-proxy")?)
        .args(words)
        .env_clear()
        .envs(variables.iter().copied())
        .kill_on_drop(true)
        .output();
    Ok(time::timeout(PATIENCE, running).await??)
}

/// Runs `serve` with the required variables and `variables`. The proxy must end without a panic and without having started.
/// Returns its output.
async fn refused(variables: &[(&str, &str)]) -> Result<String> {
    let needed = [
        ("TIKTOK_PIXEL_ID", PIXEL),
        ("TIKTOK_ACCESS_TOKEN", SECRET),
        ("DUET_LISTEN", "127.0.0.1:0"),
        ("DUET_DATA_DIR", "/dev/null/nowhere"),
    ];
    let output = ended(&["serve"], &[&needed[..], variables].concat()).await?;
    let said = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(1), "{variables:?}: {said}");
    assert!(
        !said.contains("panicked") && !said.contains(SECRET),
        "{said}"
    );
    Ok(said)
}

/// Returns the settings that the error messages name. Each message is one line.
fn named(said: &str) -> Vec<&str> {
    let lines = said.lines();
    let settings = lines.filter_map(|line| line.strip_prefix("duet-proxy: ")?.split_once(": "));
    settings.map(|(setting, _)| setting).collect()
}

#[tokio::test]
async fn every_problem_with_the_settings_is_said_at_once() -> Result<()> {
    let output = ended(
        &["serve", "--country", "Vietnam", "--log", "duet_proxy=loud"],
        &[
            ("DUET_LISTEN", "nowhere"),
            ("DUET_SERVER_KEY", "short"),
            ("DUET_LOG_FORMAT", "xml"),
            ("DUET_MONEY_EVENT", "open"),
            ("DUET_TRACK_PATH", "/healthz"),
            ("TIKTOK_API_BASE", "http://business-api.tiktok.com"),
        ],
    )
    .await?;
    let said = String::from_utf8(output.stderr)?;
    assert!(!output.status.success());
    for setting in [
        "TIKTOK_PIXEL_ID",
        "TIKTOK_ACCESS_TOKEN",
        "TIKTOK_API_BASE",
        "DUET_LISTEN",
        "DUET_SERVER_KEY",
        "DUET_COUNTRY",
        "DUET_LOG",
        "DUET_LOG_FORMAT",
        "DUET_MONEY_EVENTS",
        "DUET_TRACK_PATH",
    ] {
        assert!(named(&said).contains(&setting), "{setting}: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn a_track_path_that_another_route_has_stops_the_start() -> Result<()> {
    for path in [
        "/healthz",
        "/healthz/",
        "/%68ealthz",
        "//healthz",
        "/readyz",
        "/metrics",
        "/api/orders",
        "/api/orders/PHO7K3M9Q2X",
        "/api/payment/sepay/webhook",
        "/api/payment/stripe/webhook",
        "/api/payment/vnpay/webhook/",
        "/duet-dev.json",
        "/{*all}",
        "/a/../healthz",
    ] {
        let said = refused(&[("DUET_TRACK_PATH", path)]).await?;
        assert_eq!(named(&said), ["DUET_TRACK_PATH"], "{path}: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn a_value_that_its_author_did_not_mean_stops_the_start() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("key");
    fs::write(&file, "\"a-server-key-of-some-length\"\n")?;
    for (name, value, setting) in [
        (
            "TIKTOK_ACCESS_TOKEN",
            "\"canary-token\"",
            "TIKTOK_ACCESS_TOKEN",
        ),
        (
            "TIKTOK_ACCESS_TOKEN",
            "'canary-token'",
            "TIKTOK_ACCESS_TOKEN",
        ),
        (
            "TIKTOK_PIXEL_ID",
            "\"C4A1B2C3D4E5F6G7H8I9\"",
            "TIKTOK_PIXEL_ID",
        ),
        ("TIKTOK_PIXEL_ID", "7211234567890123456", "TIKTOK_PIXEL_ID"),
        (
            "DUET_SERVER_KEY",
            "“a-server-key-of-some-length”",
            "DUET_SERVER_KEY",
        ),
        (
            "DUET_SERVER_KEY_FILE",
            file.to_str().unwrap(),
            "DUET_SERVER_KEY",
        ),
        (
            "DUET_ALLOWED_ORIGINS",
            "'https://shop.example'",
            "DUET_ALLOWED_ORIGINS",
        ),
        (
            "DUET_ALLOWED_ORIGINS",
            "https://a.example https://b.example",
            "DUET_ALLOWED_ORIGINS",
        ),
        ("DUET_RATE_LIMIT", "\"off\"", "DUET_RATE_LIMIT"),
        ("SEPAY_WEBHOOK_SECRET", "\"\"", "SEPAY_WEBHOOK_SECRET"),
        (
            "TIKTOK_API_BASE",
            "http://business-api.tiktok.com",
            "TIKTOK_API_BASE",
        ),
        ("TIKTOK_API_BASE", "http://10.0.0.1:8788", "TIKTOK_API_BASE"),
        ("DUET_MONEY_EVENT", "open", "DUET_MONEY_EVENTS"),
        ("TIKTOK_ACCESS_TOKN", "canary-token", "TIKTOK_ACCESS_TOKEN"),
        ("DUET_SERVERKEY_FILE", "/run/secrets/key", "DUET_SERVER_KEY"),
    ] {
        let said = refused(&[(name, value)]).await?;
        assert_eq!(named(&said), [setting], "{name}={value}: {said}");
        assert!(!said.contains("canary"), "{said}");
    }
    Ok(())
}

#[tokio::test]
async fn blanks_around_a_value_and_other_programs_variables_stop_nothing() -> Result<()> {
    let said = refused(&[
        ("TIKTOK_PIXEL_ID", " C4A1B2C3D4E5F6G7H8I9\r"),
        ("DUET_LISTEN", "127.0.0.1:0\r\n"),
        ("DUET_TRUSTED_PROXIES", "\n10.0.0.1,\n10.0.0.2\n"),
        ("DUET_RATE_LIMIT", " off "),
        ("DUET_COUNTRY", " "),
        ("DUET_SERVICE_HOST", "10.0.0.3"),
        ("DUET_LISTEN_PORT", "tcp://10.0.0.3:8787"),
        ("DUET_PORT_8787_TCP_ADDR", "10.0.0.3"),
        ("CLERK_SECRET_KEY", "sk_live_x"),
    ])
    .await?;
    // All other settings are valid now. The only problem left is that the data directory's path cannot be used.
    assert!(said.contains("the data directory cannot be used"), "{said}");
    Ok(())
}

#[tokio::test]
async fn no_flag_takes_a_secret_and_each_has_one_for_its_file() -> Result<()> {
    let help = String::from_utf8(ended(&["serve", "--help"], &[]).await?.stdout)?;
    for name in [
        "tiktok-access-token",
        "server-key",
        "sepay-webhook-secret",
        "sepay-secret-key",
        "clerk-jwt-key",
    ] {
        for words in [
            &["serve", &format!("--{name}"), SECRET][..],
            &["serve", &format!("--{name}={SECRET}")],
            &["doctor", &format!("--{name}={SECRET}")],
        ] {
            let output = ended(words, &[]).await?;
            let said = String::from_utf8([output.stdout, output.stderr].concat())?;
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(said.contains(&format!("--{name}-file")), "{said}");
            assert!(!said.contains(SECRET), "{said}");
        }
        assert!(
            help.contains(&format!("--{name}-file <FILE>")),
            "{name}: {help}"
        );
        assert!(!help.contains(&format!("--{name} ")), "{name}: {help}");
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("key");
    fs::write(&file, "short")?;
    let words = ["serve", "--server-key-file", file.to_str().unwrap()];
    let said = String::from_utf8(ended(&words, &[]).await?.stderr)?;
    assert!(named(&said).contains(&"DUET_SERVER_KEY"), "{said}");
    Ok(())
}

#[tokio::test]
async fn help_explains_every_setting_with_its_default() -> Result<()> {
    let help = String::from_utf8(ended(&["serve", "--help"], &[]).await?.stdout)?;
    for words in [
        "--tiktok-pixel-id",
        "--tiktok-access-token-file",
        "--data-dir",
        "[default: 127.0.0.1:8787]",
        "DUET_TRACK_PATH",
        "TIKTOK_ACCESS_TOKEN",
    ] {
        assert!(
            help.contains(words),
            "the help must contain {words}, got\n{help}"
        );
    }
    Ok(())
}
