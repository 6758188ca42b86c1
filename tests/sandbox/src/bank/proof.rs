//! The proof that a notification comes from SePay.

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use serde_json::Value;
use sha2::Sha256;

use super::instruction::{Auth, Flaw, Format};
use super::object::Object;

/// The age of an old signature in seconds: a minute more than SePay allows.
pub(super) const OLD_S: i64 = 360;

/// The choices and the secret from which the headers are made.
pub(super) struct Agreed<'a> {
    pub(super) format: Format,
    pub(super) auth: Auth,
    pub(super) flaw: Option<Flaw>,
    pub(super) secret: &'a str,
}

/// Returns the headers that prove that SePay has sent `signed_body` at this time.
pub(super) fn headers(
    agreed: &Agreed<'_>,
    signed_body: &str,
    now_s: i64,
) -> Vec<(&'static str, String)> {
    let secret = match agreed.flaw {
        Some(Flaw::MissingHeader) => return Vec::new(),
        Some(Flaw::WrongKey) => "not-the-agreed-secret",
        _ => agreed.secret,
    };
    match agreed.auth {
        Auth::None => Vec::new(),
        Auth::ApiKey if agreed.format == Format::Gateway => {
            vec![("x-secret-key", secret.to_owned())]
        }
        Auth::ApiKey => vec![("authorization", format!("Apikey {secret}"))],
        Auth::Hmac => {
            let signed_at_s = match agreed.flaw {
                Some(Flaw::OldTimestamp) => now_s - OLD_S,
                _ => now_s,
            };
            let signature = match agreed.flaw {
                Some(Flaw::WrongSignature) => "0".repeat(64),
                _ => signature(secret, signed_at_s, signed_body),
            };
            vec![
                ("x-sepay-signature", format!("sha256={signature}")),
                ("x-sepay-timestamp", signed_at_s.to_string()),
            ]
        }
    }
}

/// Returns the HMAC-SHA256 of `<timestamp>.<body>` in hexadecimal.
fn signature(secret: &str, timestamp_s: i64, body: &str) -> String {
    let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    hmac.update(format!("{timestamp_s}.{body}").as_bytes());
    hex(&hmac.finalize().into_bytes())
}

/// Returns the MD5 of the sorted fields and the key, in capitals.
pub(super) fn form_signature(fields: &Object, key: &str) -> String {
    let mut pairs: Vec<_> = fields.plain().collect();
    pairs.sort_by_key(|(name, _)| *name);
    let pairs = pairs.iter().map(|(name, value)| match value {
        Value::String(text) => format!("{name}={text}&"),
        value => format!("{name}={value}&"),
    });
    let text = pairs.collect::<String>() + "key=" + key;
    hex(&Md5::digest(text)).to_uppercase()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let digits = digits.filter_map(|digit| char::from_digit(digit.into(), 16));
    digits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_documented_examples() {
        let body = r#"{"id":92704,"gateway":"Vietcombank","transactionDate":"2026-03-25 14:02:37","accountNumber":"0123499999","subAccount":null,"code":"LOBE7K3M9Q2X","content":"LOBE7K3M9Q2X chuyen tien","transferType":"in","description":"","transferAmount":99000,"accumulated":19077000,"referenceCode":"MBVCB.3278907687"}"#;
        assert_eq!(
            signature("sandbox-secret", 1_774_422_157, body),
            "b275ee926d77dd2d983772d43ee60e4c80643badc759452f23a2e110aa1b3a6a"
        );
        let form = Object::default()
            .with("orderId", "PHO_SUB_1762228747088_NTK3U9")
            .with("transactionId", "TXN_0001")
            .with("amount", 99_000)
            .with("currency", "VND")
            .with("status", "success")
            .with("timestamp", "2026-01-02T03:04:05.000Z");
        assert_eq!(
            form_signature(&form, "demo-secret"),
            "93F7FC87F93CBECC7961AC09679E9C45"
        );
        let completed = form
            .with("paymentMethod", "credit_card")
            .with("maskedCardNumber", "undefined");
        assert_eq!(
            form_signature(&completed, "demo-secret"),
            "15A1CCCFD2831B65998DE16270D66CAE"
        );
    }
}
