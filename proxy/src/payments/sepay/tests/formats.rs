//! Tests the formats that the proxy reads.

use super::*;

#[test]
fn the_documented_transfer_is_read() {
    let transfer = paid(told(&example()));
    assert_eq!(
        (transfer.provider, transfer.id.as_str()),
        ("sepay", "92704")
    );
    assert_eq!(transfer.money, dong(99_000));
    assert_eq!(transfer.account.as_deref(), Some("9999"));
    assert_eq!(transfer.reference.as_deref(), Some("MBVCB.3278907687"));
    let OrderHint::Memo(memo) = transfer.hint else {
        panic!("a bank transfer has a memo")
    };
    assert_eq!(memo.code.as_deref(), Some("LOBE7K3M9Q2X"));
    assert_eq!(memo.content, "LOBE7K3M9Q2X chuyen tien");
}

#[test]
fn a_transfer_is_money_in_with_an_id_and_an_amount() {
    let too_long = json!("1".repeat(33));
    for (pointer, value, expected) in [
        ("/unknown", json!({"deep": [1]}), "paid"),
        ("/subAccount", json!("undefined"), "paid"),
        ("/code", json!(null), "paid"),
        ("/code", json!("undefined"), "paid"),
        ("/content", json!("undefined"), "paid"),
        ("/description", json!(null), "paid"),
        ("/accountNumber", json!("undefined"), "paid"),
        ("/referenceCode", json!(null), "paid"),
        ("/referenceCode", json!(["x"]), "paid"),
        ("/transactionDate", json!(7), "paid"),
        ("/transferAmount", json!("99000"), "paid"),
        ("/transferAmount", json!("99000.00"), "paid"),
        ("/transferAmount", json!(99000.0), "paid"),
        ("/transferType", json!("IN"), "paid"),
        ("/transferType", json!("out"), "outgoing"),
        ("/transferAmount", json!(0), "zero_amount"),
        ("/transferAmount", json!(-99000), "transferAmount"),
        ("/transferAmount", json!(99000.5), "transferAmount"),
        ("/transferAmount", json!("99000.50"), "transferAmount"),
        ("/transferAmount", json!("99,000"), "transferAmount"),
        ("/transferAmount", json!(1e19), "transferAmount"),
        ("/transferAmount", json!(null), "transferAmount"),
        ("/transferType", json!("credit"), "transferType"),
        ("/transferType", json!(null), "transferType"),
        ("/id", json!("undefined"), "id"),
        ("/id", json!(null), "id"),
        ("/id", json!(""), "id"),
        ("/id", json!(1.5), "id"),
        ("/id", json!(-1), "id"),
        ("/id", json!("FT1"), "id"),
        ("/id", too_long, "id"),
    ] {
        let told = told(&with(example(), &[(pointer, value.clone())]));
        let found = match &told {
            Ok(Notification::Paid(transfer)) => {
                assert_eq!(
                    (transfer.id.as_str(), transfer.money),
                    ("92704", dong(99_000))
                );
                vec!["paid"]
            }
            Ok(Notification::Ignored(reason) | Notification::Parked(_, reason)) => vec![*reason],
            Err(_) => broken(&told),
        };
        assert_eq!(found, [expected], "{pointer} {value}");
    }
}

#[test]
fn what_operators_read_cannot_command_their_terminal() {
    let changes = [
        ("/referenceCode", json!("FT\u{1b}[2J1\r\n")),
        ("/accountNumber", json!("\u{7}\u{1b}[2")),
    ];
    let transfer = paid(told(&with(example(), &changes)));
    assert_eq!(transfer.reference.as_deref(), Some("FT[2J1"));
    assert_eq!(transfer.account.as_deref(), Some("[2"));
}

#[test]
fn a_transaction_is_the_same_as_a_number_and_as_a_text() {
    for id in [json!(28_956_687), json!("28956687"), json!(" 028956687 ")] {
        let transfer = paid(told(&with(example(), &[("/id", id)])));
        assert_eq!(transfer.id, "28956687");
    }
    assert_eq!(paid(told(&with(example(), &[("/id", json!(0))]))).id, "0");
}

#[test]
fn every_broken_rule_is_named_at_once() {
    let changes = [
        ("/id", json!(null)),
        ("/transferType", json!("sideways")),
        ("/transferAmount", json!("much")),
    ];
    let told = told(&with(example(), &changes));
    assert_eq!(broken(&told), ["transferType", "id", "transferAmount"]);
}

