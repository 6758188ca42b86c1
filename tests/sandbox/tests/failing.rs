//! Each fault, over real TCP.

mod sandbox_under_test;

use std::time::Duration;

use duet_sandbox::{Fault, Injection, Rule, Sandbox};
use sandbox_under_test::*;
use serde_json::{Value, json};

fn code(code: u32) -> Fault {
    Fault::Code {
        code,
        message: None,
    }
}

#[tokio::test]
async fn every_code_of_the_contract_can_be_answered_and_stores_nothing() {
    let running = start().await;
    let codes = [
        40000, 40001, 40002, 40007, 40016, 40100, 40101, 40102, 40105, 40110, 40133, 40200, 40201,
        40202, 40700, 50000, 50002, 51001, 51002, 51039, 60001,
    ];
    for expected in codes {
        running.sandbox.inject(code(expected).times(1));
        assert_eq!(running.code(&one("e1")).await, i64::from(expected));
    }
    assert_eq!(running.sandbox.conversions(), []);
    assert_eq!(running.sandbox.faults(), []);
    assert_eq!(running.code(&one("e1")).await, 0);
    let request = &running.sandbox.requests()[0];
    assert_eq!((request.fault, request.code), (Some("code"), Some(40000)));
}

#[tokio::test]
async fn a_revoked_token_comes_back_when_the_fault_is_removed() {
    let running = start().await;
    let fault = running.sandbox.inject(Fault::TokenRevoked {});
    assert_eq!(running.code(&one("e1")).await, 40105);
    assert_eq!(running.code(&one("e1")).await, 40105);
    assert!(running.sandbox.remove_fault(fault));
    assert!(!running.sandbox.remove_fault(fault));
    assert_eq!(running.code(&one("e1")).await, 0);
    assert_eq!(running.sandbox.violations(), []);
}

#[tokio::test]
async fn partial_success_stores_the_valid_events_and_lists_the_others() {
    let running = start().await;
    running.sandbox.inject(Fault::Partial {
        event_id: Some("pick".to_owned()),
    });
    let bad = with(
        one("e2"),
        "/data/0/properties/contents/0/content_id",
        Some(json!(2)),
    )["data"][0]
        .clone();
    let answer = running
        .send(&body(&[event("e1"), bad, event("picked")]))
        .await;
    assert_eq!(answer["code"], 20001);
    let errors = answer["data"]["errors"].as_array().unwrap();
    assert_eq!(
        errors
            .iter()
            .map(|e| e["index"].as_u64().unwrap())
            .collect::<Vec<_>>(),
        [1, 2]
    );
    assert_eq!(
        errors[0]["field"],
        "data.1.properties.contents.0.content_id"
    );
    let stored: Vec<_> = running
        .sandbox
        .conversions()
        .into_iter()
        .map(|c| c.event_id.unwrap())
        .collect();
    assert_eq!(stored, ["e1"]);
}

#[tokio::test]
async fn a_poisoned_event_refuses_only_the_requests_it_is_in() {
    let running = start().await;
    for name_index in [true, false] {
        running.sandbox.inject(Fault::RefuseEvent {
            event_id: "poison".to_owned(),
            name_index,
        });
        let answer = running.send(&body(&[event("e1"), event("a-poison")])).await;
        assert_eq!(answer["code"], 40002);
        assert_eq!(
            answer["message"].as_str().unwrap().contains("data.1."),
            name_index
        );
        assert_eq!(running.sandbox.conversions(), []);
        running.sandbox.clear_faults();
    }
    running.sandbox.inject(Fault::RefuseEvent {
        event_id: "poison".to_owned(),
        name_index: false,
    });
    assert_eq!(running.code(&one("e1")).await, 0);
    assert_eq!(running.code(&one("a-poison")).await, 40002);
    assert_eq!(running.sandbox.conversions().len(), 1);
}

