use std::sync::atomic::{AtomicI64, Ordering};

use duet_events::{EventId, EventName};

use super::*;
use crate::{
    clock::{self, Reading},
    config::Config,
    decide::{Class, DedupKey, Destination, Named, Remember},
    history::Trace,
    limits,
    queue::{self, Entry},
};

const PIXEL: &str = "C4A1B2C3D4E5F6G7H8I9";

static LATER_MS: AtomicI64 = AtomicI64::new(0);

fn entry<'a>(id: &str, event: &'a serde_json::Value) -> Entry<'a, serde_json::Value> {
    let destination = Arc::new(Destination {
        pixel_id: PIXEL.to_owned(),
        test_event_code: None,
    });
    let name = EventName::parse("Lead").unwrap();
    Entry {
        key: DedupKey::of(&destination, &name, &EventId::parse(id).unwrap()),
        remember: Remember::Hours48,
        destination,
        class: Class::Second,
        trace: Trace::default(),
        note: None,
        event,
    }
}

#[tokio::test]
async fn an_event_is_given_up_after_7_days_and_kept_as_expired() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let read = || {
        let (now, later_ms) = (clock::reading(), LATER_MS.load(Ordering::Relaxed));
        Reading {
            wall_ms: now.wall_ms + later_ms,
            boot_ms: now.boot_ms + later_ms,
        }
    };
    let opened = queue::open_by(read, folder.path(), 0, Arc::default());
    let (intake, mut outlet, letters) = opened.unwrap();
    let event = serde_json::json!({ "event": "Lead", "event_id": "old" });
    intake.enqueue([entry("old", &event)]).await.unwrap();

    // No server listens at this address, so every request fails.
    let client = Client::new("http://127.0.0.1:9").unwrap();
    let config = Config::read(|name| match name {
        "TIKTOK_PIXEL_ID" => Some(PIXEL.to_owned()),
        "TIKTOK_ACCESS_TOKEN" => Some("token".to_owned()),
        _ => None,
    });
    let pixels = Arc::new(Pixels::new(&config.unwrap()));
    let delivery = Delivery {
        batch_events: 50,
        batch_bytes: 1_000_000,
        parallel: 1,
        send_limit: None,
    };
    let link = Link::new(client, pixels, Arc::default(), Arc::default(), &delivery);
    let mut driver = Driver::new(outlet.lane().await, Arc::new(link));
    assert_eq!(driver.step().await, Step::Worked);
    assert!(letters.newest(10).unwrap().is_empty());

    LATER_MS.store(limits::DELIVERY_MS + 1, Ordering::Relaxed);
    loop {
        let did = driver.step().await;
        if intake.depth() == 0 {
            break;
        }
        driver.pause(did).await;
    }
    let dead = letters.newest(10).unwrap();
    let (_, letter) = dead.first().unwrap();
    let id = Named::of(letter.event.get()).event_id;
    assert_eq!((letter.outcome.as_str(), &*id), ("expired", "old"));
    assert_eq!(intake.depth(), 0);
}
