//! Who is calling.

use axum::http::{HeaderMap, header};

pub mod clerk;
pub mod server_key;

const SCHEME: &[u8] = b"bearer";

/// The token of `Authorization: Bearer`; other schemes are none of ours. A token that is no text is empty, which
/// matches no key and no session.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = authorization.split_at_checked(SCHEME.len())?;
    let token = token.strip_prefix(b" ")?;
    let token = str::from_utf8(token).map_or("", str::trim);
    scheme.eq_ignore_ascii_case(SCHEME).then_some(token)
}
