//! Tests the proofs that the proxy accepts.

use super::*;

fn believed(auth: Auth, pairs: &[(&'static str, &str)], body: &str, now_s: i64) -> bool {
    let read = read(&settings(auth), &headers(pairs), body.as_bytes(), now_s);
    match read {
        Ok(Notification::Paid(_)) => true,
        Err(Refused::Unauthorised) => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_documented_signature_is_believed() {
    assert_eq!(EXAMPLE.len(), 300);
    let timestamp = SIGNED_AT_S.to_string();
    let pairs = [
        ("x-sepay-signature", SIGNATURE),
        ("x-sepay-timestamp", timestamp.as_str()),
    ];
    assert!(believed(Auth::Hmac, &pairs, EXAMPLE, SIGNED_AT_S));
}

#[test]
fn a_signature_holds_for_five_minutes_and_these_very_bytes() {
    let timestamp = SIGNED_AT_S.to_string();
    let bare = SIGNATURE.strip_prefix("sha256=").unwrap();
    let capitals = format!("SHA256={}", bare.to_uppercase());
    let changed = EXAMPLE.replace("99000,", "99001,");
    let reordered = example().to_string();
    assert_ne!(reordered, EXAMPLE);
    let spaced = format!("{EXAMPLE}\n");
    for (what, signature, timestamp, body, drift_s, expected) in [
        ("as signed", SIGNATURE, timestamp.as_str(), EXAMPLE, 0, true),
        ("no prefix", bare, &timestamp, EXAMPLE, 0, true),
        ("capitals", &capitals, &timestamp, EXAMPLE, 0, true),
        ("5 min old", SIGNATURE, &timestamp, EXAMPLE, 300, true),
        ("5 min ahead", SIGNATURE, &timestamp, EXAMPLE, -300, true),
        ("older", SIGNATURE, &timestamp, EXAMPLE, 301, false),
        ("6 min old", SIGNATURE, &timestamp, EXAMPLE, 360, false),
        ("further ahead", SIGNATURE, &timestamp, EXAMPLE, -301, false),
        (
            "one byte changed",
            SIGNATURE,
            &timestamp,
            &changed,
            0,
            false,
        ),
        ("reordered", SIGNATURE, &timestamp, &reordered, 0, false),
        ("a line feed more", SIGNATURE, &timestamp, &spaced, 0, false),
        (
            "other timestamp",
            SIGNATURE,
            "1774422158",
            EXAMPLE,
            0,
            false,
        ),
        ("zero in front", SIGNATURE, "01774422157", EXAMPLE, 0, false),
        ("sign in front", SIGNATURE, "+1774422157", EXAMPLE, 0, false),
        (
            "milliseconds",
            SIGNATURE,
            "1774422157000",
            EXAMPLE,
            0,
            false,
        ),
        ("no timestamp", SIGNATURE, "", EXAMPLE, 0, false),
        (
            "far from any clock",
            SIGNATURE,
            "9223372036854775807",
            EXAMPLE,
            0,
            false,
        ),
        (
            "bad signature",
            &format!("sha256={}", "0".repeat(64)),
            &timestamp,
            EXAMPLE,
            0,
            false,
        ),
        ("cut off", &SIGNATURE[..70], &timestamp, EXAMPLE, 0, false),
        (
            "other algorithm",
            &format!("sha1={bare}"),
            &timestamp,
            EXAMPLE,
            0,
            false,
        ),
        (
            "not hexadecimal",
            &SIGNATURE.replace("a1b3", "g1b3"),
            &timestamp,
            EXAMPLE,
            0,
            false,
        ),
        ("nothing", "", &timestamp, EXAMPLE, 0, false),
    ] {
        let pairs = [
            ("x-sepay-signature", signature),
            ("x-sepay-timestamp", timestamp),
        ];
        let now_s = SIGNED_AT_S + drift_s;
        assert_eq!(
            believed(Auth::Hmac, &pairs, body, now_s),
            expected,
            "{what}"
        );
    }
}

#[test]
fn an_api_key_is_believed_in_the_ways_it_is_sent() {
    for (name, value, expected) in [
        ("authorization", "Apikey sandbox-secret", true),
        ("authorization", "apikey  sandbox-secret ", true),
        ("authorization", "APIKEY sandbox-secret", true),
        ("authorization", "Bearer Apikey sandbox-secret", true),
        ("authorization", "bearer  apikey sandbox-secret", true),
        ("x-sepay-webhook-secret", "sandbox-secret", true),
        ("x-sepay-webhook-secret", " sandbox-secret ", true),
        ("authorization", "Bearer sandbox-secret", false),
        ("authorization", "Basic sandbox-secret", false),
        ("authorization", "sandbox-secret", false),
        ("authorization", "Apikeysandbox-secret", false),
        ("authorization", "Apikey", false),
        ("authorization", "Apikey ", false),
        ("authorization", "Apikey sandbox-secreT", false),
        ("authorization", "Apikey sandbox-secret2", false),
        ("authorization", "Apikey sandbox-secre", false),
        ("authorization", "Apikey \u{e9}", false),
        ("x-sepay-webhook-secret", "wrong", false),
        ("x-sepay-webhook-secret", "", false),
        // Only the payment gateway uses this header.
        ("x-secret-key", "sandbox-secret", false),
        ("x-other", "Apikey sandbox-secret", false),
    ] {
        let pairs = [(name, value)];
        let found = believed(Auth::ApiKey, &pairs, EXAMPLE, SIGNED_AT_S);
        assert_eq!(found, expected, "{name}: {value}");
        // If signatures are configured, a key is not accepted instead of a signature.
        assert!(
            !believed(Auth::Hmac, &pairs, EXAMPLE, SIGNED_AT_S),
            "{value}"
        );
    }
    assert!(!believed(Auth::ApiKey, &[], EXAMPLE, SIGNED_AT_S));
}

#[test]
fn a_signature_is_no_api_key() {
    let timestamp = SIGNED_AT_S.to_string();
    let pairs = [
        ("x-sepay-signature", SIGNATURE),
        ("x-sepay-timestamp", timestamp.as_str()),
    ];
    assert!(!believed(Auth::ApiKey, &pairs, EXAMPLE, SIGNED_AT_S));
}

#[test]
fn a_stranger_learns_nothing_about_a_body() {
    for body in ["", "{", "[]", "{}", EXAMPLE, r#"{"orderId":"A"}"#, "\u{0}"] {
        for auth in [Auth::ApiKey, Auth::Hmac] {
            let pairs = headers(&[("authorization", "Apikey wrong")]);
            let read = read(&settings(auth), &pairs, body.as_bytes(), SIGNED_AT_S);
            assert_eq!(read, Err(Refused::Unauthorised), "{body}");
        }
    }
}

#[test]
fn whoever_is_believed_is_told_what_is_wrong() {
    let headers = headers(&[("authorization", "Apikey sandbox-secret")]);
    let of = |body: &[u8]| read(&settings(Auth::ApiKey), &headers, body, SIGNED_AT_S);
    for body in [&b""[..], b"{", b"id=1&amount=2", b"{}{}", b"{\"id\":\xff}"] {
        assert_eq!(of(body), Err(Refused::NotJson));
    }
    for body in [
        &b"[]"[..],
        b"{}",
        b"1",
        b"null",
        b"{\"transferType\":\"in\"}",
    ] {
        assert_eq!(broken(&of(body)), ["transferType"]);
    }
}
