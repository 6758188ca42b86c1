//! Sample events for tests in which the kind of event does not matter.

use std::collections::BTreeSet;

use anyhow::Result;
use duet_sandbox::Conversion;
use duet_tests::Stack;
use serde_json::{Value, json};

/// The maximum number of events in one post.
const MOST: usize = 100;

/// Returns an event that TikTok accepts. Its id is `id`.
pub(crate) fn event(id: &str) -> Value {
    json!({ "event": "Purchase", "event_id": id, "user": { "external_id": "u" },
            "properties": { "value": 99000, "currency": "VND" } })
}

/// Posts events with these ids, in posts of the maximum size.
pub(crate) async fn post_all(stack: &Stack, ids: &[String]) -> Result<()> {
    for ids in ids.chunks(MOST) {
        let events: Vec<_> = ids.iter().map(|id| event(id)).collect();
        stack.accepted(&json!({ "events": events })).await?;
    }
    Ok(())
}

/// Posts events as [`post_all`] does, but events that are not about money. All of them are in the same class.
pub(crate) async fn post_views(stack: &Stack, ids: &[String]) -> Result<()> {
    for ids in ids.chunks(MOST) {
        let views = ids.iter().map(|id| {
            let mut view = event(id);
            view["event"] = json!("ViewContent");
            view
        });
        let views: Vec<_> = views.collect();
        stack.accepted(&json!({ "events": views })).await?;
    }
    Ok(())
}

/// Returns the ids `<prefix>0`, `<prefix>1` and so on.
pub(crate) fn ids(prefix: &str, count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("{prefix}{number}"))
        .collect()
}

/// Returns the ids of the events that arrived at TikTok.
pub(crate) fn arrived(conversions: &[Conversion]) -> BTreeSet<&str> {
    let ids = conversions.iter();
    ids.filter_map(|conversion| conversion.event_id.as_deref())
        .collect()
}
