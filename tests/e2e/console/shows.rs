//! The console must show what happened, and must not show any person's data.

use anyhow::{Context, Result};
use duet_sandbox::Fault;
use duet_tests::{Answer, Stack, stack::PATIENCE};
use serde_json::{Value, json};
use tokio::time;

use super::{Console, TOKEN};
use crate::events::event;

const HTML: &str = "<img src=x onerror=alert(1)>";

async fn refused(console: &Console, count: i64) -> Result<()> {
    let stack = &console.stack;
    stack
        .until("the events are refused", async |stack| {
            let metrics = stack.metrics().await?;
            Ok(metrics.count("duet_events_ended_total{outcome=\"refused\"}") == count)
        })
        .await
}

/// Returns how many requests to TikTok contained this text.
fn sends(console: &Console, text: &str) -> usize {
    let requests = console.stack.requests();
    let bodies = requests.iter().filter_map(|request| request.body.as_ref());
    bodies
        .filter(|body| body.to_string().contains(text))
        .count()
}

/// Sends a change to the console as the page's script does.
pub(super) async fn change(console: &Console, path: &str, body: &Value) -> Result<Answer> {
    let own = format!("http://{}", console.address);
    let session = console.session().await?;
    let request = console.post(path).header("cookie", session).json(body);
    Answer::to(request.header("x-duet-console", "1").header("origin", own)).await
}

#[tokio::test]
async fn equal_causes_are_together_and_are_sent_again_with_their_number_known_before() -> Result<()>
{
    let console = Console::start(&[]).await?;
    let stack = &console.stack;
    let fault = stack.sandbox.inject(Fault::RefuseEvent {
        event_id: "bad".to_owned(),
        name_index: true,
    });
    for id in ["bad-1", "good-1", "bad-2", "bad-3", "good-2"] {
        stack.accepted(&event(id)).await?;
    }
    refused(&console, 3).await?;
    let trouble = console.api("trouble").await?;
    let causes = trouble["causes"]
        .as_array()
        .context("the answer must list causes")?;
    assert_eq!(causes.len(), 1, "{trouble}");
    assert_eq!(
        (&causes[0]["letters"], &causes[0]["code"]),
        (&json!(3), &json!(40002))
    );
    let id = causes[0]["id"]
        .as_str()
        .context("the cause must have an id")?;
    let first = causes[0]["newest"][2]["id"]
        .as_str()
        .context("the cause must list three dead letters")?;

    let plan = console
        .api(&format!("trouble/plan?which=cause:{id}"))
        .await?;
    assert_eq!(plan["letters"], 3);
    let page = console
        .page(&format!("cause={id}&replay=cause:{id}"))
        .await?;
    assert!(
        page.contains("<strong>3</strong>") && page.contains("bad-2"),
        "{page}"
    );
    let since = console.page("replay=hours:1").await?;
    assert!(since.contains("<strong>3</strong>"), "{since}");
    for (query, words) in [
        ("lang=en", "events of this table that ended in the last"),
        ("lang=vi", "các sự kiện của bảng này đã kết thúc trong"),
    ] {
        let page = console.page(query).await?;
        assert!(
            page.contains(words),
            "the page must contain {words}, got {page}"
        );
    }

    let good = sends(&console, "good-");
    // A dead letter that was added after the plan was shown must not be sent again.
    stack.accepted(&event("bad-4")).await?;
    refused(&console, 4).await?;
    let left: Value = json!({ "which": format!("cause:{id}"), "until": plan["until"] });
    let one = json!({ "which": format!("letter:{first}") });
    let unknown = json!({ "which": "everything" });
    stack.sandbox.remove_fault(fault);
    for (body, status, letters) in [
        (&unknown, 422, Value::Null),
        (&one, 200, json!(1)),
        (&left, 200, json!(2)),
        (&left, 200, json!(0)),
    ] {
        let answer = change(&console, "/console/api/trouble/replay", body).await?;
        assert_eq!(answer.status.as_u16(), status, "{answer:?}");
        assert_eq!(answer.body["letters"], letters, "{answer:?}");
    }
    stack.conversions(5).await?;
    assert_eq!(
        sends(&console, "good-"),
        good,
        "a delivered event must not be sent again"
    );
    assert!(
        stack
            .log()
            .contains("dead letters were sent again from the console")
    );
    let trouble = console.api("trouble").await?;
    assert_eq!(trouble["letters"], 1);
    // An event that was delivered after it was sent again no longer counts as lost.
    let counts = async |_: &Stack| {
        let counted = console.api("counted").await?;
        let events = &counted["events"]["Purchase"];
        Ok((&events["ended"], &events["delivered"]) == (&json!(6), &json!(5)))
    };
    stack.until("only one event is lost", counts).await
}

