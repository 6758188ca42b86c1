//! Recognises the shop's own servers by the server key.

use axum::http::HeaderMap;

use crate::{admit::Caller, secret::ServerKey};

/// A bearer token that is neither the server key nor a session token.
#[derive(Debug, PartialEq, Eq)]
pub struct WrongKey;

/// Returns who sends a request. A JSON Web Token is a session token, not a server key.
///
/// # Errors
/// [`WrongKey`] for any other bearer token.
pub fn caller(headers: &HeaderMap, key: Option<&ServerKey>) -> Result<Caller, WrongKey> {
    let Some(bearer) = super::bearer(headers) else {
        return Ok(Caller::Page);
    };
    if key.is_some_and(|key| key.matches(bearer)) {
        return Ok(Caller::Server);
    }
    // The header of every JSON Web Token is a JSON object. An object begins with `{"`, which is `eyJ` in base64.
    let session = bearer.starts_with("eyJ") && bearer.split('.').count() == 3;
    if session {
        Ok(Caller::Page)
    } else {
        Err(WrongKey)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    fn judged(authorization: Option<&str>, key: Option<&str>) -> Option<Caller> {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        caller(&headers, key.and_then(ServerKey::new).as_ref()).ok()
    }

    #[test]
    fn the_key_makes_a_server_and_a_wrong_one_is_refused() {
        let key = Some("0123456789abcdef");
        assert_eq!(judged(None, key), Some(Caller::Page));
        assert_eq!(
            judged(Some("Bearer 0123456789abcdef"), key),
            Some(Caller::Server)
        );
        assert_eq!(
            judged(Some("bearer 0123456789abcdef"), key),
            Some(Caller::Server)
        );
        assert_eq!(judged(Some("Bearer 0123456789abcdeX"), key), None);
        assert_eq!(judged(Some("Bearer 0123456789abcdef"), None), None);
        assert_eq!(
            judged(Some("Bearer eyJh.eyJz.c2ln"), key),
            Some(Caller::Page)
        );
        assert_eq!(judged(Some("Bearer not.the.key-of-this-server"), key), None);
        assert_eq!(judged(Some("Basic dTpw"), key), Some(Caller::Page));
    }
}
