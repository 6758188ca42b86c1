//! The command `dead-letters` shows the events that TikTok refused, and sends them again. The command works with a running
//! proxy and without one.

use anyhow::Result;
use duet_sandbox::Fault;
use duet_tests::Stack;
use serde_json::{Value, json};

/// Returns the output of `duet-proxy dead-letters`.
pub(crate) async fn dead_letters(stack: &Stack, words: &[&str]) -> Result<String> {
    stack.command(&[&["dead-letters"], words].concat()).await
}

/// Starts a stack whose two events were refused. The fault that refused them is removed.
async fn refused() -> Result<Stack> {
    let stack = Stack::start(&[]).await?;
    let fault = stack.sandbox.inject(Fault::RefuseEvent {
        event_id: "bad".to_owned(),
        name_index: false,
    });
    for id in ["bad-1", "bad-2"] {
        stack
            .accepted(&json!({ "event": "Lead", "event_id": id, "user": { "external_id": "u" } }))
            .await?;
    }
    stack
        .until("both events are refused", async |stack| {
            Ok(dead_letters(stack, &["list"]).await?.lines().count() == 2)
        })
        .await?;
    stack.sandbox.remove_fault(fault);
    Ok(stack)
}

#[tokio::test]
async fn a_letter_is_shown_with_tiktoks_words() -> Result<()> {
    let stack = refused().await?;
    let list = dead_letters(&stack, &["list"]).await?;
    assert!(list.contains("refused  40002  Lead  bad-1"), "{list}");
    let shown: Value = serde_json::from_str(&dead_letters(&stack, &["show", "bad-1"]).await?)?;
    assert_eq!(
        (&shown["code"], &shown["event_id"]),
        (&json!(40002), &json!("bad-1"))
    );
    assert!(shown["request_id"].is_string() && shown["message"].is_string());
    let unknown = dead_letters(&stack, &["show", "bad-3"])
        .await
        .unwrap_err()
        .to_string();
    assert!(
        unknown.contains("there is no dead letter bad-3"),
        "{unknown}"
    );
    Ok(())
}

#[tokio::test]
async fn a_replayed_letter_is_delivered_and_a_dropped_one_is_gone() -> Result<()> {
    let stack = refused().await?;
    assert_eq!(dead_letters(&stack, &["drop", "bad-2"]).await?, "drop: 1\n");
    assert_eq!(
        dead_letters(&stack, &["replay", "--all"]).await?,
        "replay: 1\n"
    );
    assert_eq!(
        stack.conversions(1).await?[0].event_id.as_deref(),
        Some("bad-1")
    );
    assert_eq!(
        dead_letters(&stack, &["list"]).await?,
        "there are no dead letters\n"
    );
    Ok(())
}

#[tokio::test]
async fn letters_can_be_replayed_while_no_proxy_runs() -> Result<()> {
    let mut stack = refused().await?;
    stack.kill().await?;
    let said = dead_letters(&stack, &["replay", "bad-1", "bad-2"]).await?;
    assert_eq!(
        said,
        "replay: 2\nevents that stay pending until a proxy starts: 2\n"
    );
    stack.run_proxy().await?;
    stack.conversions(2).await?;
    Ok(())
}
