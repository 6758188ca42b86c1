//! The body of a request: who it is from is said once, at the root, for all events in it.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::queue::Record;

#[derive(Serialize)]
struct Body<'a> {
    event_source: &'static str,
    event_source_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    test_event_code: Option<&'a str>,
    data: Vec<&'a RawValue>,
}

/// The JSON for `records`, which travel together.
pub(super) fn body(records: &[&Record]) -> serde_json::Result<Vec<u8>> {
    let first = records.first();
    serde_json::to_vec(&Body {
        event_source: "web",
        event_source_id: first.map_or("", |record| &record.pixel_id),
        test_event_code: first.and_then(|record| record.test_event_code.as_deref()),
        data: records.iter().map(|record| record.event.as_ref()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(test_event_code: Option<&str>) -> Record {
        Record {
            accepted_at_ms: 0,
            pixel_id: "C4A1B2C3D4E5F6G7H8I9".to_owned(),
            test_event_code: test_event_code.map(str::to_owned),
            name: "Lead".to_owned(),
            event_id: "a".to_owned(),
            pixel: None,
            event: RawValue::from_string(r#"{"event":"Lead"}"#.to_owned()).unwrap(),
        }
    }

    #[test]
    fn source_and_test_code_stand_at_the_root() {
        let text = |record: &Record| String::from_utf8(body(&[record, record]).unwrap()).unwrap();
        assert_eq!(
            text(&record(None)),
            r#"{"event_source":"web","event_source_id":"C4A1B2C3D4E5F6G7H8I9","data":[{"event":"Lead"},{"event":"Lead"}]}"#
        );
        assert!(text(&record(Some("TEST1"))).contains(r#","test_event_code":"TEST1","data":"#));
    }
}
