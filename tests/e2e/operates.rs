//! Tests the commands that show orders and payments to an operator, with and without a running proxy.

use anyhow::Result;
use duet_sandbox::Instruction;
use serde_json::{Value, json};

use crate::pays::Shop;

const ORDER: &str = "PHO7K3M9Q2X";

fn transfer(memo: &str, amount: i64) -> Instruction {
    Instruction {
        memo: Some(memo.to_owned()),
        amount,
        ..Instruction::default()
    }
}

#[tokio::test]
async fn a_transfer_that_somebody_has_to_look_at_is_listed() -> Result<()> {
    let mut shop = Shop::open(&[]).await?;
    shop.register(ORDER).await?;
    let nothing = shop.stack.command(&["payments", "list"]).await?;
    assert_eq!(nothing, "no payment needs manual review\n");
    shop.told(transfer(ORDER, 99_000)).await?;
    shop.told(transfer("Nguyen Van Canary cam on", 50_000))
        .await?;
    for runs in [true, false] {
        let list = shop.stack.command(&["payments", "list"]).await?;
        let [line] = list.lines().collect::<Vec<_>>().try_into().unwrap();
        assert!(
            line.contains("50000 VND  unmatched") && line.contains("…9999"),
            "{line}"
        );
        assert!(!list.contains("Canary") && !list.contains("0123499999"));
        let all = shop.stack.command(&["payments", "list", "--all"]).await?;
        assert_eq!(all.lines().count(), 2, "{all}");
        assert!(all.contains(&format!("99000 VND  paid  {ORDER}")), "{all}");
        if runs {
            shop.stack.stop().await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_order_is_shown_and_withdrawn() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    shop.register(ORDER).await?;
    let claim = json!({
        "event": "CompletePayment", "properties": { "order_id": ORDER },
        "user": { "email": "lan@example.com", "ttclid": "E.C.P.canary" },
    });
    shop.stack.accepted(&claim).await?;
    let shown = shop.stack.command(&["orders", "show", ORDER]).await?;
    assert!(
        !shown.contains("canary") && !shown.contains("27ac"),
        "{shown}"
    );
    let shown: Value = serde_json::from_str(&shown)?;
    assert_eq!(
        (&shown["status"], &shown["amount"], &shown["events_held"]),
        (&json!("pending"), &json!(99_000), &json!(1))
    );
    let said = shop.stack.command(&["orders", "withdraw", ORDER]).await?;
    assert_eq!(
        said,
        "the order was withdrawn; events that waited for its payment: 1\n"
    );
    let letters = shop.stack.command(&["dead-letters", "list"]).await?;
    assert!(
        letters.contains("withdrawn  -  CompletePayment"),
        "{letters}"
    );
    shop.told(transfer(ORDER, 99_000)).await?;
    let list = shop.stack.command(&["payments", "list"]).await?;
    assert!(list.contains("unmatched"), "{list}");
    for command in ["show", "withdraw"] {
        let error = shop.stack.command(&["orders", command, ORDER]).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("there is no order PHO7K3M9Q2X"), "{error}");
    }
    assert_eq!(shop.stack.sandbox.conversions().len(), 0);
    Ok(())
}
