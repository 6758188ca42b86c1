//! TikTok's answer: whatever comes, it is read without a panic, and taken for a yes only where it says so.
#![no_main]

use duet_proxy::tiktok::{Reply, read};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|answer: (u16, &[u8])| {
    let (status, body) = answer;
    let reply = read(status, body);
    // A field that nobody reads may hold anything; this stricter reader takes no such answer.
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return;
    };
    let said = body.get("code").and_then(Value::as_i64);
    if matches!(reply, Reply::Taken(_)) {
        assert_eq!(said, Some(0), "taken for a yes: {reply:?}");
    }
    if let Some(code) = reply.code() {
        assert_eq!(said, Some(code), "{reply:?}");
    }
});
