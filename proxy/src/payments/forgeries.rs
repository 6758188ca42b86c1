//! Tries every way of forging a notification with every format of every provider. The proxy must reject each forgery.

mod ways;

use serde_json::{Value, json};

use super::{
    Notification, Refused,
    proof::hmac_sha256,
    provider::Provider,
    samples::{
        AT_S, PAYOS_SECRET, POLAR, POLAR_SECRET, STRIPE, STRIPE_SECRET, Sent, VNPAY, VNPAY_SECRET,
        by_payos, by_polar, by_stripe, by_vnpay, hex, payos, payos_data, polar, secrets, stripe,
        vnpay,
    },
    sepay::{Auth, Settings},
};

use ways::WAYS;

const SEPAY_SECRET: &str = "duet-sepay-secret";
const FORM_KEY: &str = "duet-form-key";
const BANK: &str = r#"{"id":92704,"transferType":"in","transferAmount":99000,"content":"PHO7K3M9Q2X","code":null}"#;
const GATEWAY: &str = r#"{"notification_type":"ORDER_PAID","order":{"order_status":"CAPTURED","order_currency":"VND","order_amount":"99000.00","order_invoice_number":"PHO7K3M9Q2X"},"transaction":{"transaction_id":"T1","transaction_status":"APPROVED","transaction_amount":"99000"}}"#;

/// One format of one provider's notifications.
struct Format {
    name: &'static str,
    provider: Box<dyn Provider>,
    secret: &'static str,
    /// Makes a genuine notification with this body, and proves it with this secret.
    sign: fn(&str, &str) -> Sent,
    body: String,
    proof: Proof,
}

/// How a notification proves who sent it.
#[derive(Clone, Copy, PartialEq)]
enum Proof {
    /// By a key in a header. Anybody who has seen a request knows the key, so the rest of the request proves nothing.
    Key,
    /// By a signature over the exact bytes of the body and the time.
    Timed,
    /// By a signature over the values, in any order.
    Values,
}

fn formats() -> Vec<Format> {
    let sepay = |auth| -> Box<dyn Provider> {
        Box::new(Settings {
            webhook_secret: secrets(SEPAY_SECRET),
            auth,
            form_key: Some(secrets(FORM_KEY)),
            accounts: Vec::new(),
        })
    };
    let format = |name, provider, secret, sign, body: &str, proof| Format {
        name,
        provider,
        secret,
        sign,
        body: body.to_owned(),
        proof,
    };
    let form = "{}";
    let data = payos_data().to_string();
    vec![
        format(
            "sepay, key",
            sepay(Auth::ApiKey),
            SEPAY_SECRET,
            by_key,
            BANK,
            Proof::Key,
        ),
        format(
            "sepay, hmac",
            sepay(Auth::Hmac),
            SEPAY_SECRET,
            by_sepay,
            BANK,
            Proof::Timed,
        ),
        format(
            "sepay gateway, key",
            sepay(Auth::ApiKey),
            SEPAY_SECRET,
            by_gateway_key,
            GATEWAY,
            Proof::Key,
        ),
        format(
            "sepay gateway, hmac",
            sepay(Auth::Hmac),
            SEPAY_SECRET,
            by_sepay,
            GATEWAY,
            Proof::Timed,
        ),
        format(
            "sepay form",
            sepay(Auth::ApiKey),
            FORM_KEY,
            by_form,
            form,
            Proof::Values,
        ),
        format(
            "polar",
            Box::new(polar()),
            POLAR_SECRET,
            by_polar,
            POLAR,
            Proof::Timed,
        ),
        format(
            "stripe",
            Box::new(stripe()),
            STRIPE_SECRET,
            by_stripe,
            STRIPE,
            Proof::Timed,
        ),
        format(
            "payos",
            Box::new(payos()),
            PAYOS_SECRET,
            by_payos_text,
            &data,
            Proof::Values,
        ),
        format(
            "vnpay",
            Box::new(vnpay()),
            VNPAY_SECRET,
            by_vnpay,
            VNPAY,
            Proof::Values,
        ),
    ]
}

fn by_key(body: &str, secret: &str) -> Sent {
    Sent {
        headers: vec![("authorization", format!("Apikey {secret}"))],
        body: body.to_owned(),
        ..Sent::default()
    }
}

fn by_gateway_key(body: &str, secret: &str) -> Sent {
    Sent {
        headers: vec![("x-secret-key", secret.to_owned())],
        body: body.to_owned(),
        ..Sent::default()
    }
}

fn by_sepay(body: &str, secret: &str) -> Sent {
    let signature = hmac_sha256(secret.as_bytes(), &[format!("{AT_S}.{body}").as_bytes()]);
    Sent {
        headers: vec![
            ("x-sepay-timestamp", AT_S.to_string()),
            ("x-sepay-signature", format!("sha256={}", hex(&signature))),
        ],
        body: body.to_owned(),
        ..Sent::default()
    }
}

/// Makes a form that has the webhook's key and a signature. A forger may know the webhook's key, but not the key of the
/// signature.
fn by_form(changes: &str, key: &str) -> Sent {
    let mut fields = json!({ "orderId": "PHO7K3M9Q2X", "transactionId": "T1", "amount": 99000,
                             "currency": "VND", "status": "success", "timestamp": "1" });
    let changes: Value = serde_json::from_str(changes).unwrap();
    let map = fields.as_object_mut().unwrap();
    map.extend(changes.as_object().unwrap().clone());
    let pairs = map.iter().map(|(name, value)| {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        format!("{name}={value}")
    });
    let text = pairs.collect::<Vec<_>>().join("&");
    let signature = super::proof::md5_and_key(key.as_bytes(), &[text.as_bytes()]);
    map.insert("signature".to_owned(), json!(hex(&signature)));
    by_key(&fields.to_string(), SEPAY_SECRET)
}

fn by_payos_text(data: &str, secret: &str) -> Sent {
    by_payos(&serde_json::from_str(data).unwrap(), secret)
}

#[test]
fn no_way_to_forge_a_notification_works_with_any_provider() {
    let formats = formats();
    let (mut cells, mut absent) = (0, Vec::new());
    for format in &formats {
        let genuine = (format.sign)(&format.body, format.secret);
        let read = genuine.read(format.provider.as_ref());
        assert!(
            matches!(read, Ok(Notification::Paid(_))),
            "{}: {read:?}",
            format.name
        );
        for (name, way) in WAYS {
            let Some((forged, later_s)) = way(format, genuine.clone()) else {
                absent.push(format!("{name}: {}", format.name));
                continue;
            };
            let read = forged.read_later(format.provider.as_ref(), later_s);
            assert_eq!(read, Err(Refused::Unauthorised), "{name}: {}", format.name);
            cells += 1;
        }
    }
    assert!(WAYS.len() >= 20 && formats.len() == 9);
    // Some ways are not possible with every format. If the proof is a key in a header, the key does not protect the
    // body. If a notification has no time, it can be sent again later, but because of its id it counts only once.
    assert_eq!(cells + absent.len(), WAYS.len() * formats.len());
    assert!(
        absent.iter().all(|cell| ["key", "form", "payos", "vnpay"]
            .iter()
            .any(|format| cell.ends_with(format))),
        "{absent:?}"
    );
}

#[test]
fn a_signature_of_one_provider_is_none_of_another() {
    let formats = formats();
    for format in &formats {
        for other in formats.iter().filter(|other| other.secret != format.secret) {
            let sent = (other.sign)(&other.body, format.secret);
            let read = sent.read(format.provider.as_ref());
            assert!(read.is_err(), "{} for {}", other.name, format.name);
        }
    }
}
