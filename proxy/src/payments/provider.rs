//! The trait that every payment provider implements: it checks and reads a notification, and chooses the answer.

use std::fmt;

use axum::http::HeaderMap;

use super::{Notification, Refused};

/// The body of the answer to most providers. Its status is 200.
const SUCCESS: &str = r#"{"success":true}"#;

/// A request that claims to come from a provider.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The headers of the request.
    pub headers: &'a HeaderMap,
    /// The query of the request's address.
    pub query: &'a str,
    /// The body of the request.
    pub body: &'a [u8],
    /// The current time, in Unix seconds.
    pub now_s: i64,
}

/// The result of a request, which decides the answer that the provider gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The transfer is stored for the first time.
    Recorded,
    /// The transfer was stored before, or its order is already paid.
    Repeat,
    /// The transfer is stored but names no known order.
    UnknownOrder,
    /// The transfer is stored, but its amount is less than the order still needs.
    OtherAmount,
    /// The transfer is stored as money that pays no order.
    NotCounted,
    /// The notification requires no action.
    Ignored,
    /// The request does not prove that the provider sent it.
    Unproven,
    /// The provider sent the request, but the proxy cannot read it.
    Unusable,
    /// The transfer could not be stored.
    Unavailable,
}

/// A payment provider.
pub trait Provider: fmt::Debug + Send + Sync {
    /// Checks who sent a request, and reads the request.
    ///
    /// # Errors
    /// Returns [`Refused`] if the request is not authentic or cannot be read.
    fn read(&self, request: &Request<'_>) -> Result<Notification, Refused>;

    /// Returns the body of an answer with status 200. `None` means that the provider gets the same error as every other
    /// client.
    fn answer(&self, verdict: Verdict) -> Option<&'static str> {
        match verdict {
            Verdict::Recorded
            | Verdict::Repeat
            | Verdict::UnknownOrder
            | Verdict::OtherAmount
            | Verdict::NotCounted
            | Verdict::Ignored => Some(SUCCESS),
            Verdict::Unproven | Verdict::Unusable | Verdict::Unavailable => None,
        }
    }

    /// Whether the provider names orders by ids of its own, which the shop registers as `references`.
    fn uses_references(&self) -> bool {
        false
    }

    /// Returns what an operator must do after failed notifications, besides fixing the cause of the failures.
    fn after_failures(&self) -> Option<&'static str> {
        None
    }
}
