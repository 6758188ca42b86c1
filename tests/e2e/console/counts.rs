//! The counts in the console must equal a separate count of the same events.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use duet_sandbox::{Fault, Format, Instruction, Pixel};
use duet_tests::{
    Answer, Stack,
    stack::{free_address, http_client},
};
use serde_json::{Value, json};

use super::TOKEN;
use crate::{
    pays::{PRICE, Shop, transfer},
    two_pixels::{A, B, Files, event, reload},
};

/// The match keys that the console counts one by one. An address counts as a match key only together with the browser.
const KEYS: [&str; 5] = ["ttclid", "ttp", "email", "phone", "external_id"];

/// Returns the JSON of one of the console's routes.
async fn numbers(address: &str, path: &str) -> Result<Value> {
    let request = http_client().get(format!("http://{address}/console/api/{path}"));
    let answer = Answer::to(request.bearer_auth(TOKEN)).await?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(answer.body)
}

/// Returns the page with this query.
async fn page(address: &str, query: &str) -> Result<String> {
    let request = http_client().get(format!("http://{address}/?{query}"));
    let answer = Answer::to(request.bearer_auth(TOKEN)).await?;
    Ok(answer.body.as_str().unwrap_or_default().to_owned())
}

/// Waits until the numbers of orders that are paid, accepted and delivered equal `steps`.
async fn until_steps(stack: &Stack, address: &str, steps: [u64; 3]) -> Result<Value> {
    let read = async || -> Result<(bool, Value)> {
        let counted = numbers(address, "counted").await?;
        let orders = ["paid", "accepted", "delivered"].map(|step| &counted[step]["orders"]);
        let values = ["paid", "accepted", "delivered"].map(|step| &counted[step]["values"]["VND"]);
        let is_so = orders == steps.map(Value::from).each_ref();
        let money = steps.map(|orders| match orders {
            0 => Value::Null,
            orders => json!(PRICE * i64::try_from(orders).unwrap_or(0)),
        });
        let adds_up = values == money.each_ref();
        Ok((is_so && adds_up, counted.clone()))
    };
    stack
        .until("the orders are counted", async |_| Ok(read().await?.0))
        .await?;
    Ok(read().await?.1)
}

