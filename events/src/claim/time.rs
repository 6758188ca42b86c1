//! When an event happened: by its sender's clock, in whatever unit, and by the proxy's.

use alloc::borrow::ToOwned;

use super::Claim;
use crate::{
    Invalid,
    fields::{Fields, Problems, Scalar, digits},
    rule::{leave_out, reject, repair},
};

/// The oldest event TikTok is sent.
const OLDEST_S: i64 = 7 * 24 * 60 * 60;
/// How far ahead of the proxy's clock an event may be.
const AHEAD_S: i64 = 10 * 60;
/// A client clock is corrected when it is off by more than this; less is the way through the network.
const CLOCK_SLACK_MS: i64 = 5_000;
/// Times from here on are milliseconds: as seconds they would lie past the year 5000.
const MILLISECONDS: i64 = 100_000_000_000;
/// Times from here on to the one above are seconds, after 2001. Less is the time of a clock that was never set.
const SECONDS: i64 = 1_000_000_000;

impl Claim {
    /// When the event happened by the proxy's clock, in Unix seconds; now, where its sender does not say.
    ///
    /// # Errors
    /// `too_old` (7 days) or `too_new` (10 minutes ahead) on `event_time`.
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

/// Digits as text, a fraction and milliseconds mean one time. Anything else is rejected: now would be a lie.
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

/// When a body was sent, in Unix milliseconds.
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
