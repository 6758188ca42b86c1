//! Format C: the form that the former Next.js implementation signed with MD5.

use duet_events::Invalid;
use serde_json::{Map, Value};

use super::{Fields, PROVIDER, Settings};
use crate::payments::{
    Notification, OrderHint, Refused, Transfer,
    javascript::text_of,
    proof::{self, md5_and_key},
};

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
    let money = fields.dong(&["amount", "amount_in"], &mut problems);
    let (Some(order), Some(transaction), Some(money), []) =
        (order, transaction, money, problems.as_slice())
    else {
        return Err(Refused::Invalid(problems));
    };
    let id = id_of(&transaction);
    let transfer = Transfer::new(PROVIDER, id, money, OrderHint::order(order));
    Ok(if money.is_zero() {
        Notification::Parked(transfer, "zero_amount")
    } else {
        Notification::Paid(transfer)
    })
}

/// Returns a transfer's id that differs from the id of every bank transfer.
pub(super) fn id_of(transaction_id: &str) -> String {
    format!("form:{transaction_id}")
}

/// Whether `signature` is valid for the received fields. The signature may also be made over the eight fields that the
/// former Next.js implementation signed, with defaults for missing fields.
pub(super) fn is_signed(fields: &Map<String, Value>, settings: &Settings) -> bool {
    let Some(key) = &settings.form_key else {
        return false;
    };
    let signature = fields.get("signature").and_then(Value::as_str);
    let Some(signature) = signature.and_then(|digits| proof::hex(digits.trim())) else {
        return false;
    };
    let fits = |pairs: Option<Vec<(&str, String)>>| {
        pairs.is_some_and(|pairs| {
            let pairs = in_order(pairs);
            proof::fields(key, md5_and_key, (&pairs, &[]), signature.clone())
        })
    };
    fits(as_they_came(fields)) | fits(completed(fields))
}

fn as_they_came(fields: &Map<String, Value>) -> Option<Vec<(&str, String)>> {
    let signed = fields.iter().filter(|(key, _)| *key != "signature");
    signed
        .map(|(key, value)| Some((key.as_str(), plain(value)?)))
        .collect()
}

/// Returns the eight fields that the former Next.js implementation signed, with its names and its defaults.
fn completed(fields: &Map<String, Value>) -> Option<Vec<(&'static str, String)>> {
    let value = |[name, other, default]: [&'static str; 3]| {
        let value = fields.get(name).or_else(|| fields.get(other));
        let text = match value {
            Some(value) => plain(value)?,
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

/// Sorts the pairs by the UTF-16 code units of their names, as JavaScript does.
fn in_order(mut pairs: Vec<(&str, String)>) -> Vec<(&str, String)> {
    pairs.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
    pairs
}

/// Returns a value as JavaScript writes it. Returns `None` if the text contains `&`, which separates the fields.
fn plain(value: &Value) -> Option<String> {
    text_of(value).filter(|text| !text.contains('&'))
}
