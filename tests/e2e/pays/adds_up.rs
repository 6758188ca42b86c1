//! Tests repeated notifications, payments of a part of the amount, and payments without an order.

use duet_sandbox::{Mangling, Telling};
use tokio::task::JoinSet;

use super::*;

const ORDER: &str = "PHO7K3M9Q2X";

#[tokio::test]
async fn ten_copies_at_once_are_one_payment() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    shop.register(ORDER).await?;
    let told = shop
        .told(Instruction {
            copies: 10,
            parallel: true,
            ..transfer(ORDER, PRICE)
        })
        .await?;
    assert_eq!(told.attempts.len(), 10);
    for attempt in &told.attempts {
        assert_eq!(
            (attempt.status, attempt.answer.as_deref()),
            (Some(200), Some(THANKS))
        );
    }
    let reported = shop.reported().await?;
    assert_eq!(reported.len(), 1);
    assert_eq!(reported[0].properties["value"], PRICE);
    assert_eq!(
        (shop.payments("paid").await?, shop.payments("repeat").await?),
        (1, 9)
    );
    Ok(())
}

#[tokio::test]
async fn a_repeat_adds_nothing_to_a_partial_payment() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    shop.register(ORDER).await?;
    let told = shop
        .told(Instruction {
            copies: 3,
            transaction_id: Some(7),
            ..transfer(ORDER, PRICE / 2)
        })
        .await?;
    assert!(
        told.attempts
            .iter()
            .all(|attempt| attempt.status == Some(200))
    );
    // SePay sends the same transaction again hours later, with the transaction's id as a text.
    let again = Instruction {
        transaction_id: Some(7),
        flaw: Some(duet_sandbox::Flaw::IdAsText),
        ..transfer(ORDER, PRICE / 2)
    };
    assert_eq!(shop.answer(again).await?.0, 200);
    assert_eq!(shop.status(ORDER).await?, "partial");
    assert!(shop.reported().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn parts_add_up_to_one_payment() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    shop.register(ORDER).await?;
    for (part, status) in [(40_000, "partial"), (58_999, "partial"), (1, "paid")] {
        shop.pay(ORDER, part).await?;
        assert_eq!(shop.status(ORDER).await?, status);
    }
    let reported = shop.reported().await?;
    assert_eq!(reported.len(), 1);
    assert_eq!(reported[0].properties["value"], PRICE);
    Ok(())
}

#[tokio::test]
async fn parts_that_come_together_add_up_too() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    shop.register(ORDER).await?;
    let mut parts = JoinSet::new();
    for _ in 0..10 {
        let bank = shop.stack.sandbox.bank().clone();
        let instruction = shop.addressed(transfer(ORDER, PRICE / 10));
        parts.spawn(async move { bank.send(instruction).await });
    }
    for told in parts.join_all().await {
        assert_eq!(told?.state, Telling::Delivered);
    }
    let reported = shop.reported().await?;
    assert_eq!(reported.len(), 1);
    assert_eq!(reported[0].properties["value"], PRICE);
    assert_eq!(
        (
            shop.payments("partial").await?,
            shop.payments("paid").await?
        ),
        (9, 1)
    );
    Ok(())
}

#[tokio::test]
async fn a_second_payment_is_put_aside() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    shop.register(ORDER).await?;
    shop.pay(ORDER, PRICE).await?;
    shop.pay(ORDER, PRICE).await?;
    assert_eq!(shop.status(ORDER).await?, "paid");
    let reported = shop.reported().await?;
    assert_eq!(reported.len(), 1);
    assert_eq!(reported[0].properties["value"], PRICE);
    assert_eq!(shop.payments("paid_before").await?, 1);
    Ok(())
}

#[tokio::test]
async fn what_came_is_what_is_reported() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    shop.register(ORDER).await?;
    shop.pay(ORDER, PRICE + 1_000).await?;
    assert_eq!(shop.reported().await?[0].properties["value"], PRICE + 1_000);
    assert_eq!(shop.payments("overpaid").await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_memo_that_names_two_open_orders_pays_neither() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    let other = "PHO8N4P2R5Y";
    shop.register(ORDER).await?;
    shop.register(other).await?;
    let mut instruction = transfer("x", PRICE);
    instruction.memo = Some(format!("{ORDER} va {other}"));
    assert_eq!(shop.answer(instruction).await?, (200, THANKS.to_owned()));
    for order in [ORDER, other] {
        assert_eq!(shop.status(order).await?, "pending");
    }
    assert_eq!(shop.payments("ambiguous").await?, 1);
    assert!(shop.reported().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn money_that_names_no_order_is_put_aside_and_makes_none() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    shop.pay("PHO0000NOBODY", PRICE).await?;
    assert_eq!(shop.payments("unmatched").await?, 1);
    assert_eq!(shop.status("PHO0000NOBODY").await?, "unknown");
    assert!(shop.reported().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn money_that_pays_nothing_is_listed_with_its_reason() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    let other = "PHO8N4P2R5Y";
    shop.register(ORDER).await?;
    shop.register(other).await?;
    let money = |id| Instruction {
        transaction_id: Some(id),
        ..transfer(ORDER, PRICE)
    };
    let mut sent = [
        ("unmatched", money(1)),
        ("ambiguous", money(2)),
        ("wrong_account", money(3)),
        ("zero_amount", money(4)),
        ("overpaid", money(5)),
        ("paid_before", money(6)),
    ];
    sent[0].1.memo = Some("cam on".to_owned());
    sent[1].1.memo = Some(format!("{ORDER} {other}"));
    sent[1].1.mangling = vec![Mangling::NoCode];
    sent[2].1.account = Some("0999".to_owned());
    sent[3].1.amount = 0;
    sent[4].1.amount = PRICE + 1;
    for (reason, instruction) in &sent {
        assert_eq!(shop.answer(instruction.clone()).await?.0, 200, "{reason}");
    }
    shop.pay(other, PRICE).await?;
    let list = shop.stack.command(&["payments", "list"]).await?;
    assert_eq!(list.lines().count(), sent.len(), "{list}");
    for (id, (reason, _)) in (1..).zip(&sent) {
        let line = list
            .lines()
            .find(|line| line.contains(&format!("sepay {id} ")));
        let line =
            line.with_context(|| format!("the list must have a line with {reason}, got {list}"))?;
        assert!(line.contains(reason), "{line}");
    }
    Ok(())
}
