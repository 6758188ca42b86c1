//! Checks `page` of an event.

use serde_json::{Map, Value};

use super::value;
use crate::personal;
use crate::rule::Rule;
use crate::violations::Finding;

pub(super) fn inspect(at: &str, page: &Map<String, Value>, findings: &mut Vec<Finding>) {
    for (key, value) in page {
        let field = format!("{at}.{key}");
        if key != "url" && key != "referrer" {
            findings.push(Finding::new(
                Rule::UnknownKey,
                field,
                "not a known key of a page",
            ));
            continue;
        }
        let Some(address) = value::text(value, &field, findings) else {
            continue;
        };
        if !address.contains("://") {
            findings.push(Finding::new(
                Rule::RelativeUrl,
                field.as_str(),
                "has no scheme",
            ));
        }
        if personal::has_email(address) {
            findings.push(Finding::new(
                Rule::PossiblePersonalData,
                field,
                "contains an e-mail address",
            ));
        }
    }
}
