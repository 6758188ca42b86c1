//! Tests a shop with two pixels. Each event goes only to its own pixel, and a problem with one pixel does not affect the
//! other pixel.

use std::{fs, os::unix::fs::PermissionsExt};

use anyhow::{Result, ensure};
use duet_sandbox::{Fault, Pixel};
use duet_tests::{Answer, Stack};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    dead_letters::dead_letters,
    doctor::doctor,
    pays::{PRICE, Shop, transfer},
};

pub(crate) const A: &str = "CDUETSANDBOX00000001";
pub(crate) const B: &str = duet_tests::OTHER_PIXEL;
const SERVER_KEY: &str = "e2e-server-key-0123456789";

/// The pixels file and the token files.
pub(crate) struct Files(TempDir);

impl Files {
    /// Creates files for two pixels. Both pixels list the same origin.
    pub(crate) fn new() -> Result<Self> {
        let files = Self(tempfile::tempdir()?);
        files.token("a", &Pixel::default().access_token)?;
        files.token("b", duet_tests::OTHER_TOKEN)?;
        files.list(&[
            (A, "a", "['https://a.example', 'https://both.example']"),
            (B, "b", "['https://both.example', 'https://b.example']"),
        ])?;
        Ok(files)
    }

    pub(crate) fn token(&self, name: &str, token: &str) -> Result<()> {
        let path = self.0.path().join(name);
        fs::write(&path, token)?;
        Ok(fs::set_permissions(
            path,
            fs::Permissions::from_mode(0o600),
        )?)
    }

    pub(crate) fn list(&self, pixels: &[(&str, &str, &str)]) -> Result<()> {
        let tables = pixels.iter().map(|(id, token, origins)| {
            format!("[[pixels]]\npixel_id = '{id}'\naccess_token_file = '{token}'\norigins = {origins}\n")
        });
        Ok(fs::write(self.path(), tables.collect::<String>())?)
    }

    pub(crate) fn path(&self) -> String {
        self.0.path().join("pixels.toml").display().to_string()
    }

    pub(crate) async fn start(&self) -> Result<Stack> {
        let path = self.path();
        Stack::start(&[("DUET_PIXELS_FILE", &path), ("DUET_SERVER_KEY", SERVER_KEY)]).await
    }
}

pub(crate) fn event(id: &str, pixel_id: Option<&str>) -> Value {
    let mut event = json!({ "event": "Lead", "event_id": id, "user": { "external_id": "u" } });
    if let Some(pixel_id) = pixel_id {
        event["pixel_id"] = pixel_id.into();
    }
    event
}

pub(crate) async fn post(stack: &Stack, event: &Value, origin: Option<&str>) -> Result<Answer> {
    let mut request = stack.track(event)?;
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    Answer::to(request).await
}

/// Returns the pixels that counted an event with this id. Each pixel is listed once.
fn counted(stack: &Stack, id: &str) -> Vec<String> {
    let conversions = stack.sandbox.conversions().into_iter();
    let meant = conversions.filter(|conversion| conversion.event_id.as_deref() == Some(id));
    let mut pixels: Vec<_> = meant.map(|conversion| conversion.pixel).collect();
    pixels.sort();
    pixels
}

pub(crate) async fn reload(stack: &Stack, log: &str) -> Result<()> {
    let before = stack.log().matches(log).count();
    stack.signal("HUP").await?;
    let what = format!("the log says {log}");
    let said = async |stack: &Stack| Ok(stack.log().matches(log).count() > before);
    stack.until(&what, said).await
}

/// Returns how many events of the pixel are pending.
async fn waiting(stack: &Stack, pixel_id: &str) -> Result<i64> {
    let series = format!("duet_pixel_queue_events{{pixel=\"{pixel_id}\"}}");
    Ok(stack.metrics().await?.count(&series))
}

async fn word(stack: &Stack, pixel_id: &str) -> Result<(u16, Value)> {
    let ready = stack.get("/readyz").await?;
    Ok((
        ready.status.as_u16(),
        ready.body["pixels"][pixel_id].clone(),
    ))
}

