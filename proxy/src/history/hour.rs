//! Counts of the events that were accepted in one hour, by outcome.

use serde::{Deserialize, Serialize};

use super::{End, Ended};
use crate::money::Money;

/// The most lines of an hour. Pages can send events with any name. After this many lines, events with further names are
/// counted together.
const LINES: usize = 256;
/// The name of the line that counts the events with further names.
const OTHERS: &str = "(others)";
const HOUR_MS: i64 = 60 * 60 * 1000;

/// Counts of the events that were accepted in one hour and have ended since then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hour {
    /// One line for each pixel, kind of traffic, event name and outcome.
    pub lines: Vec<Line>,
}

/// The events of one pixel with the same name and outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The pixel.
    #[serde(rename = "pixel")]
    pub pixel_id: String,
    /// Whether the events were test events.
    #[serde(rename = "test", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_test: bool,
    /// The name of the event.
    pub name: String,
    /// The name of the outcome.
    pub outcome: String,
    /// How many events there were.
    pub events: u64,
    /// The sums of the events' values, one for each currency.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Money>,
}

impl Hour {
    /// Returns the start of the hour that contains this time. Both times are in Unix milliseconds.
    pub fn start_of(ms: i64) -> i64 {
        ms.div_euclid(HOUR_MS) * HOUR_MS
    }

    /// Counts an event that ended with the outcome of `end`.
    pub fn add(&mut self, end: &End, ended: &Ended) {
        let kind = (end.pixel_id.as_str(), end.is_test, end.outcome.as_str());
        let line = self.line(kind, &ended.name);
        line.events += 1;
        ended.value.into_iter().for_each(|value| line.add(value));
    }

    /// Adds the counts that another proxy has made for the same hour.
    pub fn extend(&mut self, other: Self) {
        for counted in other.lines {
            let (pixel_id, outcome) = (counted.pixel_id.as_str(), counted.outcome.as_str());
            let line = self.line((pixel_id, counted.is_test, outcome), &counted.name);
            line.events += counted.events;
            counted.values.into_iter().for_each(|value| line.add(value));
        }
    }

    /// Returns the line for a pixel, a kind of traffic, an outcome and a name. If the hour has too many lines, returns
    /// the line for further names.
    fn line(&mut self, kind: (&str, bool, &str), name: &str) -> &mut Line {
        let find = |lines: &[Line], name: &str| {
            lines.iter().position(|line| {
                line.name == name
                    && (line.pixel_id.as_str(), line.is_test, line.outcome.as_str()) == kind
            })
        };
        let mut name = name;
        let mut at = find(&self.lines, name);
        if at.is_none() && self.lines.len() >= LINES {
            name = OTHERS;
            at = find(&self.lines, name);
        }
        let at = at.unwrap_or_else(|| {
            let (pixel_id, is_test, outcome) = kind;
            self.lines.push(Line {
                pixel_id: pixel_id.to_owned(),
                is_test,
                name: name.to_owned(),
                outcome: outcome.to_owned(),
                events: 0,
                values: Vec::new(),
            });
            self.lines.len() - 1
        });
        #[allow(clippy::indexing_slicing, reason = "found or pushed just above")]
        &mut self.lines[at]
    }
}

impl Line {
    fn add(&mut self, value: Money) {
        let mut sums = self.values.iter_mut();
        let sum = sums.find(|sum| sum.currency() == value.currency());
        match sum {
            Some(sum) => *sum = sum.plus(value).unwrap_or(*sum),
            None => self.values.push(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Salt, Sent, Trace};

    fn end(outcome: &str) -> End {
        End {
            pixel_id: "P".to_owned(),
            is_test: false,
            outcome: outcome.to_owned(),
            code: None,
            request_id: None,
            at_ms: 1,
            sent: Sent::default(),
            events: Vec::new(),
        }
    }

    fn ended(name: &str, value: &str) -> Ended {
        let json = format!(r#"{{"event":"{name}","event_id":"a","properties":{{{value}}}}}"#);
        Ended::of(json.as_bytes(), Trace::default(), 1, &Salt::from([0; 16]))
    }

    #[test]
    fn an_hour_counts_by_name_outcome_and_currency() {
        let mut hour = Hour::default();
        for (name, outcome, value) in [
            ("Purchase", "delivered", r#""value":29.5,"currency":"USD""#),
            ("Purchase", "delivered", r#""value":0.5,"currency":"USD""#),
            ("Purchase", "delivered", r#""value":99000,"currency":"VND""#),
            ("Purchase", "refused", ""),
            ("Lead", "delivered", r#""value":5"#),
        ] {
            hour.add(&end(outcome), &ended(name, value));
        }
        let lines: Vec<_> = hour
            .lines
            .iter()
            .map(|line| {
                let values: Vec<_> = line.values.iter().map(ToString::to_string).collect();
                format!(
                    "{} {} {} {}",
                    line.name,
                    line.outcome,
                    line.events,
                    values.join(" ")
                )
            })
            .collect();
        assert_eq!(
            lines,
            [
                "Purchase delivered 3 30.00 USD 99000 VND",
                "Purchase refused 1 ",
                "Lead delivered 1 ",
            ]
        );
        let stored = serde_json::to_string(&hour).unwrap();
        assert_eq!(serde_json::from_str::<Hour>(&stored).unwrap(), hour);
    }

    #[test]
    fn an_hour_stays_small_for_any_number_of_names() {
        let mut hour = Hour::default();
        for number in 0..2 * LINES {
            hour.add(&end("delivered"), &ended(&format!("Custom{number}"), ""));
        }
        assert_eq!(hour.lines.len(), LINES + 1);
        let others = hour.lines.last().unwrap();
        assert_eq!(
            (others.name.as_str(), others.events),
            (OTHERS, LINES as u64)
        );
    }

    #[test]
    fn an_hour_starts_at_its_full_hour() {
        assert_eq!(Hour::start_of(HOUR_MS + 1), HOUR_MS);
        assert_eq!(Hour::start_of(HOUR_MS), HOUR_MS);
        assert_eq!(Hour::start_of(HOUR_MS - 1), 0);
    }
}
