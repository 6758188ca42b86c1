//! Only the order decides whether its payment is reported. It does not matter when the payment comes, or how earlier events
//! with the same id ended.

use duet_sandbox::Fault;

use super::*;
use crate::dead_letters::dead_letters;

const ORDER: &str = "PHO7K3M9Q2X";
const SUBSCRIBE_ID: &str = "8dfcc057-77d8-88a5-b01a-e0d0586f4129";

/// Posts an event in which a page reports that the order is paid. The event has the id that the payment's own event will have.
async fn claim(shop: &Shop) -> Result<()> {
    let claim = json!({
        "event": "Subscribe", "user": { "external_id": "u" },
        "properties": { "order_id": ORDER, "value": 1, "currency": "VND", "plan_id": "starter" },
        "page": { "url": "https://shop.example/thanks?ttclid=E.C.P.the-click" },
    });
    let answer = shop.stack.accepted(&claim).await?;
    ensure!(answer.body["status"] == "held", "{answer:?}");
    Ok(())
}

/// Returns how often the order's `Subscribe` was sent to TikTok, repeats included.
fn sent(shop: &Shop) -> usize {
    let requests = shop.stack.requests();
    let bodies = requests.iter().filter_map(|request| request.body.as_ref());
    let events = bodies.filter_map(|body| body["data"].as_array()).flatten();
    events
        .filter(|event| event["event_id"] == SUBSCRIBE_ID)
        .count()
}

#[tokio::test]
async fn a_payment_73_hours_after_the_pages_word_is_reported_once_with_the_click() -> Result<()> {
    const HOURS_73_MS: i64 = 73 * 60 * 60 * 1000;
    let mut shop = Shop::open_at(-HOURS_73_MS).await?;
    claim(&shop).await?;
    shop.stack.kill().await?;
    shop.stack.faults()?.set_clock(0)?;
    shop.stack.run_proxy().await?;
    // After such a long stop, no event expires until an answer of TikTok confirms the time. `reported` posts an
    // event that gets such an answer.
    shop.reported().await?;
    shop.stack
        .until(
            "the page's event has ended as a dead letter",
            async |stack| {
                let letters = dead_letters(stack, &["list"]).await?;
                Ok(letters.contains("unverified"))
            },
        )
        .await?;
    shop.pay(ORDER, PRICE).await?;
    assert_eq!(shop.status(ORDER).await?, "paid");
    let reported = shop.reported().await?;
    let [sale] = reported.as_slice() else {
        anyhow::bail!("{reported:#?}");
    };
    assert_eq!(sale.event_id.as_deref(), Some(SUBSCRIBE_ID));
    let standing = shop.standing(ORDER).await?;
    assert_eq!(standing["event_ids"], json!({ "Subscribe": SUBSCRIBE_ID }));
    assert_eq!(sale.properties["value"], PRICE);
    assert_eq!(sale.user["ttclid"], "E.C.P.the-click");

    // An operator sends the page's event again. The page's event reports the same sale as the payment's event.
    dead_letters(&shop.stack, &["replay", "--all"]).await?;
    assert_eq!(shop.reported().await?.len(), 1);
    assert_eq!(sent(&shop), 1);
    Ok(())
}

#[tokio::test]
async fn an_order_that_was_withdrawn_and_registered_again_is_reported_once() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    shop.register(ORDER).await?;
    claim(&shop).await?;
    let said = shop.stack.command(&["orders", "withdraw", ORDER]).await?;
    assert!(said.contains("waited for its payment: 1"), "{said}");
    shop.register(ORDER).await?;
    shop.pay(ORDER, PRICE).await?;
    let reported = shop.reported().await?;
    assert_eq!(reported.len(), 1, "{reported:#?}");
    assert_eq!(reported[0].event_id.as_deref(), Some(SUBSCRIBE_ID));
    assert_eq!(reported[0].properties["value"], PRICE);
    let standing = shop.standing(ORDER).await?;
    assert_eq!(standing["event_ids"]["Subscribe"], SUBSCRIBE_ID);

    // The held event is a dead letter now. The order is already reported, so the command does not send this event.
    let said = dead_letters(&shop.stack, &["replay", "--all"]).await?;
    assert_eq!(said, "replay: 0\n");
    assert_eq!(shop.reported().await?.len(), 1);
    assert_eq!(sent(&shop), 1);
    Ok(())
}

