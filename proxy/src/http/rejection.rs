//! Every reason to reject a request, and the code that makes the answer for each reason.

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

/// Why a request is rejected.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// The body is not JSON.
    #[error("the body must be JSON in UTF-8")]
    NotJson,
    /// The proxy accepts no event of the request.
    #[error("nothing in this request was accepted; the list `results` has the broken rules")]
    Invalid(Vec<EventResult>),
    /// The key in `Authorization` is not the server key.
    #[error(
        "Authorization must be \"Bearer\" followed by the server key, got another token or no token"
    )]
    WrongServerKey,
    /// The session token in `Authorization` is not valid.
    #[error("the session token in Authorization must be valid; get a new token and try again")]
    InvalidSession,
    /// The proxy cannot verify session tokens yet, because it has no keys of Clerk.
    #[error("sessions cannot be verified at the moment; try again later")]
    NoSessionKeys,
    /// The request does not prove that it comes from the payment provider.
    #[error("the request must carry the payment provider's key or signature")]
    NotTheProvider,
    /// This webhook is not set up. The value is the setting that enables the webhook.
    #[error("this payment webhook is not enabled; the operator enables it with {0}")]
    NoWebhook(&'static str),
    /// The order cannot be changed any more.
    #[error("a paid order cannot be registered again")]
    OrderPaid,
    /// A newer registration has already replaced this registration.
    #[error("another registration of this order is newer, so this registration was not applied")]
    OrderReplaced,
    /// Another live order already has one of these payment references.
    #[error(
        "each entry of references must belong to one order only, but another live order already has one of these entries"
    )]
    ReferenceTaken,
    /// Pages of this origin are not allowed to send events.
    #[error(
        "pages of this origin are not allowed to send events; the operator can allow the origin in DUET_ALLOWED_ORIGINS, or in the origins of a pixel in DUET_PIXELS_FILE"
    )]
    OriginNotAllowed,
    /// No route has this path.
    #[error("no route has this path")]
    NotFound,
    /// The path does not support this method.
    #[error("this path does not support this method")]
    MethodNotAllowed,
    /// This client sends too many requests.
    #[error("too many requests from this address; try again after {retry_after_s} s")]
    TooMany {
        /// How many seconds the client must wait before the next request.
        retry_after_s: u64,
    },
    /// The body did not arrive in time.
    #[error("the body must arrive within 10 s")]
    TooSlow,
    /// The connection closed before the whole body arrived.
    #[error("the connection closed before the whole body arrived")]
    Incomplete,
    /// The body is too large.
    #[error("a body must have at most 256 KiB")]
    TooLarge,
    /// More events arrive than the disk can write.
    #[error("too many events at once; try again shortly")]
    Overloaded,
    /// The disk is nearly full.
    #[error("the disk is nearly full; try again later")]
    DiskFull,
    /// The store cannot write events.
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
            Self::NotFound | Self::NoWebhook(_) => StatusCode::NOT_FOUND,
            Self::OrderPaid | Self::OrderReplaced | Self::ReferenceTaken => StatusCode::CONFLICT,
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
            Self::NoWebhook(_) => "no_webhook",
            Self::OrderPaid => "order_paid",
            Self::OrderReplaced => "order_replaced",
            Self::ReferenceTaken => "reference_taken",
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

    /// Rejects the whole body, because the body breaks these rules.
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

/// Lists every failure of the queue without a catch-all, so that the code does not compile until a new failure has an answer
/// here.
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
            | queue::Error::Timeout
            | queue::Error::Database(_)
            | queue::Error::Unsuitable(_)
            | queue::Error::Certificates(_)
            | queue::Error::Move(_)
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
        // The body did not arrive in time. The connection closes, so that the proxy does not wait for the rest of the body.
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

/// Answers requests for paths that do not exist.
pub async fn not_found(_: Uri) -> Rejection {
    Rejection::NotFound
}

/// Answers requests with a method that the path does not support.
pub async fn method_not_allowed() -> Rejection {
    Rejection::MethodNotAllowed
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// One rejection of each kind.
    fn all() -> [Rejection; 20] {
        [
            Rejection::NotJson,
            Rejection::Invalid(Vec::new()),
            Rejection::WrongServerKey,
            Rejection::InvalidSession,
            Rejection::NoSessionKeys,
            Rejection::NotTheProvider,
            Rejection::NoWebhook(""),
            Rejection::OrderPaid,
            Rejection::OrderReplaced,
            Rejection::ReferenceTaken,
            Rejection::OriginNotAllowed,
            Rejection::NotFound,
            Rejection::MethodNotAllowed,
            Rejection::TooMany { retry_after_s: 1 },
            Rejection::TooSlow,
            Rejection::Incomplete,
            Rejection::TooLarge,
            Rejection::Overloaded,
            Rejection::DiskFull,
            Rejection::Unavailable,
        ]
    }

    #[test]
    fn the_documentation_lists_every_code_with_its_status_and_no_other() {
        let all = all();
        let (_, codes) = include_str!("rejection.rs").split_once("fn code(").unwrap();
        let codes = codes.split("\n    }\n").next().unwrap().lines();
        let codes: BTreeSet<_> = codes.filter_map(|line| line.split('"').nth(1)).collect();
        assert_eq!(codes, all.iter().map(Rejection::code).collect());
        let (_, rows) = include_str!("../../../docs/rules.md")
            .split_once("\n## Error codes\n")
            .unwrap();
        let rows: BTreeSet<_> = rows
            .lines()
            .filter(|row| row.starts_with("| `"))
            .map(|row| row.split(" | ").take(2).collect::<Vec<_>>().join(" | "))
            .collect();
        let expected = all.iter().map(|rejection| {
            let (code, status) = (rejection.code(), rejection.status().as_u16());
            format!("| `{code}` | {status}")
        });
        assert_eq!(rows, expected.collect());
    }
}
