//! What an event was about: goods, amounts, orders.

use serde_json::{Value, json};

use crate::{
    GONE, of,
    reading::{self, kept, lead, nothing_said, purchase, rejected},
};

fn paid(field: &str, value: Value) -> Value {
    purchase("properties", json!({ "currency": "USD", field: value }))
}

#[test]
fn order_id() {
    const PATH: (&str, &str) = ("/properties/order_id", "properties.order_id");
    for (stated, id, rules) in [
        (json!("PHO7K3M9Q2X"), "PHO7K3M9Q2X", &[][..]),
        (json!("a b"), "a b", &[]),
        (json!(1234), "1234", &["number_as_text"]),
        (json!(1234.0), "1234", &["number_as_text"]),
        (json!(" A-1\n"), "A-1", &["plain"]),
        (json!("A\u{200b}-1\u{200e}"), "A-1", &["plain"]),
        (json!("\u{feff}A-1"), "A-1", &["plain"]),
        (json!("d\u{31b}o\u{31b}n"), "d\u{31b}ơn", &["plain"]),
        (
            json!(9_007_199_254_740_991_i64),
            "9007199254740991",
            &["number_as_text"],
        ),
        (
            json!(9_007_199_254_740_993_i64),
            "9007199254740993",
            &["number_as_text", "large_integer"],
        ),
        (
            json!(u64::MAX),
            "18446744073709551615",
            &["number_as_text", "large_integer"],
        ),
    ] {
        let rules: Vec<_> = rules.iter().map(|rule| (PATH.1, *rule)).collect();
        kept(
            &paid("order_id", stated.clone()),
            PATH.0,
            &json!(id),
            &rules,
        );
        kept(&of("order_id", stated), PATH.0, &json!(id), &rules);
    }
    for stated in [
        json!(true),
        json!(1.5),
        json!(9_007_199_254_740_993.0),
        json!(1e22),
        json!({}),
        json!(["A"]),
        json!("A\u{7}B"),
        json!("x".repeat(129)),
        json!("undefined"),
        json!("NULL"),
        json!("[object Object]"),
        json!("lan@example.com"),
        json!(" "),
    ] {
        rejected(&paid("order_id", stated.clone()), &[(PATH.1, "order_id")]);
        kept(
            &of("order_id", stated),
            PATH.0,
            &GONE,
            &[(PATH.1, "order_id")],
        );
    }
    for absent in [json!(null), json!("")] {
        nothing_said(&paid("order_id", absent));
    }
}

#[test]
fn value_and_price() {
    for (stated, currency, sent, rules) in [
        (json!(29.5), "USD", json!(29.5), &[][..]),
        (json!(0.1 + 0.2), "USD", json!(0.3), &[]),
        (json!(99000.0), "VND", json!(99000), &[]),
        (json!("99000"), "VND", json!(99000), &["text_as_number"]),
        (json!("29.00"), "USD", json!(29), &["text_as_number"]),
        (json!(" 29.00 "), "USD", json!(29), &["text_as_number"]),
        (json!("29.125"), "KWD", json!(29.125), &["text_as_number"]),
        (json!("99.000"), "VND", GONE, &["number"]),
        (json!("29.000"), "USD", GONE, &["number"]),
        (json!("29,00"), "USD", GONE, &["number"]),
        (json!("$29"), "USD", GONE, &["number"]),
        (json!("NaN"), "USD", GONE, &["number"]),
        (json!("free"), "USD", GONE, &["number"]),
        (json!(true), "USD", GONE, &["number"]),
        (json!([29]), "USD", GONE, &["number"]),
        (json!({}), "USD", GONE, &["number"]),
        (json!(1e16), "USD", GONE, &["number"]),
        (json!(-1), "USD", GONE, &["number"]),
        (json!(null), "USD", GONE, &["number"]),
    ] {
        let properties = json!({ "value": stated, "currency": currency });
        let said = |path| rules.iter().map(|rule| (path, *rule)).collect::<Vec<_>>();
        kept(
            &lead("properties", properties),
            "/properties/value",
            &sent,
            &said("properties.value"),
        );
        let item =
            json!({ "contents": [{ "content_id": "a", "price": stated }], "currency": currency });
        let path = "properties.contents.0.price";
        kept(
            &purchase("properties", item),
            "/properties/contents/0/price",
            &sent,
            &said(path),
        );
        let worth = json!({ "predicted_ltv": stated, "currency": currency });
        kept(
            &lead("properties", worth),
            "/properties/predicted_ltv",
            &sent,
            &said("properties.predicted_ltv"),
        );
    }
    kept(
        &lead("properties", json!({ "value": 99000.5, "currency": "VND" })),
        "/properties/value",
        &json!(99000.5),
        &[("properties.value", "minor_units")],
    );
}

