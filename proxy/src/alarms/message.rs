//! The messages about alarms.

use duet_events::EventId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Change, Kind};

/// One message: the JSON that is posted, and the message's id. The JSON and the id stay the same when the message is sent
/// again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The id, by which a receiver recognises a repeat.
    pub id: String,
    /// The JSON.
    pub body: String,
}

/// The JSON of a message. Slack and most other chat services show `text`, and Discord shows `content`.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: String,
    data: Data<'a>,
    text: &'a str,
    content: &'a str,
}

#[derive(Serialize)]
struct Data<'a> {
    alarm: Kind,
    #[serde(skip_serializing_if = "str::is_empty")]
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lasted_s: Option<i64>,
    advice: &'static str,
}

impl Message {
    /// Returns the message about a change at the time `day_ms`. The message's id is made from `random`.
    pub fn new(change: &Change, day_ms: i64, random: [u8; 16]) -> Self {
        let Change {
            alarm,
            begins,
            lasted_ms,
        } = change;
        let (sentence, advice) = (alarm.kind.sentence(&alarm.subject), alarm.kind.advice());
        let text = if *begins {
            format!("Duet: {sentence} {advice}")
        } else {
            format!(
                "Duet: this alarm has ended after {}: {sentence}",
                duration(*lasted_ms)
            )
        };
        let body = Body {
            kind: if *begins {
                "alarm.started"
            } else {
                "alarm.ended"
            },
            timestamp: Timestamp::from_millisecond(day_ms)
                .unwrap_or_default()
                .to_string(),
            data: Data {
                alarm: alarm.kind,
                subject: &alarm.subject,
                lasted_s: (!begins).then_some(lasted_ms / 1000),
                advice,
            },
            text: &text,
            content: &text,
        };
        Self {
            id: format!("msg_{}", EventId::from_random(random).as_str()),
            // A structure of texts and numbers can always be written as JSON.
            body: serde_json::to_string(&body).unwrap_or_default(),
        }
    }
}

/// Returns a duration as text. Uses the largest unit in which the duration is at least two: `90 s`, `45 min`, `5 h`, `3 days`.
fn duration(ms: i64) -> String {
    let seconds = ms / 1000;
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarms::Alarm;

    fn body(begins: bool, lasted_ms: i64) -> serde_json::Value {
        let change = Change {
            alarm: Alarm::of(Kind::TokenRefused, "C4A1B2C3D4E5F6G7H8I9"),
            begins,
            lasted_ms,
        };
        let message = Message::new(&change, 1_767_323_045_000, [7; 16]);
        assert_eq!(message.id, "msg_07070707-0707-4707-8707-070707070707");
        serde_json::from_str(&message.body).unwrap()
    }

    #[test]
    fn a_message_says_what_is_wrong_and_what_to_do() {
        let started = body(true, 0);
        assert_eq!(started["type"], "alarm.started");
        assert_eq!(started["timestamp"], "2026-01-02T03:04:05Z");
        assert_eq!(started["data"]["alarm"], "token_refused");
        assert_eq!(started["data"]["subject"], "C4A1B2C3D4E5F6G7H8I9");
        assert_eq!(started["text"], started["content"]);
        let text = started["text"].as_str().unwrap();
        assert!(text.starts_with(
            "Duet: TikTok refuses the access token of pixel C4A1B2C3D4E5F6G7H8I9. Create a token"
        ));
        let ended = body(false, 754_000);
        assert_eq!(ended["type"], "alarm.ended");
        assert_eq!(ended["data"]["lasted_s"], 754);
        let text = ended["text"].as_str().unwrap();
        assert!(text.starts_with("Duet: this alarm has ended after 12 min: TikTok refuses"));
    }

    #[test]
    fn durations_have_a_readable_unit() {
        for (seconds, text) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7_199, "119 min"),
            (7_200, "2 h"),
            (172_800, "2 days"),
        ] {
            assert_eq!(duration(seconds * 1000), text);
        }
    }
}
