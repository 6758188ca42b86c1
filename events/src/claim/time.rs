//! Reads the time of an event, in seconds or milliseconds, and corrects the time if the sender's clock differs from the
//! proxy's clock.

use alloc::borrow::ToOwned;

use super::Claim;
use crate::{
    Invalid,
    fields::{Fields, Problems, Scalar, digits},
    rule::{leave_out, reject, repair},
};

/// The age of the oldest event that is sent to TikTok, in seconds.
const OLDEST_S: i64 = 7 * 24 * 60 * 60;
/// How far the time of an event can be ahead of the proxy's clock, in seconds.
const AHEAD_S: i64 = 10 * 60;
/// If the sender's clock differs from the proxy's clock by more than this, the event's time is corrected. A smaller difference
/// counts as delay of the network.
const CLOCK_SLACK_MS: i64 = 5_000;
/// A time of at least this value is in milliseconds, because such a large number of seconds would be after the year 5000.
const MILLISECONDS: i64 = 100_000_000_000;
/// A time from this value up to `MILLISECONDS` is in seconds, after the year 2001. A smaller value comes from a clock that was
/// never set.
const SECONDS: i64 = 1_000_000_000;

impl Claim {
    /// Returns the time of the event by the proxy's clock, in Unix seconds. If the sender states no time, returns the present
    /// time.
    ///
    /// # Errors
    /// Returns `too_old` (7 days) or `too_new` (10 minutes ahead) on `event_time`.
    pub fn happened_at(&self, sent_at_ms: Option<i64>, now_ms: i64) -> Result<i64, Invalid> {
        let now = now_ms / 1000;
        let Some(time) = self.time else {
            return Ok(now);
        };
        let behind_ms = self
            .sent_at_ms
            .or(sent_at_ms)
            .map_or(0, |sent| now_ms.saturating_sub(sent));
        let corrected = if behind_ms.saturating_abs() > CLOCK_SLACK_MS {
            time.saturating_add(behind_ms / 1000)
        } else {
            time
        };
        if corrected < now - OLDEST_S {
            return Err(Invalid::of(&reject::TOO_OLD, "event_time"));
        }
        if corrected > now + AHEAD_S {
            return Err(Invalid::of(&reject::TOO_NEW, "event_time"));
        }
        Ok(corrected)
    }
}

/// Reads the event time. Digits as text, fractions and milliseconds are accepted. Any other value is rejected, because it would
/// be wrong to use the present time instead.
pub(super) fn event_time(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<i64> {
    const NAME: &str = "event_time";
    let stated = fields.take(NAME)?.scalar();
    let (time, rule) = match &stated {
        Scalar::Number(number) if !number.is_fractional() => (whole(number.integer()), None),
        Scalar::Number(number) => (floor(number.value), Some(&repair::WHOLE_NUMBER)),
        Scalar::Text(text) => (whole(digits(text.trim())), Some(&repair::TEXT_AS_NUMBER)),
        _ => (None, None),
    };
    let Some(time) = time else {
        problems.reject_got(NAME.to_owned(), &reject::UNIX_SECONDS, stated.got());
        return None;
    };
    if let Some(rule) = rule {
        problems.warn(NAME, rule);
    }
    if time < MILLISECONDS {
        return Some(time);
    }
    problems.warn(NAME, &repair::MILLISECONDS);
    Some(time / 1000)
}

/// Reads the time at which a body was sent, in Unix milliseconds.
pub(crate) fn sent_at(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<i64> {
    const NAME: &str = "sent_at";
    let stated = fields.take(NAME)?.scalar();
    let (time, is_text) = match &stated {
        Scalar::Number(number) => (floor(number.value), false),
        Scalar::Text(text) => (whole(digits(text.trim())), true),
        _ => (None, false),
    };
    let Some(time) = time else {
        problems.warn_got(NAME.to_owned(), &leave_out::SENT_AT, stated.got());
        return None;
    };
    if is_text {
        problems.warn(NAME, &repair::TEXT_AS_NUMBER);
    }
    if (SECONDS..MILLISECONDS).contains(&time) {
        problems.warn(NAME, &repair::SECONDS);
        return Some(time * 1000);
    }
    Some(time)
}

fn whole(number: Option<i128>) -> Option<i64> {
    i64::try_from(number?).ok()
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "a cast ends at the ends of the type"
)]
fn floor(number: f64) -> Option<i64> {
    let whole = number as i64;
    number
        .is_finite()
        .then_some(if number < 0.0 && number % 1.0 != 0.0 {
            whole - 1
        } else {
            whole
        })
}
