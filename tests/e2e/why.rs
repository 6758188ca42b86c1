//! `duet-proxy why` must name the right cause. Each row causes a problem in the running proxy, asks about one id, and
//! expects a certain cause.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use duet_sandbox::{Fault, Format, Instruction};
use duet_tests::{Answer, Stack};
use serde_json::{Value, json};

use crate::pays::{PRICE, SECRET, Shop, WEBHOOK};

#[cfg(target_os = "linux")]
mod time;
mod unusual;

const SERVER_KEY: &str = "e2e-server-key-0123456789";
const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 24 * HOUR_S;

/// The rows of one proxy.
struct Rows<'a> {
    stack: &'a Stack,
    right: usize,
    wrong: Vec<String>,
}

impl<'a> Rows<'a> {
    fn of(stack: &'a Stack) -> Self {
        Self {
            stack,
            right: 0,
            wrong: Vec::new(),
        }
    }

    /// Asks about an id. The answer must name this cause, and the missing step in the answer must equal `missing`.
    async fn row(
        &mut self,
        name: &str,
        id: &str,
        cause: &str,
        missing: Option<&str>,
    ) -> Result<()> {
        let chain = why(self.stack, id).await?;
        let found = chain["causes"]
            .as_array()
            .context("the answer must list causes")?;
        let is_named = found.iter().any(|found| found["cause"] == cause);
        let is_first =
            missing.is_none() || found.first().is_some_and(|first| first["cause"] == cause);
        if is_named && is_first && chain["missing"].as_str() == missing {
            self.right += 1;
        } else {
            self.wrong.push(format!(
                "{name}: expected the cause {cause} and the missing step {missing:?}, got {chain:#}"
            ));
        }
        Ok(())
    }

    /// Does the same as [`Rows::row`] for an id with several possible causes. The answer must contain this cause, in any
    /// position.
    async fn also(&mut self, name: &str, id: &str, cause: &str) -> Result<()> {
        let chain = why(self.stack, id).await?;
        let found = chain["causes"]
            .as_array()
            .context("the answer must list causes")?;
        if found.iter().any(|found| found["cause"] == cause) {
            self.right += 1;
        } else {
            self.wrong
                .push(format!("{name}: expected the cause {cause}, got {chain:#}"));
        }
        Ok(())
    }

    fn all(self, expected: usize) -> Result<()> {
        ensure!(self.wrong.is_empty(), "{}", self.wrong.join("\n\n"));
        ensure!(
            self.right == expected,
            "{expected} rows must have been tested, got {}",
            self.right
        );
        Ok(())
    }
}

async fn why(stack: &Stack, id: &str) -> Result<Value> {
    let said = stack.command(&["why", "--json", "--", id]).await?;
    Ok(serde_json::from_str(&said)?)
}

fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or_default()
    })
}

/// Returns an event of a page with a match key.
fn event(id: &str, more: &Value) -> Value {
    let mut event = json!({ "event": "Lead", "event_id": id, "user": { "external_id": "u" } });
    if let (Some(event), Some(more)) = (event.as_object_mut(), more.as_object()) {
        event.extend(more.clone());
    }
    event
}

async fn page(stack: &Stack, body: &Value) -> Result<Answer> {
    Answer::to(stack.track(body)?).await
}

async fn server(stack: &Stack, body: &Value) -> Result<Answer> {
    Answer::to(stack.track(body)?.bearer_auth(SERVER_KEY)).await
}

async fn idle(stack: &Stack) -> Result<()> {
    stack
        .until("no event is pending", async |stack| {
            Ok(stack.metrics().await?.count("duet_queue_events") == 0)
        })
        .await
}

/// Sends a notification of a bank transfer as SePay does. The secret may be wrong.
async fn transfer(stack: &Stack, secret: &str, id: u64, more: &Value) -> Result<Answer> {
    let mut body = json!({
        "id": id, "gateway": "Vietcombank", "transactionDate": "2026-03-25 14:02:37",
        "accountNumber": "0123499999", "subAccount": null, "code": null,
        "content": "chuyen tien", "transferType": "in", "description": "",
        "transferAmount": PRICE, "accumulated": 0, "referenceCode": "MBVCB.1",
    });
    if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
        body.extend(more.clone());
    }
    let request = stack.request("POST", WEBHOOK)?;
    let request = request.header("authorization", format!("Apikey {secret}"));
    Answer::to(request.body(body.to_string())).await
}

