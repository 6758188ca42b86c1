//! The change log states what was changed, but does not contain the values.

use std::{fs, path::Path, slice};

use anyhow::{Context, Result};
use duet_sandbox::{Fault, Pixel};
use duet_tests::Answer;
use serde_json::{Value, json};

use super::{Console, TOKEN, shows::change};
use crate::{
    dead_letters::dead_letters,
    events::event,
    two_pixels::{Files, reload},
};

const KEY: &str = "canary-server-key-0123456789";
const ORDER: &str = "CANARYORDER1";

/// Returns the changes in the log without their times, the newest first.
async fn changes(console: &Console) -> Result<Vec<Value>> {
    let answer = console.api("changes").await?;
    let changes = answer["changes"]
        .as_array()
        .context("the answer must list the changes")?;
    let times: Vec<_> = changes
        .iter()
        .map(|change| change["at_ms"].as_i64())
        .collect();
    assert!(
        times.iter().rev().is_sorted() && !times.contains(&None),
        "{answer}"
    );
    let changes = changes.iter().cloned().map(|mut change| {
        let proxy = change.as_object_mut().map(|fields| {
            fields.remove("at_ms");
            fields.remove("proxy")
        });
        assert_eq!(proxy, Some(Some(Value::Null)), "{answer}");
        change
    });
    Ok(changes.collect())
}

/// Returns the entry of a start whose settings were compared with those of the start before.
fn start(settings: &[&str]) -> Value {
    json!({ "change": "started", "version": env!("CARGO_PKG_VERSION"), "compared": "values", "settings": settings })
}

/// Returns all bytes of a folder.
fn bytes(folder: &Path) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            all.extend(bytes(&path)?);
        } else if path.is_file() {
            all.extend(fs::read(path)?);
        }
    }
    Ok(all)
}

#[tokio::test]
async fn starts_settings_and_operators_actions_are_listed_without_any_value() -> Result<()> {
    let settings = [("DUET_SERVER_KEY", KEY), ("DUET_RATE_LIMIT", "7411/1m")];
    let mut console = Console::start(&settings).await?;
    let first = json!({ "change": "started", "version": env!("CARGO_PKG_VERSION"), "compared": "nothing", "settings": [] });
    assert_eq!(changes(&console).await?, slice::from_ref(&first));

    console.stack.kill().await?;
    console.stack.set("DUET_RATE_LIMIT", "7422/1m");
    console.stack.set("DUET_COUNTRY", "VN");
    console.stack.run_proxy().await?;
    let differs = start(&["DUET_COUNTRY", "DUET_RATE_LIMIT"]);
    assert_eq!(changes(&console).await?, [differs.clone(), first.clone()]);

    let stack = &console.stack;
    let fault = stack.sandbox.inject(Fault::RefuseEvent {
        event_id: "bad".to_owned(),
        name_index: false,
    });
    for id in ["bad-1", "bad-2", "bad-3"] {
        stack.accepted(&event(id)).await?;
    }
    let refused = async |_: &_| Ok(console.api("trouble").await?["letters"] == 3);
    stack.until("the events are refused", refused).await?;
    stack.sandbox.remove_fault(fault);
    let order = json!({ "order_id": ORDER, "amount": 99_000, "currency": "VND" });
    let order = stack
        .request("POST", "/api/orders")?
        .body(order.to_string());
    assert_eq!(Answer::to(order.bearer_auth(KEY)).await?.status, 200);

    dead_letters(stack, &["drop", "bad-1"]).await?;
    // A command for an unknown dead letter changes nothing, so the log gets no entry.
    dead_letters(stack, &["replay", "bad-9"]).await.unwrap_err();
    stack.command(&["orders", "withdraw", ORDER]).await?;
    let all = json!({ "which": "since:0" });
    let done = change(&console, "/console/api/trouble/replay", &all).await?;
    assert_eq!(done.body, json!({ "letters": 2 }), "{done:?}");
    stack.conversions(2).await?;
    let expected = [
        json!({ "change": "letters_replayed", "letters": 2, "by": "console" }),
        json!({ "change": "order_withdrawn", "events": 0, "by": "command" }),
        json!({ "change": "letters_dropped", "letters": 1, "by": "command" }),
        differs,
        first,
    ];
    // The console caches what it has read for a short time, which is longer on a busy machine.
    let are_listed = async |_: &_| Ok(changes(&console).await? == expected);
    console
        .stack
        .until("the changes are listed", are_listed)
        .await?;

    console.stack.kill().await?;
    console.stack.run_proxy().await?;
    let expected = [&[start(&[])], &expected[..]].concat();
    assert_eq!(changes(&console).await?, expected);

    let page = console.page("lang=en").await?;
    for words in [
        "Dead letters sent again: 2 (console)",
        "Settings that differ from the previous start: <code>DUET_COUNTRY</code>, <code>DUET_RATE_LIMIT</code>",
    ] {
        assert!(page.contains(words), "{page}");
    }
    let vietnamese = console.page("lang=vi").await?;
    assert!(vietnamese.contains("Sự kiện không giao được đã xóa: 1 (dòng lệnh)"));
    let csv = console
        .get("/console/api/changes?format=csv")
        .bearer_auth(TOKEN);
    let csv = Answer::to(csv).await?.body.to_string();
    assert_eq!(csv.matches("letters_replayed").count(), 1, "{csv}");

    let shown = [
        console.api("changes").await?.to_string(),
        csv,
        page,
        vietnamese,
    ]
    .concat();
    let stored = bytes(&console.stack.data_dir())?;
    let token = Pixel::default().access_token;
    for canary in [KEY, TOKEN, token.as_str(), "7411", "7422"] {
        assert!(!shown.contains(canary), "{canary}");
        let mut places = stored.windows(canary.len());
        assert!(!places.any(|place| place == canary.as_bytes()), "{canary}");
    }
    assert!(!shown.contains(ORDER));
    Ok(())
}

#[tokio::test]
async fn commands_without_a_proxy_and_new_readings_of_the_pixels_are_listed() -> Result<()> {
    let files = Files::new()?;
    let mut console = Console::start(&[("DUET_PIXELS_FILE", &files.path())]).await?;
    reload(&console.stack, "the pixels were read again").await?;
    let stack = &console.stack;
    let is_listed = async |_: &_| {
        let newest = changes(&console).await?.into_iter().next();
        Ok(newest == Some(json!({ "change": "pixels_read", "pixels": 2 })))
    };
    stack
        .until("the reading of the pixels is listed", is_listed)
        .await?;
    let fault = stack.sandbox.inject(Fault::RefuseEvent {
        event_id: "bad".to_owned(),
        name_index: false,
    });
    stack.accepted(&event("bad-1")).await?;
    let refused = async |_: &_| Ok(console.api("trouble").await?["letters"] == 1);
    stack.until("the event is refused", refused).await?;
    stack.sandbox.remove_fault(fault);
    console.stack.kill().await?;
    dead_letters(&console.stack, &["replay", "--all"]).await?;
    files.token("b", "another-token")?;
    console.stack.run_proxy().await?;
    let newest = changes(&console).await?;
    let replayed = json!({ "change": "letters_replayed", "letters": 1, "by": "command" });
    assert_eq!(newest[..2], [start(&["DUET_PIXELS_FILE"]), replayed]);
    console.stack.conversions(1).await?;
    Ok(())
}
