//! Tests that payments survive kills, missing answers and outages.

use duet_sandbox::{Fault, Telling};

use super::*;

const ORDER: &str = "PHO7K3M9Q2X";

#[tokio::test]
async fn a_kill_between_the_answer_and_the_delivery_loses_no_payment() -> Result<()> {
    let mut shop = Shop::open(&[]).await?;
    let outage = shop.stack.sandbox.inject(Fault::BadGateway {});
    shop.register(ORDER).await?;
    shop.pay(ORDER, PRICE / 3).await?;
    shop.stack.kill().await?;
    shop.stack.run_proxy().await?;
    assert_eq!(shop.status(ORDER).await?, "partial");
    shop.pay(ORDER, PRICE).await?;
    shop.stack.kill().await?;
    shop.stack.run_proxy().await?;
    assert_eq!(shop.status(ORDER).await?, "paid");
    assert_eq!(shop.stack.sandbox.totals().conversions, 0);

    shop.stack.sandbox.remove_fault(outage);
    let reported = shop.reported().await?;
    assert_eq!(reported.len(), 1);
    assert_eq!(reported[0].properties["value"], PRICE / 3 + PRICE);
    Ok(())
}

#[tokio::test]
async fn a_payment_is_known_again_after_a_kill() -> Result<()> {
    let mut shop = Shop::open(&[]).await?;
    shop.register(ORDER).await?;
    let payment = |amount| Instruction {
        transaction_id: Some(41),
        ..transfer(ORDER, amount)
    };
    assert_eq!(shop.answer(payment(PRICE / 2)).await?.0, 200);
    shop.stack.kill().await?;
    shop.stack.run_proxy().await?;
    assert_eq!(shop.answer(payment(PRICE / 2)).await?.0, 200);
    assert_eq!(shop.status(ORDER).await?, "partial");
    assert_eq!(shop.payments("repeat").await?, 1);
    Ok(())
}

#[tokio::test]
async fn sepay_tries_again_until_the_proxy_is_back() -> Result<()> {
    let mut shop = Shop::open(&[]).await?;
    shop.register(ORDER).await?;
    shop.stack.kill().await?;
    let bank = shop.stack.sandbox.bank().clone();
    let instruction = shop.addressed(Instruction {
        minute_ms: Some(1000),
        ..transfer(ORDER, PRICE)
    });
    let told = tokio::spawn(async move { bank.send(instruction).await });
    shop.stack
        .until("SePay's first attempt has found no proxy", async |stack| {
            let told = stack.sandbox.bank().told();
            Ok(told.iter().any(|told| !told.attempts.is_empty()))
        })
        .await?;
    shop.stack.run_proxy().await?;
    let told = told.await??;
    assert_eq!(told.state, Telling::Delivered, "{told:?}");
    assert!(told.attempts.len() > 1);
    assert_eq!(shop.reported_orders().await?, [ORDER.to_owned()].into());
    Ok(())
}

#[tokio::test]
async fn a_proxy_that_answers_too_late_has_taken_the_payment_once() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    shop.register(ORDER).await?;
    shop.stack.signal("STOP").await?;
    let bank = shop.stack.sandbox.bank().clone();
    let instruction = shop.addressed(Instruction {
        minute_ms: Some(1000),
        timeout_ms: 1000,
        ..transfer(ORDER, PRICE)
    });
    let told = tokio::spawn(async move { bank.send(instruction).await });
    shop.stack
        .until(
            "SePay's first attempt has got no answer in time",
            async |stack| {
                let told = stack.sandbox.bank().told();
                Ok(told.iter().any(|told| !told.attempts.is_empty()))
            },
        )
        .await?;
    shop.stack.signal("CONT").await?;
    let told = told.await??;
    assert_eq!(told.state, Telling::Delivered, "{told:?}");
    assert!(told.attempts[0].status.is_none());
    assert_eq!(shop.reported_orders().await?, [ORDER.to_owned()].into());
    Ok(())
}

#[tokio::test]
async fn trouble_with_tiktok_is_none_of_sepays_business() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    shop.register(ORDER).await?;
    let outage = shop.stack.sandbox.inject(Fault::TokenRevoked {});
    shop.pay(ORDER, PRICE).await?;
    assert_eq!(shop.status(ORDER).await?, "paid");
    shop.stack.sandbox.remove_fault(outage);
    Ok(())
}
