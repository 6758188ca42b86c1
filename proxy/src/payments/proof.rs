//! The five ways in which a notification proves who sent it. Each check uses the bytes as they were received, takes
//! constant time, and tries all valid secrets.
//!
//! | Way | Function |
//! |---|---|
//! | HMAC over the time and the body | [`timed_body`] |
//! | HMAC over the body | [`body`] |
//! | HMAC over named or sorted fields, or a digest of these fields and the key | [`fields`] |
//! | a fixed token in a header | [`token`] |
//! | Standard Webhooks | [`standard_webhook`] |

use axum::http::HeaderMap;
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac, digest::InvalidLength};
use md5::{Digest, Md5};
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

use crate::secret::Secrets;

/// How far the time of a signature may be from the proxy's clock, in seconds.
pub const MAX_CLOCK_DIFFERENCE_S: u64 = 300;

/// Computes the keyed digest of a text. The text is given in pieces.
pub type Algorithm = fn(key: &[u8], text: &[&[u8]]) -> Vec<u8>;

/// A body that is signed together with the time.
#[derive(Clone, Copy, Debug)]
pub struct Timed<'a> {
    /// The time in Unix seconds, as it was sent.
    pub time: &'a str,
    /// The text between the time and the body.
    pub separator: &'static str,
    /// The body.
    pub body: &'a [u8],
}

/// Whether one of `signatures` is the HMAC-SHA256 of `<time><separator><body>`, and the time is within five minutes of
/// now.
pub fn timed_body(
    secrets: &Secrets,
    signed: &Timed<'_>,
    signatures: &[Vec<u8>],
    now_s: i64,
) -> bool {
    let Timed {
        time,
        separator,
        body,
    } = *signed;
    let text = [time.as_bytes(), separator.as_bytes(), body];
    is_signed(secrets, hmac_sha256, &text, signatures) && is_fresh(time, now_s)
}

/// Whether the signature is valid for the body.
pub fn body(secrets: &Secrets, algorithm: Algorithm, body: &[u8], signature: Vec<u8>) -> bool {
    is_signed(secrets, algorithm, &[body], &[signature])
}

/// Whether the signature is valid for these fields in the given sequence, written as `name=value` with `&` between them.
/// This text does not show where a value ends. Therefore the check fails if a value contains `&`, one of the `known`
/// names and `=`, or if a name contains `&` or `=`.
pub fn fields<V: AsRef<str>>(
    secrets: &Secrets,
    algorithm: Algorithm,
    (fields, known): (&[(&str, V)], &[&str]),
    signature: Vec<u8>,
) -> bool {
    let joined = joined(fields, known);
    joined.is_some_and(|text| body(secrets, algorithm, text.as_bytes(), signature))
}

/// Whether the presented token is one of the secrets.
pub fn token(secrets: &Secrets, presented: &str) -> bool {
    secrets.matches(presented)
}

/// Returns the index of the key that signed the body in the way of Standard Webhooks. The header `webhook-signature`
/// lists signatures of `<webhook-id>.<webhook-timestamp>.<body>`. The check fails if the time is not within five minutes
/// of now.
pub fn standard_webhook(
    keys: &[Vec<u8>],
    headers: &HeaderMap,
    body: &[u8],
    now_s: i64,
) -> Option<usize> {
    let id = text(headers, "webhook-id").filter(|id| !id.is_empty())?;
    let time = text(headers, "webhook-timestamp")?;
    let listed = text(headers, "webhook-signature")?.split(' ');
    let versions = listed.filter_map(|one| one.strip_prefix("v1,"));
    let decoded = versions.filter_map(|base64| BASE64_STANDARD.decode(base64).ok());
    let signatures: Vec<_> = decoded.collect();
    let text = [id.as_bytes(), b".", time.as_bytes(), b".", body];
    let mut matches = keys.iter().enumerate().filter(|(_, key)| {
        let digest = hmac_sha256(key, &text);
        is_one_of(&digest, &signatures)
    });
    let (index, _) = matches.next()?;
    is_fresh(time, now_s).then_some(index)
}

