//! payOS' webhooks. The signature covers the sorted fields of `data`, and no other part of the body.

use serde_json::{Map, Value};

use super::{
    Name, Notification, OrderHint, Refused, Transfer,
    fields::Fields,
    javascript::text_of,
    proof::{self, hmac_sha256},
    provider::{Provider, Request},
};
use crate::{money::Currency, secret::Secrets};

const PROVIDER: &str = "payos";
/// The fields that payOS documents. payOS signs them as `name=value`, joined by `&`. The check of a signature therefore refuses a
/// value that contains `&`, one of these names and `=`, because this value could be read as another field.
const FIELDS: [&str; 16] = [
    "accountNumber",
    "amount",
    "code",
    "counterAccountBankId",
    "counterAccountBankName",
    "counterAccountName",
    "counterAccountNumber",
    "currency",
    "desc",
    "description",
    "orderCode",
    "paymentLinkId",
    "reference",
    "transactionDateTime",
    "virtualAccountName",
    "virtualAccountNumber",
];
/// The descriptions in the samples that payOS sends when a shop registers its webhook's address. The order code of these
/// samples is 123.
const SAMPLES: [&str; 2] = ["VQRIO123", "Ma giao dich thu nghiem"];

/// The webhook of a shop at payOS.
#[derive(Clone, Debug)]
pub struct Payos {
    /// `PAYOS_CHECKSUM_KEY`.
    pub secrets: Secrets,
}

impl Provider for Payos {
    /// Checks the signature first. A sender without a valid signature must not learn whether the proxy can read the body.
    fn read(&self, request: &Request<'_>) -> Result<Notification, Refused> {
        let body = super::object(request.body).map_err(|_| Refused::Unauthorised)?;
        let data = body.get("data").and_then(Value::as_object);
        let signature = body.get("signature").and_then(Value::as_str);
        let (Some(data), Some(signature)) = (data, signature.and_then(proof::hex)) else {
            return Err(Refused::Unauthorised);
        };
        if !self.is_signed(data, signature) {
            return Err(Refused::Unauthorised);
        }
        read(&Fields(data))
    }

    fn uses_references(&self) -> bool {
        true
    }
}

impl Payos {
    fn is_signed(&self, data: &Map<String, Value>, signature: Vec<u8>) -> bool {
        let pairs = data
            .iter()
            .map(|(name, value)| Some((name.as_str(), written(value)?)));
        let Some(mut pairs) = pairs.collect::<Option<Vec<_>>>() else {
            return false;
        };
        pairs.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
        let mut known: Vec<_> = FIELDS.to_vec();
        known.extend(pairs.iter().map(|(name, _)| *name));
        proof::fields(&self.secrets, hmac_sha256, (&pairs, &known), signature)
    }
}

fn read(data: &Fields<'_>) -> Result<Notification, Refused> {
    let description = data.text(&["description"]).unwrap_or_default();
    if data.is("orderCode", "123") && SAMPLES.contains(&description.as_str()) {
        return Ok(Notification::Ignored("sample"));
    }
    if !data.is("code", "00") {
        return Ok(Notification::Ignored("not_paid"));
    }
    // payOS supports only accounts in dong.
    let currency = data.text(&["currency"]);
    if currency.is_some_and(|currency| !currency.eq_ignore_ascii_case("VND")) {
        return Ok(Notification::Ignored("other_currency"));
    }
    let mut problems = Vec::new();
    let code = data.transaction_id(&["orderCode"], &mut problems);
    let link = data.transaction_id(&["paymentLinkId"], &mut problems);
    let reference = data.transaction_id(&["reference"], &mut problems);
    let dong = (Currency::VND, Currency::VND.decimals());
    let money = data.money(&["amount"], dong, &mut problems);
    let read = (|| {
        let (code, reference) = (code?, reference?);
        let id = format!("{}:{reference}", link?);
        let hint = OrderHint::Exact(vec![Name::reference(PROVIDER, code)]);
        Some(Transfer {
            account: data.account(&["virtualAccountNumber", "accountNumber"]),
            reference: Some(reference),
            ..Transfer::new(PROVIDER, id, money?, hint)
        })
    })();
    super::unless_nothing(read, problems)
}

/// Returns a value in the form that payOS uses in the signed text. Returns `None` for an object.
fn written(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::String(text) if text == "null" || text == "undefined" => Some(String::new()),
        // The items' keys are sorted, because `serde_json` sorts the keys of a map.
        Value::Array(items) => items
            .iter()
            .all(Value::is_object)
            .then(|| serde_json::to_string(items).ok())
            .flatten(),
        value => text_of(value),
    }
}

#[cfg(test)]
mod tests;