#[tokio::test]
async fn html_in_names_ids_memos_and_messages_stays_text() -> Result<()> {
    let console = Console::start(&[
        ("SEPAY_WEBHOOK_SECRET", "a-secret-of-some-length"),
        ("DUET_MONEY_EVENTS", "open"),
    ])
    .await?;
    let stack = &console.stack;
    let fault = stack.sandbox.inject(Fault::RefuseEvent {
        event_id: "bad".to_owned(),
        name_index: false,
    });
    let body = json!({ "event": "Purchase", "event_id": "bad", "user": { "email": "canary.person@example.com", "phone": "0901234567" },
                       "properties": { "order_id": HTML, "value": 99_000, "currency": "VND" } });
    stack.accepted(&body).await?;
    let named = json!({ "event": HTML, "event_id": HTML });
    assert_eq!(Answer::to(stack.track(&named)?).await?.status, 422);
    refused(&console, 1).await?;
    let transfer = json!({ "id": 92_704, "gateway": HTML, "transactionDate": "2026-01-02 10:04:05", "accountNumber": "0071000888888",
                           "subAccount": null, "transferType": "in", "transferAmount": 99_000, "accumulated": 0, "code": HTML,
                           "content": HTML, "referenceCode": HTML, "description": HTML });
    let request = stack.request("POST", "/api/payment/sepay/webhook")?;
    let request = request
        .header("authorization", "Apikey a-secret-of-some-length")
        .json(&transfer);
    assert_eq!(Answer::to(request).await?.status, 200);
    stack.sandbox.remove_fault(fault);

    let trouble = console.api("trouble").await?;
    let id = trouble["causes"][0]["id"]
        .as_str()
        .context("the answer must list a cause")?;
    let query = format!("cause={id}&events=%3Cimg+src%3Dx%3E&%3Cimg%3E=1&lang=en");
    for query in [query.as_str(), "transfers=review"] {
        let page = console.page(query).await?;
        assert!(!page.contains("<img"), "{page}");
        for canary in [
            "canary.person",
            "0901234567",
            "84901234567",
            TOKEN,
            "0071000888888",
        ] {
            assert!(
                !page.contains(canary),
                "the page must not contain {canary}: {page}"
            );
        }
    }
    // The list of the latest events shows the event a little later.
    let is_text = async |_: &Stack| {
        let page = console.page("").await?;
        Ok(page.contains("&lt;img src=x onerror=alert(1)&gt;"))
    };
    stack
        .until("the page shows the names as text", is_text)
        .await?;
    for path in ["live", "trouble", "money", "machine", "head"] {
        for format in ["json", "csv", "ndjson"] {
            let request = console.get(&format!("/console/api/{path}?format={format}"));
            let answer = Answer::to(request.bearer_auth(TOKEN)).await?;
            let text = answer.body.to_string();
            for canary in [
                "canary.person",
                "0901234567",
                "84901234567",
                "0071000888888",
            ] {
                assert!(
                    !text.contains(canary),
                    "the answer must not contain {canary}: {text}"
                );
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_search_explains_an_id_in_both_languages() -> Result<()> {
    let console = Console::start(&[]).await?;
    console.stack.accepted(&event("known")).await?;
    console.stack.conversions(1).await?;
    let why = async |id: &str| console.api(&format!("why?id={id}")).await;
    console
        .stack
        .until("the event has ended", async |_| {
            Ok(why("known").await?["causes"][0]["cause"] == "counted")
        })
        .await?;
    assert_eq!(why("unknown").await?["is_known"], false);
    for (query, part) in [
        ("lang=en&why=known", "TikTok has accepted the event."),
        ("lang=vi&why=known", "TikTok đã nhận sự kiện."),
        ("lang=en&why=unknown", "Duet does not know this id"),
        ("lang=en&why=%3Cimg%3E", "&lt;img&gt;"),
    ] {
        let page = console.page(query).await?;
        assert!(
            page.contains(part),
            "the page must contain {part}, got {page}"
        );
        assert!(!page.contains("<img"), "{page}");
    }
    Ok(())
}

#[tokio::test]
async fn both_languages_say_what_is_the_case() -> Result<()> {
    let console = Console::start(&[("TIKTOK_TEST_EVENT_CODE", "TEST1")]).await?;
    let english = console.page("lang=en").await?;
    let vietnamese = console.page("lang=vi").await?;
    for (page, parts) in [
        (
            &english,
            [
                "lang=\"en\"",
                "because a test event code is set",
                "No payment has arrived yet",
            ],
        ),
        (
            &vietnamese,
            [
                "lang=\"vi\"",
                "vì đã đặt mã thử nghiệm",
                "Chưa có khoản thanh toán nào",
            ],
        ),
    ] {
        for part in parts {
            assert!(
                page.contains(part),
                "the page must contain {part}, got {page}"
            );
        }
    }
    assert!(english.contains("DUET_MONEY_EVENTS=open"));
    let head = console.api("head").await?;
    assert_eq!(head["state"], "working");
    assert_eq!(head["banners"][0]["test"]["pixel"], "CDUETSANDBOX00000001");
    Ok(())
}

#[tokio::test]
async fn an_open_page_hears_of_an_event_and_the_proxy_stops_in_spite_of_it() -> Result<()> {
    let mut console = Console::start(&[]).await?;
    let request = console
        .get("/console/live?events=id:heard")
        .bearer_auth(TOKEN);
    let mut updates = request.send().await?;
    assert_eq!(updates.headers()["content-type"], "text/event-stream");
    console.stack.accepted(&event("unheard")).await?;
    console.stack.accepted(&event("heard")).await?;
    let heard = async {
        let mut text = String::new();
        while let Some(bytes) = updates.chunk().await? {
            text.push_str(&String::from_utf8_lossy(&bytes));
            if text.contains("id=\"event-") {
                return Ok(text);
            }
        }
        anyhow::bail!("the connection with the updates must not end, got {text}")
    };
    let text: String = time::timeout(PATIENCE, heard).await??;
    assert!(text.starts_with("data:<header id=\"head\""), "{text}");
    assert_eq!(text.matches("id=\"event-").count(), 1, "{text}");
    let latest = console.api("live?events=id:unheard").await?;
    assert_eq!(latest["events"][0]["event_id"], "unheard");
    console.stack.conversions(2).await?;
    assert!(console.stack.stop().await?);
    while let Some(bytes) = updates.chunk().await? {
        assert!(!bytes.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn more_pages_than_there_are_places_are_told_so() -> Result<()> {
    let console = Console::start(&[]).await?;
    let mut open = Vec::new();
    for _ in 0..32 {
        let request = console.get("/console/live").bearer_auth(TOKEN);
        let updates = request.send().await?;
        assert_eq!(updates.status(), 200);
        open.push(updates);
    }
    let request = || console.get("/console/live").bearer_auth(TOKEN);
    assert_eq!(console.status(request()).await?, 503);
    drop(open);
    console
        .stack
        .until(
            "the console accepts another connection for updates",
            async |_| {
                let answer = request().send().await?;
                Ok(answer.status() == 200)
            },
        )
        .await
}

#[tokio::test]
async fn the_machine_shows_a_pause_after_a_failure() -> Result<()> {
    let console = Console::start(&[]).await?;
    console.stack.leaves_waiting(1);
    console.stack.sandbox.inject(Fault::Code {
        code: 40_100,
        message: None,
    });
    console.stack.accepted(&event("slow")).await?;
    let pixel = async || {
        let machine = console.api("machine").await?;
        let pixels = machine["pixels"]
            .as_object()
            .context("the answer must list the pixels")?;
        pixels
            .values()
            .next()
            .cloned()
            .context("the answer must have a pixel")
    };
    console
        .stack
        .until("the delivery pauses", async |_| {
            Ok(pixel().await?["paused_until_ms"].is_i64())
        })
        .await?;
    let pixel = pixel().await?;
    assert_eq!(pixel["requests_at_once"], 1, "{pixel}");
    assert_eq!(pixel["gap_ms"], 500, "{pixel}");
    let page = console.page("lang=en").await?;
    assert!(
        page.contains("1 at a time, every 500 ms, pauses for "),
        "{page}"
    );
    Ok(())
}