#[tokio::test]
async fn paid_accepted_and_delivered_orders_are_counted_in_numbers_and_in_money() -> Result<()> {
    let address = free_address().await?.to_string();
    let settings = [
        ("DUET_CONSOLE_TOKEN", TOKEN),
        ("DUET_CONSOLE_LISTEN", address.as_str()),
    ];
    let mut shop = Shop::open(&settings).await?;
    let counted = numbers(&address, "counted").await?;
    assert_eq!(counted["paid"]["orders"], 0);
    assert_eq!(numbers(&address, "head").await?["orders"], Value::Null);

    for order in ["ORDER11111", "ORDER22222"] {
        shop.register(order).await?;
    }
    shop.register("ORDERUNPAID").await?;
    shop.pay("ORDER11111", PRICE).await?;
    until_steps(&shop.stack, &address, [1, 1, 1]).await?;
    let outage = shop.stack.sandbox.inject(Fault::BadGateway {});
    shop.pay("ORDER22222", PRICE).await?;
    let counted = until_steps(&shop.stack, &address, [2, 2, 1]).await?;
    let missing = counted["missing"].as_array().unwrap();
    assert_eq!(missing.len(), 1, "{counted}");
    assert_eq!(missing[0]["order_id"], "ORDER22222");
    assert_eq!(missing[0]["state"], "waiting");

    // The proxy itself makes the payment's event, so the event's sender is `payment`.
    let is_listed = async |_: &Stack| {
        let live = numbers(&address, "live?events=order:ORDER22222+is:waiting").await?;
        let events = live["events"].as_array().unwrap();
        Ok(events.len() == 1 && events[0]["sender"] == "payment")
    };
    shop.stack.until("the event is listed", is_listed).await?;

    let is_down = async |_: &Stack| {
        let head = numbers(&address, "head").await?;
        Ok(head["state"] == "slow" && head["cause"]["down"] == "CDUETSANDBOX00000001")
    };
    shop.stack
        .until("the console shows that TikTok is down", is_down)
        .await?;
    let waits = page(&address, "lang=en&why=ORDER22222").await?;
    assert!(
        waits.contains("1 order waits to be sent to TikTok."),
        "{waits}"
    );
    assert!(!waits.contains("a step is missing"), "{waits}");

    shop.stack.sandbox.remove_fault(outage);
    until_steps(&shop.stack, &address, [2, 2, 2]).await?;
    // The record of an order does not keep an event that TikTok refused, so the count must not come from there.
    let refusal = shop.stack.sandbox.inject(Fault::RefuseEvent {
        event_id: String::new(),
        name_index: false,
    });
    shop.register("ORDER33333").await?;
    shop.pay("ORDER33333", PRICE).await?;
    let is_refused = async |_: &Stack| {
        let counted = numbers(&address, "counted").await?;
        Ok(counted["missing"][0]["state"] == "refused" && counted["missing"][0]["code"] == 40_002)
    };
    shop.stack.until("the order is refused", is_refused).await?;
    until_steps(&shop.stack, &address, [3, 3, 2]).await?;
    shop.stack.sandbox.remove_fault(refusal);
    let before = numbers(&address, "counted?period=7d").await?;
    shop.stack.kill().await?;
    shop.stack.run_proxy().await?;
    assert_eq!(numbers(&address, "counted?period=7d").await?, before);
    let head = numbers(&address, "head").await?;
    assert_eq!(
        head["orders"],
        json!({ "paid": 3, "counted": 2, "waiting": 0, "refused": 1, "unreported": 0, "withdrawn": 0 })
    );
    assert_eq!(head["state"], "working");
    let page = page(&address, "lang=en").await?;
    assert!(
        page.contains("TikTok refused 1 order: correct the cause that Trouble shows."),
        "{page}"
    );
    Ok(())
}

#[tokio::test]
async fn an_order_that_is_paid_again_after_its_money_went_back_counts_once() -> Result<()> {
    let address = free_address().await?.to_string();
    let shop = Shop::open(&[
        ("DUET_CONSOLE_TOKEN", TOKEN),
        ("DUET_CONSOLE_LISTEN", &address),
    ])
    .await?;
    shop.register("ORDER33333").await?;
    for (number, word) in [
        (1, "ORDER_PAID"),
        (1, "TRANSACTION_VOID"),
        (2, "ORDER_PAID"),
    ] {
        let payment = Instruction {
            format: Format::Gateway,
            notification_type: word.to_owned(),
            transaction_id: Some(number),
            ..transfer("ORDER33333", PRICE)
        };
        shop.told(payment).await?;
    }
    until_steps(&shop.stack, &address, [1, 1, 1]).await?;
    assert_eq!(shop.payments("paid_before").await?, 0);
    // If an order's first payment is a renewal, the renewal counts as the sale.
    shop.register("ORDER44444").await?;
    let renewal = Instruction {
        format: Format::Gateway,
        notification_type: "RENEWAL_ORDER_PAID".to_owned(),
        transaction_id: Some(3),
        ..transfer("ORDER44444", PRICE)
    };
    shop.told(renewal).await?;
    until_steps(&shop.stack, &address, [2, 2, 2]).await?;
    Ok(())
}

