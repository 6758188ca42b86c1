//! Tests several proxies behind PgBouncer in transaction mode. In this mode each transaction can get another connection.

use anyhow::{Result, ensure};
use duet_sandbox::Fault;
use duet_tests::{Pooler, Server, Stack};

use super::{posted, told_once, two};
use crate::{
    events::{event, ids, post_all},
    moves_queue::succeeds,
    pays::{PRICE, Shop},
};

#[tokio::test]
async fn two_proxies_accept_recognise_and_deliver_through_a_pooler() -> Result<()> {
    let server = Server::start()?;
    let pooler = Pooler::before(&server)?;
    let [one, mut other] = two(&pooler.setting("shop"), &[]).await?;
    let accepted = ids("p", 300);
    post_all(&one, &accepted[..200]).await?;
    post_all(&other, &accepted[200..]).await?;
    let repeat = posted(&other, &event("p0")).await?;
    assert_eq!(repeat["status"], "duplicate", "{repeat}");
    one.conversions(accepted.len()).await?;
    told_once(&one, &accepted);
    let dead = other.command(&["dead-letters", "list"]).await?;
    ensure!(dead.contains("no dead letters"), "{dead}");
    ensure!(other.stop().await?, "{}", other.log());
    Ok(())
}

#[tokio::test]
async fn money_is_counted_once_through_a_pooler() -> Result<()> {
    let server = Server::start()?;
    let pooler = Pooler::before(&server)?;
    let mut shop = Shop::open(&[("DUET_QUEUE", &pooler.setting("shop"))]).await?;
    let mut other = shop.stack.another_of_several().await?;
    other.run_proxy().await?;
    for order in ["PHO7K3M9Q2X", "PHO8L4N0R3Y"] {
        shop.register(order).await?;
        shop.pay(order, PRICE).await?;
        let known = other.get(&format!("/api/orders/{order}")).await?;
        assert_eq!(known.body["status"], "paid", "{known:?}");
    }
    let conversions = other.conversions(2).await?;
    for conversion in &conversions {
        assert_eq!(conversion.signals.len(), 1, "{conversion:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_folder_moves_through_a_pooler() -> Result<()> {
    let server = Server::start()?;
    let pooler = Pooler::before(&server)?;
    let mut stack = Stack::start(&[]).await?;
    let outage = stack.sandbox.inject(Fault::BadGateway {});
    let accepted = ids("m", 100);
    post_all(&stack, &accepted).await?;
    ensure!(stack.stop().await?);
    let queue = pooler.setting("shop");
    succeeds("to-database", &stack.data_dir(), &queue).await?;
    stack.set("DUET_QUEUE", &queue);
    stack.sandbox.remove_fault(outage);
    stack.run_proxy().await?;
    stack.conversions(accepted.len()).await?;
    told_once(&stack, &accepted);
    Ok(())
}
