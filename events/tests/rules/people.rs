//! Who an event is about.

use serde_json::{Value, json};

use crate::{
    GONE,
    reading::{kept, lead},
};

const DIGEST_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn about(field: &str, value: Value) -> Value {
    lead("user", json!({ field: value }))
}

#[test]
fn external_id() {
    let digest = |id: &str| json!(duet_events::hash::external_id(id).unwrap().to_hex());
    const AT: &str = "/user/external_id";
    for (stated, sent, rules) in [
        (json!("42"), digest("42"), &[][..]),
        (json!(42), digest("42"), &["number_as_text"]),
        (
            json!(["a", 42, null, ""]),
            json!([digest("a"), digest("42")]),
            &["number_as_text"],
        ),
        (json!(["a", {}, true]), digest("a"), &["string", "string"]),
        (json!(true), GONE, &["string"]),
        (
            json!(9_007_199_254_740_993_i64),
            digest("9007199254740993"),
            &["number_as_text", "large_integer"],
        ),
        (json!(1e22), GONE, &["string"]),
        (json!({}), GONE, &["string"]),
        (json!(""), GONE, &[]),
    ] {
        let rules: Vec<_> = rules
            .iter()
            .map(|rule| ("user.external_id", *rule))
            .collect();
        kept(&about("external_id", stated), AT, &sent, &rules);
    }
}

#[test]
fn email_and_phone() {
    let email = json!(
        duet_events::hash::email("lan@example.com")
            .unwrap()
            .to_hex()
    );
    let composed = json!(
        duet_events::hash::email("ph\u{1edf}@example.com")
            .unwrap()
            .to_hex()
    );
    for (stated, sent, rules) in [
        (json!(" Lan@Example.com "), &email, &[][..]),
        (json!(["lan@example.com", null]), &email, &[]),
        (
            json!(["nobody", "lan@example.com", 5, {}]),
            &email,
            &["number_as_text", "string", "email", "email"],
        ),
        (json!("\u{200b}lan@example.com\u{200e}"), &email, &["plain"]),
        (json!("la\u{ad}n@exam\u{200d}ple.com"), &email, &["plain"]),
        (json!("mailto:lan@example.com"), &email, &["plain"]),
        (json!("MailTo:Lan@example.com"), &email, &["plain"]),
        (json!("lan@example.com."), &email, &["plain"]),
        (json!("\"lan\"@example.com"), &email, &["plain"]),
        (json!(" \"Lan@example.com\""), &email, &["plain"]),
        (
            json!("\"lan nguyen\"@example.com"),
            &GONE,
            &["plain", "email"],
        ),
        (
            json!("pho\u{31b}\u{309}@example.com"),
            &composed,
            &["plain"],
        ),
        (json!("nobody"), &GONE, &["email"]),
        (json!({}), &GONE, &["string"]),
    ] {
        let rules: Vec<_> = rules.iter().map(|rule| ("user.email", *rule)).collect();
        kept(&about("email", stated), "/user/email", sent, &rules);
    }
    let phone = json!(
        duet_events::hash::phone("+84901234567", None)
            .unwrap()
            .to_hex()
    );
    for (stated, sent, rules) in [
        (json!("0901 234 567"), &phone, &[][..]),
        (json!("\u{202a}+84901234567\u{202c}"), &phone, &["plain"]),
        (json!("0901\u{200b}234567"), &phone, &["plain"]),
        (json!("tel:+84-901-234-567"), &phone, &["plain"]),
        (json!(" TEL: 0901 234 567"), &phone, &["plain"]),
        (json!("tel:"), &GONE, &["plain", "phone"]),
        (json!(84_901_234_567_i64), &phone, &["number_as_text"]),
        (json!(["12345", "0901234567"]), &phone, &["phone"]),
        (json!("call me"), &GONE, &["phone"]),
    ] {
        let rules: Vec<_> = rules.iter().map(|rule| ("user.phone", *rule)).collect();
        kept(&about("phone", stated), "/user/phone", sent, &rules);
    }
}

