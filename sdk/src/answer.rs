//! Decides what the proxy's answer to a request means for the events of the request.

use crate::effect::Word;

/// What the SDK does after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The answer has a result for at least one event. Each event with a result is settled, and the other events are sent
    /// again.
    PerEvent,
    /// One of the events may have made the whole request fail, so each event is sent again alone.
    Apart,
    /// The only event of the request may be the cause of the failure, so from now on the event is sent after all others, and
    /// rarely.
    Seldom,
    /// The request was rejected for a reason that only a person can remove: a wrong key, origin or address.
    Slowly,
    /// The request is sent again later.
    Later,
}

/// The proxy's answer to one request.
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    /// The page's number for the request.
    pub request: u32,
    /// The HTTP status. It is 0 if no answer arrived, and 300 if a redirect lost the request's body.
    pub http_status: u32,
    /// The wait in `Retry-After`. It is 0 if the answer has no `Retry-After`.
    pub retry_after_ms: f64,
    /// The results of the events, in the order of the events. Each result is a digit: 1 for the first [`Word`] and so on, 0 for
    /// no result.
    pub results: &'a str,
}

impl Answer<'_> {
    /// Returns what to do after the answer. `several` is true if the request had more than one event.
    ///
    /// An event is settled only by an answer that names the event. A status alone settles nothing: a 200 can come from a login
    /// page, and a 404 from a deployment.
    pub fn reading(&self, several: bool) -> Reading {
        let names_events = self.results.bytes().any(|digit| digit != b'0');
        match self.http_status {
            200 | 202 | 422 if names_events => Reading::PerEvent,
            400 | 413 | 422 if several => Reading::Apart,
            400 | 413 | 422 => Reading::Seldom,
            // A 401 usually means that the session has expired. The next attempt usually has a new session.
            401 | 408 | 425 | 429 => Reading::Later,
            300..500 => Reading::Slowly,
            _ => Reading::Later,
        }
    }
}

/// Returns the result of an event from its digit, or `None` if the answer does not name the event.
pub fn result(digit: u8) -> Option<Word> {
    match digit {
        b'1' => Some(Word::Accepted),
        b'2' => Some(Word::Duplicate),
        b'3' => Some(Word::Held),
        b'4' => Some(Word::Invalid),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_leaves_only_on_an_answer_that_names_it() {
        for (http_status, results, several, reading) in [
            (202, "12", true, Reading::PerEvent),
            (200, "1", false, Reading::PerEvent),
            (422, "44", true, Reading::PerEvent),
            (202, "01", true, Reading::PerEvent),
            (200, "", false, Reading::Later),
            (202, "0", false, Reading::Later),
            (422, "00", true, Reading::Apart),
            (422, "0", false, Reading::Seldom),
            (400, "", true, Reading::Apart),
            (413, "", true, Reading::Apart),
            (400, "", false, Reading::Seldom),
            (413, "", false, Reading::Seldom),
            (300, "", true, Reading::Slowly),
            (401, "", false, Reading::Later),
            (403, "", true, Reading::Slowly),
            (404, "", false, Reading::Slowly),
            (404, "1", false, Reading::Slowly),
            (405, "", true, Reading::Slowly),
            (410, "", false, Reading::Slowly),
            (415, "", false, Reading::Slowly),
            (408, "", false, Reading::Later),
            (429, "", true, Reading::Later),
            (503, "", true, Reading::Later),
            (500, "", false, Reading::Later),
            (0, "", true, Reading::Later),
        ] {
            let answer = Answer {
                request: 0,
                http_status,
                retry_after_ms: 0.0,
                results,
            };
            assert_eq!(
                answer.reading(several),
                reading,
                "{http_status} {results:?}"
            );
        }
    }
}
