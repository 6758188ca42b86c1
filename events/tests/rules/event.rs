//! The fields of an event itself.

use serde_json::json;

use crate::{
    GONE, LONG,
    reading::{self, kept, lead, nothing_said, purchase, rejected, with},
};

#[test]
fn event() {
    for (name, rule) in [
        (json!(null), "required"),
        (json!(""), "required"),
        (json!("  "), "event_name"),
        (json!(5), "string"),
        (json!("Checkout"), "reserved_name"),
        (json!("viewcontent"), "event_name"),
        (json!("two words"), "event_name"),
        (json!(LONG), "event_name"),
    ] {
        rejected(&json!({ "event": name }), &[("event", rule)]);
    }
    rejected(&json!({}), &[("event", "required")]);
    kept(
        &json!({ "event": " Purchase\n" }),
        "/event",
        &json!("Purchase"),
        &[("event", "blanks")],
    );
}

#[test]
fn event_id() {
    for (id, rule) in [
        (json!("a b"), "event_id"),
        (json!("đơn"), "event_id"),
        (json!("x".repeat(65)), "event_id"),
        (json!("undefined"), "event_id"),
        (json!("NaN"), "event_id"),
        (json!("[object Object]"), "event_id"),
        (json!(1.5), "string"),
        (json!(true), "string"),
        (json!(["a"]), "string"),
        (json!({}), "string"),
    ] {
        rejected(&lead("event_id", id), &[("event_id", rule)]);
    }
    for absent in [json!(null), json!("")] {
        nothing_said(&lead("event_id", absent));
    }
    kept(
        &lead("event_id", json!("pay_92704")),
        "/event_id",
        &json!("pay_92704"),
        &[],
    );
    kept(
        &lead("event_id", json!(92704)),
        "/event_id",
        &json!("92704"),
        &[("event_id", "number_as_text")],
    );
}

#[test]
fn event_time() {
    let time = json!(1_767_323_045);
    for (stated, rules) in [
        (json!(1_767_323_045), &[][..]),
        (json!("1767323045"), &["text_as_number"]),
        (json!(" 1767323045 "), &["text_as_number"]),
        (json!(1_767_323_045.0), &["whole_number"]),
        (json!(1_767_323_045.75), &["whole_number"]),
        (json!(1_767_323_045_000_i64), &["milliseconds"]),
        (json!("1767323045123"), &["text_as_number", "milliseconds"]),
    ] {
        let rules: Vec<_> = rules.iter().map(|rule| ("event_time", *rule)).collect();
        kept(&lead("event_time", stated), "/event_time", &time, &rules);
    }
    for stated in [
        json!("now"),
        json!("2026-01-02T03:04:05Z"),
        json!(""),
        json!("1767323045.5"),
        json!("-5"),
        json!(true),
        json!([1_767_323_045]),
        json!({}),
    ] {
        rejected(
            &lead("event_time", stated),
            &[("event_time", "unix_seconds")],
        );
    }
}

#[test]
fn consent() {
    nothing_said(&lead("consent", json!("granted")));
    for refusal in [
        json!("denied"),
        json!("pending"),
        json!("Granted"),
        json!(" granted"),
        json!("yes"),
        json!(""),
        json!(null),
        json!(true),
        json!(1),
        json!(["granted"]),
        json!({ "ads": true }),
    ] {
        rejected(&lead("consent", refusal), &[("consent", "consent")]);
    }
}

#[test]
fn limited_data_use() {
    for (stated, is_on, is_said) in [
        (json!(true), true, false),
        (json!(false), false, false),
        (json!(null), false, false),
        (json!(0), false, true),
        (json!("0"), false, true),
        (json!("false"), false, true),
        (json!(1), true, true),
        (json!("1"), true, true),
        (json!("true"), true, true),
        (json!("no"), true, true),
        (json!(""), true, true),
        (json!([]), true, true),
        (json!({}), true, true),
    ] {
        let sent = if is_on { json!(true) } else { GONE };
        let warned = [("limited_data_use", "boolean")];
        let warned = if is_said { &warned[..] } else { &[] };
        kept(
            &lead("limited_data_use", stated),
            "/limited_data_use",
            &sent,
            warned,
        );
    }
    let among = lead("properties", json!({ "limited_data_use": true }));
    kept(
        &among,
        "/limited_data_use",
        &json!(true),
        &[("properties.limited_data_use", "beside")],
    );
}

#[test]
fn pixel_id_and_test_event_code() {
    for stated in [
        json!(5),
        json!(true),
        json!(["C4A1B2C3D4E5F6G7H8I9"]),
        json!({}),
    ] {
        rejected(&lead("pixel_id", stated), &[("pixel_id", "string")]);
    }
    kept(
        &lead("pixel_id", json!(" C4A1B2C3D4E5F6G7H8I9 ")),
        "/event",
        &json!("Lead"),
        &[("pixel_id", "blanks")],
    );
    kept(
        &lead("test_event_code", json!("TEST1 ")),
        "/event",
        &json!("Lead"),
        &[("test_event_code", "blanks")],
    );
}

