//! Tests what an operator does over the years: use a new token, move to a new machine, restore an older copy of the data.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use duet_sandbox::Fault;
use duet_tests::Stack;

use crate::events::{arrived, event};

#[tokio::test]
async fn a_new_token_in_the_file_and_a_restart_lose_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("token");
    // The operator has rotated the token in Events Manager, so TikTok accepts only the new token.
    fs::write(&file, "the-old-token\n")?;
    let settings = [
        ("TIKTOK_ACCESS_TOKEN", ""),
        (
            "TIKTOK_ACCESS_TOKEN_FILE",
            file.to_str().context("the path must be UTF-8")?,
        ),
    ];
    let mut stack = Stack::start(&settings).await?;
    stack.accepted(&event("a")).await?;
    stack
        .until("the old token is refused", async |stack| {
            Ok(stack.get("/readyz").await?.status.as_u16() == 503)
        })
        .await?;
    stack.accepted(&event("b")).await?;
    assert!(stack.sandbox.conversions().is_empty());

    fs::write(&file, "sandbox-token\n")?;
    assert!(stack.stop().await?);
    stack.run_proxy().await?;
    let conversions = stack.conversions(2).await?;
    assert_eq!(arrived(&conversions), ["a", "b"].into());
    assert_eq!(stack.get("/readyz").await?.status.as_u16(), 200);
    let violations = stack.sandbox.violations();
    assert!(violations.iter().all(|found| found.field == "Access-Token"));
    stack.sandbox.reset();
    Ok(())
}

#[tokio::test]
async fn a_copy_of_a_stopped_proxys_folder_is_the_whole_of_it() -> Result<()> {
    let mut stack = Stack::start(&[]).await?;
    stack.accepted(&event("delivered")).await?;
    stack.conversions(1).await?;
    let outage = stack.sandbox.inject(Fault::Reset {});
    stack.accepted(&event("waiting")).await?;
    assert!(stack.stop().await?);
    let elsewhere = tempfile::tempdir()?;
    let copy = elsewhere.path().join("copy");
    copied(&stack.data_dir(), &copy)?;

    // The old machine is lost. Another machine gets the copy.
    fs::remove_dir_all(stack.data_dir())?;
    copied(&copy, &stack.data_dir())?;
    stack.sandbox.remove_fault(outage);
    stack.run_proxy().await?;
    let conversions = stack.conversions(2).await?;
    assert_eq!(arrived(&conversions), ["delivered", "waiting"].into());
    for id in ["delivered", "waiting"] {
        let answer = stack.accepted(&event(id)).await?;
        assert_eq!(answer.body["status"], "duplicate", "{id}");
    }
    Ok(())
}

#[tokio::test]
async fn an_older_copy_sends_again_under_the_same_ids_and_counts_once() -> Result<()> {
    let mut stack = Stack::start(&[]).await?;
    let outage = stack.sandbox.inject(Fault::Reset {});
    stack.accepted(&event("a")).await?;
    assert!(stack.stop().await?);
    let elsewhere = tempfile::tempdir()?;
    let copy = elsewhere.path().join("copy");
    copied(&stack.data_dir(), &copy)?;
    stack.sandbox.remove_fault(outage);
    stack.run_proxy().await?;
    stack.conversions(1).await?;
    assert!(stack.stop().await?);

    fs::remove_dir_all(stack.data_dir())?;
    copied(&copy, &stack.data_dir())?;
    stack.run_proxy().await?;
    stack
        .until("the event is sent again", async |stack| {
            let taken = stack.requests().into_iter();
            Ok(taken.filter(|request| request.code == Some(0)).count() == 2)
        })
        .await?;
    stack.conversions(1).await?;
    Ok(())
}

/// Copies the folder with `cp -a`, as docs/deploy.md describes.
fn copied(from: &Path, to: &Path) -> Result<()> {
    let status = std::process::Command::new("cp")
        .arg("-a")
        .args([from, to])
        .status()?;
    ensure!(status.success(), "cp failed");
    Ok(())
}
