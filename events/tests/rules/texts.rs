//! Texts and addresses, and what is personal in them.

use serde_json::{Value, json};

use crate::{
    GONE, of,
    reading::{self, kept, lead, nothing_said},
};

#[test]
fn any_text() {
    // serde_json writes no half pair, a page does.
    let body = r#"{"event":"Search","properties":{"query":"ph\ud83c\udf5c \ud83c","note":"\udf5c","plan":"\ud83c\udf5c",
        "nested":{"\ud83c":["\ud83c"]},"contents":[{"content_name":"\\ud83c \ud83cx"}]}}"#;
    let (sent, said) = reading::of_body(body.as_bytes());
    let properties = &sent["properties"];
    assert_eq!(properties["query"], "ph🍜 \u{fffd}");
    assert_eq!(properties["note"], "\u{fffd}");
    assert_eq!(properties["plan"], "🍜");
    assert_eq!(
        properties["contents"][0]["content_name"],
        "\\ud83c \u{fffd}x"
    );
    assert_eq!(properties["nested"], json!({ "\u{fffd}": ["\u{fffd}"] }));
    for path in [
        "properties.query",
        "properties.note",
        "properties.contents.0.content_name",
        "properties.nested",
    ] {
        assert!(
            said.contains(&(path.to_owned(), "unicode".to_owned())),
            "{path} in {said:?}"
        );
    }
    assert!(
        !said.iter().any(|(field, _)| field == "properties.plan"),
        "{said:?}"
    );

    // So are names, and an order's id, which a money event keeps.
    let body = r#"{"event":"Purchase","properties":{"order_id":"A-\ud83c","currency":"VND","g\udf5c":1,
        "contents":[{"content_id":"a","\ud83cx":[]}]}}"#;
    let (sent, said) = reading::of_body(body.as_bytes());
    assert_eq!(
        sent["properties"],
        json!({ "order_id": "A-\u{fffd}", "currency": "VND", "g\u{fffd}": 1,
            "contents": [{ "content_id": "a", "\u{fffd}x": [] }] })
    );
    let unicode = [
        "properties.contents.0._x",
        "properties.order_id",
        "properties.g_",
    ];
    assert_eq!(
        said,
        unicode.map(|path| (path.to_owned(), "unicode".to_owned()))
    );

    let (sent, said) = reading::of_body(b"\xef\xbb\xbf{\"event\":\"Lead\"}");
    assert_eq!(
        (&sent["event"], said),
        (
            &json!("Lead"),
            vec![(String::new(), "byte_order_mark".to_owned())]
        )
    );
    let event = of("query", json!("\u{feff}phở"));
    kept(
        &event,
        "/properties/query",
        &json!("phở"),
        &[("properties.query", "byte_order_mark")],
    );
    let (sent, said) =
        reading::of_body(b"{\"event\":\"Search\",\"properties\":{\"query\":\"caf\xe9\"}}");
    assert_eq!(sent["properties"]["query"], "caf\u{fffd}");
    assert_eq!(
        said,
        [("properties.query".to_owned(), "unicode".to_owned())]
    );
}

