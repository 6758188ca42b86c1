//! Causes that appear only if the clock is moved or some time passes.

use super::*;
use crate::dead_letters::dead_letters;

#[tokio::test]
async fn an_event_that_expired_and_a_payment_that_came_too_late() -> Result<()> {
    let mut shop = Shop::open_at(-8 * DAY_S * 1000).await?;
    // Let TikTok give no answer, because its answers would state the right time.
    let reset = shop.stack.sandbox.inject(Fault::Reset {});
    page(&shop.stack, &event("t-expired", &json!({}))).await?;
    for order in ["WHYLONG0001", "WHYLATE0001"] {
        shop.register(order).await?;
        let sale = json!({
            "event": "Subscribe",
            "properties": { "order_id": order, "value": PRICE, "currency": "VND" },
        });
        let answer = page(&shop.stack, &event(&format!("own-{order}"), &sale)).await?;
        ensure!(answer.body["status"] == "held", "{answer:?}");
    }
    shop.stack.kill().await?;
    shop.stack.faults()?.set_clock(0)?;
    shop.stack.sandbox.remove_fault(reset);
    let refuses = shop.stack.sandbox.inject(Fault::CodeForEvent {
        event_id: "t-expired".to_owned(),
        code: 50_000,
    });
    shop.stack.run_proxy().await?;
    shop.stack
        .until("the proxy has given up all events", async |stack| {
            let letters = dead_letters(stack, &["list"]).await?;
            let given_up = ["t-expired", "own-WHYLONG0001", "own-WHYLATE0001"];
            Ok(given_up.iter().all(|id| letters.contains(id)))
        })
        .await?;
    shop.stack.sandbox.remove_fault(refuses);
    shop.pay("WHYLATE0001", PRICE).await?;
    idle(&shop.stack).await?;
    let mut rows = Rows::of(&shop.stack);
    for (name, id, cause, missing) in [
        ("expired", "t-expired", "expired", Some("delivery")),
        (
            "held too long",
            "WHYLONG0001",
            "held_too_long",
            Some("payment"),
        ),
        (
            "held too long, by its event",
            "own-WHYLONG0001",
            "held_too_long",
            Some("payment"),
        ),
        ("webhook late", "WHYLATE0001", "webhook_late", None),
        (
            "webhook late, by its event",
            "own-WHYLATE0001",
            "webhook_late",
            None,
        ),
    ] {
        rows.row(name, id, cause, missing).await?;
    }
    rows.all(5)
}

#[tokio::test]
async fn an_event_that_missed_the_merge_and_a_clock_that_is_wrong() -> Result<()> {
    const LEFT_S: i64 = 5;
    let stack = Stack::start_with_faults(&[]).await?;
    let down = stack.sandbox.inject(Fault::BadGateway {});
    // TikTok merges copies for some minutes after an event. This event happened so long ago that these minutes end in five
    // seconds.
    let happened_s = now_s() - 300 + LEFT_S;
    let more = json!({ "event_time": happened_s, "pixel": "fired" });
    page(&stack, &event("t-merge", &more)).await?;
    stack
        .until(
            "the time in which TikTok merges copies is over",
            async |_| Ok(now_s() > happened_s + 301),
        )
        .await?;
    stack.sandbox.remove_fault(down);
    idle(&stack).await?;
    let mut rows = Rows::of(&stack);
    rows.row("merge missed", "t-merge", "merge_missed", None)
        .await?;
    stack.faults()?.set_clock(8 * DAY_S * 1000)?;
    rows.also("clock suspect", "t-merge", "clock_suspect")
        .await?;
    rows.all(2)
}
