//! What the proxy's answer means for the events that were in the request.

use crate::effect::Word;

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
    pub http_status: u32,
    /// What `Retry-After` asks for; 0 for nothing.
    pub retry_after_ms: f64,
    /// Whether the body is the proxy's own JSON.
    pub spoken: bool,
    /// What it says of each event, in their order: a digit, 1 for the first [`Word`].
    pub results: &'a str,
}

impl Answer<'_> {
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
    fn an_event_leaves_only_on_the_proxys_own_word() {
        for (http_status, spoken, several, reading) in [
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
            let answer = Answer {
                request: 0,
                http_status,
                retry_after_ms: 0.0,
                spoken,
                results: "",
            };
            assert_eq!(answer.reading(several), reading, "{http_status} {spoken}");
        }
    }
}
