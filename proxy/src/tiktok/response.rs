//! Reads TikTok's answer. The verdict is the `code` in the body. The HTTP status is 200 for nearly every result, even for
//! refused and throttled requests.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

/// TikTok's answer to a request, or the reason why no answer arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `code` 0: TikTok accepted all events.
    Taken(Verdict),
    /// `code` 20001: TikTok accepted the request, with remarks.
    TakenInPart {
        /// The verdict on the whole request.
        verdict: Verdict,
        /// Positions of events that were refused, each with TikTok's message.
        refused: Vec<(usize, String)>,
    },
    /// TikTok refuses the whole request for good. The cause may be only one of its events.
    Refused {
        /// TikTok's answer.
        verdict: Verdict,
        /// The position of the event that the answer names, if it names one.
        index: Option<usize>,
    },
    /// The token is invalid, or has no right to the pixel. TikTok would refuse every request.
    Barred(Verdict),
    /// TikTok received too many requests.
    Throttled(Verdict),
    /// TikTok reports an internal error.
    Later(Verdict),
    /// TikTok answered with a code whose meaning is unclear. The request is worth a few more attempts.
    Unclear(Verdict),
    /// No answer of TikTok arrived.
    Unreachable(Trouble),
}

impl Reply {
    /// Returns TikTok's code, if an answer of TikTok arrived.
    pub fn code(&self) -> Option<i64> {
        match self {
            Self::Taken(verdict)
            | Self::TakenInPart { verdict, .. }
            | Self::Refused { verdict, .. }
            | Self::Barred(verdict)
            | Self::Throttled(verdict)
            | Self::Later(verdict)
            | Self::Unclear(verdict) => Some(verdict.code),
            Self::Unreachable(_) => None,
        }
    }
}

/// TikTok's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// TikTok's code.
    pub code: i64,
    /// TikTok's message.
    pub message: String,
    /// TikTok's id for the request.
    pub request_id: Option<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.message)
    }
}

/// Why no answer of TikTok arrived.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No answer arrived in time.
    #[error("TikTok did not answer in time")]
    TimedOut,
    /// The connection failed, or was closed before the whole answer had arrived.
    #[error("the connection to TikTok failed: {0}")]
    Connection(String),
    /// The answer was not the JSON that TikTok sends. It may be a gateway's page, incomplete or empty.
    #[error("the answer was not TikTok's JSON (HTTP status {0})")]
    NotJson(u16),
}

#[derive(Deserialize)]
struct Body {
    code: i64,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    request_id: Option<String>,
    #[serde(default)]
    data: Option<Box<RawValue>>,
}

/// The remarks about single events in an answer with code 20001. TikTok does not document the form of these remarks. Remarks of
/// another form are skipped.
#[derive(Default, Deserialize)]
struct Remarks {
    #[serde(default)]
    errors: Vec<Remark>,
}

#[derive(Deserialize)]
struct Remark {
    index: usize,
    #[serde(default)]
    message: String,
}

/// Reads an answer from its HTTP status and body.
pub fn read(status: u16, body: &[u8]) -> Reply {
    let Some(Body {
        code,
        message,
        request_id,
        data,
    }) = open(body)
    else {
        return Reply::Unreachable(Trouble::NotJson(status));
    };
    let verdict = Verdict {
        code,
        message: message.unwrap_or_default(),
        request_id,
    };
    match code {
        0 => Reply::Taken(verdict),
        20001 => {
            let remarks = data.and_then(|data| serde_json::from_str(data.get()).ok());
            let Remarks { errors } = remarks.unwrap_or_default();
            let refused = errors
                .into_iter()
                .map(|remark| (remark.index, remark.message));
            Reply::TakenInPart {
                verdict,
                refused: refused.collect(),
            }
        }
        40001 | 40105 | 40110 | 40133 => Reply::Barred(verdict),
        40016 | 40100 | 40102 => Reply::Throttled(verdict),
        40101 | 40200..=40202 | 40700 => Reply::Unclear(verdict),
        40000..=49999 => Reply::Refused {
            index: place_in(&verdict.message),
            verdict,
        },
        50000..=69999 => Reply::Later(verdict),
        _ => Reply::Unclear(verdict),
    }
}