#[tokio::test]
async fn a_rejected_event_and_one_that_never_came() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    let stack = &shop.stack;
    let mut rows = Rows::of(stack);
    rows.row("ad blocker", "never-sent", "never_arrived", Some("arrival"))
        .await?;
    let reserved = "8dfcc057-77d8-88a5-b01a-e0d0586f4129";
    for (name, id, more, cause) in [
        (
            "denied",
            "r-denied",
            json!({ "consent": "denied" }),
            "consent_refused",
        ),
        (
            "pending",
            "r-pending",
            json!({ "consent": "pending" }),
            "consent_refused",
        ),
        (
            "wrong pixel",
            "r-pixel",
            json!({ "pixel_id": "CDUETSANDBOX99999999" }),
            "wrong_pixel",
        ),
        (
            "clock behind",
            "r-old",
            json!({ "event_time": now_s() - 8 * DAY_S }),
            "wrong_clock",
        ),
        (
            "clock ahead",
            "r-new",
            json!({ "event_time": now_s() + HOUR_S }),
            "wrong_clock",
        ),
        (
            "sale without an order",
            "r-sale",
            json!({ "event": "Purchase" }),
            "no_order",
        ),
        ("another order's id", reserved, json!({}), "reserved_id"),
        (
            "name in the wrong case",
            "r-name",
            json!({ "event": "lead" }),
            "broken_rule",
        ),
        (
            "misspelt field",
            "r-field",
            json!({ "consnet": "denied" }),
            "broken_rule",
        ),
    ] {
        let answer = page(stack, &event(id, &more)).await?;
        ensure!(answer.status == 422, "{name}: {answer:?}");
        rows.row(name, id, cause, Some("acceptance")).await?;
    }
    rows.all(10)
}

#[tokio::test]
async fn a_delivered_event_and_what_could_be_better() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    let stack = &shop.stack;
    let mut rows = Rows::of(stack);
    for (name, id, more, cause) in [
        (
            "all is well",
            "d-well",
            json!({ "pixel": "fired" }),
            "counted",
        ),
        (
            "blocked Pixel",
            "d-blocked",
            json!({ "pixel": "blocked" }),
            "pixel_blocked",
        ),
        (
            "no Pixel",
            "d-absent",
            json!({ "pixel": "absent" }),
            "pixel_absent",
        ),
        (
            "offline page",
            "d-late",
            json!({ "event_time": now_s() - HOUR_S }),
            "sent_late",
        ),
        ("nobody", "d-nobody", json!({ "user": {} }), "no_match_keys"),
    ] {
        let answer = page(stack, &event(id, &more)).await?;
        ensure!(answer.status == 202, "{name}: {answer:?}");
        idle(stack).await?;
        rows.row(name, id, cause, None).await?;
    }
    page(stack, &event("d-well", &json!({}))).await?;
    rows.row("repeat of a page", "d-well", "duplicate", None)
        .await?;
    server(stack, &event("d-blocked", &json!({}))).await?;
    rows.row("repeat of a server", "d-blocked", "duplicate", None)
        .await?;
    let chain = why(stack, "d-blocked").await?;
    let steps: Vec<_> = chain["steps"].as_array().into_iter().flatten().collect();
    let said = |did: &str, by: &str| {
        steps
            .iter()
            .any(|step| step["did"] == did && step["by"] == by)
    };
    ensure!(
        said("accepted", "page") && said("repeated", "server"),
        "{chain:#}"
    );
    let test = json!({ "test_event_code": "TEST12345" });
    server(stack, &event("d-test", &test)).await?;
    idle(stack).await?;
    rows.row("a test", "d-test", "test_traffic", Some("tiktok"))
        .await?;
    let request_id = steps.iter().find_map(|step| step["request_id"].as_str());
    let request_id = request_id.context("TikTok's answer must have a request id")?;
    rows.row("a request to TikTok", request_id, "pixel_blocked", None)
        .await?;
    rows.all(9)
}

