//! Reads single JSON values and reports their mistakes.

use serde_json::Value;

use crate::rule::Rule;
use crate::violations::Finding;

/// Reads a text that is not empty. Null and `""` count as absent and get a warning.
pub(super) fn text<'a>(
    value: &'a Value,
    field: &str,
    findings: &mut Vec<Finding>,
) -> Option<&'a str> {
    match value {
        Value::Null => empty(field, "null", findings),
        Value::String(text) if text.trim().is_empty() => empty(field, "an empty string", findings),
        Value::String(text) => return Some(text),
        _ => findings.push(Finding::new(Rule::WrongType, field, "not a valid string")),
    }
    None
}

/// Reads one text or a list of texts. Values of another type are left out.
pub(super) fn texts<'a>(
    value: &'a Value,
    field: &str,
    findings: &mut Vec<Finding>,
) -> Vec<&'a str> {
    let Value::Array(items) = value else {
        return text(value, field, findings).into_iter().collect();
    };
    if items.is_empty() {
        empty(field, "an empty list", findings);
    }
    let item =
        |(index, item): (usize, &'a Value)| text(item, &format!("{field}.{index}"), findings);
    items.iter().enumerate().filter_map(item).collect()
}

/// Reads a number. A number as text gets a warning. Values of another type are refused.
pub(super) fn number(value: &Value, field: &str, findings: &mut Vec<Finding>) -> Option<f64> {
    let parsed = match value {
        Value::Null => {
            empty(field, "null", findings);
            return None;
        }
        Value::String(text) if text.is_empty() => {
            empty(field, "an empty string", findings);
            return None;
        }
        Value::Number(number) => number.as_f64(),
        Value::String(text) => {
            let parsed = text
                .trim()
                .parse::<f64>()
                .ok()
                .filter(|number| number.is_finite());
            if parsed.is_some() {
                findings.push(Finding::new(
                    Rule::NumericString,
                    field,
                    "a number sent as text",
                ));
            }
            parsed
        }
        _ => None,
    };
    if parsed.is_none() {
        findings.push(Finding::new(Rule::WrongType, field, "not a valid number").refused());
    }
    parsed
}

pub(super) fn empty(field: &str, what: &str, findings: &mut Vec<Finding>) {
    findings.push(Finding::new(
        Rule::EmptyValue,
        field,
        format!("{what}; taken as absent"),
    ));
}