#[tokio::test]
async fn an_event_goes_to_its_pixel_else_to_its_pages_else_to_the_first() -> Result<()> {
    let files = Files::new()?;
    let stack = files.start().await?;
    for (at, (named, origin, expected)) in [
        (None, None, A),
        (Some(B), None, B),
        (None, Some("https://a.example"), A),
        (None, Some("https://b.example"), B),
        (None, Some("https://both.example"), A),
        (Some(B), Some("https://both.example"), B),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("event-{at}");
        let answer = post(&stack, &event(&id, named), origin).await?;
        ensure!(answer.status.as_u16() == 202, "{answer:?}");
        let allowed = answer.headers.get("access-control-allow-origin");
        assert_eq!(allowed.map(|allowed| allowed.to_str().unwrap()), origin);
        stack
            .until("the event is counted", async |stack| {
                Ok(counted(stack, &id) == [expected])
            })
            .await?;
    }
    for (named, origin, rule) in [
        (B, Some("https://a.example"), "pixel_origin"),
        (A, Some("https://b.example"), "pixel_origin"),
        ("CDUETSANDBOX00000009", None, "unknown_pixel"),
    ] {
        let answer = post(&stack, &event("no", Some(named)), origin).await?;
        let error = &answer.body["results"][0]["errors"][0];
        assert_eq!(answer.status.as_u16(), 422);
        assert_eq!(
            (&error["field"], &error["rule"]),
            (&json!("pixel_id"), &json!(rule))
        );
    }
    let strange = post(&stack, &event("no", None), Some("https://c.example")).await?;
    assert_eq!(strange.status.as_u16(), 403);
    // A server may name any pixel, whatever the origin is.
    let server = stack.track(&event("server", Some(B)))?;
    let server = server
        .header("origin", "https://a.example")
        .bearer_auth(SERVER_KEY);
    assert_eq!(Answer::to(server).await?.status.as_u16(), 202);
    stack
        .until("the server's event is counted", async |stack| {
            Ok(counted(stack, "server") == [B])
        })
        .await
}

#[tokio::test]
async fn one_event_id_counts_once_at_each_pixel() -> Result<()> {
    let files = Files::new()?;
    let stack = files.start().await?;
    let both = json!({ "events": [event("one", Some(A)), event("one", Some(B))] });
    for status in ["accepted", "duplicate"] {
        let answer = post(&stack, &both, None).await?;
        for result in answer.body["results"].as_array().unwrap() {
            assert_eq!(
                (&result["event_id"], &result["status"]),
                (&json!("one"), &json!(status))
            );
        }
    }
    stack.conversions(2).await?;
    assert_eq!(counted(&stack, "one"), [A, B]);
    let settled = |pixel: &str| {
        format!("duet_pixel_events_settled_total{{pixel=\"{pixel}\",outcome=\"delivered\"}}")
    };
    stack
        .until("each pixel has counted one event", async |stack| {
            let metrics = stack.metrics().await?;
            Ok([A, B].map(|pixel| metrics.count(&settled(pixel))) == [1, 1])
        })
        .await?;
    Ok(())
}

