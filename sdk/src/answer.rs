//! What the proxy's answer means for the events that were in the request.

use alloc::vec::Vec;

use crate::{effect::Status, joined::Fields};

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
#[derive(Debug)]
pub struct Answer<'a> {
    /// The request.
    pub batch: u64,
    /// The HTTP status; 0 where there was no answer.
    pub http_status: u64,
    /// What `Retry-After` asks for; 0 for nothing.
    pub retry_after_ms: u64,
    /// Whether the body is the proxy's own JSON.
    pub spoken: bool,
    /// What it says of each event: id, status, errors (JSON), warnings (JSON).
    pub results: Vec<Fields<'a>>,
}

impl<'a> Answer<'a> {
    /// How to go on; `several` says that there was more than one event in the request.
    pub fn reading(&self, several: bool) -> Reading {
        read(self.http_status, self.spoken, several)
    }

    /// What became of one event: its status, errors and warnings. Results stand in the order of the
    /// events, and are believed only under the right id.
    pub fn of(&self, nth: usize, event_id: &str) -> Option<(Status, &'a str, &'a str)> {
        let named = |result: &&Fields<'a>| (*result).clone().text() == event_id;
        let in_place = self.results.get(nth).filter(named);
        let mut result = in_place.or_else(|| self.results.iter().find(named))?.clone();
        result.text();
        let status = status(result.text())?;
        Some((status, result.text(), result.text()))
    }
}

/// Reads an answer. `spoken` says that its body is the proxy's own JSON, `several` that there was more
/// than one event in the request.
fn read(http_status: u64, spoken: bool, several: bool) -> Reading {
    match http_status {
        // A 200 that names no event is somebody else's: a login page, a development server.
        200 | 202 | 422 if spoken => Reading::PerEvent,
        400 | 413 | 422 if several => Reading::Apart,
        401 | 403 => Reading::Slowly,
        404 | 405 if !spoken => Reading::Slowly,
        408 | 429 => Reading::Later,
        400..500 => Reading::Refused,
        _ => Reading::Later,
    }
}

/// What the proxy says of one event; `None` where it says nothing that is known.
fn status(word: &str) -> Option<Status> {
    [
        Status::ACCEPTED,
        Status::DUPLICATE,
        Status::HELD,
        Status::INVALID,
    ]
    .into_iter()
    .find(|status| status.0 == word)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            (401, true, false, Reading::Slowly),
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
            assert_eq!(read(status, spoken, several), reading, "{status} {spoken}");
        }
    }

    #[test]
    fn a_word_nobody_knows_settles_nothing() {
        assert_eq!(status("accepted"), Some(Status::ACCEPTED));
        assert_eq!(status("stored"), None);
        assert_eq!(status(""), None);
    }
}