#[test]
fn keys_that_stand_for_nobody() {
    let digest = |text: &str| -> String {
        use sha2::{Digest, Sha256};
        Sha256::digest(text)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    };
    assert_eq!(digest(""), DIGEST_OF_NOTHING);
    let words = [
        "undefined",
        "Undefined",
        "UNDEFINED",
        "null",
        "NULL",
        "Null",
        "nan",
        "NaN",
        "NAN",
        "none",
        "None",
        "NONE",
        "[object Object]",
        "[object object]",
        " null ",
        "true",
        "false",
        "0",
    ];
    let digests = words.iter().map(|word| digest(word.trim()));
    let digests = digests.chain([
        DIGEST_OF_NOTHING.to_owned(),
        DIGEST_OF_NOTHING.to_uppercase(),
    ]);
    for nobody in words.iter().map(|word| (*word).to_owned()).chain(digests) {
        for key in [
            "email",
            "phone",
            "external_id",
            "first_name",
            "last_name",
            "zip_code",
            "city",
            "state",
            "country",
            "ttclid",
            "ttp",
            "user_agent",
            "locale",
        ] {
            let event = about(key, json!(nobody));
            kept(
                &event,
                &format!("/user/{key}"),
                &GONE,
                &[(&format!("user.{key}"), "nobody")],
            );
        }
        let event = about("userId", json!([nobody, "a"]));
        let id = json!(duet_events::hash::external_id("a").unwrap().to_hex());
        kept(
            &event,
            "/user/external_id",
            &id,
            &[("user.external_id", "nobody")],
        );
    }
    for click in [
        "__CLICKID__",
        "{{ttclid}}",
        "%%CLICK_ID%%",
        " ${CLICKID}\u{200b}",
        "%7BCLICKID%7D",
        "[CLICKID]",
        "<ttclid>",
    ] {
        for key in ["ttclid", "ttp"] {
            kept(
                &about(key, json!(click)),
                &format!("/user/{key}"),
                &GONE,
                &[(&format!("user.{key}"), "macro")],
            );
        }
    }
}

#[test]
fn a_key_that_travels_as_it_is_holds_nobodys_address() {
    for key in ["ttclid", "ttp", "locale", "user_agent"] {
        for stated in ["lan@example.com", "x lan%40example.com"] {
            kept(
                &about(key, json!(stated)),
                &format!("/user/{key}"),
                &GONE,
                &[(&format!("user.{key}"), "personal_data")],
            );
        }
    }
    let event =
        json!({ "event": "Lead", "page": { "url": "https://shop.vn/?ttclid=__CLICKID__" } });
    kept(
        &event,
        "/page/url",
        &json!("https://shop.vn/"),
        &[("page.url.ttclid", "macro")],
    );
    let url = "https://shop.vn/?ttclid=+__CLICKID__&plan=pro";
    kept(
        &lead("page", json!({ "url": url, "referrer": url })),
        "/page",
        &json!({ "url": "https://shop.vn/?plan=pro", "referrer": "https://shop.vn/?plan=pro" }),
        &[
            ("page.url.ttclid", "macro"),
            ("page.referrer.ttclid", "macro"),
        ],
    );
}

#[test]
fn ip() {
    for (stated, sent, rules) in [
        (json!("93.184.216.34"), json!("93.184.216.34"), &[][..]),
        (
            json!("::ffff:93.184.216.34"),
            json!("93.184.216.34"),
            &["mapped_ip"],
        ),
        (
            json!("2001:4860:4860::8888"),
            json!("2001:4860:4860::8888"),
            &[],
        ),
        (
            json!("93.184.216.34:443"),
            json!("93.184.216.34"),
            &["ip_port"],
        ),
        (
            json!("[2001:4860:4860::8888]:443"),
            json!("2001:4860:4860::8888"),
            &["ip_port"],
        ),
        (
            json!("[2001:4860:4860::8888]"),
            json!("2001:4860:4860::8888"),
            &["ip_port"],
        ),
        (
            json!("[::ffff:93.184.216.34]:443"),
            json!("93.184.216.34"),
            &["ip_port", "mapped_ip"],
        ),
        (json!("10.0.0.1:443"), GONE, &["private_ip"]),
        (json!("93.184.216.34:"), GONE, &["ip"]),
        (json!("93.184.216.34:70000"), GONE, &["ip"]),
        (json!("10.0.0.1"), GONE, &["private_ip"]),
        (json!("::ffff:10.0.0.1"), GONE, &["private_ip"]),
        (json!("127.0.0.1"), GONE, &["private_ip"]),
        (json!("fe80::1"), GONE, &["private_ip"]),
        (json!("localhost"), GONE, &["ip"]),
        (json!(["93.184.216.34"]), GONE, &["string"]),
    ] {
        let rules: Vec<_> = rules.iter().map(|rule| ("user.ip", *rule)).collect();
        kept(&about("ip", stated), "/user/ip", &sent, &rules);
    }
}