#[tokio::test]
async fn an_event_that_tiktok_refuses_or_that_waits() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    let stack = &shop.stack;
    let mut rows = Rows::of(stack);
    let refusal = stack.sandbox.inject(Fault::RefuseEvent {
        event_id: "w-bad".to_owned(),
        name_index: false,
    });
    page(stack, &event("w-bad", &json!({}))).await?;
    let sale = json!({
        "event": "Purchase", "properties": { "order_id": "WBAD00001", "value": 1, "currency": "USD" },
    });
    server(stack, &event("w-bad-sale", &sale)).await?;
    idle(stack).await?;
    rows.row("poison", "w-bad", "refused", Some("tiktok"))
        .await?;
    rows.row("a refused sale", "WBAD00001", "refused", Some("tiktok"))
        .await?;
    stack.sandbox.remove_fault(refusal);
    let mut waiting = 0;
    for (name, id, fault, cause) in [
        (
            "throttled",
            "w-throttled",
            Fault::Code {
                code: 40_100,
                message: None,
            },
            "throttled",
        ),
        ("token", "w-token", Fault::TokenRevoked {}, "token_refused"),
        (
            "TikTok is down",
            "w-down",
            Fault::BadGateway {},
            "tiktok_down",
        ),
        (
            "TikTok's own error",
            "w-error",
            Fault::Code {
                code: 50_000,
                message: None,
            },
            "tiktok_down",
        ),
    ] {
        let shop = Shop::open(&[]).await?;
        let _fault = shop.stack.sandbox.inject(fault);
        page(&shop.stack, &event(id, &json!({}))).await?;
        shop.stack
            .until("TikTok has answered", async |stack| {
                Ok(!stack.requests().is_empty())
            })
            .await?;
        let named = async |stack: &Stack| {
            let chain = why(stack, id).await?;
            let first = &chain["causes"][0]["cause"];
            Ok(first == cause && chain["missing"] == "delivery" && tells_the_tries(&chain))
        };
        shop.stack.until(&format!("{name}: {cause}"), named).await?;
        waiting += 1;
        shop.stack.leaves_waiting(1);
    }
    ensure!(waiting == 4, "{waiting}");
    rows.all(2)
}

/// Returns whether the chain of a waiting event says how often the event was sent, and when it is sent again.
fn tells_the_tries(chain: &Value) -> bool {
    let mut steps = chain["steps"].as_array().into_iter().flatten();
    let tried = steps.find(|step| step["did"] == "tried");
    let next = steps.find(|step| step["did"] == "tries_next");
    tried.zip(next).is_some_and(|(tried, next)| {
        let attempts = tried["attempts"].as_u64();
        attempts >= Some(1)
            && next["attempt"].as_u64() == attempts.map(|attempts| attempts + 1)
            && next["at_ms"].as_i64() >= tried["at_ms"].as_i64()
    })
}