#[test]
fn a_negative_value_of_a_money_event() {
    for value in [json!(-1), json!("-1"), json!(-0.01)] {
        rejected(
            &paid("value", value.clone()),
            &[("properties.value", "range")],
        );
        kept(
            &of("value", value),
            "/properties/value",
            &GONE,
            &[("properties.value", "number")],
        );
    }
}

#[test]
fn currency_goes_with_its_amounts() {
    let event = |currency: Value| {
        purchase(
            "properties",
            json!({ "currency": currency, "value": 99000, "contents": [{ "content_id": "a", "price": 99000 }] }),
        )
    };
    for (stated, currency, rules) in [
        ("VND", "VND", &[][..]),
        ("vnd", "VND", &["currency_code"]),
        (" usd ", "USD", &["currency_code"]),
        ("₫", "VND", &["currency_code"]),
        ("đ", "VND", &["currency_code"]),
        ("VNĐ", "VND", &["currency_code"]),
    ] {
        let rules: Vec<_> = rules
            .iter()
            .map(|rule| ("properties.currency", *rule))
            .collect();
        kept(
            &event(json!(stated)),
            "/properties/currency",
            &json!(currency),
            &rules,
        );
        kept(
            &event(json!(stated)),
            "/properties/value",
            &json!(99000),
            &rules,
        );
    }
    for stated in [
        json!("XXX"),
        json!("$"),
        json!("dong"),
        json!(704),
        json!(true),
        json!({}),
    ] {
        let event = event(stated);
        let read = reading::read(&event).unwrap();
        let gone = [
            "properties.currency",
            "properties.contents.0.price",
            "properties.value",
        ];
        let gone = gone.map(|path| (path.to_owned(), "currency".to_owned()));
        assert_eq!(reading::rules(&read.warnings), gone, "{event}");
        let sent = reading::sent(&event);
        assert_eq!(
            sent["properties"],
            json!({ "contents": [{ "content_id": "a" }] }),
            "{event}"
        );
    }
    // Without any, the page may have its reasons: TikTok takes such values, and wonders.
    for absent in [json!(null), json!("")] {
        let missing = [("properties.currency", "currency_missing")];
        kept(
            &event(absent.clone()),
            "/properties/value",
            &json!(99000),
            &missing,
        );
        kept(
            &event(absent),
            "/properties/contents/0/price",
            &json!(99000),
            &missing,
        );
    }
    let text = lead("properties", json!({ "value": "29.00" }));
    kept(
        &text,
        "/properties/value",
        &GONE,
        &[("properties.value", "number")],
    );
}

#[test]
fn contents() {
    let item = json!({ "content_id": "a" });
    const AT: &str = "/properties/contents";
    kept(&of("contents", json!([item])), AT, &json!([item]), &[]);
    kept(
        &of("contents", item.clone()),
        AT,
        &json!([item]),
        &[("properties.contents", "list")],
    );
    kept(
        &of("contents", json!([item, "b", null, 7, item])),
        AT,
        &json!([item, item]),
        &[
            ("properties.contents.1", "object"),
            ("properties.contents.2", "object"),
            ("properties.contents.3", "object"),
        ],
    );
    kept(
        &of("contents", json!("a")),
        AT,
        &GONE,
        &[("properties.contents", "array")],
    );
    for nothing in [json!([]), json!(""), json!(null)] {
        kept(&of("contents", nothing), AT, &GONE, &[]);
    }
}

