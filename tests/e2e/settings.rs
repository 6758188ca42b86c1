//! What the command line says.

use anyhow::Result;
use duet_tests::stack::binary;
use tokio::process::Command;

#[tokio::test]
async fn every_problem_with_the_settings_is_said_at_once() -> Result<()> {
    let output = Command::new(binary("duet-proxy")?)
        .args(["serve", "--country", "Vietnam", "--server-key", "short"])
        .env_clear()
        .env("DUET_LISTEN", "nowhere")
        .output()
        .await?;
    let said = String::from_utf8(output.stderr)?;
    assert!(!output.status.success());
    for setting in [
        "TIKTOK_PIXEL_ID",
        "TIKTOK_ACCESS_TOKEN",
        "DUET_LISTEN",
        "DUET_SERVER_KEY",
        "DUET_COUNTRY",
    ] {
        assert!(said.contains(&format!("{setting}: ")), "{said}");
    }
    Ok(())
}

#[tokio::test]
async fn help_explains_every_setting_with_its_default() -> Result<()> {
    let output = Command::new(binary("duet-proxy")?)
        .args(["serve", "--help"])
        .env_clear()
        .output()
        .await?;
    let help = String::from_utf8(output.stdout)?;
    for words in [
        "--tiktok-pixel-id",
        "--tiktok-access-token-file",
        "--data-dir",
        "[default: 127.0.0.1:8787]",
        "DUET_TRACK_PATH",
    ] {
        assert!(help.contains(words), "{words} is not in\n{help}");
    }
    Ok(())
}
