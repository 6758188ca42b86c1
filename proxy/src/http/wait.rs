//! Implements `?wait=MS`: a server can ask the proxy to answer only after TikTok has answered, not already when the event is
//! stored.

use std::time::Duration;

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use duet_events::{
    Invalid,
    rule::{leave_out, reject},
    wire::{Answer, EventResult, Status},
};
use serde::Serialize;
use tokio::time;

use super::rejection::Rejection;
use crate::{admit::Caller, outcome::Outcome, queue::Waiter};

/// The longest time that a caller can wait.
const LONGEST_MS: u64 = 30_000;

/// How long a caller wants to wait for TikTok's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The caller does not wait.
    Not,
    /// A page asked to wait, but only servers can wait.
    Ignored,
    /// The caller waits for at most this long.
    For(Duration),
}

impl Wait {
    /// Reads the waiting time from the query of a request.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] if a server's value is not a number of milliseconds, or is too large.
    pub fn asked(query: Option<&str>, caller: Caller) -> Result<Self, Rejection> {
        let mut pairs = query.unwrap_or_default().split('&');
        let Some(asked) = pairs.find_map(|pair| pair.strip_prefix("wait=")) else {
            return Ok(Self::Not);
        };
        if caller == Caller::Page {
            return Ok(Self::Ignored);
        }
        match asked.parse() {
            Ok(ms @ 0..=LONGEST_MS) => Ok(Self::For(Duration::from_millis(ms))),
            _ => Err(Rejection::Invalid(vec![EventResult {
                event_id: None,
                status: Status::Invalid,
                errors: vec![Invalid::of(&reject::MAX_MS, "wait")],
                warnings: Vec::new(),
            }])),
        }
    }

    /// Answers 200 with the outcomes of the accepted events if all outcomes are known in time. Otherwise answers 202. `waiters`
    /// has one entry for each accepted event, in the same order.
    pub async fn answer(self, mut answer: Answer, waiters: Vec<Waiter>) -> Response {
        match self {
            Self::Not => {}
            Self::Ignored => answer
                .warnings
                .push(Invalid::of(&leave_out::SERVER_KEY, "wait")),
            Self::For(patience) => {
                let results = answer.results.iter_mut();
                let taken = results.filter(|result| result.status != Status::Invalid);
                let mut under_way: Vec<_> = taken
                    .zip(waiters)
                    .filter(|(result, _)| result.status == Status::Accepted)
                    .map(|(_, waiter)| waiter)
                    .collect();
                if !under_way.is_empty()
                    && let Ok(ends) = time::timeout(patience, ends(&mut under_way)).await
                {
                    return (StatusCode::OK, Json(Ended::new(answer, ends))).into_response();
                }
            }
        }
        (StatusCode::ACCEPTED, Json(answer)).into_response()
    }
}

async fn ends(waiters: &mut [Waiter]) -> Vec<Outcome> {
    let mut ends = Vec::new();
    for waiter in waiters {
        ends.push(waiter.end().await);
    }
    ends
}

/// The answer when every accepted event has an outcome. The fields beside `results` repeat the result of the first accepted
/// event.
#[derive(Serialize)]
struct Ended {
    /// Whether TikTok accepted all of the events.
    success: bool,
    #[serde(flatten)]
    first: Option<EndedResult>,
    results: Vec<EndedResult>,
}

#[derive(Clone, Serialize)]
struct EndedResult {
    event_id: Option<String>,
    status: Said,
    #[serde(flatten)]
    words: Option<Words>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Invalid>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Invalid>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
enum Said {
    /// The outcome of the event.
    End(&'static str),
    /// The proxy's own status, for an event whose outcome the caller did not wait for.
    Status(Status),
}

/// TikTok's code and message.
#[derive(Clone, Serialize)]
struct Words {
    code: i64,
    message: String,
    request_id: Option<String>,
}

impl Ended {
    fn new(answer: Answer, ends: Vec<Outcome>) -> Self {
        let success = ends.iter().all(|end| !end.is_dead());
        let mut ends = ends.into_iter();
        let results: Vec<_> = answer
            .results
            .into_iter()
            .map(|result| {
                let end = (result.status == Status::Accepted).then(|| ends.next());
                EndedResult::new(result, end.flatten().as_ref())
            })
            .collect();
        let taken = |result: &&EndedResult| !matches!(result.status, Said::Status(Status::Invalid));
        Self {
            success,
            first: results.iter().find(taken).cloned(),
            results,
        }
    }
}

impl EndedResult {
    fn new(result: EventResult, end: Option<&Outcome>) -> Self {
        let words = end.and_then(Outcome::verdict).map(|verdict| Words {
            code: verdict.code,
            message: verdict.message.clone(),
            request_id: verdict.request_id.clone(),
        });
        Self {
            event_id: result.event_id,
            status: match end {
                None => Said::Status(result.status),
                // The fields `code` and `message` contain TikTok's remark.
                Some(Outcome::DeliveredWithWarning(_)) => Said::End("delivered"),
                Some(end) => Said::End(end.label()),
            },
            words,
            errors: result.errors,
            warnings: result.warnings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_waits_and_for_half_a_minute_at_most() {
        let server = |query| Wait::asked(Some(query), Caller::Server).ok();
        let ms = |ms| Some(Wait::For(Duration::from_millis(ms)));
        for (query, expected) in [
            ("", Some(Wait::Not)),
            ("waiting=1&x=wait=1", Some(Wait::Not)),
            ("wait=0", ms(0)),
            ("a=b&wait=30000", ms(30_000)),
            ("wait=30001", None),
            ("wait=99999999999999999999999", None),
            ("wait=-1", None),
            ("wait=", None),
            ("wait=1s", None),
        ] {
            assert_eq!(server(query), expected, "{query}");
        }
        for query in ["wait=5", "wait=no"] {
            let page = Wait::asked(Some(query), Caller::Page).ok();
            assert_eq!(page, Some(Wait::Ignored), "{query}");
        }
        assert_eq!(Wait::asked(None, Caller::Page).ok(), Some(Wait::Not));
    }
}
