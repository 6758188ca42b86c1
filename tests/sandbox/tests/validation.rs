//! Tests each rule of the validation, and the order of the rules, over real HTTP.

mod sandbox_under_test;

use duet_sandbox::{Options, Rule, Severity};
use sandbox_under_test::*;
use serde_json::{Value, json};

#[tokio::test]
async fn a_valid_event_is_taken_without_a_word_of_complaint() {
    let running = start().await;
    let answer = running.send(&one("e1")).await;
    assert_eq!(answer["code"], 0);
    assert_eq!(answer["message"], "OK");
    assert_eq!(answer["data"], json!({}));
    assert!(
        answer["request_id"]
            .as_str()
            .unwrap()
            .starts_with("20260102030405")
    );
    assert_eq!(running.sandbox.violations(), []);
    let [conversion] = <[_; 1]>::try_from(running.sandbox.conversions()).unwrap();
    assert_eq!(
        conversion.signals[0].match_keys,
        ["email", "ip", "user_agent"]
    );
}

#[tokio::test]
async fn each_step_is_looked_at_before_the_next() {
    let running = start().await;
    // The first request breaks every rule. Each row corrects the mistake that the row before was refused for.
    let rows: [(&str, Option<&str>, i64, &str); 9] = [
        ("{", None, 40002, "JSON"),
        ("{}", None, 40105, "token"),
        ("{}", Some("wrong"), 40105, "token"),
        ("{}", Some(TOKEN), 40002, "event_source:"),
        (
            r#"{"event_source":"web"}"#,
            Some(TOKEN),
            40002,
            "event_source_id:",
        ),
        (
            r#"{"event_source":"web","event_source_id":"CNOTMINE"}"#,
            Some(TOKEN),
            40001,
            "CNOTMINE",
        ),
        (
            r#"{"event_source":"web","event_source_id":"CDUETSANDBOX00000001"}"#,
            Some(TOKEN),
            40002,
            "data:",
        ),
        (
            r#"{"event_source":"web","event_source_id":"CDUETSANDBOX00000001","data":[{}]}"#,
            Some(TOKEN),
            40002,
            "event:",
        ),
        (
            r#"{"event_source":"web","event_source_id":"CDUETSANDBOX00000001","data":[{"event":"Purchase"}]}"#,
            Some(TOKEN),
            40002,
            "event_time:",
        ),
    ];
    for (body, token, code, named) in rows {
        let mut request = running
            .client
            .post(running.url("/open_api/v1.3/event/track/"))
            .header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("access-token", token);
        }
        let response = request.body(body).send().await.unwrap();
        assert_eq!(response.status(), 200, "{body}");
        let answer: Value = response.json().await.unwrap();
        assert_eq!(answer["code"], code, "{body}");
        assert!(
            answer["message"].as_str().unwrap().contains(named),
            "{answer}"
        );
    }
    assert_eq!(running.sandbox.conversions(), []);
}

