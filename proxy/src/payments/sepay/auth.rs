//! Checks whether SePay sent a request.

use axum::http::HeaderMap;

use super::{Auth, Settings};
use crate::{
    payments::proof::{self, Timed, text},
    secret::Secrets,
};

/// Whether SePay's bank webhook sent the request. Returns false if the request uses another way of proof than the
/// configured one.
pub(super) fn webhook(settings: &Settings, headers: &HeaderMap, body: &[u8], now_s: i64) -> bool {
    match settings.auth {
        Auth::ApiKey => {
            let secret = &settings.webhook_secret;
            let key = text(headers, "authorization").and_then(api_key);
            let of_the_replaced_system = text(headers, "x-sepay-webhook-secret");
            [key, of_the_replaced_system]
                .into_iter()
                .flatten()
                .any(|presented| proof::token(secret, presented))
        }
        Auth::Hmac => signed(&settings.webhook_secret, headers, body, now_s),
    }
}

/// Whether SePay's payment gateway sent the request. The gateway sends a key in a header. If signatures are configured,
/// the gateway can send a signature instead.
pub(super) fn gateway(settings: &Settings, headers: &HeaderMap, body: &[u8], now_s: i64) -> bool {
    let presented = text(headers, "x-secret-key");
    let secret = &settings.webhook_secret;
    presented.is_some_and(|presented| proof::token(secret, presented))
        || settings.auth == Auth::Hmac && signed(secret, headers, body, now_s)
}

/// Returns the key from `Apikey <key>`, or from `Bearer Apikey <key>`, which some libraries write.
fn api_key(authorization: &str) -> Option<&str> {
    let after = |text: &'_ str, scheme: &str| {
        let (first, rest) = text.split_once(' ')?;
        let rest = first.eq_ignore_ascii_case(scheme).then(|| rest.trim())?;
        Some(text.len() - rest.len())
    };
    let from = after(authorization, "bearer").unwrap_or(0);
    let scheme_and_key = authorization.get(from..)?;
    let from = after(scheme_and_key, "apikey")?;
    scheme_and_key.get(from..)
}

/// Whether the headers contain the HMAC-SHA256 of `<timestamp>.<body>`, and the timestamp is within five minutes of now.
fn signed(secrets: &Secrets, headers: &HeaderMap, body: &[u8], now_s: i64) -> bool {
    let time = text(headers, "x-sepay-timestamp");
    let signature = text(headers, "x-sepay-signature").and_then(signature);
    let Some((time, signature)) = time.zip(signature) else {
        return false;
    };
    let signed = Timed {
        time,
        separator: ".",
        body,
    };
    proof::timed_body(secrets, &signed, &[signature], now_s)
}

/// Decodes `sha256=<hex>`, or the hexadecimal digits alone.
fn signature(header: &str) -> Option<Vec<u8>> {
    let digits = match header.split_once('=') {
        Some((algorithm, digits)) if algorithm.eq_ignore_ascii_case("sha256") => digits,
        Some(_) => return None,
        None => header,
    };
    proof::hex(digits.trim())
}
