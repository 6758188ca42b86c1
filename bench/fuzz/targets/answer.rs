//! Fuzzes TikTok's answer. The reader must never panic, and must accept only an answer that reports success.
#![no_main]

use duet_proxy::tiktok::{Reply, read};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|answer: (u16, &[u8])| {
    let (status, body) = answer;
    let reply = read(status, body);
    // A field that Duet does not read may contain anything. `serde_json` is stricter and may not accept such an answer. Then
    // there is nothing to compare with.
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return;
    };
    let said = body.get("code").and_then(Value::as_i64);
    if matches!(reply, Reply::Taken(_)) {
        assert_eq!(said, Some(0), "accepted as a success: {reply:?}");
    }
    if let Some(code) = reply.code() {
        assert_eq!(said, Some(code), "{reply:?}");
    }
});
