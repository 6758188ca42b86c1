use duet_events::{EventId, EventName};
use serde_json::value::RawValue;

use super::*;
use crate::{
    queue::{DedupKey, Entry, Record},
    secret::AccessToken,
};

fn entry(id: &str, accepted_at_ms: i64) -> Entry {
    let name = EventName::parse("Lead").unwrap();
    Entry {
        key: DedupKey::of("P", &name, &EventId::parse(id).unwrap(), None),
        remember_until_ms: i64::MAX,
        record: Record {
            accepted_at_ms,
            pixel_id: "P".to_owned(),
            test_event_code: None,
            name: "Lead".to_owned(),
            event_id: id.to_owned(),
            pixel: None,
            event: RawValue::from_string("{}".to_owned()).unwrap(),
        },
    }
}

#[tokio::test]
async fn an_event_is_given_up_after_7_days_and_kept_as_expired() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let (intake, outlet, letters) = queue::open(folder.path(), 0, Arc::default()).unwrap();
    let now_ms = clock::now_ms();
    let a_minute = 60_000;
    let old = now_ms - retry::WORTH_DELIVERING_MS - a_minute;
    let young = now_ms - retry::WORTH_DELIVERING_MS + a_minute;
    intake
        .enqueue(vec![entry("old", old), entry("young", young)])
        .await
        .unwrap();

    // Nobody listens there: whatever is sent comes back.
    let client = Client::new("http://127.0.0.1:9", &AccessToken::new("token").unwrap()).unwrap();
    let mut worker = Worker::new(outlet, client, Arc::default(), Arc::default(), 50);
    assert!(matches!(worker.step().await.unwrap(), Step::Wait(_)));
    let dead = letters.newest(10).unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!(
        (
            dead[0].1.outcome.as_str(),
            dead[0].1.record.event_id.as_str()
        ),
        ("expired", "old")
    );
    assert_eq!(intake.depth(), 1);
}