#[tokio::test]
async fn a_refusal_can_blame_an_event_that_is_innocent() {
    let running = start().await;
    running.sandbox.inject(Fault::BlameAnother {
        event_id: "poison".to_owned(),
    });
    for (ids, blamed) in [
        (["a-poison", "e1"], "data.1."),
        (["e1", "a-poison"], "data.0."),
    ] {
        let answer = running.send(&body(&ids.map(event))).await;
        assert_eq!(answer["code"], 40002);
        assert!(
            answer["message"].as_str().unwrap().starts_with(blamed),
            "{answer}"
        );
    }
    assert_eq!(running.code(&one("e1")).await, 0);
}

#[tokio::test]
async fn one_event_can_bring_any_code_upon_its_request() {
    let running = start().await;
    running.sandbox.inject(Fault::CodeForEvent {
        event_id: "poison".to_owned(),
        code: 50000,
    });
    assert_eq!(running.code(&one("a-poison")).await, 50000);
    assert_eq!(running.code(&one("e1")).await, 0);
    assert_eq!(running.sandbox.conversions().len(), 1);
}

#[tokio::test]
async fn gateways_answer_with_a_page() {
    let running = start().await;
    for (fault, status) in [
        (Fault::BadGateway {}, 502),
        (Fault::GatewayTimeout {}, 504),
        (
            Fault::TooManyRequests {
                retry_after_s: Some(7),
            },
            429,
        ),
    ] {
        running.sandbox.inject(fault.times(1));
        let response = running.posting(one("e1").to_string()).send().await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["content-type"], "text/html");
        assert_eq!(
            response.headers().contains_key("retry-after"),
            status == 429
        );
        let page = response.text().await.unwrap();
        assert!(page.contains("nginx") && serde_json::from_str::<Value>(&page).is_err());
    }
    assert_eq!(running.sandbox.conversions(), []);
}

#[tokio::test]
async fn a_200_can_be_empty_or_torn() {
    let running = start().await;
    for fault in [Fault::EmptyBody {}, Fault::TornJson {}] {
        running.sandbox.inject(fault.times(1));
        let response = running.posting(one("e1").to_string()).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(serde_json::from_slice::<Value>(&response.bytes().await.unwrap()).is_err());
    }
    assert_eq!(running.sandbox.conversions(), []);
}

#[tokio::test]
async fn a_hanging_request_goes_on_when_it_is_released() {
    let running = start().await;
    running.sandbox.inject(Fault::Hang {}.times(1));
    let sending = tokio::spawn(running.posting(one("e1").to_string()).send());
    let arrived = |s: &Sandbox| s.totals().requests == 1;
    assert!(running.sandbox.wait_until(DEADLINE, arrived).await);
    assert_eq!(running.sandbox.requests()[0].status, None);
    assert_eq!(running.sandbox.conversions(), []);
    running.sandbox.release();
    let answer: Value = sending.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!(answer["code"], 0);
    assert_eq!(running.sandbox.conversions().len(), 1);
}

/// Sends an event, and disconnects without waiting for an answer as soon as `seen` is true.
async fn give_up(running: &Running, seen: impl Fn(&Sandbox) -> bool) {
    let sending = tokio::spawn(running.posting(one("e1").to_string()).send());
    assert!(running.sandbox.wait_until(DEADLINE, seen).await);
    sending.abort();
    let abandoned = |sandbox: &Sandbox| sandbox.requests().iter().all(|request| request.abandoned);
    assert!(running.sandbox.wait_until(DEADLINE, abandoned).await);
}

#[tokio::test]
async fn a_sender_that_gives_up_leaves_nothing_behind() {
    let running = start().await;
    running.sandbox.inject(Fault::Hang {});
    give_up(&running, |sandbox| sandbox.totals().requests == 1).await;
    running.sandbox.clear_faults();
    assert_eq!(running.code(&one("e2")).await, 0);
    assert_eq!(running.sandbox.conversions().len(), 1);
    assert!(!running.sandbox.requests()[1].abandoned);
}

