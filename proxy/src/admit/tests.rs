use serde_json::{Value, json, value::RawValue};

use super::*;

const PIXEL: Pixel<'static> = Pixel {
    id: "C4A1B2C3D4E5F6G7H8I9",
    test_event_code: None,
    is_open: true,
};

fn facts() -> Facts<'static> {
    Facts {
        now_ms: 1_767_323_045_000,
        sent_at_ms: None,
        caller: Caller::Page,
        visitor: &Visitor::Unknown,
        ip: Some([203, 0, 113, 7].into()),
        user_agent: Some("Mozilla/5.0"),
        referer: None,
        ttclid: Vec::new(),
        ttp: Vec::new(),
        country: None,
        pixels: &[PIXEL],
        money: MoneyEvents::Open,
    }
}

fn judge(event: &Value, facts: &Facts<'_>) -> Result<Admitted, Refusal> {
    let raw = RawValue::from_string(event.to_string()).unwrap();
    admit((&*raw).into(), facts, || Some([7; 16]))
}

fn user(event: &Value, facts: &Facts<'_>) -> Value {
    serde_json::to_value(judge(event, facts).unwrap().event.user).unwrap()
}

#[test]
fn a_page_cannot_set_address_agent_or_test_code() {
    let event = json!({ "event": "Lead", "test_event_code": "TEST1", "user": { "ip": "198.51.100.1", "user_agent": "x" } });
    let admitted = judge(&event, &facts()).unwrap();
    let warned: Vec<_> = admitted
        .warnings
        .iter()
        .map(|warning| warning.field.as_ref())
        .collect();
    assert_eq!(warned, ["user.ip", "user.user_agent", "test_event_code"]);
    assert_eq!(admitted.test_event_code, None);
    assert_eq!(
        user(&event, &facts()),
        json!({ "ip": "203.0.113.7", "user_agent": "Mozilla/5.0" })
    );
}

#[test]
fn a_server_speaks_for_its_customer() {
    let event = json!({ "event": "Lead", "test_event_code": "TEST1", "user": { "ip": "198.51.100.1", "user_agent": "x" } });
    let facts = Facts {
        caller: Caller::Server,
        ip: None,
        user_agent: None,
        ..facts()
    };
    assert_eq!(
        judge(&event, &facts).unwrap().test_event_code.as_deref(),
        Some("TEST1")
    );
    assert_eq!(
        user(&event, &facts),
        json!({ "ip": "198.51.100.1", "user_agent": "x" })
    );
    let private = json!({ "event": "Lead", "user": { "ip": "10.0.0.1", "external_id": "u" } });
    assert_eq!(user(&private, &facts).get("ip"), None);
    assert_eq!(
        judge(&private, &facts).unwrap().warnings[0].rule,
        "private_ip"
    );
    let mapped = json!({ "event": "Lead", "user": { "ip": "::ffff:93.184.216.34" } });
    assert_eq!(user(&mapped, &facts)["ip"], "93.184.216.34");
}

#[test]
fn a_verified_session_says_who_it_is_whatever_the_page_says() {
    let id = |raw: &str| duet_events::hash::external_id(raw).unwrap();
    let visitor = Visitor::User(id("user_2abcDEF"));
    let facts = Facts {
        visitor: &visitor,
        ..facts()
    };
    for (user, warned) in [
        (json!({}), &[][..]),
        (json!({ "external_id": "user_2abcDEF" }), &[]),
        (json!({ "userId": id("user_2abcDEF").to_hex() }), &[]),
        (json!({ "external_id": "somebody" }), &["session"]),
        (
            json!({ "external_id": ["user_2abcDEF", "somebody"] }),
            &["session"],
        ),
    ] {
        let event = json!({ "event": "Lead", "user": user });
        let admitted = judge(&event, &facts).unwrap();
        assert_eq!(
            admitted.event.user.external_id,
            [id("user_2abcDEF")],
            "{user}"
        );
        let rules: Vec<_> = admitted
            .warnings
            .iter()
            .map(|warning| warning.rule.as_ref())
            .collect();
        assert_eq!(rules, warned, "{user}");
    }
}

#[test]
fn what_somebody_does_in_a_users_place_is_refused() {
    let facts = Facts {
        visitor: &Visitor::Impersonated,
        ..facts()
    };
    let event = json!({ "event": "Lead", "event_id": "a", "user": { "external_id": "u" } });
    let refusal = judge(&event, &facts).unwrap_err();
    assert_eq!(refusal.event_id.as_deref(), Some("a"));
    assert_eq!(refusal.errors[0].rule, "impersonated");
}

#[test]
fn the_newest_click_wins() {
    let landing = json!({ "url": "https://shop.example/?ttclid=E.C.P.url" });
    let facts = Facts {
        ttclid: vec!["E.C.P.cookie".to_owned()],
        ttp: vec!["ttp-cookie"],
        ..facts()
    };
    for (event, ttclid) in [
        (
            json!({ "event": "Lead", "page": landing, "user": { "ttclid": "E.C.P.body" } }),
            "E.C.P.url",
        ),
        (
            json!({ "event": "Lead", "user": { "ttclid": "E.C.P.body" } }),
            "E.C.P.body",
        ),
        (json!({ "event": "Lead" }), "E.C.P.cookie"),
    ] {
        let user = user(&event, &facts);
        assert_eq!(
            (&user["ttclid"], &user["ttp"]),
            (&json!(ttclid), &json!("ttp-cookie"))
        );
    }
}

