//! Tests several proxies on one PostgreSQL. Any proxy accepts any request. If one proxy ends, no event is lost and no event
//! is sent to TikTok twice.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use duet_sandbox::Fault;
use duet_tests::{
    Answer, Server, Stack,
    stack::{PATIENCE, free_address},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    events::{arrived, event, ids, post_all},
    pays::{PRICE, Shop},
};

mod encrypted;
mod pooled;
mod traps;

const KEY: &str = "a-server-key-of-some-length";

/// Starts two proxies on one database.
async fn two(setting: &str, more: &[(&str, &str)]) -> Result<[Stack; 2]> {
    let settings = [&[("DUET_QUEUE", setting), ("DUET_SERVER_KEY", KEY)], more].concat();
    let mut one = Stack::prepare(&settings).await?;
    let mut other = one.another_of_several().await?;
    one.run_proxy().await?;
    other.run_proxy().await?;
    Ok([one, other])
}

async fn posted(stack: &Stack, body: &Value) -> Result<Value> {
    let answer = Answer::to(stack.track(body)?).await?;
    ensure!(answer.status == 202, "{answer:?}");
    Ok(answer.body)
}

/// Checks that exactly the accepted events arrived, and that each of them arrived once.
fn told_once(stack: &Stack, accepted: &[String]) {
    let conversions = stack.sandbox.conversions();
    let accepted: BTreeSet<_> = accepted.iter().map(String::as_str).collect();
    assert_eq!(arrived(&conversions), accepted);
    for conversion in &conversions {
        assert_eq!(conversion.signals.len(), 1, "{conversion:?}");
    }
}

#[tokio::test]
async fn an_event_is_accepted_at_one_proxy_and_its_repeat_is_a_duplicate_at_another() -> Result<()>
{
    let server = Server::start()?;
    let [one, other] = two(&server.setting("shop"), &[]).await?;
    let first = posted(&one, &event("a")).await?;
    assert_eq!(first["status"], "accepted", "{first}");
    for stack in [&other, &one] {
        let repeat = posted(stack, &event("a")).await?;
        assert_eq!(repeat["status"], "duplicate", "{repeat}");
    }
    posted(&other, &event("b")).await?;
    one.conversions(2).await?;
    told_once(&one, &["a".to_owned(), "b".to_owned()]);
    Ok(())
}

#[tokio::test]
async fn the_console_lists_the_proxies_of_the_database() -> Result<()> {
    const TOKEN: &str = "a-console-token-of-some-length";
    let server = Server::start()?;
    let address = free_address().await?.to_string();
    let settings = [("DUET_QUEUE", &*server.setting("shop"))];
    let mut one = Stack::prepare(&settings).await?;
    let mut other = one.another_of_several().await?;
    one.set("DUET_CONSOLE_TOKEN", TOKEN);
    one.set("DUET_CONSOLE_LISTEN", &address);
    one.run_proxy().await?;
    other.run_proxy().await?;
    posted(&other, &event("a")).await?;
    other.conversions(1).await?;
    let http = reqwest::Client::new();
    let machine = http.get(format!("http://{address}/console/api/machine"));
    let proxies = Answer::to(machine.bearer_auth(TOKEN)).await?.body["proxies"].clone();
    let proxies = proxies
        .as_array()
        .context("the answer must list the proxies")?;
    let is_this: Vec<_> = proxies.iter().map(|proxy| &proxy["is_this"]).collect();
    assert_eq!(is_this, [true, false], "{proxies:?}");
    // One proxy at a time delivers the events of a pixel.
    let delivers = proxies
        .iter()
        .filter(|proxy| proxy["delivers"] != json!([]));
    assert_eq!(delivers.count(), 1, "{proxies:?}");
    let changes = http.get(format!("http://{address}/console/api/changes"));
    let changes = Answer::to(changes.bearer_auth(TOKEN)).await?.body["changes"].clone();
    let changes = changes
        .as_array()
        .context("the answer must list the changes")?;
    let starts: Vec<_> = changes
        .iter()
        .map(|change| (&change["change"], &change["proxy"]))
        .collect();
    let started = json!("started");
    assert_eq!(starts, [(&started, &json!(1)), (&started, &json!(0))]);
    // The second proxy needs another address, and it has no console.
    let settings = [
        "DUET_CONSOLE_LISTEN",
        "DUET_CONSOLE_TOKEN",
        "DUET_DATA_DIR",
        "DUET_LISTEN",
    ];
    assert_eq!(changes[0]["settings"], json!(settings));
    Ok(())
}

#[tokio::test]
async fn the_events_of_a_killed_proxy_are_delivered_by_another_once() -> Result<()> {
    let server = Server::start()?;
    let [mut one, mut other] = two(&server.setting("shop"), &[]).await?;
    let outage = one.sandbox.inject(Fault::BadGateway {});
    let accepted = ids("k", 300);
    post_all(&one, &accepted[..200]).await?;
    post_all(&other, &accepted[200..]).await?;
    one.kill().await?;
    one.sandbox.remove_fault(outage);
    other.conversions(accepted.len()).await?;
    told_once(&other, &accepted);
    // The killed proxy starts again, and the other proxy is stopped as an operator stops it.
    one.run_proxy().await?;
    ensure!(other.stop().await?, "{}", other.log());
    post_all(&one, &["later".to_owned()]).await?;
    one.conversions(accepted.len() + 1).await?;
    Ok(())
}

