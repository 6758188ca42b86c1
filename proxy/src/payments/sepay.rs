//! SePay's webhooks: how the proxy checks and reads them.
//!
//! Three formats arrive at one address. The proxy first checks the proof, over the bytes as they were received. A sender
//! that does not prove to be SePay must not learn whether the proxy can read the body.
//!
//! | Format | Recognised by | Proof | Module |
//! |---|---|---|---|
//! | bank transfers | `transferType`, `transferAmount` | API key or HMAC, as configured | `bank_transfer` |
//! | payment gateway | `notification_type` | `X-Secret-Key`, or HMAC if configured | `gateway` |
//! | the form of the former Next.js implementation | `orderId` | as for bank transfers, and an MD5 signature with a separate key | `signed_form` |

mod auth;
mod bank_transfer;
mod gateway;
mod signed_form;

use axum::http::HeaderMap;
use duet_events::Invalid;
use serde_json::{Map, Value};

use super::{
    Notification, Refused,
    fields::Fields,
    provider::{Provider, Request},
};
use crate::secret::Secrets;

/// The provider's name.
pub const PROVIDER: &str = "sepay";

/// The settings on which the operator and SePay have agreed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `SEPAY_WEBHOOK_SECRET`: the API key, or the key of the HMAC.
    pub webhook_secret: Secrets,
    /// `SEPAY_WEBHOOK_AUTH`: how the webhook proves that SePay sent it.
    pub auth: Auth,
    /// `SEPAY_SECRET_KEY`: the key that checks the MD5 signature of payment forms in the format of the former Next.js
    /// implementation. Without this key the proxy rejects such forms.
    pub form_key: Option<Secrets>,
    /// `SEPAY_ACCOUNTS`: the accounts, including virtual accounts, that receive money for orders. If the list is empty,
    /// money to any account counts.
    pub accounts: Vec<String>,
}

/// How the bank webhook proves that SePay sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// A header contains the secret.
    ApiKey,
    /// The secret signs the time and the body.
    Hmac,
}

impl Provider for Settings {
    fn read(&self, request: &Request<'_>) -> Result<Notification, Refused> {
        read(self, request.headers, request.body, request.now_s)
    }
}

/// Returns the ids of the transfers that the gateway or the form may have reported under a transaction number.
pub fn ids_of(number: &str) -> impl Iterator<Item = String> {
    gateway::ids_of(number).chain([signed_form::id_of(number)])
}

/// Reads a request to the webhook.
///
/// # Errors
/// Returns [`Refused`] if the request is not authentic, or if it has none of the three formats.
pub fn read(
    settings: &Settings,
    headers: &HeaderMap,
    body: &[u8],
    now_s: i64,
) -> Result<Notification, Refused> {
    let webhook = auth::webhook(settings, headers, body, now_s);
    let gateway = auth::gateway(settings, headers, body, now_s);
    if !webhook && !gateway {
        return Err(Refused::Unauthorised);
    }
    let Value::Object(map) = serde_json::from_slice(body).map_err(|_| Refused::NotJson)? else {
        return Err(unknown_format());
    };
    let fields = Fields(&map);
    match Format::of(&map).ok_or_else(unknown_format)? {
        Format::BankTransfer if webhook => bank_transfer::read(&fields, &settings.accounts),
        Format::Gateway if gateway => gateway::read(&fields),
        Format::SignedForm if webhook && signed_form::is_signed(&map, settings) => {
            signed_form::read(&fields)
        }
        _ => Err(Refused::Unauthorised),
    }
}

enum Format {
    BankTransfer,
    Gateway,
    SignedForm,
}

impl Format {
    fn of(map: &Map<String, Value>) -> Option<Self> {
        let has = |key| map.contains_key(key);
        if has("transferType") && has("transferAmount") {
            Some(Self::BankTransfer)
        } else if has("notification_type") {
            Some(Self::Gateway)
        } else if has("orderId") || has("order_id") {
            Some(Self::SignedForm)
        } else {
            None
        }
    }
}

fn unknown_format() -> Refused {
    Refused::Invalid(vec![Invalid::new(
        "transferType",
        "format",
        "the body must have the fields of a bank transfer (transferType, transferAmount), of a notification by the payment gateway (notification_type) or of a signed form (orderId, signature)",
    )])
}

#[cfg(test)]
mod tests;