#[test]
fn ids_of_goods_and_shops() {
    for (stated, sent, rules) in [
        (json!("sku-1"), json!("sku-1"), &[][..]),
        (json!(7), json!("7"), &["number_as_text"]),
        (json!(7.0), json!("7"), &["number_as_text"]),
        (json!(7.5), json!("7.5"), &["number_as_text"]),
        (
            json!(40_812_345_678_901_i64),
            json!("40812345678901"),
            &["number_as_text"],
        ),
        (
            json!(-9_007_199_254_740_993_i64),
            json!("-9007199254740993"),
            &["number_as_text", "large_integer"],
        ),
        (json!(1e22), GONE, &["string"]),
        (json!(9_007_199_254_740_993.0), GONE, &["string"]),
        (json!(true), GONE, &["string"]),
        (json!(["a"]), GONE, &["string"]),
        (json!({}), GONE, &["string"]),
        (json!(""), GONE, &[]),
    ] {
        let said = |path| rules.iter().map(|rule| (path, *rule)).collect::<Vec<_>>();
        let event = of("contents", json!([{ "content_id": stated, "brand": "b" }]));
        kept(
            &event,
            "/properties/contents/0/content_id",
            &sent,
            &said("properties.contents.0.content_id"),
        );
        kept(
            &of("shop_id", stated),
            "/properties/shop_id",
            &sent,
            &said("properties.shop_id"),
        );
    }
}

#[test]
fn content_type() {
    for kind in ["product", "product_group"] {
        kept(
            &of("content_type", json!(kind)),
            "/properties/content_type",
            &json!(kind),
            &[],
        );
    }
    for (other, rule) in [
        (json!("socks"), "content_type"),
        (json!("Product"), "content_type"),
        (json!([]), "string"),
    ] {
        kept(
            &of("content_type", other.clone()),
            "/properties/content_type",
            &GONE,
            &[("properties.content_type", rule)],
        );
        let item = json!([{ "content_id": "a", "content_type": other }]);
        kept(
            &of("contents", item),
            "/properties/contents",
            &json!([{ "content_id": "a" }]),
            &[("properties.contents.0.content_type", rule)],
        );
    }
    let item = json!([{ "content_id": "a", "content_type": "product" }]);
    kept(
        &of("contents", item),
        "/properties/content_type",
        &json!("product"),
        &[],
    );
}

#[test]
fn one_content_type_for_all_items() {
    const AT: &str = "/properties/content_type";
    let items = |kinds: &[&str]| -> Vec<_> {
        let items = kinds.iter();
        items
            .map(|kind| json!({ "content_id": "a", "content_type": kind }))
            .collect()
    };
    for (beside, kinds, sent, mixed) in [
        (GONE, &["product", "product"][..], "product", &[][..]),
        (json!("product"), &["product"], "product", &[]),
        (
            GONE,
            &["product", "product_group", "product"],
            "product",
            &[1],
        ),
        (
            GONE,
            &["product_group", "product", "product"],
            "product_group",
            &[1, 2],
        ),
        (json!("product_group"), &["product"], "product_group", &[0]),
    ] {
        let event = lead(
            "properties",
            json!({ "content_type": beside, "contents": items(kinds) }),
        );
        let paths: Vec<_> = mixed
            .iter()
            .map(|at| format!("properties.contents.{at}.content_type"))
            .collect();
        let said: Vec<_> = paths.iter().map(|path| (path.as_str(), "mixed")).collect();
        kept(&event, AT, &json!(sent), &said);
    }
}

#[test]
fn one_items_fields_beside_properties() {
    let fields = json!({ "content_id": "a", "content_name": "n", "content_category": "c", "brand": "b",
        "price": 5, "quantity": 2 });
    for contents in [GONE, json!([])] {
        let mut properties = fields.clone();
        properties["contents"] = contents;
        kept(
            &lead("properties", properties),
            "/properties/contents/0",
            &fields,
            &[],
        );
    }
    for (name, value) in fields.as_object().unwrap() {
        let path = format!("properties.{name}");
        let item = json!({ "content_id": "x" });
        kept(
            &lead("properties", json!({ "contents": [item], name: value })),
            "/properties",
            &json!({ "contents": [item] }),
            &[(&path, "item")],
        );
    }
    // These alone name nothing.
    for (name, value) in [
        ("quantity", json!(2)),
        ("brand", json!("b")),
        ("content_category", json!("c")),
    ] {
        let path = format!("properties.{name}");
        kept(
            &of(name, value),
            "/properties/contents",
            &GONE,
            &[(&path, "item")],
        );
    }
}