/// Computes HMAC-SHA256.
pub fn hmac_sha256(key: &[u8], text: &[&[u8]]) -> Vec<u8> {
    keyed(Hmac::<Sha256>::new_from_slice(key), text)
}

/// Computes HMAC-SHA512.
pub fn hmac_sha512(key: &[u8], text: &[&[u8]]) -> Vec<u8> {
    keyed(Hmac::<Sha512>::new_from_slice(key), text)
}

/// Computes the MD5 of one text that consists of the given text, `&key=` and the key.
pub fn md5_and_key(key: &[u8], text: &[&[u8]]) -> Vec<u8> {
    let mut digest = Md5::new();
    for piece in text {
        digest.update(piece);
    }
    digest.update(b"&key=");
    digest.update(key);
    digest.finalize().to_vec()
}

/// Computes the digest. HMAC accepts keys of every length. If it rejected a key, the empty result would match no
/// signature.
fn keyed<M: Mac>(mac: Result<M, InvalidLength>, text: &[&[u8]]) -> Vec<u8> {
    let Ok(mut mac) = mac else {
        return Vec::new();
    };
    for piece in text {
        mac.update(piece);
    }
    mac.finalize().into_bytes().to_vec()
}

/// Decodes a signature in hexadecimal digits of upper or lower case.
pub fn hex(digits: &str) -> Option<Vec<u8>> {
    base16ct::mixed::decode_vec(digits).ok()
}

/// Returns the time and the signatures in a header such as `t=1774422157,v1=00ff`. Returns `None` if the header does not
/// have exactly one time.
pub fn listed(header: &str) -> Option<(&str, Vec<Vec<u8>>)> {
    let items = || {
        header
            .split(',')
            .filter_map(|item| item.trim().split_once('='))
    };
    let mut times = items().filter(|(name, _)| *name == "t");
    let (_, time) = times.next().filter(|_| times.next().is_none())?;
    let signatures = items().filter(|(name, _)| *name == "v1");
    Some((
        time,
        signatures.filter_map(|(_, digits)| hex(digits)).collect(),
    ))
}

/// Returns a header's text without white space around it.
pub fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get(name)?;
    std::str::from_utf8(value.as_bytes()).ok().map(str::trim)
}

/// Whether one of the secrets made one of the signatures. Tries every secret, also after one has matched, and computes
/// one digest for each secret.
fn is_signed(
    secrets: &Secrets,
    algorithm: Algorithm,
    text: &[&[u8]],
    signatures: &[Vec<u8>],
) -> bool {
    let matches = secrets.iter().filter(|secret| {
        let digest = algorithm(secret.expose(), text);
        is_one_of(&digest, signatures)
    });
    matches.count() > 0
}

fn is_one_of(digest: &[u8], signatures: &[Vec<u8>]) -> bool {
    let equal = |signature: &&Vec<u8>| bool::from(digest.ct_eq(signature));
    !digest.is_empty() && signatures.iter().filter(equal).count() > 0
}

/// Whether a time in Unix seconds is within five minutes of now. Returns false if the time contains anything but digits.
fn is_fresh(time: &str, now_s: i64) -> bool {
    let digits = time.bytes().all(|byte| byte.is_ascii_digit());
    let made_s = time.parse::<i64>().ok().filter(|_| digits);
    made_s.is_some_and(|made_s| now_s.abs_diff(made_s) <= MAX_CLOCK_DIFFERENCE_S)
}

fn joined<V: AsRef<str>>(fields: &[(&str, V)], known: &[&str]) -> Option<String> {
    let mut text = String::new();
    for (name, value) in fields {
        let value = value.as_ref();
        let mut pieces = value.split('&').skip(1);
        let is_split = pieces.any(|piece| {
            let name = piece.split_once('=').map(|(name, _)| name);
            name.is_some_and(|name| known.contains(&name))
        });
        if is_split || name.contains(['&', '=']) {
            return None;
        }
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    }
    Some(text)
}

#[cfg(test)]
mod tests;
