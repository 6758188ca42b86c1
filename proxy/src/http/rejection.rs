//! Every way to say no, and the one place where it becomes an answer.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use duet_events::{
    Invalid,
    wire::{EventResult, Status},
};
use serde::Serialize;

use crate::{
    identity::{clerk::Unverified, server_key::WrongKey},
    queue,
    rates::TooMany,
};

/// Why a request is not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// The body is not JSON.
    #[error("the body must be JSON in UTF-8")]
    NotJson,
    /// No event of the request can be taken.
    #[error("every event of this request breaks a rule; results names it")]
    Invalid(Vec<EventResult>),
    /// The key in `Authorization` is not the server key.
    #[error("Authorization must be Bearer and the server key, got another token or none")]
    WrongServerKey,
    /// The session token in `Authorization` does not hold.
    #[error("the session token in Authorization must be valid; get a new token and try again")]
    InvalidSession,
    /// A session token cannot be verified yet.
    #[error("sessions cannot be verified at the moment; try again later")]
    NoSessionKeys,
    /// The request does not prove that it comes from the payment provider.
    #[error("the request must carry the payment provider's key or signature")]
    NotTheProvider,
    /// No webhook is set up.
    #[error("no payment webhook is set up here; the operator sets SEPAY_WEBHOOK_SECRET")]
    NoWebhook,
    /// The order cannot be changed any more.
    #[error("a paid order cannot be registered again")]
    OrderPaid,
    /// An old registration came again.
    #[error("the order has a later registration; this one is not applied")]
    OrderReplaced,
    /// Pages of this origin may not send events.
    #[error(
        "pages of this origin may not send events here; the operator lists origins in DUET_ALLOWED_ORIGINS"
    )]
    OriginNotAllowed,
    /// There is nothing at this path.
    #[error("no route has this path")]
    NotFound,
    /// The path does not take this method.
    #[error("this path does not take this method")]
    MethodNotAllowed,
    /// This client asks too much.
    #[error("too many requests from this address; try again after {retry_after_s} s")]
    TooMany {
        /// When the next one may come, in seconds.
        retry_after_s: u64,
    },
    /// The body did not come in time.
    #[error("the body must arrive within 10 s")]
    TooSlow,
    /// The body broke off.
    #[error("the connection closed before the whole body arrived")]
    Incomplete,
    /// The body is too large.
    #[error("a body must have at most 256 KiB")]
    TooLarge,
    /// More wants in than the disk takes.
    #[error("too many events at once; try again shortly")]
    Overloaded,
    /// The disk is nearly full.
    #[error("the disk is nearly full; try again later")]
    DiskFull,
    /// The store does not take events.
    #[error("events cannot be stored at the moment; try again later")]
    Unavailable,
}

impl Rejection {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotJson | Self::Incomplete => StatusCode::BAD_REQUEST,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::WrongServerKey | Self::InvalidSession | Self::NotTheProvider => {
                StatusCode::UNAUTHORIZED
            }
            Self::OriginNotAllowed => StatusCode::FORBIDDEN,
            Self::NotFound | Self::NoWebhook => StatusCode::NOT_FOUND,
            Self::OrderPaid | Self::OrderReplaced => StatusCode::CONFLICT,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoSessionKeys | Self::Overloaded | Self::DiskFull | Self::Unavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotJson => "not_json",
            Self::Invalid(_) => "invalid",
            Self::WrongServerKey => "wrong_server_key",
            Self::InvalidSession => "invalid_session",
            Self::NoSessionKeys => "no_session_keys",
            Self::NotTheProvider => "not_the_provider",
            Self::NoWebhook => "no_webhook",
            Self::OrderPaid => "order_paid",
            Self::OrderReplaced => "order_replaced",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::TooMany { .. } => "too_many",
            Self::TooSlow => "too_slow",
            Self::Incomplete => "incomplete",
            Self::TooLarge => "too_large",
            Self::Overloaded => "overloaded",
            Self::DiskFull => "disk_full",
            Self::Unavailable => "unavailable",
        }
    }

    /// The body as a whole breaks these rules.
    pub fn broken(errors: Vec<Invalid>) -> Self {
        Self::Invalid(vec![EventResult {
            event_id: None,
            status: Status::Invalid,
            errors,
            warnings: Vec::new(),
        }])
    }

    fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::TooMany { retry_after_s } => Some(*retry_after_s),
            Self::Overloaded => Some(1),
            Self::NoSessionKeys => Some(10),
            Self::DiskFull | Self::Unavailable => Some(30),
            _ => None,
        }
    }
}

impl From<TooMany> for Rejection {
    fn from(TooMany { retry_after_s }: TooMany) -> Self {
        Self::TooMany { retry_after_s }
    }
}

impl From<WrongKey> for Rejection {
    fn from(WrongKey: WrongKey) -> Self {
        Self::WrongServerKey
    }
}

impl From<Unverified> for Rejection {
    fn from(unverified: Unverified) -> Self {
        match unverified {
            Unverified::Invalid => Self::InvalidSession,
            Unverified::NoKeys => Self::NoSessionKeys,
        }
    }
}

/// Naming every failure of the queue here stops a new one from becoming a quiet 500.
impl From<queue::Error> for Rejection {
    fn from(error: queue::Error) -> Self {
        match error {
            queue::Error::Full => Self::Overloaded,
            queue::Error::DiskFull => Self::DiskFull,
            queue::Error::Stopped
            | queue::Error::Unwritable
            | queue::Error::Locked
            | queue::Error::Format { .. }
            | queue::Error::Store(_)
            | queue::Error::Folder(_)
            | queue::Error::Damaged { .. }
            | queue::Error::Unreadable { .. }
            | queue::Error::Corrupt => Self::Unavailable,
        }
    }
}

#[derive(Serialize)]
struct Body {
    success: bool,
    code: &'static str,
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<Vec<EventResult>>,
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() {
            tracing::error!(code = self.code(), "request rejected with a server error");
        } else {
            tracing::debug!(code = self.code(), "request rejected");
        }
        let (code, error, retry_after) = (self.code(), self.to_string(), self.retry_after_s());
        let results = match self {
            Self::Invalid(results) => Some(results),
            _ => None,
        };
        let mut response = (
            status,
            Json(Body {
                success: false,
                code,
                error,
                results,
            }),
        )
            .into_response();
        // The rest of a body that did not come in time is not waited for.
        if status == StatusCode::REQUEST_TIMEOUT {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        if let Some(seconds) = retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// For paths that do not exist.
pub async fn not_found(_: Uri) -> Rejection {
    Rejection::NotFound
}

/// For methods that a path does not take.
pub async fn method_not_allowed() -> Rejection {
    Rejection::MethodNotAllowed
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn the_documentation_lists_every_code_and_no_other() {
        let (_, codes) = include_str!("rejection.rs").split_once("fn code(").unwrap();
        let codes = codes.split("\n    }\n").next().unwrap().lines();
        let codes: BTreeSet<_> = codes.filter_map(|line| line.split('"').nth(1)).collect();
        let (_, rows) = include_str!("../../../docs/rules.md")
            .split_once("\n## Error codes\n")
            .unwrap();
        let rows: BTreeSet<_> = rows
            .lines()
            .filter_map(|row| row.strip_prefix("| `")?.split('`').next())
            .collect();
        assert!(codes.len() > 15);
        assert_eq!(codes, rows);
    }
}