#[tokio::test]
async fn a_dead_letter_of_an_unpaid_order_waits_again_until_it_is_paid() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    shop.register(ORDER).await?;
    claim(&shop).await?;
    shop.stack.command(&["orders", "withdraw", ORDER]).await?;
    dead_letters(&shop.stack, &["replay", "--all"]).await?;
    assert!(shop.reported().await?.is_empty());
    let metrics = shop.stack.metrics().await?;
    assert_eq!(metrics.count("duet_events_held"), 1);
    shop.register(ORDER).await?;
    shop.pay(ORDER, PRICE).await?;
    let reported = shop.reported().await?;
    assert_eq!(reported.len(), 1, "{reported:#?}");
    assert_eq!(reported[0].properties["value"], PRICE);
    assert_eq!(sent(&shop), 1);
    Ok(())
}

#[tokio::test]
async fn a_paid_order_that_reports_nothing_is_an_error_until_it_does() -> Result<()> {
    let mut shop = Shop::open(&[]).await?;
    shop.register(ORDER).await?;
    let fault = shop.stack.sandbox.inject(Fault::RefuseEvent {
        event_id: SUBSCRIBE_ID.to_owned(),
        name_index: false,
    });
    shop.pay(ORDER, PRICE).await?;
    shop.stack
        .until("a paid order is not reported", async |stack| {
            Ok(stack.metrics().await?.count("duet_paid_unreported") == 1)
        })
        .await?;
    assert!(shop.stack.log().contains("a paid order is not reported"));
    let standing = shop.standing(ORDER).await?;
    assert_eq!(
        (&standing["status"], &standing["event_ids"]),
        (&json!("paid"), &json!({}))
    );

    // The metric must be correct after a restart too, because the first sweep counts the orders again.
    shop.stack.kill().await?;
    shop.stack.run_proxy().await?;
    shop.stack
        .until("the sweep has counted", async |stack| {
            Ok(stack.metrics().await?.count("duet_paid_unreported") == 1)
        })
        .await?;

    shop.stack.sandbox.remove_fault(fault);
    dead_letters(&shop.stack, &["replay", "--all"]).await?;
    assert_eq!(shop.reported().await?.len(), 1);
    let metrics = shop.stack.metrics().await?;
    assert_eq!(metrics.count("duet_paid_unreported"), 0);
    let standing = shop.standing(ORDER).await?;
    assert_eq!(standing["event_ids"]["Subscribe"], SUBSCRIBE_ID);
    Ok(())
}

#[tokio::test]
async fn a_servers_report_that_tiktok_refused_does_not_keep_the_payment_back() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    shop.register(ORDER).await?;
    let fault = shop.stack.sandbox.inject(Fault::RefuseEvent {
        event_id: "the-servers".to_owned(),
        name_index: false,
    });
    let report = json!({
        "event": "Subscribe", "event_id": "the-servers", "user": { "external_id": "u" },
        "properties": { "order_id": ORDER, "value": PRICE, "currency": "VND" },
    });
    let answer = Answer::to(shop.stack.track(&report)?.bearer_auth(SERVER_KEY)).await?;
    assert_eq!(answer.status.as_u16(), 202);
    shop.stack
        .until("the server's event is refused", async |stack| {
            let letters = dead_letters(stack, &["list"]).await?;
            Ok(letters.contains("the-servers"))
        })
        .await?;
    shop.stack.sandbox.remove_fault(fault);
    shop.pay(ORDER, PRICE).await?;
    let reported = shop.reported().await?;
    assert_eq!(reported.len(), 1, "{reported:#?}");
    dead_letters(&shop.stack, &["replay", "--all"]).await?;
    assert_eq!(shop.reported().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_order_that_a_server_reported_before_anybody_began_it_is_not_reported_twice()
-> Result<()> {
    let shop = Shop::open(&[]).await?;
    let report = json!({
        "event": "Subscribe", "event_id": "the-servers", "user": { "external_id": "u" },
        "properties": { "order_id": ORDER, "value": PRICE, "currency": "VND" },
    });
    let answer = Answer::to(shop.stack.track(&report)?.bearer_auth(SERVER_KEY)).await?;
    assert_eq!(answer.status.as_u16(), 202);
    assert_eq!(shop.status(ORDER).await?, "unknown");
    shop.register(ORDER).await?;
    shop.pay(ORDER, PRICE).await?;
    let reported = shop.reported().await?;
    assert_eq!(reported.len(), 1, "{reported:#?}");
    let metrics = shop.stack.metrics().await?;
    assert_eq!(metrics.count("duet_paid_unreported"), 0);
    Ok(())
}
