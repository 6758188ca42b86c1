//! The proxy rejects events that the disk cannot store, and loses no stored event.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Result, ensure};
use duet_sandbox::Fault;
use duet_tests::{Answer, Stack, stack::binary};
use serde_json::json;
use tokio::process::Command;

use crate::events::{arrived, event};

/// Limits the size of the proxy's files from now on.
async fn limit_files(stack: &Stack, bytes: &str) -> Result<()> {
    let process = stack.process()?.to_string();
    let limit = format!("--fsize={bytes}:unlimited");
    let set = Command::new("prlimit")
        .args(["--pid", &process, &limit])
        .status()
        .await?;
    ensure!(set.success(), "prlimit must set the limit");
    Ok(())
}

#[tokio::test]
async fn a_disk_error_is_a_503_and_never_a_202_and_passes_by_itself() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let outage = stack.sandbox.inject(Fault::BadGateway {});
    stack.accepted(&event("before")).await?;
    limit_files(&stack, "1").await?;
    for id in ["refused-1", "refused-2", "refused-3"] {
        let answer = Answer::to(stack.track(&event(id))?).await?;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["code"]),
            (503, &json!("unavailable")),
            "{answer:?}"
        );
        assert_eq!(answer.headers["retry-after"], "30");
        assert_eq!(answer.body["success"], false);
        let ready = stack.get("/readyz").await?;
        assert_eq!(
            (ready.status.as_u16(), &ready.body["checks"]["store"]),
            (503, &json!("not writable"))
        );
    }
    assert_eq!(stack.get("/healthz").await?.status.as_u16(), 200);

    limit_files(&stack, "unlimited").await?;
    stack
        .until("the store is ready again", async |stack| {
            Ok(stack.get("/readyz").await?.status.as_u16() == 200)
        })
        .await?;
    stack.accepted(&event("after")).await?;
    stack.sandbox.remove_fault(outage);
    let conversions = stack.conversions(2).await?;
    assert_eq!(arrived(&conversions), ["after", "before"].into());
    // The proxy must not remember a rejected event, so the same event is not a duplicate now.
    let again = stack.accepted(&event("refused-1")).await?;
    assert_eq!(again.body["status"], "accepted");
    stack.conversions(3).await?;
    Ok(())
}

#[tokio::test]
async fn what_tiktok_took_while_the_disk_failed_counts_once() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let hanging = stack.sandbox.inject(Fault::Hang {});
    stack.accepted(&event("a")).await?;
    stack
        .until("the event is sent", async |stack| {
            Ok(stack.requests().len() == 1)
        })
        .await?;
    limit_files(&stack, "1").await?;
    stack.sandbox.remove_fault(hanging);
    stack.conversions(1).await?;
    let answer = Answer::to(stack.track(&event("b"))?).await?;
    assert_eq!(answer.status.as_u16(), 503, "{answer:?}");
    limit_files(&stack, "unlimited").await?;
    stack
        .until("no event is pending", async |stack| {
            let ready = stack.get("/readyz").await?.status.as_u16() == 200;
            Ok(ready && stack.metrics().await?.count("duet_queue_events") == 0)
        })
        .await?;
    // The proxy rejected the request, but the disk may have stored the event. Posted again, the event must count only once.
    let again = stack.accepted(&event("b")).await?;
    let status = again.body["status"].as_str().unwrap();
    assert!(["accepted", "duplicate"].contains(&status), "{again:?}");
    let conversions = stack.conversions(2).await?;
    assert_eq!(arrived(&conversions), ["a", "b"].into());
    Ok(())
}

#[tokio::test]
async fn a_journal_that_a_crash_cut_short_opens() -> Result<()> {
    let mut stack = Stack::start(&[]).await?;
    let outage = stack.sandbox.inject(Fault::BadGateway {});
    for id in ["a", "b", "c"] {
        stack.accepted(&event(id)).await?;
    }
    stack.kill().await?;
    let journal = newest_journal(&stack.data_dir())?;
    let written = fs::read(&journal)?;
    let end = written.iter().rposition(|byte| *byte != 0).unwrap() as u64;
    // Shorten the file, as if only a part of the last write had reached the disk.
    fs::File::options()
        .write(true)
        .open(&journal)?
        .set_len(end - 3)?;
    stack.run_proxy().await?;
    stack.sandbox.remove_fault(outage);
    stack.accepted(&event("d")).await?;
    stack
        .until("the intact events arrive", async |stack| {
            let conversions = stack.sandbox.conversions();
            Ok(arrived(&conversions).is_superset(&["a", "b", "d"].into()))
        })
        .await
}

/// Returns the journal that was written last.
fn newest_journal(data: &Path) -> Result<PathBuf> {
    let mut journals = Vec::new();
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|kind| kind == "jnl") {
            journals.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    let newest = journals.into_iter().max().map(|(_, path)| path);
    newest.ok_or_else(|| anyhow::anyhow!("the data directory must have a journal"))
}

#[tokio::test]
async fn a_second_proxy_on_the_same_folder_says_so_and_ends() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let (well, said) = stack.another(&[]).await?;
    assert!(!well);
    assert!(
        said.contains("another process is using the data directory"),
        "{said}"
    );
    stack.accepted(&event("a")).await?;
    stack.conversions(1).await?;
    Ok(())
}

#[tokio::test]
async fn a_file_in_the_folders_place_is_said_at_the_start() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let file = stack.data_dir().with_file_name("file");
    fs::write(&file, "no folder")?;
    let (well, said) = stack
        .another(&[("DUET_DATA_DIR", &file.display().to_string())])
        .await?;
    assert!(!well);
    assert!(said.contains("the data directory cannot be used"), "{said}");
    assert_eq!(fs::read_to_string(file)?, "no folder");
    Ok(())
}

#[tokio::test]
async fn a_folder_that_may_only_be_read_is_said_at_the_start() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let folder = stack.data_dir().with_file_name("read-only");
    fs::create_dir(&folder)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o500))?;
    // Root can write to every folder. So if the test runs as root, start the proxy without the capabilities that allow this.
    let mut command = if fs::metadata("/proc/self")?.uid() == 0 {
        let mut command = Command::new("setpriv");
        command.args([
            "--bounding-set=-dac_override,-dac_read_search",
            "--inh-caps=-dac_override,-dac_read_search",
        ]);
        command.arg(binary("duet-proxy")?);
        command
    } else {
        Command::new(binary("duet-proxy")?)
    };
    let settings = stack.settings().iter().cloned();
    let ended = command
        .arg("serve")
        .envs(settings)
        .env("DUET_LISTEN", "127.0.0.1:0")
        .env("DUET_DATA_DIR", &folder)
        .output()
        .await?;
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success());
    assert!(
        said.contains("data directory") && said.contains("ermission denied"),
        "{said}"
    );
    Ok(())
}
