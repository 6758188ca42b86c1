//! What became of events, in the log and in the metrics. Never more of an event than its id.

use crate::{
    metrics::Metrics,
    outcome::Outcome,
    queue::{Claimed, Named},
};

/// Says how `events` ended.
pub(super) fn settled(metrics: &Metrics, events: &[Claimed], outcome: &Outcome, now_ms: i64) {
    metrics.ended(
        outcome,
        events.iter().map(|event| now_ms - event.accepted_at_ms()),
    );
    let oldest = events.iter().map(Claimed::accepted_at_ms).min();
    let took_ms = oldest.map_or(0, |accepted| now_ms - accepted);
    let count = events.len();
    match outcome {
        Outcome::Delivered(_) => tracing::info!(events = count, took_ms, "delivered"),
        Outcome::DeliveredWithWarning(verdict) => tracing::warn!(
            events = count,
            took_ms,
            code = verdict.code,
            tiktok_message = verdict.message,
            "delivered with a warning"
        ),
        Outcome::Refused(verdict) => tracing::error!(
            events = count,
            event_id = first_id(events),
            code = verdict.code,
            tiktok_message = verdict.message,
            "TikTok refused an event; it is kept as a dead letter"
        ),
        Outcome::Expired => tracing::error!(
            events = count,
            "events could not be delivered within 7 days; they are kept as dead letters"
        ),
        // Those never come to a courier.
        Outcome::Unverified | Outcome::Withdrawn => {}
    }
}

fn first_id(events: &[Claimed]) -> String {
    let event = events.first().map(Claimed::event).unwrap_or_default();
    let event = std::str::from_utf8(event).unwrap_or_default();
    Named::of(event).event_id.into_owned()
}
