//! Rules of one event: what is refused with which words, what is left out, what passes.
#![cfg(feature = "serde")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic is a failed test"
)]

mod reading;

use duet_events::{
    Claim,
    wire::{Body, Text, Unreadable},
};
use proptest::prelude::*;
use reading::{rules, sent};
use serde_json::{Value, json};

const NOW_MS: i64 = 1_767_323_045_000;

fn read(event: &Value) -> Result<Claim, Vec<(String, String)>> {
    reading::read(event).map_err(|refusal| rules(&refusal.errors))
}

#[test]
fn everything_for_which_an_event_is_rejected_is_named_at_once() {
    let broken = json!({ "event": "Purchase", "event_id": true, "event_time": "now", "pixelId": "C1",
        "consent": "denied", "pixel_id": 5, "properties": { "value": -1, "currency": "USD", "order_id": {} } });
    let expected = [
        ("event_id", "string"),
        ("consent", "consent"),
        ("event_time", "unix_seconds"),
        ("properties.value", "range"),
        ("properties.order_id", "order_id"),
        ("pixel_id", "string"),
        ("pixelId", "misspelt"),
    ];
    let expected = expected.map(|(field, rule)| (field.to_owned(), rule.to_owned()));
    assert_eq!(read(&broken).unwrap_err(), expected);
}

#[test]
fn a_wrong_detail_loses_itself_and_not_the_event() {
    let odd = json!({ "event": "Lead", "colour": 1, "pixel": "gone", "limited_data_use": "yes", "sent_at": "soon",
        "properties": { "value": "much", "currency": "dong", "contents": [{ "content_id": 42, "price": -1,
        "quantity": 1.5 }, "x"], "content_type": "plan", "order_id": 5 }, "page": { "url": 7 }, "user": [] });
    let out = sent(&odd);
    assert_eq!(
        out["properties"],
        json!({ "contents": [{ "content_id": "42" }], "order_id": "5" })
    );
    assert_eq!(out["limited_data_use"], true);
}

#[test]
fn an_event_needs_a_name_and_nothing_else() {
    assert!(read(&json!({ "event": "Purchase" })).is_ok());
    assert_eq!(
        read(&json!({})).unwrap_err(),
        [("event".to_owned(), "required".to_owned())]
    );
    assert_eq!(
        read(&json!({ "event": 5 })).unwrap_err(),
        [("event".to_owned(), "string".to_owned())]
    );
}

#[test]
fn a_bad_match_key_is_left_out_and_the_event_goes_on() {
    let event = json!({ "event": "Purchase", "user": { "email": ["nobody", "test@example.com"], "phone": "12345",
        "ip": "localhost", "nickname": "x", "ttclid": "a\u{7}", "external_id": "" } });
    let claim = read(&event).unwrap();
    let warned = rules(&claim.warnings);
    for field in [
        "user.email",
        "user.phone",
        "user.ip",
        "user.nickname",
        "user.ttclid",
    ] {
        assert!(
            warned.iter().any(|(warned, _)| warned == field),
            "{field} in {warned:?}"
        );
    }
    let user = &sent(&event)["user"];
    assert_eq!(
        user.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["email"]
    );
}

#[test]
fn warnings_and_errors_never_repeat_a_personal_value() {
    let event = json!({ "event": "Purchase", "user": { "email": "canary at example", "phone": "canary-17",
        "userId": [90_909] }, "properties": { "email": "canary@example.com", "x": ["canary@example.com"] },
        "page": { "url": "https://shop.example/canary@example.com" } });
    let words = format!("{:?}", read(&event));
    assert!(
        !words.contains("canary") && !words.contains("90909"),
        "{words}"
    );
}

#[test]
fn the_bodies_of_the_replaced_system_take_the_documented_form() {
    let event = json!({ "event": "Subscribe", "properties": { "contents": [{ "content_id": "starter",
        "content_type": "product", "content_name": "Starter (monthly)", "price": 99000 }], "value": 99000, "currency": "VND" },
        "user": { "email": "test@example.com", "phone": "0901234567", "userId": "user_2abcDEF" } });
    assert_eq!(
        sent(&event),
        json!({ "event": "Subscribe", "event_time": 1, "event_id": "id",
        "user": { "email": "973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b",
                  "phone": "0c450d4175db5d08e888c726767096ac29c6dfa0cc8e755e42af0629a1d7ca4c",
                  "external_id": "6d2d23ed645414b1cb2149eca473460493d4b387057afde07e344bd15ae526b3" },
        "properties": { "contents": [{ "content_id": "starter", "content_name": "Starter (monthly)", "price": 99000 }],
                        "content_type": "product", "value": 99000, "currency": "VND" } })
    );
}

#[test]
fn a_single_items_fields_become_contents() {
    let event = json!({ "event": "ViewContent", "properties": { "content_id": "pro", "content_type": "product",
        "content_name": "Pro", "price": 5, "quantity": 1, "value": 5, "currency": "usd" } });
    assert_eq!(
        sent(&event)["properties"],
        json!({ "contents": [{ "content_id": "pro", "content_name": "Pro", "price": 5,
        "quantity": 1 }], "content_type": "product", "value": 5, "currency": "USD" })
    );
}

#[test]
fn personal_data_among_properties_is_left_out() {
    let event =
        json!({ "event": "Lead", "properties": { "phone_number": "+84901234567", "plan": "pro" } });
    assert_eq!(sent(&event)["properties"], json!({ "plan": "pro" }));
    assert_eq!(rules(&read(&event).unwrap().warnings)[0].1, "personal_data");
}