#[tokio::test]
async fn an_order_and_its_money() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    let stack = &shop.stack;
    let mut rows = Rows::of(stack);
    let held = |order: &str| {
        let sale = json!({
            "event": "Purchase",
            "properties": { "order_id": order, "value": PRICE, "currency": "VND" },
        });
        event(&format!("own-{order}"), &sale)
    };
    page(stack, &held("WHYHELD001")).await?;
    rows.row("held, by its order", "WHYHELD001", "held", Some("payment"))
        .await?;
    rows.row(
        "held, by its event",
        "own-WHYHELD001",
        "held",
        Some("payment"),
    )
    .await?;
    let begun = json!({ "event": "InitiateCheckout", "properties": { "order_id": "WHYUNPAID1" } });
    page(stack, &event("begins", &begun)).await?;
    idle(stack).await?;
    shop.register("WHYUNPAID1").await?;
    rows.row("an event that is no sale", "begins", "counted", None)
        .await?;
    let led = why(stack, "begins").await?;
    ensure!(led["order_id"] == "WHYUNPAID1", "{led:#}");
    rows.row("unpaid", "WHYUNPAID1", "unpaid", Some("payment"))
        .await?;
    rows.also("the webhook is silent", "WHYUNPAID1", "webhook_silent")
        .await?;
    let wrong = transfer(stack, "another-secret", 1, &json!({})).await?;
    ensure!(wrong.status == 401, "{wrong:?}");
    rows.also("bad signature", "WHYUNPAID1", "bad_signature")
        .await?;
    let torn = transfer(stack, SECRET, 2, &json!({ "transferAmount": "many" })).await?;
    ensure!(torn.status.is_client_error(), "{torn:?}");
    rows.also("unreadable", "WHYUNPAID1", "unreadable_notification")
        .await?;
    paid(&shop, &mut rows).await?;
    unpaid(&shop, &mut rows).await?;
    shop.register("WHYWITHDRAWN1").await?;
    stack
        .command(&["orders", "withdraw", "WHYWITHDRAWN1"])
        .await?;
    rows.row("withdrawn", "WHYWITHDRAWN1", "withdrawn", Some("delivery"))
        .await?;
    ensure!(why(stack, "vnpay 100").await?["is_known"] == false);
    rows.all(27)
}

/// Tests rows about payments that pay their order.
async fn paid(shop: &Shop, rows: &mut Rows<'_>) -> Result<()> {
    let stack = &shop.stack;
    shop.register("WHYPAID001").await?;
    let memo = json!({ "content": "WHYPAID001 chuyen tien", "referenceCode": "MBVCB.3278907687" });
    transfer(stack, SECRET, 100, &memo).await?;
    shop.register("WHYPAID002").await?;
    let gateway = Instruction {
        format: Format::Gateway,
        order_id: "WHYPAID002".to_owned(),
        transaction_id: Some(7_001),
        ..Instruction::default()
    };
    shop.told(gateway).await?;
    idle(stack).await?;
    for (name, id) in [
        ("paid, by its order", "WHYPAID001"),
        ("paid, by its order in small letters", "whypaid001"),
        ("paid, by its transfer", "100"),
        ("paid, by its transfer with the provider", "sepay 100"),
        ("paid, by its transfer with the provider", "SePay 100"),
        ("paid, by its bank's reference", "MBVCB.3278907687"),
        ("paid, by the gateway's number", "T7001"),
    ] {
        rows.row(name, id, "counted", None).await?;
    }
    let sale = &why(stack, "WHYPAID001").await?["steps"];
    let standing = shop.standing("WHYPAID001").await?;
    let event_id = standing["event_ids"]["Subscribe"].as_str();
    let event_id = event_id
        .with_context(|| format!("the order's status must name the event, got {standing}"))?;
    rows.row("paid, by its ended event", event_id, "counted", None)
        .await?;
    let led = why(stack, event_id).await?;
    ensure!(
        led["order_id"] == "WHYPAID001" && &led["steps"] == sale,
        "{led:#}"
    );
    transfer(stack, SECRET, 101, &memo).await?;
    rows.row("paid twice", "101", "paid_before", None).await?;
    shop.register("WHYPARTS001").await?;
    for (id, part) in [(102, PRICE - 1), (103, 1)] {
        let part = json!({ "content": "WHYPARTS001", "transferAmount": part });
        transfer(stack, SECRET, id, &part).await?;
    }
    idle(stack).await?;
    rows.row("paid in two parts", "WHYPARTS001", "counted", None)
        .await?;
    let chain = why(stack, "WHYPARTS001").await?.to_string();
    ensure!(!chain.contains("short_payment"), "{chain}");
    rows.also("unpaid while the webhook works", "WHYUNPAID1", "unpaid")
        .await
}

