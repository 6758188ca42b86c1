use axum::http::HeaderValue;
use serde_json::json;

use super::*;
use crate::money::{Currency, Money};
use crate::payments::{Kind, Name, OrderHint, Transfer};

mod anything;
mod formats;
mod proofs;

/// The example from SePay's documentation, 300 bytes.
const EXAMPLE: &str = r#"{"id":92704,"gateway":"Vietcombank","transactionDate":"2026-03-25 14:02:37","accountNumber":"0123499999","subAccount":null,"code":"LOBE7K3M9Q2X","content":"LOBE7K3M9Q2X chuyen tien","transferType":"in","description":"","transferAmount":99000,"accumulated":19077000,"referenceCode":"MBVCB.3278907687"}"#;
const SIGNED_AT_S: i64 = 1_774_422_157;
const SIGNATURE: &str = "sha256=b275ee926d77dd2d983772d43ee60e4c80643badc759452f23a2e110aa1b3a6a";

fn dong(minor: i64) -> Money {
    Money::of_minor(minor, Currency::VND).unwrap()
}

fn settings(auth: Auth) -> Settings {
    Settings {
        webhook_secret: Secrets::new("sandbox-secret").unwrap(),
        auth,
        form_key: Secrets::new("demo-secret"),
        accounts: Vec::new(),
    }
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let value = |value: &str| HeaderValue::from_bytes(value.as_bytes()).unwrap();
    let pairs = pairs
        .iter()
        .map(|(name, text)| (name.parse().unwrap(), value(text)));
    pairs.collect()
}

fn example() -> Value {
    serde_json::from_str(EXAMPLE).unwrap()
}

/// Returns `value` after changing these fields. A JSON pointer names each field. The text `undefined` removes a field.
fn with(mut value: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, new) in changes {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let map = value.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        if new == "undefined" {
            map.remove(key);
        } else {
            map.insert(key.to_owned(), new.clone());
        }
    }
    value
}

/// Returns what the proxy reads from an authentic notification.
fn told_by(settings: &Settings, body: &Value) -> Result<Notification, Refused> {
    let headers = headers(&[
        ("authorization", "Apikey sandbox-secret"),
        ("x-secret-key", "sandbox-secret"),
    ]);
    read(settings, &headers, body.to_string().as_bytes(), SIGNED_AT_S)
}

fn told(body: &Value) -> Result<Notification, Refused> {
    told_by(&settings(Auth::ApiKey), body)
}

/// Returns the names of the fields that broke a rule.
fn broken(told: &Result<Notification, Refused>) -> Vec<&str> {
    match told {
        Err(Refused::Invalid(problems)) => problems.iter().map(Invalid::field).collect(),
        _ => Vec::new(),
    }
}

fn paid(told: Result<Notification, Refused>) -> Transfer {
    match told {
        Ok(Notification::Paid(transfer)) => transfer,
        other => panic!("{other:?}"),
    }
}
