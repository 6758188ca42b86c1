//! Tests damaged files in the data directory. The proxy must name the damaged file and must not change any file. A damaged
//! row must not affect other rows.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use duet_sandbox::{Fault, Instruction};
use duet_tests::{Answer, Stack};
use serde_json::json;

use crate::{
    events::{arrived, event},
    pays::{PRICE, Shop, transfer},
};

/// Returns every file in a folder and its subfolders.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

/// Returns whether the proxy reads this file at its start. The proxy does not read an older manifest.
fn is_read(file: &Path) -> Result<bool> {
    let name = file.file_name().and_then(|name| name.to_str());
    let Some(number) = name.and_then(|name| name.strip_prefix('v')?.parse::<u64>().ok()) else {
        return Ok(true);
    };
    let current = fs::read(file.with_file_name("current"))?;
    Ok(current.starts_with(&number.to_le_bytes()))
}

type Damage = fn(&mut Vec<u8>);

/// Ways to damage a file.
const DAMAGES: [(&str, Damage); 3] = [
    ("emptied", |bytes| bytes.clear()),
    ("cut", |bytes| bytes.truncate(bytes.len() / 2)),
    ("changed", |bytes| {
        let at = bytes.len() / 2;
        bytes[at] ^= 0x55;
    }),
];

#[tokio::test]
async fn a_damaged_file_of_any_kind_is_named_at_the_start() -> Result<()> {
    let mut shop = Shop::open(&[("DUET_MONEY_EVENTS", "open")]).await?;
    shop.register("PHO7K3M9Q2X").await?;
    shop.pay("PHO7K3M9Q2X", PRICE).await?;
    let stack = &mut shop.stack;
    stack.conversions(1).await?;
    stack.stop().await?;
    // This start removes the files to which no other file refers.
    stack.run_proxy().await?;
    stack.stop().await?;
    let folder = stack.data_dir();
    let mut kinds = 0;
    for file in files(&folder)? {
        let name = file.strip_prefix(&folder)?.display().to_string();
        // The end of a journal after a power failure is tested elsewhere.
        let is_journal = file.extension().is_some_and(|kind| kind == "jnl");
        if name == "lock" || is_journal || !is_read(&file)? {
            continue;
        }
        kinds += 1;
        let whole = fs::read(&file)?;
        for (damage, spoil) in DAMAGES {
            let mut bytes = whole.clone();
            spoil(&mut bytes);
            fs::write(&file, &bytes)?;
            let ended = stack.another(&[]).await;
            let (well, said) = ended.with_context(|| format!("{name} {damage}"))?;
            assert!(!well, "{name} {damage}");
            assert!(!said.contains("panicked"), "{name} {damage}: {said}");
            // If a manifest and the file that names the manifest contradict each other, either file can be the damaged one.
            let place = name.strip_suffix("current").unwrap_or(&name);
            assert!(said.contains(place), "{name} {damage}: {said}");
            assert!(
                fs::read(&file)? == bytes,
                "{name} {damage}: the proxy must not change the file"
            );
        }
        fs::write(&file, &whole)?;
    }
    assert!(kinds > 10, "{kinds} files");
    stack.run_proxy().await?;
    stack.accepted(&event("after")).await?;
    stack.conversions(2).await?;
    Ok(())
}

#[tokio::test]
async fn what_has_no_business_in_the_folder_is_named_at_the_start() -> Result<()> {
    let mut stack = Stack::start(&[]).await?;
    stack.stop().await?;
    for name in ["keyspaces/old", "x.jnl", "7.jnl"] {
        let path = stack.data_dir().join(name);
        fs::create_dir(&path)?;
        let (well, said) = stack.another(&[]).await?;
        assert!(!well, "{name}");
        assert!(said.contains(name) && !said.contains("panicked"), "{said}");
        fs::remove_dir(&path)?;
    }
    let current = stack.data_dir().join("keyspaces/0/current");
    let whole = fs::read(&current)?;
    fs::remove_file(&current)?;
    let (well, said) = stack.another(&[]).await?;
    assert!(!well && said.contains("keyspaces/0/current"), "{said}");
    fs::write(&current, whole)?;
    stack.run_proxy().await
}

