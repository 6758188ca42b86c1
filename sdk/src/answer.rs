//! What the proxy's answer means for the events that were in the request.

use crate::effect::Word;

/// How to go on after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It says of each event what became of it.
    PerEvent,
    /// One event may have spoilt the others: each goes alone.
    Apart,
    /// The one event of the request may be what is wrong with it: from now on it goes last, and seldom.
    Seldom,
    /// Rejected for a reason that only a person can remove: the key, the origin, the address.
    Slowly,
    /// Not now.
    Later,
}

/// The proxy's answer to one request.
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    /// The request.
    pub request: u32,
    /// The HTTP status; 0 where there was no answer, 300 where a redirect has lost the body.
    pub http_status: u32,
    /// What `Retry-After` asks for; 0 for nothing.
    pub retry_after_ms: f64,
    /// What it says of each event, in their order: a digit, 1 for the first [`Word`], 0 for nothing.
    pub results: &'a str,
}

impl Answer<'_> {
    /// How to go on; `several` says that there was more than one event in the request.
    ///
    /// Only an answer that names an event settles it: a 200 may be a login page's, a 404 a deployment's.
    pub fn reading(&self, several: bool) -> Reading {
        let names_events = self.results.bytes().any(|digit| digit != b'0');
        match self.http_status {
            200 | 202 | 422 if names_events => Reading::PerEvent,
            400 | 413 | 422 if several => Reading::Apart,
            400 | 413 | 422 => Reading::Seldom,
            // A 401 is a session that ran out, as a rule: the next try brings another.
            401 | 408 | 425 | 429 => Reading::Later,
            300..500 => Reading::Slowly,
            _ => Reading::Later,
        }
    }
}

/// What became of an event, by its digit; `None` where the answer does not name it.
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
