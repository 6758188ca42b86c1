//! The newest Events API requests, as the sandbox received them.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::Value;

/// The kind of value in the `Access-Token` header. The token itself is never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Token {
    /// A token that the sandbox knows.
    Right,
    /// A token that the sandbox does not know.
    Wrong,
    /// No token.
    Missing,
}

/// One Events API request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LoggedRequest {
    /// A number that counts up from 1.
    pub number: u64,
    /// The time of receipt, in milliseconds since 1970 on the sandbox's clock.
    pub received_at_ms: u64,
    /// The path of the request.
    pub path: String,
    /// The kind of value in the `Access-Token` header.
    pub token: Token,
    /// The received body. If the body is not JSON, this is its text. Every known token in it is replaced. The field is
    /// empty if the body was too large or could not be read.
    pub body: Option<Value>,
    /// The name of the fault that was injected into this request, if any.
    pub fault: Option<&'static str>,
    /// Whether the sender disconnected before the answer.
    pub abandoned: bool,
    /// The HTTP status of the answer. The field is empty if the request got no answer.
    pub status: Option<u16>,
    /// The `code` of the answer. The field is empty if the answer is not JSON with a `code`.
    pub code: Option<u32>,
    /// The `message` of the answer.
    pub message: Option<String>,
    /// The `request_id` of the answer.
    pub request_id: Option<String>,
}

/// The answer.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<u32>,
    pub(crate) message: Option<String>,
    pub(crate) request_id: Option<String>,
}

#[derive(Debug)]
pub(crate) struct RequestLog {
    keep: usize,
    keep_bytes: usize,
    kept: VecDeque<(LoggedRequest, usize)>,
    bytes: usize,
    next: u64,
}

impl RequestLog {
    pub(crate) fn new(keep: usize, keep_bytes: usize) -> Self {
        Self {
            keep: keep.max(1),
            keep_bytes,
            kept: VecDeque::new(),
            bytes: 0,
            next: 1,
        }
    }

    pub(crate) fn kept(
        &self,
    ) -> impl DoubleEndedIterator<Item = &LoggedRequest> + ExactSizeIterator {
        self.kept.iter().map(|(request, _)| request)
    }

    /// Returns the number of the next request.
    pub(crate) fn numbering(&self) -> u64 {
        self.next
    }

    /// Continues the numbers at `next` after a reset, so that requests that still run keep unique numbers.
    pub(crate) fn continue_at(&mut self, next: u64) {
        self.next = next;
    }

    /// Records a request before it is answered, so that a request without an answer is visible too.
    pub(crate) fn begin(&mut self, mut request: LoggedRequest, body_bytes: usize) -> u64 {
        let number = self.next;
        self.next += 1;
        request.number = number;
        self.bytes += body_bytes;
        self.kept.push_back((request, body_bytes));
        while self.kept.len() > self.keep || (self.bytes > self.keep_bytes && self.kept.len() > 1) {
            if let Some((_, bytes)) = self.kept.pop_front() {
                self.bytes -= bytes;
            }
        }
        number
    }

    pub(crate) fn finish(&mut self, number: u64, answered: Answered) {
        if let Some(request) = self.find(number) {
            request.status = answered.status;
            request.code = answered.code;
            request.message = answered.message;
            request.request_id = answered.request_id;
        }
    }

    pub(crate) fn abandon(&mut self, number: u64) {
        if let Some(request) = self.find(number) {
            request.abandoned = true;
        }
    }

    fn find(&mut self, number: u64) -> Option<&mut LoggedRequest> {
        let newest_first = self.kept.iter_mut().rev();
        newest_first
            .map(|(request, _)| request)
            .find(|request| request.number == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> LoggedRequest {
        LoggedRequest {
            number: 0,
            received_at_ms: 0,
            path: "/".to_owned(),
            token: Token::Right,
            body: None,
            fault: None,
            abandoned: false,
            status: None,
            code: None,
            message: None,
            request_id: None,
        }
    }

    #[test]
    fn the_log_keeps_to_its_number_and_its_bytes() {
        let mut log = RequestLog::new(3, 100);
        for _ in 0..5 {
            log.begin(request(), 10);
        }
        assert_eq!(log.kept().map(|r| r.number).collect::<Vec<_>>(), [3, 4, 5]);
        log.begin(request(), 90);
        assert_eq!(log.kept().map(|r| r.number).collect::<Vec<_>>(), [5, 6]);
    }
}
