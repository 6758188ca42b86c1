//! Tests deduplication across both channels over real HTTP. The tests move the sandbox's clock.

mod sandbox_under_test;

use std::time::Duration;

use duet_sandbox::{Channel, Options, Outcome, Rule, Windows};
use sandbox_under_test::*;
use serde_json::json;

fn outcomes(running: &Running) -> Vec<Vec<(Channel, Outcome)>> {
    let conversions = running.sandbox.conversions();
    conversions
        .iter()
        .map(|conversion| {
            conversion
                .signals
                .iter()
                .map(|s| (s.channel, s.outcome))
                .collect()
        })
        .collect()
}

const COUNTED_PIXEL: (Channel, Outcome) = (Channel::Pixel, Outcome::Counted);
const COUNTED_SERVER: (Channel, Outcome) = (Channel::Server, Outcome::Counted);

#[tokio::test]
async fn both_legs_become_one_conversion_with_the_fields_of_both() {
    let running = start().await;
    running.pixel("CompletePayment", Some("e1")).await;
    running.sandbox.advance_clock(Duration::from_millis(1_500));
    assert_eq!(running.code(&one("e1")).await, 0);
    assert_eq!(
        outcomes(&running),
        [[COUNTED_PIXEL, (Channel::Server, Outcome::Merged)]]
    );
    let conversion = &running.get("/sandbox/conversions").await[0];
    assert_eq!(conversion["event"], "CompletePayment");
    assert_eq!(conversion["canonical"], "Purchase");
    assert_eq!(conversion["count"], 1);
    assert_eq!(conversion["gap_ms"], 1_500);
    assert_eq!(conversion["test_event_code"], json!(null));
    assert_eq!(conversion["user"]["ttclid"], "E.C.P.x");
    assert_eq!(conversion["user"]["email"], DIGEST);
    assert_eq!(conversion["signals"][0]["event_time"], NOW_S);
    assert_eq!(
        conversion["signals"][0]["match_keys"],
        json!(["ttclid", "ttp"])
    );
    assert_eq!(conversion["signals"][1]["outcome"], "merged");
}

#[tokio::test]
async fn the_other_leg_is_dropped_when_it_comes_after_five_minutes() {
    let running = start().await;
    running.pixel("Purchase", Some("e1")).await;
    running.sandbox.advance_clock(Duration::from_mins(6));
    assert_eq!(running.code(&one("e1")).await, 0);
    assert_eq!(
        outcomes(&running),
        [[COUNTED_PIXEL, (Channel::Server, Outcome::Deduplicated)]]
    );
    assert!(!running.sandbox.conversions()[0].user.contains_key("email"));
    assert_eq!(running.sandbox.totals().deduplicated, 1);
}

#[tokio::test]
async fn a_resent_event_is_one_conversion_for_48_hours() {
    let running = start().await;
    assert_eq!(running.code(&one("e1")).await, 0);
    running.sandbox.advance_clock(Duration::from_hours(48));
    assert_eq!(running.code(&one("e1")).await, 0);
    running.sandbox.advance_clock(Duration::from_millis(1));
    assert_eq!(running.code(&one("e1")).await, 0);
    let twice: Vec<_> = outcomes(&running).iter().map(Vec::len).collect();
    assert_eq!(twice, [2, 1]);
}

#[tokio::test]
async fn copies_within_one_request_are_one_conversion() {
    let running = start().await;
    assert_eq!(running.code(&body(&[event("e1"), event("e1")])).await, 0);
    assert_eq!(
        outcomes(&running),
        [[COUNTED_SERVER, (Channel::Server, Outcome::Deduplicated)]]
    );
}

#[tokio::test]
async fn the_windows_and_the_names_are_settings() {
    let running = start_with(Options {
        literal_names: true,
        windows: Windows {
            merge: Duration::from_secs(1),
            dedup: Duration::from_secs(10),
        },
        ..options()
    })
    .await;
    running.pixel("CompletePayment", Some("e1")).await;
    assert_eq!(running.code(&one("e1")).await, 0);
    assert_eq!(outcomes(&running), [[COUNTED_PIXEL], [COUNTED_SERVER]]);
    running.sandbox.advance_clock(Duration::from_secs(2));
    running.pixel("Purchase", Some("e1")).await;
    assert_eq!(
        outcomes(&running)[1].last(),
        Some(&(Channel::Pixel, Outcome::Deduplicated))
    );
    running.sandbox.advance_clock(Duration::from_secs(9));
    assert_eq!(running.code(&one("e1")).await, 0);
    assert_eq!(running.sandbox.conversions().len(), 3);
}

#[tokio::test]
async fn pixel_events_are_inspected_too() {
    let running = start().await;
    running.pixel("Pageview", None).await;
    assert_eq!(running.rules(), []);
    for (pointer, value, rule) in [
        ("/event_id", json!(7), Rule::WrongType),
        ("/event_id", json!(null), Rule::NoEventId),
        ("/event", json!(""), Rule::MissingField),
        ("/event", json!("my event"), Rule::EventName),
        (
            "/properties",
            json!({"value": 5}),
            Rule::ValueWithoutCurrency,
        ),
        ("/properties", json!({"content_id": 5}), Rule::WrongType),
        ("/test_event_code", json!("TEST1"), Rule::UndocumentedOption),
        ("/context/pixel/code", json!("CNOBODY"), Rule::UnknownPixel),
        (
            "/context/user/email",
            json!(DIGEST),
            Rule::DigestUnderRawKey,
        ),
    ] {
        running.sandbox.reset();
        let body = with(pixel_event("Purchase", Some("e1")), pointer, Some(value)).to_string();
        running
            .client
            .post(running.url("/api/v2/pixel"))
            .body(body.clone())
            .send()
            .await
            .unwrap();
        assert_eq!(running.rules(), [rule], "{body}");
    }
    running.sandbox.reset();
    running
        .client
        .post(running.url("/api/v2/pixel"))
        .body("{")
        .send()
        .await
        .unwrap();
    assert_eq!(running.rules(), [Rule::InvalidJson]);
}

#[tokio::test]
async fn pages_of_every_origin_may_report() {
    let running = start().await;
    let preflight = running
        .client
        .request(reqwest::Method::OPTIONS, running.url("/api/v2/pixel"))
        .header("origin", "https://shop.test")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type")
        .send()
        .await
        .unwrap();
    assert_eq!(preflight.status(), 204);
    assert_eq!(
        preflight.headers()["access-control-allow-origin"],
        "https://shop.test"
    );
    assert_eq!(
        preflight.headers()["access-control-allow-credentials"],
        "true"
    );
    assert_eq!(
        preflight.headers()["access-control-allow-headers"],
        "content-type"
    );
    let read = running
        .client
        .get(running.url("/sandbox/totals"))
        .send()
        .await
        .unwrap();
    assert_eq!(read.headers()["access-control-allow-origin"], "*");
    assert_eq!(running.rules(), []);
    running
        .client
        .post(running.url("/api/v2/pixel/act"))
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(running.sandbox.totals().interactions, 1);
}