#[tokio::test]
async fn one_refused_token_stops_its_pixel_only_until_a_new_one_is_read() -> Result<()> {
    let files = Files::new()?;
    files.token("b", "an-old-token")?;
    let stack = files.start().await?;
    for pixel in [A, B] {
        stack.accepted(&event("first", Some(pixel))).await?;
    }
    stack
        .until("the token of pixel B is refused", async |stack| {
            Ok(word(stack, B).await? == (200, json!("refused")))
        })
        .await?;
    stack.accepted(&event("second", Some(A))).await?;
    stack
        .until("pixel A delivers again", async |stack| {
            let is_settled = waiting(stack, A).await? == 0;
            Ok(counted(stack, "second") == [A] && is_settled)
        })
        .await?;
    assert_eq!(counted(&stack, "first"), [A]);
    let ready = stack.get("/readyz").await?.body;
    assert_eq!(
        (&ready["pixels"][A], &ready["checks"]["token"]),
        (&json!("ok"), &json!("refused"))
    );
    assert_eq!(ready["status"], "degraded");
    let metrics = stack.metrics().await?;
    assert_eq!(metrics.count("duet_ready"), 1);
    for (pixel, is_ready, waiting) in [(A, 1, 0), (B, 0, 1)] {
        let of = |family: &str| metrics.count(&format!("{family}{{pixel=\"{pixel}\"}}"));
        let found = (of("duet_pixel_ready"), of("duet_pixel_queue_events"));
        assert_eq!(found, (is_ready, waiting), "{pixel}");
    }
    let (healthy, said) = doctor(&stack, &[]).await?;
    assert!(!healthy);
    assert!(
        said.contains(&format!("ok       token and pixel {A}: ")),
        "{said}"
    );
    assert!(
        said.contains(&format!("problem  token and pixel {B}: ")),
        "{said}"
    );

    files.token("b", duet_tests::OTHER_TOKEN)?;
    reload(&stack, "the pixels were read again").await?;
    stack
        .until("pixel B delivers again", async |stack| {
            // TikTok counts an event a moment before the proxy has read the answer.
            let is_ok = word(stack, B).await? == (200, json!("ok"));
            Ok(is_ok && counted(stack, "first") == [A, B])
        })
        .await?;
    // Reset the sandbox, because it has recorded a wrong token.
    stack.sandbox.reset();
    Ok(())
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_a_good_one_everything() -> Result<()> {
    let files = Files::new()?;
    files.list(&[(A, "a", "['https://a.example']")])?;
    let stack = files.start().await?;
    let event_of_b = event("b", Some(B));
    let b = || post(&stack, &event_of_b, Some("https://b.example"));
    assert_eq!(b().await?.status.as_u16(), 403);
    files.list(&[
        (A, "a", "['https://a.example']"),
        (B, "gone", "['https://b.example']"),
    ])?;
    reload(
        &stack,
        "the pixels were not replaced, because the new settings have a problem: DUET_PIXELS_FILE: ",
    )
    .await?;
    assert!(
        stack
            .log()
            .contains(&format!("pixel {B}: access_token_file must name a file"))
    );
    assert_eq!(b().await?.status.as_u16(), 403);
    files.list(&[(A, "a", "[]"), (B, "b", "['https://b.example']")])?;
    reload(&stack, "the pixels were read again").await?;
    assert_eq!(b().await?.status.as_u16(), 202);
    let a = post(&stack, &event("a", None), Some("https://a.example")).await?;
    assert_eq!(a.status.as_u16(), 403);
    stack
        .until("the event is counted", async |stack| {
            Ok(counted(stack, "b") == [B])
        })
        .await
}

#[tokio::test]
async fn a_start_names_every_problem_of_the_file() -> Result<()> {
    let files = Files::new()?;
    let stack = Stack::prepare(&[]).await?;
    files.list(&[(A, "gone", "['nowhere']"), ("short", "b", "[]")])?;
    let (is_well, said) = stack
        .another(&[("DUET_PIXELS_FILE", &files.path())])
        .await?;
    assert!(!is_well);
    for words in [
        &format!(
            "DUET_PIXELS_FILE: {}: pixel {A}: access_token_file must",
            files.path()
        ),
        &format!(
            "DUET_PIXELS_FILE: {}: pixel {A}: origins must",
            files.path()
        ),
        &format!("DUET_PIXELS_FILE: {}: pixel 2: pixel_id must", files.path()),
    ] {
        assert!(
            said.contains(words),
            "the output must contain {words}, got\n{said}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_removed_pixels_events_are_sent_with_its_token_and_after_a_restart_wait_for_it()
-> Result<()> {
    let files = Files::new()?;
    let mut stack = files.start().await?;
    let fault = stack.sandbox.inject(Fault::CodeForEvent {
        event_id: "waits".to_owned(),
        code: 50000,
    });
    stack.accepted(&event("waits-1", Some(B))).await?;
    files.list(&[(A, "a", "[]")])?;
    reload(&stack, "the pixels were read again").await?;
    let gone = post(&stack, &event("no", Some(B)), None).await?;
    assert_eq!(gone.status.as_u16(), 422);
    stack
        .until("the readiness shows the removed pixel", async |stack| {
            Ok(word(stack, B).await? == (200, json!("removed")))
        })
        .await?;
    stack.sandbox.remove_fault(fault);
    stack
        .until("the event is sent", async |stack| {
            Ok(counted(stack, "waits-1") == [B])
        })
        .await?;
    stack
        .until(
            "the readiness no longer shows the removed pixel",
            async |stack| Ok(word(stack, B).await?.1 == Value::Null),
        )
        .await?;

    files.list(&[(A, "a", "[]"), (B, "b", "[]")])?;
    reload(&stack, "the pixels were read again").await?;
    stack.sandbox.inject(Fault::CodeForEvent {
        event_id: "waits".to_owned(),
        code: 50000,
    });
    stack.accepted(&event("waits-2", Some(B))).await?;
    files.list(&[(A, "a", "[]")])?;
    stack.kill().await?;
    let (healthy, said) = doctor(&stack, &[]).await?;
    let problem =
        format!("problem  store: events are pending for pixels that are not configured: {B}");
    assert!(!healthy && said.contains(&problem), "{said}");
    stack.sandbox.clear_faults();
    stack.run_proxy().await?;
    stack
        .until(
            "the readiness shows the pixel that is not configured",
            async |stack| Ok(word(stack, B).await? == (200, json!("not configured"))),
        )
        .await?;
    let (_, said) = doctor(&stack, &[]).await?;
    assert!(
        said.contains(&format!(
            "events are pending for pixels that are not configured: {B}"
        )),
        "{said}"
    );
    assert!(
        stack
            .log()
            .contains("events wait for a pixel that is not configured")
    );
    stack.accepted(&event("other", None)).await?;
    stack
        .until("the other pixel delivers", async |stack| {
            Ok(counted(stack, "other") == [A])
        })
        .await?;
    assert!(counted(&stack, "waits-2").is_empty());
    files.list(&[(A, "a", "[]"), (B, "b", "[]")])?;
    reload(&stack, "the pixels were read again").await?;
    stack
        .until("the event is sent", async |stack| {
            Ok(counted(stack, "waits-2") == [B])
        })
        .await
}

#[tokio::test]
async fn dead_letters_are_listed_and_replayed_by_pixel() -> Result<()> {
    let files = Files::new()?;
    let stack = files.start().await?;
    let fault = stack.sandbox.inject(Fault::RefuseEvent {
        event_id: "bad".to_owned(),
        name_index: false,
    });
    for pixel in [A, B] {
        stack.accepted(&event("bad", Some(pixel))).await?;
    }
    let lines = async |words: &[&str]| {
        let said = dead_letters(&stack, &[&["list"], words].concat()).await?;
        Ok::<_, anyhow::Error>(said.lines().filter(|line| line.contains("refused")).count())
    };
    stack
        .until("both events are refused", async |_| {
            Ok(lines(&[]).await? == 2)
        })
        .await?;
    assert_eq!(lines(&["--pixel", B]).await?, 1);
    let shown: Value = serde_json::from_str(&dead_letters(&stack, &["show", "--pixel", B]).await?)?;
    assert_eq!(
        (&shown["pixel_id"], &shown["event_id"]),
        (&json!(B), &json!("bad"))
    );
    stack.sandbox.remove_fault(fault);
    assert_eq!(
        dead_letters(&stack, &["replay", "--pixel", B]).await?,
        "replay: 1\n"
    );
    stack
        .until("pixel B has counted the event", async |stack| {
            Ok(counted(stack, "bad") == [B])
        })
        .await?;
    assert_eq!((lines(&[]).await?, lines(&["--pixel", B]).await?), (1, 0));
    assert_eq!(
        dead_letters(&stack, &["drop", "--pixel", A]).await?,
        "drop: 1\n"
    );
    Ok(())
}

#[tokio::test]
async fn a_payment_is_reported_to_every_pixel_of_its_order() -> Result<()> {
    let files = Files::new()?;
    let shop = Shop::open(&[("DUET_PIXELS_FILE", &files.path())]).await?;
    let begins = |order_id: &str, pixel_id: &str| {
        json!({
            "event": "InitiateCheckout", "pixel_id": pixel_id, "properties": { "order_id": order_id },
            "user": { "ttclid": "E.C.P.two" }, "page": { "url": "https://shop.example/" },
        })
    };
    let order = |order_id: &str, pixel_ids: &[&str]| json!({ "order_id": order_id, "amount": PRICE, "currency": "VND", "plan_id": "pro", "pixel_ids": pixel_ids });
    shop.register_as(&order("PHO7K3M9Q2X", &[A])).await?;
    shop.register_as(&order("PHO8K3M9Q2X", &[B])).await?;
    shop.register_as(&order("PHO9K3M9Q2X", &[])).await?;
    for pixel in [A, B] {
        shop.stack.accepted(&begins("PHO7K3M9Q2X", pixel)).await?;
    }
    for (order_id, expected) in [
        ("PHO7K3M9Q2X", &[A, B][..]),
        ("PHO8K3M9Q2X", &[B]),
        ("PHO9K3M9Q2X", &[A]),
    ] {
        shop.pay(order_id, PRICE).await?;
        let id = duet_events::EventId::derive("Subscribe", order_id);
        let stack = &shop.stack;
        stack
            .until(
                "each pixel of the order has counted the sale",
                async |stack| Ok(counted(stack, id.as_str()) == expected),
            )
            .await?;
        let sales = stack.sandbox.conversions().into_iter();
        let mut sales = sales.filter(|sale| sale.event_id.as_deref() == Some(id.as_str()));
        assert!(sales.all(|sale| sale.signals.len() == 1));
    }
    // The bank sends the notification again. The proxy must not send an event again.
    shop.told(transfer("PHO7K3M9Q2X", PRICE)).await?;
    let request = shop
        .stack
        .request("POST", "/api/orders")?
        .bearer_auth(SERVER_KEY);
    let answer = Answer::to(request.json(&order("PHO2K3M9Q2X", &["CDUETSANDBOX00000009"]))).await?;
    let error = &answer.body["results"][0]["errors"][0];
    assert_eq!(answer.status.as_u16(), 422);
    assert_eq!(
        (&error["field"], &error["rule"]),
        (&json!("pixel_ids"), &json!("unknown_pixel"))
    );
    Ok(())
}

#[tokio::test]
async fn the_token_of_a_single_pixel_is_read_again_too() -> Result<()> {
    let files = Files::new()?;
    files.token("a", "an-old-token")?;
    let mut stack = Stack::prepare(&[("TIKTOK_ACCESS_TOKEN", "")]).await?;
    let path = files.0.path().join("a").display().to_string();
    stack.set("TIKTOK_ACCESS_TOKEN_FILE", &path);
    stack.run_proxy().await?;
    stack.accepted(&event("waits", None)).await?;
    stack
        .until("the token is refused", async |stack| {
            Ok(word(stack, A).await? == (503, json!("refused")))
        })
        .await?;
    files.token("a", &Pixel::default().access_token)?;
    reload(&stack, "the pixels were read again").await?;
    stack.conversions(1).await?;
    // Reset the sandbox, because it has recorded a wrong token.
    stack.sandbox.reset();
    Ok(())
}

#[tokio::test]
async fn the_send_limit_of_one_pixel_does_not_stop_the_other() -> Result<()> {
    let files = Files::new()?;
    let settings = [
        ("DUET_PIXELS_FILE", files.path()),
        ("DUET_SEND_LIMIT", "1/1h".to_owned()),
    ];
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let stack = Stack::start(&settings).await?;
    stack.accepted(&event("first", Some(A))).await?;
    stack
        .until("pixel A has used up its limit", async |stack| {
            Ok(counted(stack, "first") == [A])
        })
        .await?;
    stack.accepted(&event("second", Some(A))).await?;
    stack.accepted(&event("second", Some(B))).await?;
    stack
        .until("pixel B delivers again", async |stack| {
            let is_settled = waiting(stack, B).await? == 0;
            Ok(counted(stack, "second") == [B] && is_settled)
        })
        .await?;
    assert_eq!(waiting(&stack, A).await?, 1);
    stack.leaves_waiting(1);
    Ok(())
}