#[test]
fn a_misspelt_name_of_what_decides() {
    for name in [
        "consnt",
        "Consent",
        "CONSENT",
        "consents",
        "concent",
        "limitedDataUse",
        "limited_data_us",
        "limited-data-use",
        "pixelId",
        "PixelID",
        "pixel_idd",
        "testEventCode",
        "test_event_cod",
        "test_evnt_code",
    ] {
        rejected(&lead(name, json!("x")), &[(name, "misspelt")]);
        rejected(&lead(name, json!(false)), &[(name, "misspelt")]);
    }
    // They are nearly `consent`, and words of other bodies.
    for (name, value) in [
        ("context", json!("checkout")),
        ("contest", json!("spring")),
        ("constant", json!(3)),
        ("connect", json!([])),
        ("context", json!({ "page": {} })),
        ("contents", json!([{ "content_id": "a" }])),
        ("content", json!({})),
    ] {
        kept(
            &lead(name, value),
            "/event",
            &json!("Lead"),
            &[(name, "unknown_field")],
        );
        for stated in [json!("denied"), json!("Grantd"), json!(false)] {
            rejected(&lead(name, stated), &[(name, "misspelt")]);
        }
    }
}

#[test]
fn an_unknown_field_is_left_out_and_its_neighbour_named() {
    for (name, near) in [
        ("evnt_time", "event_time"),
        ("eventId", "event_id"),
        ("property", "properties"),
        ("event_source_id", "event_time"),
    ] {
        let read = reading::read(&lead(name, json!({ "anything": [1] }))).unwrap();
        let [warning] = read.warnings.as_slice() else {
            panic!("{:?}", read.warnings);
        };
        assert_eq!((warning.field(), warning.rule()), (name, "unknown_field"));
        if name != "event_source_id" {
            assert!(warning.message.contains(near), "{}", warning.message);
        }
    }
    let event = json!({ "event": "Lead", "user": { "nickname": "x" }, "page": { "title": "x" } });
    kept(
        &event,
        "/event",
        &json!("Lead"),
        &[
            ("user.nickname", "unknown_field"),
            ("page.title", "unknown_field"),
        ],
    );
}

#[test]
fn sent_at_and_pixel() {
    let time = lead("event_time", json!(1_767_323_045));
    for (sent_at, rules) in [
        (json!(1_767_323_046_000_i64), &[][..]),
        (json!(1_767_323_046_000.5), &[]),
        (json!("1767323046000"), &["text_as_number"]),
        (json!(1_767_323_046), &["seconds"]),
        (json!("soon"), &["sent_at"]),
        (json!([]), &["sent_at"]),
    ] {
        let rules: Vec<_> = rules.iter().map(|rule| ("sent_at", *rule)).collect();
        let event = with(&time, "sent_at", sent_at);
        kept(&event, "/event", &json!("Lead"), &rules);
        // Whatever is stated, it does not push the event out of its week.
        let claim = reading::read(&event).unwrap();
        assert_eq!(
            claim.happened_at(None, 1_767_323_046_000),
            Ok(1_767_323_045),
            "{event}"
        );
    }
    nothing_said(&lead("pixel", json!("fired")));
    for pixel in [json!("gone"), json!(1), json!({}), json!(["fired"])] {
        kept(
            &lead("pixel", pixel),
            "/event",
            &json!("Lead"),
            &[("pixel", "pixel")],
        );
    }
}

#[test]
fn user_page_and_properties_of_another_type() {
    for other in [json!("x"), json!(5), json!([]), json!(true)] {
        for field in ["user", "page", "properties"] {
            kept(
                &lead(field, other.clone()),
                &format!("/{field}/x"),
                &GONE,
                &[(field, "object")],
            );
        }
        for name in ["Purchase", "CompletePayment", "Subscribe", "PlaceAnOrder"] {
            let event = json!({ "event": name, "properties": other });
            rejected(&event, &[("properties", "object")]);
        }
        kept(
            &purchase("user", other),
            "/event",
            &json!("Purchase"),
            &[("user", "object")],
        );
    }
    for field in ["user", "page", "properties"] {
        nothing_said(&purchase(field, json!(null)));
    }
}

#[test]
fn an_event_brings_back_twenty_warnings_with_short_printable_paths_and_no_value() {
    let mut event = json!({ "event": "Lead" });
    for number in 0..200 {
        event[format!("unknown\u{1}\u{202e}{number}-{LONG}-{LONG}")] = json!("canary");
    }
    event["lan@example.com"] = json!("canary");
    let claim = reading::read(&event).unwrap();
    assert_eq!(claim.warnings.len(), 20);
    for warning in &claim.warnings {
        assert!(warning.field.chars().count() <= 64, "{}", warning.field);
        let printable = |c: char| !c.is_control() && c != '\u{202e}' && c != '@';
        assert!(warning.field.chars().all(printable), "{}", warning.field);
        assert!(!warning.message.contains("canary"));
        assert!(warning.message.len() < 400);
    }
}