#[test]
fn money_on_another_account_is_parked() {
    let to = |accounts: &[&str], account: Value, virtual_account: Value| {
        let mut settings = settings(Auth::ApiKey);
        settings.accounts = accounts
            .iter()
            .map(|account| (*account).to_owned())
            .collect();
        let changes = [
            ("/accountNumber", account),
            ("/subAccount", virtual_account),
        ];
        match told_by(&settings, &with(example(), &changes)) {
            Ok(Notification::Paid(_)) => "paid",
            Ok(Notification::Parked(transfer, reason)) => {
                assert!(transfer.account.is_none_or(|account| account.len() <= 4));
                reason
            }
            other => panic!("{other:?}"),
        }
    };
    let ours = &["0123499999", "VQRQ0001"][..];
    let none = || json!(null);
    assert_eq!(to(ours, json!("0123499999"), none()), "paid");
    assert_eq!(to(ours, json!("777"), json!("VQRQ0001")), "paid");
    assert_eq!(to(ours, json!("777"), none()), "wrong_account");
    // The account's number without its leading zero is the number of another account.
    assert_eq!(to(ours, json!("123499999"), none()), "wrong_account");
    assert_eq!(to(ours, json!(123_499_999), none()), "wrong_account");
    assert_eq!(to(ours, none(), none()), "wrong_account");
    assert_eq!(to(&[], json!("777"), none()), "paid");
    assert_eq!(to(&[], none(), none()), "paid");
}

pub(super) fn gateway() -> Value {
    json!({
        "timestamp": 1_774_422_157,
        "notification_type": "ORDER_PAID",
        "order": {
            "id": "256", "order_id": "NPSETVI01", "order_status": "CAPTURED", "order_currency": "VND",
            "order_amount": "50000.00", "order_invoice_number": "PHO7K3M9Q2X", "custom_data": [],
        },
        "transaction": {
            "id": "1", "payment_method": "CARD", "transaction_id": "TX-9", "transaction_type": "PAYMENT",
            "transaction_date": "2026-03-25 14:02:37", "transaction_status": "APPROVED",
            "transaction_amount": "50000", "transaction_currency": "VND",
        },
        "customer": {},
    })
}

#[test]
fn the_gateways_notification_is_read() {
    let transfer = paid(told(&gateway()));
    assert_eq!(transfer.id, "gateway:TX-9:ORDER_PAID");
    assert_eq!(transfer.money, dong(50_000));
    assert_eq!(transfer.reference.as_deref(), Some("NPSETVI01"));
    assert_eq!(transfer.hint, OrderHint::order("PHO7K3M9Q2X"));
}

#[test]
fn the_gateway_says_what_money_is_for() {
    for (word, kind) in [
        ("ORDER_PAID", Kind::First),
        ("RENEWAL_ORDER_PAID", Kind::Renewal),
        ("TRANSACTION_VOID", Kind::Void),
    ] {
        let told = told(&with(gateway(), &[("/notification_type", json!(word))]));
        let transfer = paid(told);
        assert_eq!((transfer.kind, transfer.money), (kind, dong(50_000)));
        assert_eq!(transfer.id, format!("gateway:TX-9:{word}"));
        let payment = Name::Transfer {
            provider: "sepay".to_owned(),
            id: "gateway:TX-9:ORDER_PAID".to_owned(),
        };
        let names_payment = matches!(transfer.hint, OrderHint::Exact(names) if names[0] == payment);
        assert_eq!(names_payment, kind == Kind::Void, "{word}");
    }
}

#[test]
fn the_gateway_is_paid_by_its_rule_alone() {
    for (pointer, value, expected) in [
        ("/notification_type", json!("TRANSACTION_VOID"), "paid"),
        ("/notification_type", json!("RENEWAL_ORDER_PAID"), "paid"),
        ("/notification_type", json!("TOMORROW"), "unknown_type"),
        ("/notification_type", json!(null), "unknown_type"),
        (
            "/order/order_status",
            json!("AUTHENTICATION_NOT_NEEDED"),
            "not_captured",
        ),
        ("/order/order_status", json!("undefined"), "not_captured"),
        (
            "/transaction/transaction_status",
            json!("DECLINED"),
            "not_approved",
        ),
        ("/order/order_currency", json!("USD"), "other_currency"),
        (
            "/transaction/transaction_amount",
            json!("49000"),
            "amounts_differ",
        ),
        ("/transaction/transaction_amount", json!("0"), "zero_amount"),
        ("/order", json!("undefined"), "order"),
        ("/transaction", json!([]), "transaction"),
        ("/order/order_amount", json!("50000.50"), "order_amount"),
        ("/order/order_amount", json!("-1"), "order_amount"),
        (
            "/order/order_invoice_number",
            json!(null),
            "order_invoice_number",
        ),
        (
            "/transaction/transaction_id",
            json!("x".repeat(101)),
            "transaction_id",
        ),
        (
            "/transaction/transaction_id",
            json!("undefined"),
            "transaction_id",
        ),
    ] {
        let told = told(&with(gateway(), &[(pointer, value.clone())]));
        let found = match &told {
            Ok(Notification::Ignored(reason) | Notification::Parked(_, reason)) => vec![*reason],
            Ok(Notification::Paid(_)) => vec!["paid"],
            Err(_) => broken(&told),
        };
        assert_eq!(found, [expected], "{pointer} {value}");
    }
}

