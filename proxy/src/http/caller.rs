//! Tells servers from pages, and slows down clients that guess the server key.

use std::net::IpAddr;

use axum::http::HeaderMap;

use super::rejection::Rejection;
use crate::{admit::Caller, app::Shared, identity::server_key};

/// Who a request from `address` is from.
///
/// # Errors
/// [`Rejection::WrongServerKey`], and [`Rejection::TooMany`] once that happens too often.
pub fn of(app: &Shared, headers: &HeaderMap, address: IpAddr) -> Result<Caller, Rejection> {
    let caller = server_key::caller(headers, app.server.server_key.as_ref());
    if caller.is_err() {
        app.key_guesses.check(address)?;
    }
    Ok(caller?)
}
