//! Determines who sends a request.

use axum::http::{HeaderMap, header};

pub mod clerk;
pub mod server_key;

const SCHEME: &[u8] = b"bearer";

/// Returns the token of `Authorization: Bearer`, or `None` for another scheme. A token that is not text counts as empty. An
/// empty token matches no key and no session.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = authorization.split_at_checked(SCHEME.len())?;
    let token = token.strip_prefix(b" ")?;
    let token = str::from_utf8(token).map_or("", str::trim);
    scheme.eq_ignore_ascii_case(SCHEME).then_some(token)
}