#[tokio::test]
async fn the_head_says_stopped_only_if_no_pixel_gets_its_events() -> Result<()> {
    let files = Files::new()?;
    files.token("b", "an-old-token")?;
    let address = free_address().await?.to_string();
    let stack = Stack::start(&[
        ("DUET_CONSOLE_TOKEN", TOKEN),
        ("DUET_CONSOLE_LISTEN", &address),
        ("DUET_PIXELS_FILE", &files.path()),
    ])
    .await?;
    for (pixel, state, ready) in [(B, "slow", "degraded"), (A, "stopped", "not ready")] {
        stack.accepted(&event("first", Some(pixel))).await?;
        stack
            .until(ready, async |stack| {
                let word = stack.get("/readyz").await?.body["status"].clone();
                let head = numbers(&address, "head").await?;
                Ok(word == ready && head["state"] == state)
            })
            .await?;
        files.token("a", "an-old-token")?;
        reload(&stack, "the pixels were read again").await?;
    }
    files.token("a", &Pixel::default().access_token)?;
    files.token("b", duet_tests::OTHER_TOKEN)?;
    reload(&stack, "the pixels were read again").await?;
    stack
        .until("both pixels deliver again", async |_| {
            Ok(numbers(&address, "head").await?["state"] == "working")
        })
        .await?;
    // Reset the sandbox, because it has recorded wrong tokens.
    stack.sandbox.reset();
    Ok(())
}

#[tokio::test]
async fn the_coverage_of_match_keys_is_a_recount_of_what_tiktok_got() -> Result<()> {
    let address = free_address().await?.to_string();
    let stack = Stack::start(&[
        ("DUET_CONSOLE_TOKEN", TOKEN),
        ("DUET_CONSOLE_LISTEN", &address),
        ("DUET_MONEY_EVENTS", "open"),
    ])
    .await?;
    let users = [
        json!({ "email": "a@example.com", "phone": "+84901234567" }),
        json!({ "email": "b@example.com", "ttclid": "E.C.P.b" }),
        json!({ "phone": "12", "ttp": "t-1" }),
        json!({ "external_id": "u-1" }),
        json!({}),
    ];
    let mut sent = 0;
    for (number, user) in users.iter().cycle().take(23).enumerate() {
        let name = if number % 3 == 0 {
            "Lead"
        } else {
            "ViewContent"
        };
        let body = json!({ "event": name, "event_id": format!("e-{number}"), "user": user, "pixel": "fired" });
        stack.accepted(&body).await?;
        sent += 1;
    }
    stack.conversions(sent).await?;
    stack
        .until("all ended events are in the history", async |stack| {
            let metrics = stack.metrics().await?;
            Ok(metrics.count("duet_events_ended_total{outcome=\"delivered\"}") == 23)
        })
        .await?;

    let mut recount: BTreeMap<(String, &str), u64> = BTreeMap::new();
    let mut all: BTreeMap<String, u64> = BTreeMap::new();
    for request in stack.requests() {
        let body = request.body.unwrap_or_default();
        for event in body["data"].as_array().into_iter().flatten() {
            let name = event["event"].as_str().unwrap_or_default().to_owned();
            for key in KEYS
                .into_iter()
                .filter(|key| !event["user"][*key].is_null())
            {
                *recount.entry((name.clone(), key)).or_default() += 1;
            }
            *all.entry(name).or_default() += 1;
        }
    }
    let shown = numbers(&address, "match").await?;
    for (name, events) in &all {
        let coverage = &shown["events"][name];
        assert_eq!(coverage["events"], *events, "{shown}");
        for key in KEYS {
            let expected = recount.get(&(name.clone(), key)).copied().unwrap_or(0);
            assert_eq!(coverage["keys"][key], expected, "{name} {key} in {shown}");
        }
    }
    assert_eq!(shown["events"].as_object().unwrap().len(), all.len());
    // `ttclid` counts most in the estimate, and most of these events had no click id.
    assert_eq!(shown["events"]["ViewContent"]["best_next"], "ttclid");
    assert_eq!(
        shown["events"]["ViewContent"]["gaps"]["ttclid"][0],
        "page_had_none"
    );
    assert_eq!(shown["events"]["Lead"]["estimate"], Value::Null);
    Ok(())
}