#[test]
fn a_macro_or_a_word_for_nothing_is_no_click_and_hides_none() {
    let facts = Facts {
        ttclid: vec![
            " __CLICKID__ ".to_owned(),
            "E.C.P.cookie".to_owned(),
            "E.C.P.other".to_owned(),
        ],
        ttp: vec!["lan@example.com", "ttp-cookie"],
        ..facts()
    };
    for click in [
        "__CLICKID__",
        "%7B%7Bttclid%7D%7D",
        "%25%25CLICK%25%25",
        "%20__CLICKID__%E2%80%8B",
        "$%7BCLICKID%7D",
        "{CLICKID}",
        "[CLICKID]",
        "%3Cttclid%3E",
        "0",
        "+0901%26phone=0901234567",
        "undefined",
        "null",
    ] {
        let event = json!({ "event": "Lead", "page": { "url": format!("https://shop.example/?ttclid={click}") },
            "user": { "ttp": "__TTP__" } });
        let found = user(&event, &facts);
        assert_eq!(
            (&found["ttclid"], &found["ttp"]),
            (&json!("E.C.P.cookie"), &json!("ttp-cookie")),
            "{click}"
        );
        let real = json!({ "event": "Lead", "page": { "url": format!("https://shop.example/?ttclid={click}#/?ttclid=E.C.P.real") } });
        assert_eq!(user(&real, &facts)["ttclid"], "E.C.P.real", "{click}");
    }
    let left_behind = Facts {
        ttclid: vec!["__CLICKID__".to_owned(), "\u{200b}${CLICKID}".to_owned()],
        ttp: vec!["undefined"],
        ..facts
    };
    let user = user(&json!({ "event": "Lead" }), &left_behind);
    assert_eq!((user.get("ttclid"), user.get("ttp")), (None, None));
}

#[test]
fn a_click_in_front_of_a_handle_is_a_click() {
    let event = json!({ "event": "Lead", "page": { "url": "https://shop.example/?ttclid=E.C.P.x#/@name" } });
    let admitted = judge(&event, &facts()).unwrap();
    assert_eq!(admitted.event.user.ttclid.as_deref(), Some("E.C.P.x"));
    assert_eq!(admitted.warnings, []);
}

#[test]
fn the_referer_loses_what_is_personal_too() {
    let facts = Facts {
        referer: Some(
            "https://lan@example.com@shop.example/u/lan%2540example.com?phone=0901234567&x=1",
        ),
        ..facts()
    };
    let admitted = judge(&json!({ "event": "Lead" }), &facts).unwrap();
    let url = admitted.event.page.url;
    assert_eq!(url.as_deref(), Some("https://shop.example/u/?x=1"));
}

#[test]
fn an_id_is_the_senders_or_the_orders_or_random() {
    for (event, id) in [
        (json!({ "event": "Subscribe", "event_id": "own" }), "own"),
        (
            json!({ "event": "Subscribe", "properties": { "order_id": "PHO7K3M9Q2X" } }),
            "8dfcc057-77d8-88a5-b01a-e0d0586f4129",
        ),
        (
            json!({ "event": "Subscribe" }),
            "07070707-0707-4707-8707-070707070707",
        ),
    ] {
        assert_eq!(judge(&event, &facts()).unwrap().event.id.as_str(), id);
    }
}

#[test]
fn a_test_code_that_tiktok_cannot_have_given_is_refused() {
    let facts = Facts {
        caller: Caller::Server,
        ..facts()
    };
    for code in ["two words".to_owned(), "T".repeat(65), "T\0".to_owned()] {
        let event = json!({ "event": "Lead", "test_event_code": code });
        let refused = judge(&event, &facts).unwrap_err();
        assert_eq!(refused.errors[0].field, "test_event_code", "{code}");
    }
    // A test event code that a page sends is ignored, whatever its value is.
    for code in [json!("two words"), json!(5), json!({})] {
        let event = json!({ "event": "Lead", "test_event_code": code });
        assert_eq!(
            judge(&event, &facts).unwrap_err().errors[0].field,
            "test_event_code"
        );
        let page = Facts {
            caller: Caller::Page,
            ..facts.clone()
        };
        assert_eq!(judge(&event, &page).unwrap().warnings[0].rule, "server_key");
    }
}

#[test]
fn without_random_numbers_an_event_needs_an_id_of_its_own() {
    let judge = |event: &Value| {
        let raw = RawValue::from_string(event.to_string()).unwrap();
        admit((&*raw).into(), &facts(), || None)
    };
    let refused = judge(&json!({ "event": "Lead" })).unwrap_err();
    assert_eq!(refused.errors[0].field, "event_id");
    assert!(judge(&json!({ "event": "Lead", "event_id": "own" })).is_ok());
}