/// Tests rows about payments that do not pay their order.
async fn unpaid(shop: &Shop, rows: &mut Rows<'_>) -> Result<()> {
    let stack = &shop.stack;
    shop.register("WHYSHORT001").await?;
    let short = json!({ "content": "WHYSHORT001", "transferAmount": PRICE - 1 });
    transfer(stack, SECRET, 200, &short).await?;
    rows.row(
        "short, by its order",
        "WHYSHORT001",
        "short_payment",
        Some("payment"),
    )
    .await?;
    rows.row(
        "short, by its transfer",
        "200",
        "short_payment",
        Some("payment"),
    )
    .await?;
    let dollars = json!({ "order_id": "WHYUSD00001", "amount": 5, "currency": "USD" });
    shop.register_as(&dollars).await?;
    transfer(stack, SECRET, 201, &json!({ "content": "WHYUSD00001" })).await?;
    rows.row(
        "other currency",
        "WHYUSD00001",
        "other_currency",
        Some("payment"),
    )
    .await?;
    transfer(stack, SECRET, 202, &json!({ "content": "com trua" })).await?;
    rows.row("unmatched", "202", "unmatched", Some("payment"))
        .await?;
    for order in ["WHYTWO0001", "WHYTWO0002"] {
        shop.register(order).await?;
    }
    transfer(
        stack,
        SECRET,
        203,
        &json!({ "content": "WHYTWO0001 WHYTWO0002" }),
    )
    .await?;
    rows.row("ambiguous", "203", "ambiguous", Some("payment"))
        .await?;
    shop.register("WHYOTHER001").await?;
    let other = json!({ "content": "WHYOTHER001", "accountNumber": "0999999999" });
    transfer(stack, SECRET, 204, &other).await?;
    rows.row(
        "other account, by its transfer",
        "204",
        "other_account",
        Some("payment"),
    )
    .await?;
    rows.also("other account, by its order", "WHYOTHER001", "unpaid")
        .await?;
    transfer(
        stack,
        SECRET,
        205,
        &json!({ "content": "WHYOTHER001", "transferAmount": 0 }),
    )
    .await?;
    rows.row(
        "nothing was paid",
        "205",
        "payment_not_counted",
        Some("payment"),
    )
    .await
}

#[tokio::test]
async fn a_proxy_without_a_webhook_with_a_test_code_and_without_room() -> Result<()> {
    let stack = Stack::start(&[("DUET_MONEY_EVENTS", "verified")]).await?;
    let sale = json!({ "event": "Purchase", "properties": { "order_id": "WHYCOD00001" } });
    page(&stack, &event("cod", &sale)).await?;
    let mut rows = Rows::of(&stack);
    rows.also("cash on delivery", "WHYCOD00001", "no_webhook")
        .await?;
    rows.all(1)?;

    let mut stack = Stack::start(&[("TIKTOK_TEST_EVENT_CODE", "TEST12345")]).await?;
    page(&stack, &event("left-on", &json!({}))).await?;
    idle(&stack).await?;
    let mut rows = Rows::of(&stack);
    rows.row(
        "test code left on",
        "left-on",
        "test_traffic",
        Some("tiktok"),
    )
    .await?;
    rows.all(1)?;
    stack.stop().await?;
    let mut rows = Rows::of(&stack);
    rows.also("no proxy runs", "never-sent", "proxy_stopped")
        .await?;
    rows.row(
        "also without a proxy",
        "left-on",
        "test_traffic",
        Some("tiktok"),
    )
    .await?;
    rows.all(2)?;

    let stack = Stack::start(&[("DUET_DISK_RESERVE_MB", "1000000000")]).await?;
    let answer = page(&stack, &event("no-room", &json!({}))).await?;
    ensure!(answer.status == 503, "{answer:?}");
    let mut rows = Rows::of(&stack);
    rows.also("the disk is full", "never-sent", "disk_refuses")
        .await?;
    rows.all(1)
}

#[tokio::test]
async fn the_answer_is_in_words_of_both_languages() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    page(&stack, &event("words", &json!({}))).await?;
    idle(&stack).await?;
    let said = stack.command(&["why", "words"]).await?;
    for words in [
        "the proxy accepted Lead from a page",
        "(attempt 1, events in the request: 1): delivered, code 0",
        "counted:",
    ] {
        ensure!(
            said.contains(words),
            "the output must contain {words}, got\n{said}"
        );
    }
    let said = stack.command(&["why", "--language", "vi", "words"]).await?;
    ensure!(said.contains("TikTok đã nhận sự kiện."), "{said}");
    Ok(())
}
