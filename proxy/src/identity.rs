//! Who is calling.

use axum::http::{HeaderMap, header};

pub mod clerk;
pub mod server_key;

/// The token of `Authorization: Bearer`; other schemes are none of ours.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
