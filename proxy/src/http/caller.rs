//! Distinguishes servers from pages. Limits how often a client can send a wrong server key.

use std::net::IpAddr;

use axum::http::HeaderMap;

use super::rejection::Rejection;
use crate::{admit::Caller, app::Shared, identity::server_key};

/// Returns whether a request from `address` comes from a page or from a server.
///
/// # Errors
/// [`Rejection::WrongServerKey`], or [`Rejection::TooMany`] if the client has sent too many wrong keys.
pub fn of(app: &Shared, headers: &HeaderMap, address: IpAddr) -> Result<Caller, Rejection> {
    let caller = server_key::caller(headers, app.server.server_key.as_ref());
    if caller.is_err() {
        app.key_guesses.check(address)?;
    }
    Ok(caller?)
}
