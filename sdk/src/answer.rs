//! What the proxy's answer means for the events that were in the request.

use crate::{
    effect::{ACCEPTED, DUPLICATE, HELD, INVALID, Status},
    joined::{Fields, Records},
};

/// How to go on after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It says of each event what became of it.
    PerEvent,
    /// One event may have spoilt the others: each goes alone.
    Apart,
    /// Refused for good.
    Refused,
    /// Refused for a reason that only a person can remove: the key, the origin, the address.
    Slowly,
    /// Not now.
    Later,
}

/// The proxy's answer to one request.
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    /// The request.
    pub request: u32,
    /// The HTTP status; 0 where there was no answer.
    pub http_status: u64,
    /// What `Retry-After` asks for; 0 for nothing.
    pub retry_after_ms: u64,
    /// Whether the body is the proxy's own JSON.
    pub spoken: bool,
    /// What it says of each event: id, status, errors (JSON), warnings (JSON).
    pub results: Records<'a>,
}

impl<'a> Answer<'a> {
    /// Reads what `requests.js` joined.
    pub fn read(mut fields: Fields<'_>, results: Records<'a>) -> Self {
        Self {
            request: u32::try_from(fields.number()).unwrap_or(u32::MAX),
            http_status: fields.number(),
            retry_after_ms: fields.number(),
            spoken: fields.flag(),
            results,
        }
    }

    /// How to go on; `several` says that there was more than one event in the request.
    pub fn reading(&self, several: bool) -> Reading {
        match self.http_status {
            // A 200 that names no event is somebody else's: a login page, a development server.
            200 | 202 | 422 if self.spoken => Reading::PerEvent,
            400 | 413 | 422 if several => Reading::Apart,
            403 => Reading::Slowly,
            404 | 405 if !self.spoken => Reading::Slowly,
            // A 401 is a session that ran out, as a rule: the next try brings another.
            401 | 408 | 429 => Reading::Later,
            400..500 => Reading::Refused,
            _ => Reading::Later,
        }
    }

    /// What became of the next event of the request: its status, and the proxy's errors and warnings.
    /// Results stand in the order of the events, and are believed only under the right id.
    pub fn next(&mut self, event_id: &str) -> Option<(Status, Fields<'a>)> {
        let mut result = self.results.next()?;
        if result.text() != event_id {
            return None;
        }
        let word = result.text();
        let status = [ACCEPTED, DUPLICATE, HELD, INVALID]
            .into_iter()
            .find(|status| *status == word)?;
        Some((status, result))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(http_status: u64, spoken: bool, results: &str) -> Answer<'_> {
        Answer {
            request: 0,
            http_status,
            retry_after_ms: 0,
            spoken,
            results: Records(results),
        }
    }

    #[test]
    fn an_event_leaves_only_on_the_proxys_own_word() {
        for (status, spoken, several, reading) in [
            (202, true, true, Reading::PerEvent),
            (200, true, false, Reading::PerEvent),
            (422, true, true, Reading::PerEvent),
            (200, false, false, Reading::Later),
            (400, true, true, Reading::Apart),
            (413, false, true, Reading::Apart),
            (400, true, false, Reading::Refused),
            (413, true, false, Reading::Refused),
            (401, true, false, Reading::Later),
            (403, true, true, Reading::Slowly),
            (404, false, false, Reading::Slowly),
            (404, true, false, Reading::Refused),
            (410, false, false, Reading::Refused),
            (408, true, false, Reading::Later),
            (429, true, true, Reading::Later),
            (503, true, true, Reading::Later),
            (500, false, false, Reading::Later),
            (0, false, true, Reading::Later),
        ] {
            let answer = answer(status, spoken, "");
            assert_eq!(answer.reading(several), reading, "{status} {spoken}");
        }
    }

    #[test]
    fn a_result_counts_for_the_event_it_names() {
        let results = "a\u{1f}accepted\u{1e}a\u{1f}invalid\u{1f}[1]\u{1f}[2]\u{1e}b\u{1f}stored\u{1e}c\u{1f}held";
        let mut answer = answer(202, true, results);
        assert_eq!(answer.next("a").map(|(status, _)| status), Some("accepted"));
        let (status, said) = answer.next("a").unwrap();
        assert_eq!((status, said.0), ("invalid", "[1]\u{1f}[2]"));
        assert!(answer.next("b").is_none(), "a word nobody knows");
        assert!(answer.next("d").is_none(), "another event's result");
        assert!(answer.next("c").is_none(), "no result at all");
    }
}
