//! Fuzzes the body of a request. The proxy must read and judge any body without a panic, and must hash every personal value.
#![no_main]

use duet_events::{
    Country,
    wire::{Body, Text},
};
use duet_proxy::admit::{Caller, Facts, MoneyEvents, Pixel, Visitor, admit};
use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use serde_json::Value;

/// The part that this target checks in an event for TikTok.
#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    user: Value,
}

const NOW_MS: i64 = 1_767_323_045_000;

fuzz_target!(|body: &[u8]| {
    let text = Text::read(body);
    let Ok(body) = Body::open(&text) else { return };
    for caller in [Caller::Page, Caller::Server] {
        for stated in body.events.clone() {
            let Ok(admitted) = admit(stated, &facts(caller, body.sent_at_ms), || Some([7; 16]))
            else {
                continue;
            };
            let text = serde_json::to_string(&admitted.event).expect("an event is JSON");
            let sent: Sent = serde_json::from_str(&text).expect("the sent body must be JSON");
            for key in ["email", "phone", "external_id"] {
                assert!(is_hashed(&sent.user[key]), "{key} of {text}");
            }
        }
    }
});

/// Returns whether a value is absent, a digest, or several digests.
fn is_hashed(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(digest) => {
            let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            digest.len() == 64 && digest.bytes().all(is_hex)
        }
        Value::Array(digests) => digests.iter().all(is_hashed),
        _ => false,
    }
}

fn facts(caller: Caller, sent_at_ms: Option<i64>) -> Facts<'static> {
    Facts {
        now_ms: NOW_MS,
        sent_at_ms,
        caller,
        visitor: &Visitor::Unknown,
        money: MoneyEvents::Open,
        ip: Some([203, 0, 113, 7].into()),
        user_agent: Some("Mozilla/5.0"),
        referer: Some("https://shop.example/plans?ttclid=E.C.P.referer"),
        ttclid: vec!["E.C.P.cookie".to_owned()],
        ttp: vec!["02cookie"],
        country: Country::parse("VN"),
        pixels: &[Pixel {
            id: "CDUETBENCH0000000001",
            test_event_code: None,
            is_open: true,
        }],
    }
}