#[tokio::test]
async fn a_token_owns_its_own_pixels_only() {
    let mut options = options();
    options.pixels.push(duet_sandbox::Pixel {
        code: "COTHER".to_owned(),
        access_token: "other-token".to_owned(),
    });
    let running = start_with(options).await;
    let body = with(one("e1"), "/event_source_id", Some(json!("COTHER")));
    assert_eq!(running.code(&body).await, 40001);
    let response = running
        .posting(body.to_string())
        .header("access-token", "x")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn what_tiktok_refuses_is_refused_in_lenient_mode_too() {
    let running = start_with(Options {
        strict: false,
        ..options()
    })
    .await;
    let rows = [
        ("/event_source", Some(json!("shop"))),
        ("/event_source", Some(json!(1))),
        ("/event_source_id", Some(json!(7_123_456_789_i64))),
        ("/event_source_id", Some(json!(""))),
        ("/data", None),
        ("/data", Some(json!({}))),
        ("/data", Some(json!([]))),
        ("/data", Some(json!(vec![event("e"); 1001]))),
        ("/data/0", Some(json!("event"))),
        ("/data/0/event", None),
        ("/data/0/event", Some(json!(""))),
        ("/data/0/event", Some(json!(5))),
        ("/data/0/event", Some(json!("x".repeat(51)))),
        ("/data/0/event_time", None),
        ("/data/0/event_time", Some(json!(NOW_S * 1000))),
        ("/data/0/event_time", Some(json!("2026-01-02T03:04:05Z"))),
        ("/data/0/event_time", Some(json!(1.5))),
        ("/data/0/event_id", Some(json!(12345))),
        ("/data/0/event_id", Some(json!("x".repeat(257)))),
        ("/data/0/user", Some(json!([]))),
        ("/data/0/properties", Some(json!("x"))),
        ("/data/0/page", Some(json!("https://example.com"))),
        ("/data/0/properties/contents", Some(json!({}))),
        ("/data/0/properties/contents/0", Some(json!("pro"))),
        ("/data/0/properties/contents/0/content_id", Some(json!(5))),
        ("/data/0/properties/contents/0/price", Some(json!("cheap"))),
        ("/data/0/properties/value", Some(json!([]))),
        ("/data/0/properties/value", Some(json!("many"))),
    ];
    for (pointer, value) in rows {
        let body = with(one("e1"), pointer, value);
        assert_eq!(running.code(&body).await, 40002, "{pointer} in {body}");
    }
    assert_eq!(running.sandbox.conversions(), []);
}

/// Every row breaks a rule that only a strict sandbox refuses. In both modes, the broken rule is recorded as a violation.
#[tokio::test]
async fn violations_are_recorded_always_and_refused_in_strict_mode() {
    let rows = [
        (
            "/data/0/user/email",
            json!("a@example.com"),
            Rule::RawPersonalData,
        ),
        (
            "/data/0/user/phone",
            json!("+84901234567"),
            Rule::RawPersonalData,
        ),
        (
            "/data/0/user/first_name",
            json!("An"),
            Rule::RawPersonalData,
        ),
        (
            "/data/0/user/external_id",
            json!("a@example.com"),
            Rule::RawPersonalData,
        ),
        ("/data/0/user/ttclid", json!(DIGEST), Rule::HashedPlainField),
        ("/data/0/user/ip", json!(DIGEST), Rule::HashedPlainField),
        ("/data/0/user/email", json!(7), Rule::WrongType),
        ("/data/0/user/email", json!([DIGEST, 7]), Rule::WrongType),
        ("/data/0/user/user_agent", json!({}), Rule::WrongType),
        ("/data/0/limited_data_use", json!("true"), Rule::WrongType),
        (
            "/data/0/properties/contents/0/quantity",
            json!(1.5),
            Rule::WrongType,
        ),
        (
            "/data/0/properties/contents/0/content_name",
            json!(5),
            Rule::WrongType,
        ),
        ("/data/0/properties/content_type", json!(5), Rule::WrongType),
        (
            "/data/0/properties/contents/0/price",
            json!(-1),
            Rule::OutOfRange,
        ),
        (
            "/data/0/properties/currency",
            json!("XXX"),
            Rule::UnlistedCurrency,
        ),
        (
            "/data/0/properties/limited_data_use",
            json!(true),
            Rule::MisplacedKey,
        ),
        (
            "/data/0/test_event_code",
            json!("TEST1"),
            Rule::MisplacedKey,
        ),
        ("/data/0/event_source", json!("web"), Rule::MisplacedKey),
        ("/data/0/context", json!({}), Rule::MisplacedKey),
        ("/pixel_code", json!(PIXEL), Rule::MisplacedKey),
        ("/batch", json!([]), Rule::MisplacedKey),
        ("/access_token", json!(TOKEN), Rule::TokenExposed),
        (
            "/data/0/event_time",
            json!(NOW_S - 28 * 86_400 - 1),
            Rule::EventTimeWindow,
        ),
        (
            "/data/0/event_time",
            json!(NOW_S + 601),
            Rule::EventTimeWindow,
        ),
    ];
    let strict = start().await;
    let lenient = start_with(Options {
        strict: false,
        ..options()
    })
    .await;
    for (pointer, value, rule) in rows {
        assert_eq!(rule.severity(), Severity::Violation, "{}", rule.name());
        let body = with(one("e1"), pointer, Some(value));
        for (running, code) in [(&strict, 40002), (&lenient, 0)] {
            running.sandbox.reset();
            assert_eq!(running.code(&body).await, code, "{body}");
            assert!(
                running.rules().contains(&rule),
                "{body}: {:?}",
                running.rules()
            );
            assert_eq!(running.sandbox.conversions().len(), usize::from(code == 0));
        }
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "this function is a table")]
async fn warnings_never_change_an_answer() {
    let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let rows = [
        (
            "/data/0/event_time",
            Some(json!(NOW_S.to_string())),
            Rule::NumericString,
        ),
        (
            "/data/0/properties/value",
            Some(json!("99000")),
            Rule::NumericString,
        ),
        (
            "/data/0/properties/order_id",
            Some(json!(5)),
            Rule::NumericString,
        ),
        (
            "/data/0/properties/currency",
            Some(json!("vnd")),
            Rule::LowerCaseCurrency,
        ),
        (
            "/data/0/properties/currency",
            None,
            Rule::ValueWithoutCurrency,
        ),
        ("/data/0/properties/value", None, Rule::CurrencyWithoutValue),
        (
            "/data/0/properties/content_ids",
            Some(json!(["pro"])),
            Rule::ContentsAndContentIds,
        ),
        (
            "/data/0/properties/content_type",
            Some(json!("thing")),
            Rule::ContentType,
        ),
        (
            "/data/0/properties/query",
            Some(json!("write to a@example.com")),
            Rule::PossiblePersonalData,
        ),
        (
            "/data/0/page/url",
            Some(json!("example.com/thanks")),
            Rule::RelativeUrl,
        ),
        (
            "/data/0/page/url",
            Some(json!("https://x.test/?m=a%40example.com")),
            Rule::PossiblePersonalData,
        ),
        (
            "/data/0/user/email",
            Some(json!(nothing)),
            Rule::DigestOfNothing,
        ),
        (
            "/data/0/user/email",
            Some(json!(DIGEST.to_uppercase())),
            Rule::UpperCaseDigest,
        ),
        ("/data/0/user/email", Some(json!("")), Rule::EmptyValue),
        ("/data/0/user/ttp", Some(json!(null)), Rule::EmptyValue),
        (
            "/data/0/user/external_id",
            Some(json!("user_1")),
            Rule::RawExternalId,
        ),
        (
            "/data/0/user/phone_number",
            Some(json!(DIGEST)),
            Rule::PhoneNumberKey,
        ),
        ("/data/0/user/userId", Some(json!("u1")), Rule::UnknownKey),
        ("/data/0/user/ip", Some(json!("127.0.0.1")), Rule::PrivateIp),
        ("/data/0/user/ip", Some(json!("somewhere")), Rule::InvalidIp),
        ("/data/0/user", None, Rule::NoMatchKey),
        (
            "/data/0/user",
            Some(json!({"phone_number": DIGEST})),
            Rule::NoMatchKey,
        ),
        ("/data/0/event", Some(json!("purchase")), Rule::EventName),
        ("/data/0/event", Some(json!("my event")), Rule::EventName),
        (
            "/data/0/event",
            Some(json!("Checkout")),
            Rule::ReservedEventName,
        ),
        ("/data/0/event_id", None, Rule::NoEventId),
        ("/data/0/app", Some(json!({})), Rule::UnknownKey),
        ("/something", Some(json!(1)), Rule::UnknownKey),
        (
            "/data/0/limited_data_use",
            Some(json!(null)),
            Rule::EmptyValue,
        ),
        ("/test_event_code", Some(json!(null)), Rule::EmptyValue),
    ];
    let running = start().await;
    for (pointer, value, rule) in rows {
        assert_eq!(rule.severity(), Severity::Warning, "{}", rule.name());
        let body = with(one("e1"), pointer, value);
        running.sandbox.reset();
        assert_eq!(running.code(&body).await, 0, "{body}");
        assert!(
            running.rules().contains(&rule),
            "{body}: {:?}",
            running.rules()
        );
        assert_eq!(running.sandbox.conversions().len(), 1);
    }
}

#[tokio::test]
async fn one_invalid_event_refuses_the_whole_request() {
    let running = start().await;
    let bad = with(one("e2"), "/data/0/event_id", Some(json!(2)))["data"][0].clone();
    assert_eq!(
        running.code(&body(&[event("e1"), bad, event("e3")])).await,
        40002
    );
    assert_eq!(running.sandbox.conversions(), []);
    assert_eq!(running.code(&body(&[event("e1"), event("e3")])).await, 0);
    assert_eq!(running.sandbox.conversions().len(), 2);
}

#[tokio::test]
async fn digests_come_one_or_several() {
    let running = start().await;
    let body = with(
        one("e1"),
        "/data/0/user/email",
        Some(json!([DIGEST, DIGEST.replace('9', "8")])),
    );
    assert_eq!(running.code(&body).await, 0);
    assert_eq!(running.sandbox.violations(), []);
    assert_eq!(
        running.sandbox.conversions()[0].user["email"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn test_events_are_kept_by_code_and_never_counted() {
    let running = start().await;
    let test = with(one("e1"), "/test_event_code", Some(json!("TEST12345")));
    assert_eq!(running.send(&test).await["data"], json!({}));
    assert_eq!(running.sandbox.conversions(), []);
    let kept = running.get("/sandbox/tests/TEST12345").await;
    assert_eq!(kept[0]["event_id"], "e1");
    assert_eq!(running.get("/sandbox/tests/OTHER").await, json!([]));
    assert_eq!(running.sandbox.totals().test_events, 1);
    assert_eq!(running.code(&one("e1")).await, 0);
    assert_eq!(running.sandbox.conversions()[0].signals.len(), 1);
}
