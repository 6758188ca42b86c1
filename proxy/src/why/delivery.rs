//! Explains why events wait for their delivery.

use super::{Cause, Facts, Findings, Missing, Pending};

/// TikTok's codes for "too many requests".
const THROTTLES: [i64; 3] = [40_016, 40_100, 40_102];

pub(super) fn look(facts: &Facts, found: &mut Findings) {
    for pending in &facts.pending {
        found.add(Some(Missing::Delivery), waits_for(facts, pending));
        if pending.is_test {
            found.add(Some(Missing::TikTok), Cause::TestTraffic);
        }
    }
    if !facts.settings.is_running {
        return;
    }
    if facts.settings.is_clock_suspect {
        found.add(None, Cause::ClockSuspect);
    }
    if !facts.settings.is_writable {
        found.add(None, Cause::DiskRefuses);
    }
}

fn waits_for(facts: &Facts, pending: &Pending) -> Cause {
    if !facts.settings.is_running {
        return Cause::Waiting;
    }
    let state = facts.pixels.get(&pending.pixel_id).copied();
    let state = state.unwrap_or_default();
    match state.last_code {
        _ if !state.is_configured => Cause::PixelRemoved,
        _ if state.is_barred => Cause::TokenRefused,
        _ if state.is_down => Cause::TikTokDown,
        None | Some(0 | 20_001) => Cause::Waiting,
        Some(code) if THROTTLES.contains(&code) => Cause::Throttled,
        Some(_) => Cause::TikTokDown,
    }
}
