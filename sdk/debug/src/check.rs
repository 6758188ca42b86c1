//! A call, as the proxy would judge it.

use duet_events::{Claim, Country, Invalid, rule::reject};
use serde::Serialize;
use serde_json::value::RawValue;

/// What the proxy would say of an event.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The rules it breaks: it would be refused.
    pub errors: Vec<Invalid>,
    /// What would be left out, or looks odd.
    pub warnings: Vec<Invalid>,
}

/// Judges one event, JSON as the page has it. `country` is the setting of that name, `now_ms` the
/// visitor's clock.
pub fn check(event: &str, country: &str, now_ms: i64) -> Verdict {
    let Ok(raw) = serde_json::from_str::<&RawValue>(event) else {
        return Verdict {
            errors: vec![Invalid::of(&reject::JSON, "")],
            warnings: Vec::new(),
        };
    };
    match Claim::read(raw.into(), Country::parse(country)) {
        Err(refusal) => Verdict {
            errors: refusal.errors,
            warnings: Vec::new(),
        },
        Ok(claim) => {
            let time = claim.happened_at(None, now_ms).err();
            Verdict {
                errors: time.into_iter().chain(claim.check_id().err()).collect(),
                warnings: claim.warnings,
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may fail")]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_767_323_045_123;

    #[test]
    fn a_good_event_is_left_in_peace() {
        let event = r#"{"event":"Search","consent":"granted","event_time":1767323045,"properties":{"search_string":"phở"},"user":{"phone":"0901234567"}}"#;
        assert_eq!(check(event, "VN", NOW_MS), Verdict::default());
    }

    #[test]
    fn a_broken_rule_is_said_in_the_proxys_words() {
        let event =
            r#"{"event":"viewcontent","event_time":"now","properties":{"value":"much"},"user":{}}"#;
        let fields: Vec<_> = check(event, "", NOW_MS)
            .errors
            .into_iter()
            .map(|broken| broken.field.into_owned())
            .collect();
        assert_eq!(fields, ["event", "event_time"]);
        assert_eq!(check("no", "", NOW_MS).errors[0].rule, "json");
    }

    #[test]
    fn a_key_that_would_be_left_out_is_a_warning() {
        let event = r#"{"event":"Search","user":{"phone":"0901234567"}}"#;
        let verdict = check(event, "", NOW_MS);
        assert!(verdict.errors.is_empty());
        assert_eq!(verdict.warnings[0].field, "user.phone");
        assert!(!verdict.warnings[0].message.contains("0901"));
    }

    #[test]
    fn an_id_that_is_reserved_for_another_order_is_an_error() {
        let id = "8dfcc057-77d8-88a5-b01a-e0d0586f4129";
        for (order_id, broken) in [("PHO7K3M9Q2X", 0), ("MINE000001", 1)] {
            let event = format!(
                r#"{{"event":"Subscribe","event_id":"{id}","properties":{{"order_id":"{order_id}"}}}}"#
            );
            let errors = check(&event, "", NOW_MS).errors;
            assert_eq!(errors.len(), broken, "{order_id}");
            assert!(errors.iter().all(|error| error.rule == "reserved_id"));
        }
    }

    #[test]
    fn a_time_that_tiktok_would_not_take_is_an_error() {
        let event = r#"{"event":"Search","event_time":1700000000}"#;
        assert_eq!(check(event, "", NOW_MS).errors[0].rule, "too_old");
    }
}
