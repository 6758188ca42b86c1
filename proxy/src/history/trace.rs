//! How an event arrived. The event that TikTok receives does not contain this information, so the store keeps it beside
//! the event.

use std::fmt;

use duet_events::{Invalid, claim::PixelLeg};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How an event arrived. The text form is a letter for the sender, a letter for the state of the Pixel's copy, and the
/// rules of the warnings: `pf`, `sf`, `pbcurrency,phone`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The sender. `None` for an event that an older version stored.
    pub sender: Option<Sender>,
    /// What happened to the Pixel's copy. `None` if the sender did not say.
    pub pixel: Option<PixelLeg>,
    /// The rules of the event's warnings, with commas between them.
    rules: Box<str>,
}

/// The sender of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sender {
    /// A page.
    Page,
    /// A server of the shop.
    Server,
    /// The proxy itself, which made the event because of a payment.
    Payment,
}

const SENDERS: [(u8, Sender); 3] = [
    (b'p', Sender::Page),
    (b's', Sender::Server),
    (b'm', Sender::Payment),
];
const LEGS: [(u8, PixelLeg); 4] = [
    (b'f', PixelLeg::Fired),
    (b'b', PixelLeg::Blocked),
    (b'a', PixelLeg::Absent),
    (b'o', PixelLeg::Off),
];
const UNKNOWN: u8 = b'?';

impl Trace {
    /// Returns the trace of an event that this sender sent.
    pub fn new(sender: Sender, pixel: Option<PixelLeg>, warnings: &[Invalid]) -> Self {
        let mut rules = String::new();
        for warning in warnings {
            if !rules.is_empty() {
                rules.push(',');
            }
            rules.push_str(warning.rule());
        }
        Self {
            sender: Some(sender),
            pixel,
            rules: rules.into(),
        }
    }

    /// Returns the trace of an event that a payment made. No browser sent this event.
    pub fn of_payment() -> Self {
        Self::new(Sender::Payment, Some(PixelLeg::Off), &[])
    }

    /// Returns the rule of each warning that the event had.
    pub fn rules(&self) -> impl Iterator<Item = &str> {
        self.rules.split(',').filter(|rule| !rule.is_empty())
    }

    /// Returns the state of the Pixel's copy, for the metrics.
    pub fn pixel_label(&self) -> &'static str {
        self.pixel.map_or("unknown", PixelLeg::as_str)
    }

    /// Adds the text form to `text`.
    pub(crate) fn write(&self, text: &mut Vec<u8>) {
        let mut utf8 = [0; 4];
        for letter in [letter(&SENDERS, self.sender), letter(&LEGS, self.pixel)] {
            text.extend_from_slice(letter.encode_utf8(&mut utf8).as_bytes());
        }
        text.extend_from_slice(self.rules.as_bytes());
    }

    /// Reads the text form. Returns the default for any other text.
    pub(crate) fn read(text: &str) -> Self {
        let (Some(letters), Some(rules)) = (text.as_bytes().first_chunk::<2>(), text.get(2..))
        else {
            return Self::default();
        };
        let [sender, pixel] = *letters;
        Self {
            sender: of_letter(&SENDERS, sender),
            pixel: of_letter(&LEGS, pixel),
            rules: rules.into(),
        }
    }
}

fn of_letter<T: Copy>(letters: &[(u8, T)], letter: u8) -> Option<T> {
    let mut letters = letters.iter();
    letters
        .find(|(known, _)| *known == letter)
        .map(|(_, value)| *value)
}

fn letter<T: Copy + PartialEq>(letters: &[(u8, T)], value: Option<T>) -> char {
    let mut letters = letters.iter();
    let known = letters.find(|(_, known)| Some(*known) == value);
    known.map_or(UNKNOWN, |(letter, _)| *letter).into()
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sender, pixel) = (letter(&SENDERS, self.sender), letter(&LEGS, self.pixel));
        write!(f, "{sender}{pixel}{}", self.rules)
    }
}

impl Serialize for Trace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Trace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::read(&String::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use duet_events::rule::{leave_out, remark};

    use super::*;

    #[test]
    fn every_trace_reads_back_from_its_text() {
        let warnings = [
            Invalid::of(&leave_out::PHONE, "user.phone"),
            Invalid::of(&remark::MATCH_KEYS, "user"),
        ];
        let senders = [Sender::Page, Sender::Server, Sender::Payment];
        let legs = LEGS.map(|(_, leg)| Some(leg));
        for sender in senders {
            for pixel in legs.into_iter().chain([None]) {
                for warnings in [&warnings[..], &[]] {
                    let trace = Trace::new(sender, pixel, warnings);
                    assert_eq!(Trace::read(&trace.to_string()), trace);
                    assert_eq!(trace.rules().count(), warnings.len());
                }
            }
        }
        assert_eq!(Trace::read(&Trace::default().to_string()), Trace::default());
        assert_eq!(Trace::read("đ"), Trace::default());
    }
}