#[tokio::test]
async fn a_damaged_end_of_a_journal_is_named_after_a_stop_and_cut_off_after_a_kill() -> Result<()> {
    let mut stack = Stack::start(&[]).await?;
    let journal = stack.data_dir().join("0.jnl");
    let spoil = || {
        let mut bytes = fs::read(&journal)?;
        let end = bytes.iter().rposition(|byte| *byte != 0);
        let end = end.context("the journal must not be empty")?;
        bytes[end] ^= 1;
        fs::write(&journal, bytes).context("the test must be able to write the journal")
    };
    stack.accepted(&event("a")).await?;
    stack.conversions(1).await?;
    stack.kill().await?;
    spoil()?;
    stack.run_proxy().await?;
    let log = stack.log();
    assert!(log.contains("an unfinished write was found"), "{log}");
    stack.accepted(&event("b")).await?;
    stack.stop().await?;
    spoil()?;
    let damaged = fs::read(&journal)?;
    let (well, said) = stack.another(&[]).await?;
    assert!(
        !well && said.contains(" 0.jnl does not read back"),
        "{said}"
    );
    assert!(
        fs::read(&journal)? == damaged,
        "the proxy must not change the journal"
    );
    spoil()?;
    stack.run_proxy().await
}

/// Writes a row into the store of a stopped proxy.
fn plant(stack: &Stack, key: &str, value: &str) -> Result<()> {
    let database = fjall::Database::builder(stack.data_dir()).open()?;
    let orders = database.keyspace("orders", fjall::KeyspaceCreateOptions::default)?;
    orders.insert(key, value)?;
    Ok(())
}

#[tokio::test]
async fn a_row_that_does_not_read_back_fails_its_own_calls_alone() -> Result<()> {
    let mut shop = Shop::open(&[("DUET_MONEY_EVENTS", "open")]).await?;
    shop.register("PHO7K3M9Q2X").await?;
    shop.stack.stop().await?;
    plant(&shop.stack, "oBAD0RDER1", "no order")?;
    shop.stack.run_proxy().await?;
    let stack = &shop.stack;
    let on_order = |order: &str, id: &str| {
        let mut event = event(id);
        event["event"] = json!("InitiateCheckout");
        event["properties"]["order_id"] = json!(order);
        event
    };
    // Post the events in one request, so that they are written in one commit.
    let outage = stack.sandbox.inject(Fault::BadGateway {});
    for round in 0..20 {
        let good = [format!("good-{round}-a"), format!("good-{round}-b")];
        let bad = on_order("BAD0RDER1", &format!("bad-{round}"));
        let answers = tokio::join!(
            Answer::to(stack.track(&event(&good[0]))?),
            Answer::to(stack.track(&bad)?),
            Answer::to(stack.track(&event(&good[1]))?),
            shop.answer(Instruction {
                transaction_id: Some(100 + round),
                ..transfer("PHO7K3M9Q2X", 1000)
            }),
        );
        assert_eq!(answers.0?.status.as_u16(), 202);
        assert_eq!(answers.1?.status.as_u16(), 503);
        assert_eq!(answers.2?.status.as_u16(), 202);
        assert_eq!(answers.3?.0, 200);
        assert_eq!(stack.get("/readyz").await?.status.as_u16(), 200);
    }
    assert!(
        !stack.log().contains("the store is open again"),
        "{}",
        stack.log()
    );
    stack.sandbox.remove_fault(outage);
    stack
        .until("all good events arrive", async |stack| {
            let conversions = stack.sandbox.conversions();
            let arrived = arrived(&conversions);
            let good = arrived.iter().filter(|id| id.starts_with("good-")).count();
            Ok(good == 40)
        })
        .await?;
    let bad = stack.sandbox.conversions();
    assert!(!arrived(&bad).iter().any(|id| id.starts_with("bad-")));
    stack
        .until("no event is pending", async |stack| {
            Ok(stack.metrics().await?.count("duet_queue_events") == 0)
        })
        .await
        .context("a rejected call must leave no pending event")
}
