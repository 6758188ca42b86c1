//! The providers besides SePay: the content of each notification, and its signature.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::instruction::{Flaw, Instruction, Provider};
use super::notification::{Bodies, Facts, with_another_amount};
use super::object::Object;
use super::proof::OLD_S;
use super::{payos, polar, stripe, vnpay};

/// A secret that the shop does not use.
const WRONG: &str = "whsec_not-the-agreed-secret";

/// Returns the body that is signed and the body that is sent. The two bodies differ if the notification has an error. The
/// two bodies of payOS always differ, because the sent body contains the signature.
pub(super) fn bodies(facts: &Facts<'_>) -> Bodies {
    let instruction = facts.instruction;
    let object = match instruction.provider {
        Provider::Sepay | Provider::Polar => polar::body(facts),
        Provider::Stripe => stripe::body(facts),
        Provider::Payos => payos::data(facts),
        Provider::Vnpay => {
            let signed = vnpay::query(facts);
            let sent = match instruction.flaw {
                Some(Flaw::ChangedByte) => with_another_amount(&signed),
                Some(Flaw::Reordered) => signed.split('&').rev().collect::<Vec<_>>().join("&"),
                _ => signed.clone(),
            };
            return Bodies { signed, sent };
        }
    };
    let object = match instruction.flaw {
        Some(Flaw::NullsAbsent) => object.without_nulls(),
        Some(Flaw::UnknownField) => object.with("new_field", "since 2027"),
        Some(Flaw::TooLarge) => object.with("padding", "x".repeat(1024 * 1024)),
        _ => object,
    };
    let sent = match instruction.flaw {
        Some(Flaw::Reordered) => object.clone().reversed(),
        _ => object.clone(),
    };
    let [signed, sent] = match instruction.provider {
        Provider::Payos => {
            let signature = payos::signature(&object, secret(instruction, facts.secret));
            let signature = match instruction.flaw {
                Some(Flaw::MissingHeader) => None,
                Some(Flaw::WrongSignature) => Some("0".repeat(64)),
                _ => Some(signature),
            };
            let body = payos::body(sent, signature).json();
            [body.clone(), body]
        }
        _ => [object.json(), sent.json()],
    };
    match instruction.flaw {
        Some(Flaw::NotJson) => {
            let text = "id=92704&amount=99000".to_owned();
            let signed = text.clone();
            Bodies { signed, sent: text }
        }
        Some(Flaw::ChangedByte) => {
            let sent = with_another_amount(&sent);
            Bodies { signed, sent }
        }
        _ => Bodies { signed, sent },
    }
}

/// Returns the headers that prove that the provider has sent `signed_body` at this time.
pub(super) fn headers(
    instruction: &Instruction,
    agreed: &str,
    signed_body: &str,
    (transaction_id, now_s): (u64, i64),
) -> Vec<(&'static str, String)> {
    if instruction.flaw == Some(Flaw::MissingHeader) {
        return Vec::new();
    }
    let secret = secret(instruction, agreed);
    let time_s = match instruction.flaw {
        Some(Flaw::OldTimestamp) => now_s - OLD_S,
        _ => now_s,
    };
    match instruction.provider {
        Provider::Polar => polar::headers(instruction, secret, signed_body, transaction_id, time_s),
        Provider::Stripe => stripe::headers(instruction, secret, signed_body, time_s),
        Provider::Sepay | Provider::Payos | Provider::Vnpay => Vec::new(),
    }
}

/// Returns the query string with the proof. Returns `None` if the provider's proof is not in the query.
pub(super) fn query(instruction: &Instruction, agreed: &str, bodies: &Bodies) -> Option<String> {
    let secret = secret(instruction, agreed);
    let is_vnpay = instruction.provider == Provider::Vnpay;
    is_vnpay.then(|| vnpay::signed(instruction, secret, bodies))
}

fn secret<'a>(instruction: &Instruction, agreed: &'a str) -> &'a str {
    match instruction.flaw {
        Some(Flaw::WrongKey) => WRONG,
        _ => agreed,
    }
}

/// Returns the HMAC-SHA256 of a text.
pub(super) fn hmac_sha256(key: &[u8], text: &str) -> Vec<u8> {
    let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    hmac.update(text.as_bytes());
    hmac.finalize().into_bytes().to_vec()
}

/// Returns the id of a payment. The id is the same in every notification of the payment.
pub(super) fn uuid(transaction_id: u64) -> String {
    format!("00000000-0000-4000-8000-{transaction_id:012}")
}

/// Returns an object with one text field.
pub(super) fn named(key: &'static str, order_id: &str) -> Object {
    Object::default().with(key, order_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bank::proof::hex;

    #[test]
    fn signatures_are_those_of_other_implementations() {
        let body = r#"{"id":"evt_duet_1","object":"event","type":"checkout.session.completed","created":1774422150,"livemode":true,"data":{"object":{"id":"cs_live_duet1","object":"checkout.session","client_reference_id":"PHO7K3M9Q2X","amount_total":99000,"currency":"vnd","payment_status":"paid","mode":"payment"}}}"#;
        let text = format!("1774422157.{body}");
        assert_eq!(
            hex(&hmac_sha256(b"whsec_duet_stripe_secret", &text)),
            "225d43b3779072c458df2a48920304f40eb7d04539e01759746b3d30ac8d0b3c"
        );
    }
}
