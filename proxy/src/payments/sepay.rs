//! SePay's webhooks: what is believed, and what it says.
//!
//! Three formats come to one address. Whoever does not prove to be SePay learns nothing, not even whether a
//! body was understood: the proof is looked at first, over the bytes as they came.
//!
//! | Format | Known by | Proof | Module |
//! |---|---|---|---|
//! | bank transfers | `transferType`, `transferAmount` | API key or HMAC, as configured | `bank_transfer` |
//! | payment gateway | `notification_type` | `X-Secret-Key`, or HMAC where configured | `gateway` |
//! | the replaced system's form | `orderId` | as bank transfers, and an MD5 signature with a key of its own | `signed_form` |

mod auth;
mod bank_transfer;
mod fields;
mod gateway;
mod signed_form;

use axum::http::HeaderMap;
use duet_events::Invalid;
use serde_json::{Map, Value};

use super::{Notification, Refused};
use crate::secret::SharedSecret;

use fields::Fields;

/// How far the clock of a signature may be from ours, in seconds.
pub const MAX_CLOCK_DIFFERENCE_S: u64 = 300;

const PROVIDER: &str = "sepay";

/// What the operator agreed with SePay.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `SEPAY_WEBHOOK_SECRET`: the API key, or the key of the HMAC.
    pub webhook_secret: SharedSecret,
    /// `SEPAY_WEBHOOK_AUTH`: how the webhook proves itself.
    pub auth: Auth,
    /// `SEPAY_SECRET_KEY`: the key of the replaced system's form; without it that form is refused.
    pub form_key: Option<SharedSecret>,
    /// `SEPAY_ACCOUNTS`: the accounts, virtual ones included, that money for orders comes to; empty for any.
    pub accounts: Vec<String>,
}

/// How the bank webhook proves itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// The secret stands in a header.
    ApiKey,
    /// The secret signs the time and the body.
    Hmac,
}

/// Reads what was posted to the webhook.
///
/// # Errors
/// [`Refused`] when it is not authentic, or not one of the three formats.
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
        "the body must be a bank transfer (transferType, transferAmount), a gateway's notification (notification_type) or a signed form (orderId, signature)",
    )])
}

#[cfg(test)]
mod tests;