/// Reads a JSON object. Without the check for an object, serde would also accept a JSON array with the object's values.
fn open(body: &[u8]) -> Option<Body> {
    let is_object = body.trim_ascii_start().starts_with(b"{");
    is_object.then(|| serde_json::from_slice(body).ok())?
}

/// Returns the event's position from a field's path as TikTok writes it: 3 from `data.3.event_id: …`.
fn place_in(message: &str) -> Option<usize> {
    let (_, path) = message.split_once("data.")?;
    let digits = path.split_once('.')?.0;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(code: i64) -> &'static str {
        match read(
            200,
            format!(r#"{{"code":{code},"message":"words","request_id":"r"}}"#).as_bytes(),
        ) {
            Reply::Taken(_) => "taken",
            Reply::TakenInPart { .. } => "in part",
            Reply::Refused { .. } => "refused",
            Reply::Barred(_) => "barred",
            Reply::Throttled(_) => "throttled",
            Reply::Later(_) => "later",
            Reply::Unclear(_) => "unclear",
            Reply::Unreachable(_) => "unreachable",
        }
    }

    #[test]
    fn every_code_has_its_class() {
        for (codes, expected) in [
            (&[0][..], "taken"),
            (&[20001], "in part"),
            (&[40000, 40002, 40007, 41234], "refused"),
            (&[40001, 40105, 40110, 40133], "barred"),
            (&[40016, 40100, 40102], "throttled"),
            (&[40101, 40200, 40201, 40202, 40700, -1, 30000], "unclear"),
            (&[50000, 50002, 51001, 51002, 51039, 60001, 59999], "later"),
        ] {
            for code in codes {
                assert_eq!(class(*code), expected, "{code}");
            }
        }
    }

    #[test]
    fn the_code_decides_whatever_the_status() {
        let taken = read(400, br#"{"code":0,"message":"OK","data":null}"#);
        assert!(matches!(taken, Reply::Taken(verdict) if verdict.message == "OK"));
        let refused =
            br#"{"code":40002,"message":"Invalid value for event_id: not a valid string."}"#;
        assert!(
            matches!(read(200, refused), Reply::Refused { verdict, index: None } if verdict.code == 40002 && verdict.request_id.is_none())
        );
    }

    #[test]
    fn the_event_that_a_refusal_names_is_found() {
        for (message, expected) in [
            (
                "data.7.properties.contents.0.content_id: Not a valid string",
                Some(7),
            ),
            ("Invalid value for data.12.event_time: too old.", Some(12)),
            ("Invalid value for event_id: not a valid string.", None),
            ("data.x.event", None),
            ("data.7", None),
            ("data.99999999999999999999999.event: no", None),
        ] {
            assert_eq!(place_in(message), expected, "{message}");
        }
    }

    #[test]
    fn partial_success_names_events_or_does_not() {
        let refused = |data: &str| {
            let body = format!(r#"{{"code":20001,"message":"partly"{data}}}"#);
            match read(200, body.as_bytes()) {
                Reply::TakenInPart { refused, .. } => refused,
                other => panic!("{other:?}"),
            }
        };
        let named = r#","data":{"errors":[{"index":1,"field":"event_id","message":"no"}]}"#;
        assert_eq!(refused(named), [(1, "no".to_owned())]);
        for unread in [
            "",
            r#","data":null"#,
            r#","data":[1]"#,
            r#","data":{"errors":"two"}"#,
        ] {
            assert_eq!(refused(unread), []);
        }
    }

    #[test]
    fn what_is_not_tiktoks_json_is_no_verdict() {
        for (status, body) in [
            (502, "<html>Bad Gateway</html>"),
            (200, ""),
            (200, r#"{"code":0,"mess"#),
            (200, r#"{"code":"0"}"#),
            (200, " [0]"),
            (429, "{}"),
        ] {
            assert_eq!(
                read(status, body.as_bytes()),
                Reply::Unreachable(Trouble::NotJson(status)),
                "{body}"
            );
        }
    }
}
