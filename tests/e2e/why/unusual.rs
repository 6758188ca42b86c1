//! Causes that need several pixels, a session, a refund, or a warning in TikTok's answer.

use duet_sandbox::{Instruction, Kind, Provider, clerk::Mint};

use super::*;
use crate::{
    clerk,
    providers::{self, sale},
    two_pixels::{self, Files},
};

#[tokio::test]
async fn an_event_of_another_origin_and_one_whose_pixel_was_removed() -> Result<()> {
    let files = Files::new()?;
    let mut stack = files.start().await?;
    let of_b = |id| two_pixels::event(id, Some(two_pixels::B));
    let answer = two_pixels::post(&stack, &of_b("u-origin"), Some("https://a.example")).await?;
    ensure!(answer.status == 422, "{answer:?}");
    let mut rows = Rows::of(&stack);
    rows.row(
        "other origin",
        "u-origin",
        "pixel_of_another_origin",
        Some("acceptance"),
    )
    .await?;
    rows.all(1)?;
    let _down = stack.sandbox.inject(Fault::BadGateway {});
    stack.accepted(&of_b("u-removed")).await?;
    stack.kill().await?;
    files.list(&[(two_pixels::A, "a", "['https://a.example']")])?;
    stack.run_proxy().await?;
    let mut rows = Rows::of(&stack);
    rows.row(
        "pixel removed",
        "u-removed",
        "pixel_removed",
        Some("delivery"),
    )
    .await?;
    rows.all(1)?;
    stack.leaves_waiting(1);
    Ok(())
}

#[tokio::test]
async fn an_event_of_staff() -> Result<()> {
    let stack = clerk::warm().await?;
    let acted = Mint {
        impersonator: Some("user_support".to_owned()),
        ..Mint::of(clerk::USER)
    };
    let acted = clerk::minted(&stack, &acted)?;
    let answer = Answer::to(clerk::with_bearer(&stack, "u-staff", &acted)?).await?;
    ensure!(answer.status == 422, "{answer:?}");
    let mut rows = Rows::of(&stack);
    rows.row("staff", "u-staff", "staff_session", Some("acceptance"))
        .await?;
    rows.all(1)
}

#[tokio::test]
async fn a_remark_of_tiktok() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    stack
        .sandbox
        .inject(Fault::Partial { event_id: None }.times(1));
    page(&stack, &event("u-warned", &json!({}))).await?;
    idle(&stack).await?;
    let mut rows = Rows::of(&stack);
    rows.row("warned", "u-warned", "warned", None).await?;
    rows.all(1)
}

#[tokio::test]
async fn money_that_went_back_and_money_of_a_test() -> Result<()> {
    const PROVIDER: Provider = Provider::Stripe;
    let settings = [&providers::SETTINGS[..], &[("DUET_SEND_PARALLEL", "1")]].concat();
    let shop = providers::Shop {
        stack: Stack::start(&settings).await?,
    };
    let bank = shop.stack.sandbox.bank();
    let refund = |instruction| Instruction {
        kind: Kind::Refund,
        ..instruction
    };
    let outage = shop.stack.sandbox.inject(Fault::Hang {});
    let properties = json!({ "order_id": "LEAD", "value": 1, "currency": "USD" });
    let hangs = event("u-hangs", &json!({ "properties": properties }));
    page(&shop.stack, &hangs).await?;
    shop.stack
        .until("a request hangs", async |stack| {
            Ok(stack.requests().len() == 1)
        })
        .await?;
    let [before, after, test] = [1, 2, 3].map(sale);
    for sale in [&before, &after, &test] {
        shop.register(sale, PROVIDER).await?;
    }
    bank.send(shop.payment(&before, PROVIDER)).await?;
    bank.send(refund(shop.payment(&before, PROVIDER))).await?;
    shop.stack.sandbox.remove_fault(outage);
    bank.send(shop.payment(&after, PROVIDER)).await?;
    shop.reported().await?;
    bank.send(refund(shop.payment(&after, PROVIDER))).await?;
    bank.send(Instruction {
        is_test: true,
        ..shop.payment(&test, PROVIDER)
    })
    .await?;
    let mut rows = Rows::of(&shop.stack);
    let transfer = format!("pi_{}", test.code);
    for (name, id, cause, missing) in [
        ("refunded", &before.order_id, "refunded", Some("delivery")),
        ("refunded later", &after.order_id, "refunded_later", None),
        ("test payment", &transfer, "test_payment", Some("payment")),
        (
            "order of a test payment",
            &test.order_id,
            "test_payment",
            Some("payment"),
        ),
    ] {
        rows.row(name, id, cause, missing).await?;
    }
    rows.all(4)
}
