//! Format C: the form that the replaced system signed with MD5.

use duet_events::Invalid;
use md5::{Digest, Md5};
use serde_json::{Map, Number, Value};
use subtle::ConstantTimeEq;

use super::{PROVIDER, Settings, auth, fields::Fields};
use crate::payments::{Notification, OrderHint, Refused, Transfer};

pub(super) fn read(fields: &Fields<'_>) -> Result<Notification, Refused> {
    if fields.is("status", "failed") {
        return Ok(Notification::Ignored("failed"));
    }
    if fields.is("status", "pending") {
        return Ok(Notification::Ignored("pending"));
    }
    let mut problems = Vec::new();
    if !fields.is("status", "success") {
        let message = "status must be success, failed or pending";
        problems.push(Invalid::new("status", "one_of", message));
    }
    if !fields.is("currency", "VND") {
        problems.push(Invalid::new("currency", "one_of", "currency must be VND"));
    }
    let order = fields.order_id(&["orderId", "order_id"], &mut problems);
    let transaction = fields.transaction_id(&["transactionId", "transaction_id"], &mut problems);
    let amount = fields.amount(&["amount", "amount_in"], &mut problems);
    let (Some(order), Some(transaction), Some(amount), []) =
        (order, transaction, amount, problems.as_slice())
    else {
        return Err(Refused::Invalid(problems));
    };
    let transfer = Transfer {
        provider: PROVIDER,
        // With a word in front, so that it never is a bank transfer's number.
        id: format!("form:{transaction}"),
        amount,
        account: None,
        reference: None,
        hint: OrderHint::Exact(order),
    };
    Ok(if amount == 0 {
        Notification::Parked(transfer, "zero_amount")
    } else {
        Notification::Paid(transfer)
    })
}

/// Whether `signature` fits the fields as they came, or as the replaced system completed them before it looked.
pub(super) fn is_signed(fields: &Map<String, Value>, settings: &Settings) -> bool {
    let Some(key) = &settings.form_key else {
        return false;
    };
    let Some(signature) = fields
        .get("signature")
        .and_then(|signature| auth::hex::<16>(signature.as_str()?.trim()))
    else {
        return false;
    };
    let fits = |pairs: Option<Vec<(&str, String)>>| {
        pairs.is_some_and(|pairs| {
            let digest = Md5::digest(signed_text(pairs, key.expose()));
            bool::from(digest.as_slice().ct_eq(&signature))
        })
    };
    fits(as_they_came(fields)) | fits(completed(fields))
}

fn as_they_came(fields: &Map<String, Value>) -> Option<Vec<(&str, String)>> {
    let signed = fields.iter().filter(|(key, _)| *key != "signature");
    signed
        .map(|(key, value)| {
            let plain = !key.contains(['&', '=']);
            Some((key.as_str(), in_javascript(value)?)).filter(|_| plain)
        })
        .collect()
}

/// The eight fields of the replaced system, under its own names and with its defaults.
fn completed(fields: &Map<String, Value>) -> Option<Vec<(&'static str, String)>> {
    let value = |[name, other, default]: [&'static str; 3]| {
        let value = fields.get(name).or_else(|| fields.get(other));
        let text = match value {
            Some(value) => in_javascript(value)?,
            None if default.is_empty() => return None,
            None => default.to_owned(),
        };
        Some((name, text))
    };
    [
        ["amount", "amount_in", ""],
        ["currency", "currency", ""],
        ["maskedCardNumber", "masked_card_number", "undefined"],
        ["orderId", "order_id", ""],
        ["paymentMethod", "payment_method", "credit_card"],
        ["status", "status", ""],
        ["timestamp", "timestamp", ""],
        ["transactionId", "transaction_id", ""],
    ]
    .into_iter()
    .map(value)
    .collect()
}

/// `key=value` in the order of UTF-16, with `&` between them and the secret at the end.
fn signed_text(mut pairs: Vec<(&str, String)>, secret: &[u8]) -> Vec<u8> {
    pairs.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
    let pairs = pairs.iter().map(|(key, value)| format!("{key}={value}&"));
    let mut text = pairs.collect::<String>().into_bytes();
    text.extend_from_slice(b"key=");
    text.extend_from_slice(secret);
    text
}

/// A value as JavaScript writes it into a text. `None` for what could be read in two ways once it is signed:
/// objects, lists, and texts with the sign that stands between fields.
pub(super) fn in_javascript(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => (!text.contains('&')).then(|| text.clone()),
        Value::Number(number) => number_in_javascript(number),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null => Some("null".to_owned()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// JavaScript has one kind of number; between these bounds it writes it without an exponent, as Rust does.
fn number_in_javascript(number: &Number) -> Option<String> {
    let float = number.as_f64()?;
    let plain = float == 0.0 || (1e-6..1e21).contains(&float.abs());
    plain.then(|| format!("{}", if float == 0.0 { 0.0 } else { float }))
}