#[test]
fn another_pixel_is_not_ours() {
    let refused = judge(
        &json!({ "event": "Lead", "event_id": "a", "pixel_id": "C0000000000000000000" }),
        &facts(),
    )
    .unwrap_err();
    assert_eq!(
        (refused.event_id.as_deref(), refused.errors[0].rule.as_ref()),
        (Some("a"), "unknown_pixel")
    );
}

#[test]
fn an_event_goes_to_the_pixel_it_names_or_to_the_first() {
    let pixels = [
        PIXEL,
        Pixel {
            id: "CBBBBBBBBBBBBBBBBBBB",
            test_event_code: Some("TEST1"),
            ..PIXEL
        },
        Pixel {
            id: "CCCCCCCCCCCCCCCCCCCC",
            is_open: false,
            ..PIXEL
        },
    ];
    let facts = Facts {
        pixels: &pixels,
        ..facts()
    };
    for (named, expected) in [
        (None, Ok((PIXEL.id, None))),
        (Some(PIXEL.id), Ok((PIXEL.id, None))),
        (
            Some(" CBBBBBBBBBBBBBBBBBBB"),
            Ok(("CBBBBBBBBBBBBBBBBBBB", Some("TEST1"))),
        ),
        (Some("CCCCCCCCCCCCCCCCCCCC"), Err("pixel_origin")),
        (Some("CDDDDDDDDDDDDDDDDDDD"), Err("unknown_pixel")),
    ] {
        let mut event = json!({ "event": "Lead" });
        if let Some(named) = named {
            event["pixel_id"] = named.into();
        }
        match judge(&event, &facts) {
            Ok(admitted) => {
                let code = admitted.test_event_code.as_deref();
                assert_eq!(Ok((admitted.pixel_id.as_str(), code)), expected);
                assert!(!admitted.is_rehearsal);
            }
            Err(refused) => {
                let (field, rule) = (&refused.errors[0].field, &refused.errors[0].rule);
                assert_eq!(field, "pixel_id");
                assert_eq!(Err(rule.as_ref()), expected);
            }
        }
    }
}

#[test]
fn an_event_that_nobody_can_be_matched_with_is_taken_and_said() {
    let facts = Facts {
        ip: None,
        ..facts()
    };
    let admitted = judge(&json!({ "event": "Lead" }), &facts).unwrap();
    assert_eq!(admitted.warnings[0].rule, "match_keys");
}

#[test]
fn addresses_of_private_networks_are_not_public() {
    for ip in [
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "127.0.0.1",
        "169.254.1.1",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
    ] {
        assert!(!is_public(ip.parse().unwrap()), "{ip}");
    }
    for ip in [
        "203.0.113.7",
        "8.8.8.8",
        "100.128.0.1",
        "172.32.0.1",
        "2001:db8::7",
        "::ffff:8.8.8.8",
    ] {
        assert!(is_public(ip.parse().unwrap()), "{ip}");
    }
}

#[test]
fn a_pages_word_for_a_payment_names_its_order_where_payments_are_verified() {
    let verified = Facts {
        money: MoneyEvents::Verified,
        ..facts()
    };
    let server = Facts {
        caller: Caller::Server,
        ..verified.clone()
    };
    for name in ["CompletePayment", "Purchase", "Subscribe", "PlaceAnOrder"] {
        let event = json!({ "event": name });
        let refused = judge(&event, &verified).unwrap_err();
        let [broken] = refused.errors.as_slice() else {
            panic!("{:?}", refused.errors);
        };
        assert_eq!(
            (broken.field(), broken.rule()),
            ("properties.order_id", "required")
        );
        let ordered = json!({ "event": name, "properties": { "order_id": "A" } });
        assert!(judge(&ordered, &verified).is_ok());
        assert!(judge(&event, &server).is_ok());
        assert!(judge(&event, &facts()).is_ok());
    }
    assert!(judge(&json!({ "event": "InitiateCheckout" }), &verified).is_ok());
}

#[test]
fn a_page_has_no_id_of_another_order_and_a_server_has_its_own_reasons() {
    let id = "8dfcc057-77d8-88a5-b01a-e0d0586f4129";
    let mine = json!({ "event": "Subscribe", "event_id": id, "properties": { "order_id": "PHO7K3M9Q2X" } });
    let spent = json!({ "event": "InitiateCheckout", "event_id": id, "properties": { "order_id": "MINE000001" } });
    let bare = json!({ "event": "Subscribe", "event_id": id });
    let server = Facts {
        caller: Caller::Server,
        ..facts()
    };
    assert!(judge(&mine, &facts()).is_ok());
    for event in [spent, bare] {
        let refusal = judge(&event, &facts()).unwrap_err();
        let error = &refusal.errors[0];
        assert_eq!((error.field(), error.rule()), ("event_id", "reserved_id"));
        assert_eq!(refusal.event_id.as_deref(), Some(id));
        assert!(judge(&event, &server).is_ok());
    }
}