#[test]
fn the_gateway_has_a_header_of_its_own() {
    let body = gateway().to_string();
    for (auth, name, value, expected) in [
        (Auth::ApiKey, "x-secret-key", "sandbox-secret", true),
        (Auth::Hmac, "x-secret-key", "sandbox-secret", true),
        (Auth::ApiKey, "x-secret-key", "wrong", false),
        (
            Auth::ApiKey,
            "authorization",
            "Apikey sandbox-secret",
            false,
        ),
        (Auth::Hmac, "authorization", "Apikey sandbox-secret", false),
    ] {
        let headers = headers(&[(name, value)]);
        let read = read(&settings(auth), &headers, body.as_bytes(), SIGNED_AT_S);
        assert_eq!(read.is_ok(), expected, "{name}: {value}");
        assert!(expected || read == Err(Refused::Unauthorised));
    }
    // HMAC-SHA256("sandbox-secret", "1774422157." + body).
    let body = r#"{"notification_type":"TRANSACTION_VOID"}"#;
    let signature = "sha256=649fa76396948e4aac8e0338b9852e8d38fb7cfac7b5e31ebcf429c1cbdf0b72";
    let headers = headers(&[
        ("x-sepay-signature", signature),
        ("x-sepay-timestamp", "1774422157"),
    ]);
    let read = |auth| read(&settings(auth), &headers, body.as_bytes(), SIGNED_AT_S);
    assert_eq!(read(Auth::Hmac), Ok(Notification::Ignored("void")));
    assert_eq!(read(Auth::ApiKey), Err(Refused::Unauthorised));
}

pub(super) fn form(signature: &str) -> Value {
    json!({
        "orderId": "PHO_SUB_1762228747088_NTK3U9", "transactionId": "TXN_0001", "amount": 99000,
        "currency": "VND", "status": "success", "timestamp": "2026-01-02T03:04:05.000Z",
        "signature": signature,
    })
}

const AS_IT_CAME: &str = "93F7FC87F93CBECC7961AC09679E9C45";
const COMPLETED: &str = "15A1CCCFD2831B65998DE16270D66CAE";

#[test]
fn the_form_is_believed_by_both_of_its_signatures() {
    for signature in [AS_IT_CAME, COMPLETED, &AS_IT_CAME.to_lowercase()] {
        let transfer = paid(told(&form(signature)));
        assert_eq!(
            (transfer.id.as_str(), transfer.money),
            ("form:TXN_0001", dong(99_000))
        );
        let order = "PHO_SUB_1762228747088_NTK3U9";
        assert_eq!(transfer.hint, OrderHint::order(order));
    }
}

#[test]
fn a_form_without_its_signature_is_not_believed() {
    for (pointer, value) in [
        ("/signature", json!("0".repeat(32))),
        ("/signature", json!("")),
        ("/signature", json!(null)),
        ("/signature", json!("undefined")),
        ("/signature", json!(AS_IT_CAME[..30])),
        ("/amount", json!(99001)),
        ("/orderId", json!("PHO_SUB_1762228747088_NTK3U8")),
        ("/status", json!("failed")),
        ("/extra", json!("1")),
        ("/extra", json!({})),
        // The signed text stays the same, but it is divided into fields in another way.
        ("/amount", json!("99000&currency=VND")),
    ] {
        let told = told(&with(form(AS_IT_CAME), &[(pointer, value.clone())]));
        assert_eq!(told, Err(Refused::Unauthorised), "{pointer} {value}");
    }
    let moved = json!({
        "amount": "99000&currency=VND&orderId=PHO_SUB_1762228747088_NTK3U9", "status": "success",
        "timestamp": "2026-01-02T03:04:05.000Z", "transactionId": "TXN_0001", "signature": AS_IT_CAME,
    });
    // Without an order's id, the proxy does not recognise the body as a form.
    assert_eq!(told(&moved), Err(unknown_format()));
}

