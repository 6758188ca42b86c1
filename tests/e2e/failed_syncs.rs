//! Tests a disk that fails for a moment. The proxy must confirm only stored events, and must deliver every stored event.

use anyhow::{Result, ensure};
use duet_sandbox::{Fault as Trouble, Instruction};
use duet_tests::{
    Answer, Stack,
    faults::{Call, Data, Fault},
};
use serde_json::{Value, json};

use crate::{
    events::{arrived, event},
    pays::{PRICE, Shop, transfer},
};

/// Returns an event that needs several pages of the disk.
fn large(id: &str) -> Value {
    with_noise(event(id), &mut Random::new(1), 2500)
}

/// Posts a large event, whose sync fails. The proxy must reject the event.
async fn refused(stack: &Stack, id: &str, data: Data) -> Result<()> {
    stack.faults()?.fail_next(Call::Fdatasync, 1, data)?;
    let answer = Answer::to(stack.track(&large(id))?).await?;
    ensure!(answer.status.as_u16() == 503, "{answer:?}");
    ensure!(stack.faults()?.failed(Call::Fdatasync)? == 1);
    Ok(())
}

#[tokio::test]
async fn an_event_whose_sync_failed_is_delivered_when_it_is_sent_again() -> Result<()> {
    for data in [Data::Kept, Data::Dropped] {
        for has_lane in [false, true] {
            let stack = Stack::start_with_faults(&[]).await?;
            if has_lane {
                stack.accepted(&event("before")).await?;
                stack.conversions(1).await?;
            }
            refused(&stack, "a", data).await?;
            stack.accepted(&event("a")).await?;
            let conversions = stack.conversions(1 + usize::from(has_lane)).await?;
            assert!(
                arrived(&conversions).contains("a"),
                "{data:?} {conversions:?}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_event_whose_sync_failed_is_not_passed_by_the_next() -> Result<()> {
    let stack = Stack::start_with_faults(&[]).await?;
    refused(&stack, "a", Data::Kept).await?;
    stack.accepted(&event("b")).await?;
    stack.accepted(&event("a")).await?;
    let conversions = stack.conversions(2).await?;
    assert_eq!(arrived(&conversions), ["a", "b"].into());
    stack
        .until("no event is pending", async |stack| {
            Ok(stack.metrics().await?.count("duet_queue_events") == 0)
        })
        .await
}

#[tokio::test]
async fn a_202_after_a_failed_sync_outlives_the_power() -> Result<()> {
    for id in ["again", "other"] {
        let mut stack = Stack::start_with_faults(&[]).await?;
        let outage = stack.sandbox.inject(Trouble::BadGateway {});
        refused(&stack, "again", Data::Kept).await?;
        stack.accepted(&event(id)).await?;
        stack.cut_power().await?;
        stack.run_proxy().await?;
        stack.sandbox.remove_fault(outage);
        stack
            .until("the event arrives", async |stack| {
                Ok(arrived(&stack.sandbox.conversions()).contains(id))
            })
            .await?;
    }
    Ok(())
}

#[tokio::test]
async fn every_start_writes_the_journals_over_themselves() -> Result<()> {
    let mut stack = Stack::start_with_faults(&[]).await?;
    let outage = stack.sandbox.inject(Trouble::BadGateway {});
    stack.accepted(&large("a")).await?;
    stack.stop().await?;
    let fault = Fault {
        times: Some(1),
        within: ".jnl",
        ..Fault::default()
    };
    stack.faults()?.fail(Call::Write, fault)?;
    let variables = stack.faults()?.variables();
    let variables: Vec<_> = variables
        .map(|(name, value)| (name, value.display().to_string()))
        .collect();
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let (well, said) = stack.another(&variables).await?;
    assert!(!well && said.contains("Input/output error"), "{said}");
    stack.run_proxy().await?;
    stack.sandbox.remove_fault(outage);
    let conversions = stack.conversions(1).await?;
    assert_eq!(arrived(&conversions), ["a"].into());
    Ok(())
}

#[tokio::test]
async fn a_bank_that_was_thanked_after_a_failed_sync_need_not_come_again() -> Result<()> {
    const ORDER: &str = "PHO7K3M9Q2X";
    let mut shop = Shop::open_with_faults(&[]).await?;
    shop.register(ORDER).await?;
    let payment = || Instruction {
        transaction_id: Some(41),
        ..transfer(ORDER, PRICE)
    };
    // This event is held until the payment comes, so the payment changes this event too.
    let claim = json!({ "event": "CompletePayment", "properties": { "order_id": ORDER },
                        "user": { "external_id": "u" } });
    let claim = with_noise(claim, &mut Random::new(1), 2500);
    shop.stack.accepted(&claim).await?;
    let faults = shop.stack.faults()?;
    faults.fail_next(Call::Fdatasync, 1, Data::Kept)?;
    assert_eq!(shop.answer(payment()).await?.0, 503);
    assert_eq!(shop.answer(payment()).await?.0, 200);
    shop.stack.cut_power().await?;
    shop.stack.run_proxy().await?;
    assert_eq!(shop.status(ORDER).await?, "paid");
    let reported = shop.reported().await?;
    let is_told = |event: &str| reported.iter().any(|conversion| conversion.event == event);
    assert!(
        is_told("CompletePayment") && is_told("Subscribe"),
        "{reported:?}"
    );
    Ok(())
}

#[tokio::test]
async fn what_waits_is_told_while_nothing_can_be_sent() -> Result<()> {
    let stack = Stack::start_with_faults(&[]).await?;
    stack.sandbox.inject(Trouble::BadGateway {});
    refused(&stack, "a", Data::Kept).await?;
    stack.accepted(&event("a")).await?;
    stack
        .until("the proxy shows the age of the event", async |stack| {
            let metrics = stack.metrics().await?;
            Ok(metrics.count("duet_queue_events") == 1
                && metrics.count("duet_queue_oldest_seconds") > 0)
        })
        .await?;
    stack.sandbox.clear_faults();
    stack.conversions(1).await?;
    Ok(())
}

/// Posts again after a 503, as the SDK does. Calls that are committed while the store fails get a 503.
async fn sent_until_accepted(stack: &Stack, body: &Value) -> Result<()> {
    stack
        .until("the event is accepted", async |stack| {
            let answer = Answer::to(stack.track(body)?).await?;
            Ok(answer.status.as_u16() == 202)
        })
        .await
}

/// Makes random text that cannot be compressed.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn with_noise(mut event: Value, random: &mut Random, words: usize) -> Value {
    let noise: Vec<_> = (0..words)
        .map(|_| format!("{:016x}", random.next()))
        .collect();
    event["properties"]["noise"] = json!(noise.concat());
    event
}

/// Returns a body of large events. A few such bodies fill the store's memory, so that the store writes a table.
fn bulky(round: u64) -> Value {
    let mut random = Random::new(round + 1);
    let events: Vec<_> = (0..100)
        .map(|number| with_noise(event(&format!("bulky-{round}-{number}")), &mut random, 130))
        .collect();
    json!({ "events": events })
}

#[tokio::test]
async fn a_table_that_cannot_be_synced_is_noticed_and_loses_nothing() -> Result<()> {
    let stack =
        Stack::start_with_faults(&[("DUET_RATE_LIMIT", "off"), ("DUET_SEND_LIMIT", "off")]).await?;
    let outage = stack.sandbox.inject(Trouble::BadGateway {});
    let fault = Fault {
        within: "/tables/",
        ..Fault::default()
    };
    stack.faults()?.fail(Call::Fsync, fault)?;
    let mut posted = 0;
    while stack.faults()?.failed(Call::Fsync)? == 0 {
        ensure!(
            posted < 200,
            "the store must write a table after at most 200 bodies"
        );
        sent_until_accepted(&stack, &bulky(posted)).await?;
        posted += 1;
    }
    stack
        .until("the proxy logs that the store failed", async |stack| {
            sent_until_accepted(stack, &event("a")).await?;
            Ok(stack.log().contains("the store failed"))
        })
        .await?;
    stack.faults()?.heal(Call::Fsync)?;
    stack.sandbox.remove_fault(outage);
    let all = usize::try_from(posted)? * 100 + 1;
    stack.conversions(all).await?;
    Ok(())
}
