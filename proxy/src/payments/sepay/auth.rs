//! Who speaks. Secrets are compared in a time that says nothing about where they differ.

use axum::http::HeaderMap;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Auth, MAX_CLOCK_DIFFERENCE_S, Settings};
use crate::secret::SharedSecret;

/// Whether this is the bank webhook, by the one way that is configured.
pub(super) fn webhook(settings: &Settings, headers: &HeaderMap, body: &[u8], now_s: i64) -> bool {
    match settings.auth {
        Auth::ApiKey => {
            let secret = &settings.webhook_secret;
            let key = text(headers, "authorization").and_then(api_key);
            let of_the_replaced_system = text(headers, "x-sepay-webhook-secret");
            [key, of_the_replaced_system]
                .into_iter()
                .flatten()
                .any(|presented| secret.matches(presented))
        }
        Auth::Hmac => signed(&settings.webhook_secret, headers, body, now_s),
    }
}

/// Whether this is the payment gateway, which knows one header, or signs where that is configured.
pub(super) fn gateway(settings: &Settings, headers: &HeaderMap, body: &[u8], now_s: i64) -> bool {
    let presented = text(headers, "x-secret-key");
    let secret = &settings.webhook_secret;
    presented.is_some_and(|presented| secret.matches(presented))
        || settings.auth == Auth::Hmac && signed(secret, headers, body, now_s)
}

/// The key of `Apikey <key>`, also where a library wrote `Bearer Apikey <key>`.
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

/// Whether the body carries the HMAC-SHA256 of `<timestamp>.<body>`, made within five minutes of now.
fn signed(secret: &SharedSecret, headers: &HeaderMap, body: &[u8], now_s: i64) -> bool {
    let Some((timestamp, signature)) = text(headers, "x-sepay-timestamp")
        .zip(text(headers, "x-sepay-signature").and_then(signature))
    else {
        return false;
    };
    let digits = timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let made_s = timestamp.parse::<i64>().ok().filter(|_| digits);
    let fresh = made_s.is_some_and(|made_s| now_s.abs_diff(made_s) <= MAX_CLOCK_DIFFERENCE_S);
    let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(secret.expose()) else {
        return false;
    };
    hmac.update(timestamp.as_bytes());
    hmac.update(b".");
    hmac.update(body);
    hmac.verify_slice(&signature).is_ok() && fresh
}

/// The bytes of `sha256=<hex>`, or of the hex alone.
fn signature(header: &str) -> Option<[u8; 32]> {
    let prefixed = header.split_once('=');
    let digits = match prefixed {
        Some((algorithm, digits)) if algorithm.eq_ignore_ascii_case("sha256") => digits,
        Some(_) => return None,
        None => header,
    };
    hex(digits.trim())
}

/// Exactly `N` bytes in hexadecimal digits of either case.
pub(super) fn hex<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let decoded = base16ct::mixed::decode(digits, &mut bytes).ok()?;
    (decoded.len() == N).then_some(bytes)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get(name)?;
    std::str::from_utf8(value.as_bytes()).ok().map(str::trim)
}
