use serde_json::json;

use super::*;
use crate::payments::{
    Kind,
    samples::{PAYOS_SECRET, Sent, by_payos, ignored, payos, payos_data, secrets, told, with},
};

fn sent(changes: &[(&str, Value)]) -> Sent {
    by_payos(&with(payos_data(), changes), PAYOS_SECRET)
}

/// Returns the sample notification of payOS' documentation, and the settings with the sample's key.
fn published() -> (Payos, Sent) {
    let key = "1a54716c8f0efb2744fb28b6e38b25da7f67a925d98bc1c18bd8faaecadd7675";
    let body = json!({ "code": "00", "desc": "success", "success": true, "data": {
        "orderCode": 123, "amount": 3000, "description": "VQRIO123", "accountNumber": "12345678",
        "reference": "TF230204212323", "transactionDateTime": "2023-02-04 18:25:00", "currency": "VND",
        "paymentLinkId": "124c33293c43417ab7879e14c8d9eb18", "code": "00", "desc": "Thành công",
        "counterAccountBankId": "", "counterAccountBankName": "", "counterAccountName": "",
        "counterAccountNumber": "", "virtualAccountName": "", "virtualAccountNumber": "" },
        "signature": "412e915d2871504ed31be63c8f62a149a4410d34c4c42affc9006ef9917eaa03" });
    let body = body.to_string();
    let secrets = secrets(key);
    (
        Payos { secrets },
        Sent {
            body,
            ..Sent::default()
        },
    )
}

#[test]
fn a_transfer_names_its_order_by_the_shops_number() {
    let transfer = told(sent(&[]).read(&payos()));
    assert_eq!(
        (transfer.provider, transfer.id.as_str()),
        ("payos", "duetlink1:FT26084000001")
    );
    assert_eq!(transfer.money.to_string(), "99000 VND");
    let name = Name::reference("payos", "92704".to_owned());
    assert_eq!(transfer.hint, OrderHint::Exact(vec![name]));
    assert_eq!(transfer.account.as_deref(), Some("9999"));
    assert_eq!(transfer.reference.as_deref(), Some("FT26084000001"));
    // The proxy compares the amount with the order's amount, as it does for every bank.
    assert!(!transfer.knows && !transfer.is_test && transfer.kind == Kind::First);
}

#[test]
fn the_sample_is_answered_and_no_payment() {
    let (shop, sample) = published();
    assert_eq!(ignored(sample.read(&shop)), "sample");
    let other = [
        ("/orderCode", json!(123)),
        ("/description", json!("Ma giao dich thu nghiem")),
    ];
    assert_eq!(ignored(sent(&other).read(&payos())), "sample");
    // A shop's own order with the code 123 is not a sample.
    assert_eq!(
        told(sent(&[("/orderCode", json!(123))]).read(&payos())).id,
        "duetlink1:FT26084000001"
    );
    assert_eq!(sample.read(&payos()), Err(Refused::Unauthorised));
}

#[test]
fn what_is_not_paid_pays_nothing() {
    for (name, value, reason) in [
        ("/code", json!("01"), "not_paid"),
        ("/code", json!(""), "not_paid"),
        ("/currency", json!("USD"), "other_currency"),
    ] {
        assert_eq!(ignored(sent(&[(name, value)]).read(&payos())), reason);
    }
}

#[test]
fn an_amount_without_a_currency_is_in_dong() {
    for currency in [Value::Null, json!(""), json!("vnd")] {
        let transfer = told(sent(&[("/currency", currency)]).read(&payos()));
        assert_eq!(transfer.money.to_string(), "99000 VND");
    }
}

#[test]
fn what_is_not_signed_decides_nothing() {
    let genuine = sent(&[("/code", json!("01"))]).body;
    let body = genuine.replace(r#""success":true"#, r#""success":false"#);
    let sent = Sent {
        body,
        ..Sent::default()
    };
    assert_eq!(ignored(sent.read(&payos())), "not_paid");
}

#[test]
fn values_are_signed_as_payos_writes_them() {
    // payOS' own library made these texts.
    for (value, text) in [
        (json!(null), Some("")),
        (json!("null"), Some("")),
        (json!("undefined"), Some("")),
        (json!(99000), Some("99000")),
        (json!(0.5), Some("0.5")),
        (json!(true), Some("true")),
        (json!([{ "b": 1, "a": "x" }]), Some(r#"[{"a":"x","b":1}]"#)),
        (json!([]), Some("[]")),
        (json!([1]), None),
        (json!({ "a": 1 }), None),
    ] {
        assert_eq!(written(&value).as_deref(), text, "{value}");
    }
}

#[test]
fn no_value_is_taken_apart_or_put_together() {
    let genuine = sent(&[("/description", json!("PHO&orderCode=1"))]);
    assert_eq!(genuine.read(&payos()), Err(Refused::Unauthorised));
    assert!(
        sent(&[("/description", json!("A & B&c=d"))])
            .read(&payos())
            .is_ok()
    );
    // The text that is signed stays the same, but the proxy would read other fields from the data.
    let data = payos_data();
    let mut merged = data.clone();
    let map = merged.as_object_mut().unwrap();
    map.remove("orderCode");
    map.insert(
        "description".to_owned(),
        json!("PHO7K3M9Q2X&orderCode=92704"),
    );
    let genuine: Value = serde_json::from_str(&by_payos(&data, PAYOS_SECRET).body).unwrap();
    let forged = with(genuine, &[("/data", merged)]);
    let body = forged.to_string();
    assert_eq!(
        Sent {
            body,
            ..Sent::default()
        }
        .read(&payos()),
        Err(Refused::Unauthorised)
    );
}

#[test]
fn what_cannot_be_read_is_named() {
    for (name, value, field) in [
        ("/orderCode", Value::Null, "orderCode"),
        ("/paymentLinkId", json!(""), "paymentLinkId"),
        ("/reference", Value::Null, "reference"),
        ("/amount", json!("99.000"), "amount"),
        ("/amount", json!(-99_000), "amount"),
    ] {
        let read = sent(&[(name, value)]).read(&payos());
        let Err(Refused::Invalid(problems)) = &read else {
            panic!("{read:?}");
        };
        assert_eq!(problems[0].field(), field);
    }
}