#[tokio::test]
async fn hanging_after_storing_keeps_the_event() {
    let running = start().await;
    running
        .sandbox
        .inject(Fault::Hang {}.after_storing().times(1));
    give_up(&running, |sandbox| sandbox.totals().conversions == 1).await;
    assert_eq!(running.code(&one("e1")).await, 0);
    assert_eq!(running.sandbox.conversions()[0].signals.len(), 2);
}

#[tokio::test]
async fn slowness_delays_the_usual_answer() {
    let running = start().await;
    let hour_ms = 60 * 60 * 1000;
    running.sandbox.inject(Fault::Slow { ms: hour_ms });
    give_up(&running, |sandbox| sandbox.totals().requests == 1).await;
    running.sandbox.clear_faults();
    running.sandbox.inject(Fault::Slow { ms: 20 });
    assert_eq!(running.code(&one("e1")).await, 0);
}

#[tokio::test]
async fn a_delay_comes_before_the_fault() {
    let running = start().await;
    let late = Injection::from(code(50000)).delayed(Duration::from_hours(1));
    running.sandbox.inject(late);
    give_up(&running, |sandbox| sandbox.totals().requests == 1).await;
    running.sandbox.clear_faults();
    running
        .sandbox
        .inject(Injection::from(code(50000)).delayed(Duration::from_millis(20)));
    assert_eq!(running.code(&one("e1")).await, 50000);
}

#[tokio::test]
async fn a_connection_is_reset_before_or_after_storing() {
    let running = start().await;
    for (fault, stored) in [
        (Fault::Reset {}.times(1), 0),
        (Fault::Reset {}.after_storing().times(1), 1),
    ] {
        running.sandbox.inject(fault);
        let error = running
            .posting(one("e1").to_string())
            .send()
            .await
            .unwrap_err();
        assert_eq!(
            io_error(&error),
            Some(std::io::ErrorKind::ConnectionReset),
            "{error:?}"
        );
        assert_eq!(running.sandbox.conversions().len(), stored);
    }
    assert_eq!(running.code(&one("e1")).await, 0);
    assert_eq!(running.sandbox.conversions().len(), 1);
    assert_eq!(running.sandbox.totals().deduplicated, 1);
}

fn io_error(error: &reqwest::Error) -> Option<std::io::ErrorKind> {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        source = error.source();
    }
    None
}

#[tokio::test]
async fn the_script_can_be_missing_or_hang() {
    let running = start().await;
    let url = running.url(&format!("/i18n/pixel/events.js?sdkid={PIXEL}&lib=ttq"));
    running.sandbox.inject(Fault::ScriptMissing {}.times(1));
    assert_eq!(running.client.get(&url).send().await.unwrap().status(), 404);
    running.sandbox.inject(Fault::ScriptHangs {}.times(1));
    let hanging = tokio::spawn(running.client.get(&url).send());
    let struck = |sandbox: &Sandbox| sandbox.faults().is_empty();
    assert!(running.sandbox.wait_until(DEADLINE, struck).await);
    let script = running.client.get(&url).send().await.unwrap();
    assert_eq!(script.status(), 200);
    assert!(
        !hanging.is_finished(),
        "only the later request must be answered; the first request must still hang"
    );
    assert!(
        script
            .text()
            .await
            .unwrap()
            .contains("TiktokAnalyticsObject")
    );
    assert_eq!(running.code(&one("e1")).await, 0);
}

#[tokio::test]
async fn the_script_of_an_unknown_pixel_does_nothing() {
    let running = start().await;
    for (query, rule) in [
        ("?sdkid=CNOBODY&lib=ttq", Rule::UnknownPixel),
        ("?lib=ttq", Rule::MissingField),
    ] {
        running.sandbox.reset();
        let url = running.url(&format!("/i18n/pixel/events.js{query}"));
        let script = running
            .client
            .get(url)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        assert!(!script.contains("ttq"), "{query}");
        assert_eq!(running.rules(), [rule], "{query}");
    }
}
