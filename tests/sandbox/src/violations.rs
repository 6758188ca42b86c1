//! The list of mistakes in received data, with the severity of each mistake.

use std::collections::VecDeque;

use serde::Serialize;

use crate::conversion::Channel;
use crate::rule::{Rule, Severity};

/// One mistake in received data. A violation never contains a personal value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Violation {
    /// The severity.
    pub severity: Severity,
    /// The broken rule.
    pub rule: Rule,
    /// The path of the field from the root of the body, with dots.
    pub field: String,
    /// What is wrong with the field.
    pub message: String,
    /// The reason for the rule.
    pub why: &'static str,
    /// The channel of the request. The field is empty if the request came to neither channel.
    pub channel: Option<Channel>,
    /// The event name, if there is one.
    pub event: Option<String>,
    /// The `event_id`, if there is one.
    pub event_id: Option<String>,
    /// The time of receipt, in milliseconds since 1970 on the sandbox's clock.
    pub at_ms: u64,
}

/// A mistake before the time and the event are added.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) rule: Rule,
    pub(crate) field: String,
    pub(crate) message: String,
    /// Whether even a lenient sandbox refuses the event because of this mistake.
    pub(crate) refused: bool,
}

impl Finding {
    pub(crate) fn new(rule: Rule, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            rule,
            field: field.into(),
            message: message.into(),
            refused: false,
        }
    }

    pub(crate) fn refused(mut self) -> Self {
        self.refused = true;
        self
    }

    pub(crate) fn refuses(&self, strict: bool) -> bool {
        self.refused || (strict && self.rule.severity() == Severity::Violation)
    }
}

/// The request and the event to which a finding belongs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subject {
    pub(crate) channel: Option<Channel>,
    pub(crate) event: Option<String>,
    pub(crate) event_id: Option<String>,
    pub(crate) at_ms: u64,
}

/// The newest violations.
#[derive(Debug)]
pub(crate) struct Inspector {
    keep: usize,
    kept: VecDeque<Violation>,
    pub(crate) violations: u64,
    pub(crate) warnings: u64,
}

impl Inspector {
    pub(crate) fn new(keep: usize) -> Self {
        Self {
            keep: keep.max(1),
            kept: VecDeque::new(),
            violations: 0,
            warnings: 0,
        }
    }

    pub(crate) fn kept(&self) -> &VecDeque<Violation> {
        &self.kept
    }

    pub(crate) fn record(
        &mut self,
        subject: &Subject,
        findings: impl IntoIterator<Item = Finding>,
    ) {
        for finding in findings {
            match finding.rule.severity() {
                Severity::Violation => self.violations += 1,
                Severity::Warning => self.warnings += 1,
            }
            if self.kept.len() >= self.keep {
                self.kept.pop_front();
            }
            self.kept.push_back(Violation {
                severity: finding.rule.severity(),
                rule: finding.rule,
                field: finding.field,
                message: finding.message,
                why: finding.rule.why(),
                channel: subject.channel,
                event: subject.event.clone(),
                event_id: subject.event_id.clone(),
                at_ms: subject.at_ms,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_violations_are_kept_and_all_are_numbered() {
        let mut inspector = Inspector::new(2);
        let finding = |field: &str| Finding::new(Rule::WrongType, field, "not a valid string");
        inspector.record(
            &Subject::default(),
            [finding("a"), finding("b"), finding("c")],
        );
        let fields: Vec<_> = inspector.kept().iter().map(|v| v.field.as_str()).collect();
        assert_eq!(fields, ["b", "c"]);
        assert_eq!((inspector.violations, inspector.warnings), (3, 0));
    }
}