#[test]
fn a_form_needs_its_key_and_the_webhooks_secret() {
    let mut without_key = settings(Auth::ApiKey);
    without_key.form_key = None;
    let refused = Err(Refused::Unauthorised);
    assert_eq!(told_by(&without_key, &form(AS_IT_CAME)), refused);

    let body = form(AS_IT_CAME).to_string();
    let with = |pairs| read(&settings(Auth::ApiKey), &headers(pairs), body.as_bytes(), 0);
    assert!(with(&[("x-sepay-webhook-secret", "sandbox-secret")]).is_ok());
    assert_eq!(with(&[]), refused);
    assert_eq!(with(&[("authorization", "Apikey wrong")]), refused);
    assert_eq!(with(&[("x-secret-key", "sandbox-secret")]), refused);
}

#[test]
fn a_signed_form_is_read_by_its_status() {
    // Another program computed each signature: the MD5 of one text that consists of the sorted fields and
    // `&key=demo-secret`.
    for (body, expected) in [
        (
            r#"{"orderId":"O1","transactionId":"T1","amount":99000,"currency":"VND","status":"success","timestamp":"1","signature":"15F1BE12291A1EBA916B6FAD82052CD1"}"#,
            "paid",
        ),
        (
            r#"{"orderId":"O1","transactionId":"T1","amount":99000,"currency":"VND","status":"failed","timestamp":"1","signature":"EF38C186EEE8AB7E093F5CB20C468C55"}"#,
            "failed",
        ),
        (
            r#"{"orderId":"O1","transactionId":"T1","amount":99000,"currency":"VND","status":"pending","timestamp":"1","signature":"3346EBD448A0F57B55EA664CC203023B"}"#,
            "pending",
        ),
        (
            r#"{"orderId":"O1","transactionId":"T1","amount":99000,"currency":"VND","status":"refunded","timestamp":"1","signature":"F4252A2569FBFB5F4E859C1E80101A1C"}"#,
            "status",
        ),
        (
            r#"{"orderId":"O1","transactionId":"T1","amount":99000,"currency":"USD","status":"success","timestamp":"1","signature":"7B289333EC68E9F3791031CEB278F129"}"#,
            "currency",
        ),
        (
            r#"{"orderId":"O1","transactionId":"T1","amount":0,"currency":"VND","status":"success","timestamp":"1","signature":"18640820AE988EC69FCDEB0F7B22F1F4"}"#,
            "zero_amount",
        ),
        (
            r#"{"orderId":"O1","transactionId":"T1","amount":99000.5,"currency":"VND","status":"success","timestamp":"1","signature":"737E380752FCD7393943F4039C8309E4"}"#,
            "amount",
        ),
        (
            r#"{"orderId":"O1","transactionId":"T1","amount":-1,"currency":"VND","status":"success","timestamp":"1","signature":"73E26142EA259C2BA2B4FDE290B7B64C"}"#,
            "amount",
        ),
        (
            r#"{"orderId":"O1","transactionId":"T1","amount":99000,"status":"success","timestamp":"1","signature":"1C489837CACD1EE450BEBC3E7DDED33A"}"#,
            "currency",
        ),
        (
            r#"{"orderId":"O1","amount":99000,"currency":"VND","status":"success","timestamp":"1","signature":"652ED452D2F7F52747AB06080E981553"}"#,
            "transactionId",
        ),
        (
            r#"{"currency":"VND","status":"success","timestamp":"1","order_id":"O1","transaction_id":"T1","amount_in":99000,"signature":"E94B8D47F4EB91AB3FF26B712E35D4C6"}"#,
            "paid",
        ),
        (
            r#"{"orderId":"O1","transactionId":"T1","amount":99000,"currency":"VND","status":"success","timestamp":"1","Zebra":"1","alpha":"2","paymentMethod":"bank_transfer","signature":"3667EE3F542E86460A23BEAB1CA0A23D"}"#,
            "paid",
        ),
    ] {
        let told = told(&serde_json::from_str(body).unwrap());
        let found = match &told {
            Ok(Notification::Ignored(reason) | Notification::Parked(_, reason)) => vec![*reason],
            Ok(Notification::Paid(_)) => vec!["paid"],
            Err(_) => broken(&told),
        };
        assert_eq!(found, [expected], "{body}");
    }
}