#[test]
fn personal_data_outside_user() {
    for name in [
        "email",
        "Email",
        "em",
        "customer_email",
        "phoneNumber",
        "phone_number",
        "userId",
        "billing.phone",
    ] {
        let path = format!("properties.{name}");
        kept(
            &of(name, json!("lan@example.com")),
            "/properties",
            &json!({ "currency": "USD" }),
            &[(&path, "personal_data")],
        );
        kept(
            &of(name, json!(901_234_567)),
            "/properties",
            &json!({ "currency": "USD" }),
            &[(&path, "personal_data")],
        );
    }
    nothing_said(&of("phone_verified", json!(true)));
    for (stated, sent) in [
        (
            json!({ "email": "x", "plan": "pro" }),
            json!({ "plan": "pro" }),
        ),
        (
            json!([{ "a": { "phoneNumber": "0901234567", "b": 1 } }]),
            json!([{ "a": { "b": 1 } }]),
        ),
        (
            json!({ "note": "for lan@example.com!" }),
            json!({ "note": "for !" }),
        ),
        (json!({ "lan@example.com": 1, "a": 2 }), json!({ "a": 2 })),
        (json!("lan%40example.com"), json!("")),
        (
            json!("https://shop.vn/?phone=0901234567&x=1"),
            json!("https://shop.vn/?x=1"),
        ),
    ] {
        kept(
            &of("custom", stated),
            "/properties/custom",
            &sent,
            &[("properties.custom", "personal_parts")],
        );
    }
    for name in ["query", "description", "status"] {
        let path = format!("properties.{name}");
        let event = of(name, json!("orders of lan@example.com"));
        kept(
            &event,
            &format!("/properties/{name}"),
            &json!("orders of"),
            &[(&path, "email_in_text")],
        );
    }
    let item = |name: &str, value: Value| of("contents", json!([{ "price": 1, name: value }]));
    kept(
        &item("content_id", json!("lan@example.com")),
        "/properties/contents",
        &json!([{ "price": 1 }]),
        &[("properties.contents.0.content_id", "personal_data")],
    );
    kept(
        &item("buyer_email", json!("lan@example.com")),
        "/properties/contents",
        &json!([{ "price": 1 }]),
        &[("properties.contents.0.buyer_email", "personal_data")],
    );
    for (field, url, left) in [
        (
            "url",
            "https://shop.example/u/lan@example.com",
            "https://shop.example/u/",
        ),
        (
            "referrer",
            "https://lan@example.com@shop.example/?phone=0901234567",
            "https://shop.example/",
        ),
        (
            "url",
            "https://shop.example/?e=lan%2540example.com#x",
            "https://shop.example/#x",
        ),
    ] {
        let event = lead("page", json!({ field: url }));
        kept(
            &event,
            &format!("/page/{field}"),
            &json!(left),
            &[(&format!("page.{field}"), "personal_url")],
        );
    }
    // Digits in paths and ids stay.
    nothing_said(&lead(
        "page",
        json!({ "url": "https://shop.example/orders/0901234567?id=84901234567" }),
    ));
}

#[test]
fn deep_values() {
    let nested = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!(r#"{open}"[{{\"",{{"a":1}}{close}"#)
    };
    let event = |note: &str| format!(r#"{{"event":"Lead","properties":{{"note":{note}}}}}"#);
    let (sent, said) = reading::of_body(event(&nested(99)).as_bytes());
    assert!(
        said.is_empty() && sent["properties"]["note"].is_array(),
        "{said:?}"
    );
    for levels in [100, 126, 127, 128, 100_000] {
        let (sent, said) = reading::of_body(event(&nested(levels)).as_bytes());
        let deep = ("properties.note".to_owned(), "depth".to_owned());
        assert_eq!((&sent["properties"], said), (&GONE, vec![deep]), "{levels}");
    }
    for (place, field, rule) in [
        (r#""user":{"email":?}"#, "user.email", "string"),
        (r#""user":?"#, "user", "object"),
        (r#""page":{"url":?}"#, "page.url", "string"),
        (r#""properties":{"value":?}"#, "properties.value", "number"),
        (
            r#""properties":{"contents":[?]}"#,
            "properties.contents.0",
            "object",
        ),
        (r#""other":?"#, "other", "unknown_field"),
    ] {
        for levels in [126, 127, 128, 100_000] {
            let (open, close) = ("[".repeat(levels), "]".repeat(levels));
            let place = place.replace('?', &(open + &close));
            let (_, said) = reading::of_body(format!(r#"{{"event":"Lead",{place}}}"#).as_bytes());
            assert_eq!(said, [(field.to_owned(), rule.to_owned())], "{levels}");
        }
    }
}

#[test]
fn page_addresses() {
    for (url, sent, rules) in [
        (
            json!("https://shop.example/"),
            json!("https://shop.example/"),
            &[][..],
        ),
        (
            json!(" https://shop.example/ "),
            json!("https://shop.example/"),
            &["blanks"],
        ),
        (json!("/plans"), GONE, &["url"]),
        (json!("capacitor://localhost/"), GONE, &["url"]),
        (json!(7), GONE, &["number_as_text", "url"]),
        (json!({}), GONE, &["string"]),
        (json!(""), GONE, &[]),
    ] {
        let rules: Vec<_> = rules.iter().map(|rule| ("page.url", *rule)).collect();
        kept(
            &lead("page", json!({ "url": url })),
            "/page/url",
            &sent,
            &rules,
        );
    }
}