#[test]
fn quantity_and_num_items() {
    for (stated, sent, rules) in [
        (json!(2), json!(2), &[][..]),
        (json!(0), json!(0), &[]),
        (json!(2.0), json!(2), &["whole_number"]),
        (json!("2"), json!(2), &["text_as_number"]),
        (json!(0.5), GONE, &["integer"]),
        (json!(-1), GONE, &["integer"]),
        (json!("two"), GONE, &["integer"]),
        (json!("2.0"), GONE, &["integer"]),
        (json!(true), GONE, &["integer"]),
        (json!([]), GONE, &["integer"]),
        (json!(null), GONE, &["integer"]),
    ] {
        let said = |path| rules.iter().map(|rule| (path, *rule)).collect::<Vec<_>>();
        let event = of(
            "contents",
            json!([{ "content_id": "a", "quantity": stated }]),
        );
        kept(
            &event,
            "/properties/contents/0/quantity",
            &sent,
            &said("properties.contents.0.quantity"),
        );
        kept(
            &of("num_items", stated),
            "/properties/num_items",
            &sent,
            &said("properties.num_items"),
        );
    }
}

#[test]
fn content_ids() {
    for (stated, sent, rules) in [
        (json!(["a", "b"]), json!(["a", "b"]), &[][..]),
        (json!(["a,b"]), json!(["a,b"]), &[]),
        (json!("a"), json!(["a"]), &["list"]),
        (json!([7, "a"]), json!(["7", "a"]), &["number_as_text"]),
        (json!(7), json!(["7"]), &["list", "number_as_text"]),
        (json!("a,b"), GONE, &["commas"]),
        (json!({ "a": 1 }), GONE, &["string"]),
        (
            json!(["a", null, {}, true]),
            json!(["a"]),
            &["string", "string"],
        ),
        (json!([]), GONE, &[]),
        (json!(""), GONE, &[]),
    ] {
        let rules: Vec<_> = rules
            .iter()
            .map(|rule| ("properties.content_ids", *rule))
            .collect();
        kept(
            &of("content_ids", stated),
            "/properties/content_ids",
            &sent,
            &rules,
        );
    }
    let both = lead(
        "properties",
        json!({ "content_ids": ["a"], "contents": [{ "content_id": "a" }] }),
    );
    kept(
        &both,
        "/properties/content_ids",
        &GONE,
        &[("properties.content_ids", "contents")],
    );
}

#[test]
fn texts_of_tiktoks_contract() {
    for name in [
        "query",
        "search_string",
        "description",
        "status",
        "delivery_category",
        "event_trigger_source",
        "gtm_version",
    ] {
        let (at, path) = (format!("/properties/{name}"), format!("properties.{name}"));
        kept(&of(name, json!("phở")), &at, &json!("phở"), &[]);
        kept(
            &of(name, json!(5)),
            &at,
            &json!("5"),
            &[(&path, "number_as_text")],
        );
        for other in [json!(true), json!([]), json!({})] {
            kept(&of(name, other), &at, &GONE, &[(&path, "string")]);
        }
    }
    let item =
        |name: &str, value: Value| of("contents", json!([{ "content_id": "a", name: value }]));
    for name in ["content_name", "content_category", "brand", "description"] {
        let (at, path) = (
            format!("/properties/contents/0/{name}"),
            format!("properties.contents.0.{name}"),
        );
        kept(
            &item(name, json!(5)),
            &at,
            &json!("5"),
            &[(&path, "number_as_text")],
        );
        kept(&item(name, json!(["x"])), &at, &GONE, &[(&path, "string")]);
    }
    nothing_said(&of("anything_else", json!([{ "a": 1.50 }, null])));
}