#[test]
fn numbers_lose_binary_noise() {
    let event =
        json!({ "event": "Purchase", "properties": { "value": 0.1 + 0.2, "currency": "USD" } });
    assert_eq!(sent(&event)["properties"]["value"], json!(0.3));
}

#[test]
fn time_is_in_seconds_within_7_days_and_a_wrong_clock_is_corrected() {
    let now = NOW_MS / 1000;
    let at = |time: i64, sent_at: Option<i64>| {
        let claim = read(&json!({ "event": "Purchase", "event_time": time })).unwrap();
        claim
            .happened_at(sent_at, NOW_MS)
            .map_err(|broken| broken.rule.into_owned())
    };
    let err = |rule: &str| Err(rule.to_owned());
    assert_eq!(at(now - 10, None), Ok(now - 10));
    assert_eq!(at(now - 7 * 86_400, None), Ok(now - 7 * 86_400));
    assert_eq!(at(now - 7 * 86_400 - 1, None), err("too_old"));
    assert_eq!(at(now + 600, None), Ok(now + 600));
    assert_eq!(at(now + 601, None), err("too_new"));
    assert_eq!(at(NOW_MS, None), Ok(now));
    assert_eq!(
        at(now + 86_400 - 10, Some(NOW_MS + 86_400_000)),
        Ok(now - 10)
    );
    assert_eq!(
        at(now - 86_400 - 10, Some(NOW_MS - 86_400_000)),
        Ok(now - 10)
    );
    assert_eq!(at(now - 10, Some(NOW_MS - 900)), Ok(now - 10));
    assert_eq!(at(i64::MIN, Some(i64::MAX)), err("too_old"));
    assert_eq!(
        read(&json!({ "event": "Lead" }))
            .unwrap()
            .happened_at(None, NOW_MS),
        Ok(now)
    );
}

#[test]
fn a_body_is_one_event_or_a_batch_of_up_to_100() {
    let open = |text: &str| Body::open(&Text::read(text.as_bytes())).map(|body| body.events.len());
    assert_eq!(open(r#"{"event":"Lead"}"#), Ok(1));
    assert_eq!(open(r#"{"events":[{},{}],"sent_at":5}"#), Ok(2));
    assert_eq!(open("{").unwrap_err(), Unreadable::NotJson);
    assert_eq!(
        Body::open(&Text::read(b"\xff{}")).unwrap_err(),
        Unreadable::NotJson
    );
    assert_eq!(open(r#"{"events":[{}],"token":1,"sent_at":"soon"}"#), Ok(1));
    for word in [
        "context", "contents", "content", "contest", "constant", "connect", "kontext",
    ] {
        let text = format!(r#"{{"events":[{{}}],"{word}":{{"a":1}}}}"#);
        assert_eq!(open(&text), Ok(1), "{word}");
    }
    for (text, field, rule) in [
        ("[]", "", "object"),
        (r#"{"events":{}}"#, "events", "array"),
        (r#"{"events":[]}"#, "events", "max_events"),
        (
            &format!(r#"{{"events":[{}{{}}]}}"#, "{},".repeat(100)),
            "events",
            "max_events",
        ),
        (
            r#"{"events":[{}],"consent":"denied"}"#,
            "consent",
            "misplaced",
        ),
        (r#"{"events":[{}],"pixelId":"C1"}"#, "pixelId", "misplaced"),
        (
            r#"{"events":[{}],"context":"denied"}"#,
            "context",
            "misplaced",
        ),
        (
            "{\"events\":[{}],\"consent\u{200b}\":\"denied\"}",
            "consent_",
            "misplaced",
        ),
    ] {
        let Err(Unreadable::Shape(broken)) = Body::open(&Text::read(text.as_bytes())) else {
            panic!("{text} was opened");
        };
        assert_eq!(rules(&broken), [(field.to_owned(), rule.to_owned())]);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~]{0,12}|product|VND|test@example.com|0901234567|ViewContent".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        let key = "event|event_id|user|email|phone|properties|contents|content_id|price|quantity|value|currency|\
                   order_id|content_type|query|page|url|[a-z]{1,6}";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..6).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    /// TikTok's own type rules: what Duet sends cannot earn a 40002.
    #[test]
    fn whatever_comes_in_what_goes_out_has_tiktoks_types(properties in any_json(), user in any_json()) {
        let event = json!({ "event": "Purchase", "properties": properties, "user": user });
        if read(&event).is_err() {
            return Ok(());
        }
        let out = sent(&event);
        let properties = &out["properties"];
        for (key, value) in properties.as_object().into_iter().flatten() {
            match key.as_str() {
                "value" => prop_assert!(value.is_number()),
                "currency" | "order_id" | "content_type" | "query" => prop_assert!(value.is_string()),
                _ => {}
            }
        }
        for content in properties["contents"].as_array().into_iter().flatten() {
            prop_assert!(content.get("content_id").is_none_or(Value::is_string));
            prop_assert!(content.get("price").is_none_or(Value::is_number));
            prop_assert!(content.get("quantity").is_none_or(Value::is_i64));
        }
        for key in ["email", "phone", "external_id"] {
            for digest in out["user"].get(key).map(|keys| keys.as_array().cloned().unwrap_or_else(|| vec![keys.clone()])).into_iter().flatten() {
                prop_assert_eq!(digest.as_str().unwrap().len(), 64);
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(body) = Body::open(&Text::read(&bytes)) {
            for event in body.events {
                let _ = Claim::read(event, None);
            }
        }
    }
}
