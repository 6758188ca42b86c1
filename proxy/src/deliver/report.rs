//! Reports the results of requests and events in the log, in `/readyz` and in the metrics. The only data of an event that is
//! reported is its id.

use std::sync::Arc;

use super::courier::Way;
use crate::{
    decide::{Destination, Named},
    health::Health,
    limits,
    metrics::Metrics,
    outcome::Outcome,
    queue::Claimed,
};

/// Reports the outcome of `events` of this destination.
pub(super) fn settled(
    metrics: &Metrics,
    events: &[Claimed],
    outcome: &Outcome,
    now_ms: i64,
    destination: &Destination,
) {
    metrics.settled(&destination.pixel_id, outcome.label(), events.len() as u64);
    if !outcome.is_dead() && destination.test_event_code.is_none() {
        let missed = events.iter().filter(|event| {
            let happened_at_ms = happened_at_ms(event.event());
            happened_at_ms.is_some_and(|at| missed_the_window(at, event.accepted_at_ms(), now_ms))
        });
        metrics.merge_window_missed.inc_by(missed.count() as u64);
    }
    if !outcome.is_dead() {
        metrics.delivered(events.iter().map(|event| now_ms - event.accepted_at_ms()));
    }
    let oldest = events.iter().map(Claimed::accepted_at_ms).min();
    let took_ms = oldest.map_or(0, |accepted| now_ms - accepted);
    let (count, pixel_id) = (events.len(), destination.pixel_id.as_str());
    match outcome {
        Outcome::Delivered(_) => {
            tracing::info!(pixel_id, events = count, took_ms, "delivered");
        }
        Outcome::DeliveredWithWarning(verdict) => tracing::warn!(
            pixel_id,
            events = count,
            took_ms,
            code = verdict.code,
            tiktok_message = verdict.message,
            "delivered with a warning"
        ),
        Outcome::Refused(verdict) => tracing::error!(
            pixel_id,
            events = count,
            event_id = first_id(events),
            code = verdict.code,
            tiktok_message = verdict.message,
            "TikTok refused an event; the event is kept as a dead letter"
        ),
        Outcome::Expired => tracing::error!(
            pixel_id,
            events = count,
            "events could not be delivered within 7 days; these events are kept as dead letters"
        ),
        // A courier ends an event as `Withdrawn` if the money of its sale went back, which is no error of the delivery.
        // No courier ends an event as `Unverified`.
        Outcome::Unverified | Outcome::Withdrawn => {}
    }
}

/// Reports what a reply shows about the connection to TikTok.
pub fn way(health: &Health, destination: &Arc<Destination>, way: &Way) {
    match way {
        Way::Open { misnamed } => {
            health.barred(destination, false);
            if *misnamed {
                tracing::warn!(
                    "TikTok accepted an event that TikTok had named as faulty before; the proxy no longer uses such hints in TikTok's answers"
                );
            }
        }
        Way::Barred { verdict, pause } => {
            health.barred(destination, true);
            if let Some(pause) = pause {
                tracing::error!(
                    pixel_id = destination.pixel_id,
                    code = verdict.code,
                    tiktok_message = verdict.message,
                    wait_s = pause.as_secs_f64(),
                    "TikTok refuses the token, or the token has no right to the pixel; events stay stored until TikTok accepts the token"
                );
            }
        }
        Way::Slow {
            events,
            attempts,
            pause,
        } => {
            if let Some(pause) = pause {
                tracing::warn!(
                    pixel_id = destination.pixel_id,
                    events,
                    attempts,
                    wait_s = pause.as_secs_f64(),
                    "TikTok request failed; retrying"
                );
            }
        }
    }
}

/// Reports that events are pending for a pixel that is not configured.
pub(super) fn without_token(destination: &Destination) {
    tracing::error!(
        pixel_id = destination.pixel_id,
        "events wait for a pixel that is not configured and expire after 7 days; add the pixel to DUET_PIXELS_FILE again and send SIGHUP"
    );
}

/// Returns whether an event reached TikTok too late to be merged with the Pixel's copy, although the proxy had accepted the
/// event in time. An event that a server reports a week later, or that a page stored while it was offline, was already too late
/// when it arrived, so it does not count.
fn missed_the_window(happened_at_ms: i64, accepted_at_ms: i64, now_ms: i64) -> bool {
    let closes_at_ms = happened_at_ms.saturating_add(limits::MERGE_MS);
    accepted_at_ms <= closes_at_ms && closes_at_ms < now_ms
}

/// Returns when an event happened, from its JSON. Searches the JSON text without parsing it, because this runs for every event.
/// The search finds the right field: a field name with its quotes cannot occur inside a string, and no earlier field contains
/// an object.
fn happened_at_ms(event: &[u8]) -> Option<i64> {
    const FIELD: &[u8] = br#""event_time":"#;
    let at = event.windows(FIELD.len()).position(|text| text == FIELD)?;
    let digits = event.get(at + FIELD.len()..)?.iter();
    let digits = digits.take_while(|byte| byte.is_ascii_digit());
    let seconds = digits.fold(0_i64, |seconds, digit| {
        seconds
            .saturating_mul(10)
            .saturating_add(i64::from(digit - b'0'))
    });
    Some(seconds.saturating_mul(1000))
}

fn first_id(events: &[Claimed]) -> String {
    let event = events.first().map(Claimed::event).unwrap_or_default();
    let event = std::str::from_utf8(event).unwrap_or_default();
    Named::of(event).event_id.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_event_misses_the_window_when_it_is_delivered_after_5_minutes() {
        let (second, window) = (1000, limits::MERGE_MS);
        // The times at which the event happened, was accepted and was delivered, in Unix milliseconds.
        for (happened, accepted, delivered, missed) in [
            (0, second, 2 * second, false),
            (0, second, window, false),
            (0, second, window + 1, true),
            (0, window, window + 1, true),
            // The event was too late when it arrived: it was backdated, or stored by a page that was offline.
            (0, window + 1, window + 2, false),
            (0, 7 * 24 * 3_600_000, 8 * 24 * 3_600_000, false),
            // The clock of the browser is ahead.
            (60 * second, second, window + 2 * second, false),
            (60 * second, second, window + 61 * second, true),
        ] {
            let found = missed_the_window(happened, accepted, delivered);
            assert_eq!(found, missed, "{happened} {accepted} {delivered}");
        }
    }

    #[test]
    fn the_time_is_found_in_what_tiktok_gets() {
        for (event, at_ms) in [
            (
                r#"{"event":"Lead","event_time":1767323045,"event_id":"a"}"#,
                Some(1_767_323_045_000),
            ),
            (
                r#"{"event":"Lead","event_id":"\"event_time\":1","event_time":12,"page":{}}"#,
                Some(12_000),
            ),
            (r#"{"event":"Lead"}"#, None),
        ] {
            assert_eq!(happened_at_ms(event.as_bytes()), at_ms, "{event}");
        }
    }
}