#[tokio::test]
async fn an_accepted_event_survives_the_kill_of_the_primary() -> Result<()> {
    let mut primary = Server::start()?;
    let standby = primary.standby()?;
    let setting = primary.setting_with(&standby, "shop");
    let [one, other] = two(&setting, &[]).await?;
    let outage = one.sandbox.inject(Fault::BadGateway {});
    let mut accepted = Vec::new();
    for number in 0..40 {
        if number == 20 {
            primary.kill()?;
            standby.promote()?;
            standby.sql(
                "postgres",
                "alter system set synchronous_standby_names = ''",
            )?;
        }
        let id = format!("p{number}");
        let stack = if number % 2 == 0 { &one } else { &other };
        let answer = Answer::to(stack.track(&event(&id))?).await?;
        if answer.status == 202 {
            accepted.push(id);
        } else {
            ensure!(answer.status == 503, "{answer:?}");
        }
    }
    // The promoted server has no standby. The proxies do not use the server until it has a standby.
    let third = standby.standby()?;
    let since = Instant::now();
    let mut last = 0;
    while last != 202 {
        ensure!(since.elapsed() < PATIENCE, "{}\n{}", one.log(), other.log());
        sleep(std::time::Duration::from_millis(100)).await;
        let answer = Answer::to(one.track(&event("after"))?).await?;
        last = answer.status.as_u16();
    }
    accepted.push("after".to_owned());
    one.sandbox.remove_fault(outage);
    one.until("every accepted event arrives", async |stack| {
        let conversions = stack.sandbox.conversions();
        let arrived = arrived(&conversions);
        Ok(accepted.iter().all(|id| arrived.contains(id.as_str())))
    })
    .await?;
    ensure!(accepted.len() > 20, "{accepted:?}");
    drop((one, other));
    drop(third);
    Ok(())
}

#[tokio::test]
async fn a_restored_dump_has_every_pending_event_and_knows_the_delivered_ones() -> Result<()> {
    let server = Server::start()?;
    let [mut one, mut other] = two(&server.setting("shop"), &[]).await?;
    post_all(&one, &["delivered".to_owned()]).await?;
    one.conversions(1).await?;
    one.until(
        "the proxy has stored that the event is delivered",
        async |stack| Ok(stack.metrics().await?.count("duet_queue_events") == 0),
    )
    .await?;
    let outage = one.sandbox.inject(Fault::BadGateway {});
    post_all(&one, &["pending".to_owned()]).await?;
    // The dump is consistent, although the proxies run.
    server.restore("shop", "restored")?;
    one.kill().await?;
    other.kill().await?;
    one.sandbox.remove_fault(outage);
    for stack in [&mut one, &mut other] {
        stack.set("DUET_QUEUE", &server.setting("restored"));
        stack.run_proxy().await?;
    }
    one.conversions(2).await?;
    told_once(&one, &["delivered".to_owned(), "pending".to_owned()]);
    for id in ["delivered", "pending"] {
        let repeat = posted(&other, &event(id)).await?;
        assert_eq!(repeat["status"], "duplicate", "{repeat}");
    }
    Ok(())
}

#[tokio::test]
async fn a_payment_at_one_proxy_is_known_at_another_and_reported_once() -> Result<()> {
    let server = Server::start()?;
    let mut shop = Shop::open(&[("DUET_QUEUE", &server.setting("shop"))]).await?;
    let mut other = shop.stack.another_of_several().await?;
    other.run_proxy().await?;
    shop.register("PHO7K3M9Q2X").await?;
    shop.pay("PHO7K3M9Q2X", PRICE).await?;
    let known = other.get("/api/orders/PHO7K3M9Q2X").await?;
    assert_eq!(known.body["status"], "paid", "{known:?}");
    let shown = other.command(&["orders", "show", "PHO7K3M9Q2X"]).await?;
    ensure!(shown.contains("\"status\": \"paid\""), "{shown}");
    let conversions = other.conversions(1).await?;
    assert_eq!(conversions[0].properties["order_id"], "PHO7K3M9Q2X");
    ensure!(shop.stack.log().contains("replication=none"));
    Ok(())
}

#[tokio::test]
async fn an_order_that_is_registered_at_one_proxy_is_known_at_another_and_to_the_commands()
-> Result<()> {
    let server = Server::start()?;
    let [one, other] = two(&server.setting("shop"), &[]).await?;
    let order =
        json!({ "order_id": "PHO7K3M9Q2X", "amount": 99_000, "currency": "VND", "plan_id": "pro" });
    let request = one.request("POST", "/api/orders")?;
    let answer = Answer::to(request.bearer_auth(KEY).json(&order)).await?;
    ensure!(answer.status == 200, "{answer:?}");
    let known = other.get("/api/orders/PHO7K3M9Q2X").await?;
    assert_eq!(known.body["status"], "pending", "{known:?}");
    for stack in [&one, &other] {
        let shown = stack.command(&["orders", "show", "PHO7K3M9Q2X"]).await?;
        ensure!(shown.contains("PHO7K3M9Q2X"), "{shown}");
    }
    Ok(())
}
