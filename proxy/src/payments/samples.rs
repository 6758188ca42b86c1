//! For the tests: one genuine notification of each provider, and functions that sign requests.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{
    Notification, Refused, Transfer,
    payos::Payos,
    polar::Polar,
    proof::{hmac_sha256, hmac_sha512},
    provider::{Provider, Request},
    stripe::Stripe,
    vnpay::Vnpay,
};
use crate::secret::Secrets;

pub(super) const AT_S: i64 = 1_774_422_157;
pub(super) const POLAR_SECRET: &str = "whsec_ZHVldC1wb2xhci1zYW5kYm94LXNlY3JldC0zMmJ5dGU=";
pub(super) const STRIPE_SECRET: &str = "whsec_duet_stripe_secret";
pub(super) const PAYOS_SECRET: &str = "duet-payos-checksum";
pub(super) const VNPAY_SECRET: &str = "DUETVNPAYSECRET";

pub(super) const POLAR: &str = r#"{"type":"order.paid","timestamp":"2026-03-25T07:02:37Z","data":{"id":"11111111-2222-4333-8444-555555555555","status":"paid","paid":true,"total_amount":2900,"net_amount":2900,"currency":"usd","billing_reason":"purchase","metadata":{"order_id":"PHO7K3M9Q2X"}}}"#;
pub(super) const STRIPE: &str = r#"{"id":"evt_duet_1","object":"event","type":"checkout.session.completed","created":1774422150,"livemode":true,"data":{"object":{"id":"cs_live_duet1","object":"checkout.session","client_reference_id":"PHO7K3M9Q2X","amount_total":99000,"currency":"vnd","payment_status":"paid","mode":"payment"}}}"#;
pub(super) const PAYOS: &str = "accountNumber=0123499999&amount=99000&code=00&counterAccountBankId=&counterAccountBankName=&counterAccountName=&counterAccountNumber=&currency=VND&desc=success&description=PHO7K3M9Q2X&orderCode=92704&paymentLinkId=duetlink1&reference=FT26084000001&transactionDateTime=2026-03-25 14:02:37&virtualAccountName=&virtualAccountNumber=";
pub(super) const VNPAY: &str = "vnp_Amount=9900000&vnp_BankCode=NCB&vnp_BankTranNo=VNP14226112&vnp_CardType=ATM&vnp_OrderInfo=Thanh+toan+PHO7K3M9Q2X&vnp_PayDate=20260325140237&vnp_ResponseCode=00&vnp_TmnCode=DUETTEST&vnp_TransactionNo=14226112&vnp_TransactionStatus=00&vnp_TxnRef=PHO7K3M9Q2X";

/// A request to a webhook.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent {
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) query: String,
    pub(super) body: String,
}

impl Sent {
    /// Reads the request with `provider`, `later_s` seconds after the request was made.
    pub(super) fn read_later(
        &self,
        provider: &dyn Provider,
        later_s: i64,
    ) -> Result<Notification, Refused> {
        let headers = self.headers.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_bytes(value.as_bytes()).unwrap())
        });
        let headers: HeaderMap = headers.collect();
        provider.read(&Request {
            headers: &headers,
            query: &self.query,
            body: self.body.as_bytes(),
            now_s: AT_S + later_s,
        })
    }

    pub(super) fn read(&self, provider: &dyn Provider) -> Result<Notification, Refused> {
        self.read_later(provider, 0)
    }
}

pub(super) fn secrets(text: &str) -> Secrets {
    Secrets::new(text).unwrap()
}

pub(super) fn polar() -> Polar {
    Polar {
        secrets: secrets(POLAR_SECRET),
    }
}

pub(super) fn stripe() -> Stripe {
    Stripe {
        secrets: secrets(STRIPE_SECRET),
    }
}

pub(super) fn payos() -> Payos {
    Payos {
        secrets: secrets(PAYOS_SECRET),
    }
}

pub(super) fn vnpay() -> Vnpay {
    Vnpay {
        terminal: "DUETTEST".to_owned(),
        secrets: secrets(VNPAY_SECRET),
    }
}

pub(super) fn by_polar(body: &str, secret: &str) -> Sent {
    let id = "0b5c9a52-5a0e-4c5e-9d4f-1b2a3c4d5e6f";
    let encoded = secret.strip_prefix("whsec_").unwrap_or_default();
    let key = BASE64_STANDARD
        .decode(encoded)
        .unwrap_or_else(|_| secret.into());
    let signature = hmac_sha256(&key, &[format!("{id}.{AT_S}.{body}").as_bytes()]);
    let signature = BASE64_STANDARD.encode(signature);
    Sent {
        headers: vec![
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", AT_S.to_string()),
            ("webhook-signature", format!("v1,{signature}")),
        ],
        body: body.to_owned(),
        ..Sent::default()
    }
}

pub(super) fn by_stripe(body: &str, secret: &str) -> Sent {
    let signature = hmac_sha256(secret.as_bytes(), &[format!("{AT_S}.{body}").as_bytes()]);
    let signature = format!("t={AT_S},v1={}", hex(&signature));
    Sent {
        headers: vec![("stripe-signature", signature)],
        body: body.to_owned(),
        ..Sent::default()
    }
}

/// Returns the fields of the signed text as JSON.
pub(super) fn payos_data() -> Value {
    let fields = PAYOS.split('&').map(|field| {
        let (name, value) = field.split_once('=').unwrap();
        let value = match name {
            "amount" | "orderCode" => json!(value.parse::<i64>().unwrap()),
            name if name.starts_with("counter") => Value::Null,
            _ => json!(value),
        };
        (name.to_owned(), value)
    });
    Value::Object(fields.collect())
}

pub(super) fn by_payos(data: &Value, secret: &str) -> Sent {
    let fields = data.as_object().unwrap().iter().map(|(name, value)| {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        format!("{name}={}", if value == "null" { "" } else { &value })
    });
    let text = fields.collect::<Vec<_>>().join("&");
    let signature = hex(&hmac_sha256(secret.as_bytes(), &[text.as_bytes()]));
    let body = json!({ "code": "00", "desc": "success", "success": true, "data": data,
                       "signature": signature });
    Sent {
        body: body.to_string(),
        ..Sent::default()
    }
}

pub(super) fn by_vnpay(query: &str, secret: &str) -> Sent {
    let signature = hex(&hmac_sha512(secret.as_bytes(), &[query.as_bytes()]));
    Sent {
        query: format!("{query}&vnp_SecureHash={signature}"),
        ..Sent::default()
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}

/// Returns the transfer of a notification.
pub(super) fn told(read: Result<Notification, Refused>) -> Transfer {
    match read {
        Ok(Notification::Paid(transfer)) => transfer,
        other => panic!("{other:?}"),
    }
}

/// Returns the reason why a notification requires no action.
pub(super) fn ignored(read: Result<Notification, Refused>) -> &'static str {
    match read {
        Ok(Notification::Ignored(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

/// Returns `value` after setting these fields. A JSON pointer names each field.
pub(super) fn with(mut value: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, new) in changes {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let map = value.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        map.insert(key.to_owned(), new.clone());
    }
    value
}
