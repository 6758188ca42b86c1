//! What follows from TikTok's answer: an end, or another attempt and when.

use std::time::Duration;

use crate::{
    outcome::Outcome,
    tiktok::{Reply, Trouble, Verdict},
};

/// How long an event is worth delivering.
pub const WORTH_DELIVERING_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// How often a code that senders read differently is tried.
const UNCLEAR_ATTEMPTS: u32 = 8;

/// What to do with the events of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// They have come to an end.
    End(Outcome),
    /// One of them is at fault; find out which by sending halves.
    Halve,
    /// Send them again, after a random part of this time.
    Again {
        /// The longest wait; the actual one is anywhere below it, so that proxies do not come back
        /// together after an outage.
        within: Duration,
        /// The shortest wait.
        least: Duration,
    },
    /// Send them again after a random part of this time, and say that nothing gets through.
    Barred {
        /// As in [`Next::Again`].
        within: Duration,
        /// What TikTok said.
        verdict: Verdict,
    },
}

/// Decides. `attempts` counts the sends of these events so far, the one that `reply` answers included;
/// `events` is how many there are.
pub fn decide(reply: Reply, attempts: u32, events: usize) -> Next {
    match reply {
        Reply::Taken => Next::End(Outcome::Delivered),
        Reply::TakenInPart(verdict) => Next::End(Outcome::DeliveredWithWarning(verdict)),
        // A gateway's 413 is about the size of all of them together.
        Reply::Refused(_) | Reply::Unreachable(Trouble::NotJson(413)) if events > 1 => Next::Halve,
        Reply::Refused(verdict) => Next::End(Outcome::Refused(verdict)),
        Reply::Unclear(verdict) if attempts >= UNCLEAR_ATTEMPTS => {
            decide(Reply::Refused(verdict), attempts, events)
        }
        Reply::Barred(verdict) => Next::Barred {
            within: doubled(2, attempts, 30),
            verdict,
        },
        Reply::Throttled(_) => {
            let least = Duration::from_mins(1);
            Next::Again {
                within: least + doubled(60, attempts, 600),
                least,
            }
        }
        Reply::Later(_) | Reply::Unclear(_) | Reply::Unreachable(_) => Next::Again {
            within: doubled(1, attempts, 300),
            least: Duration::ZERO,
        },
    }
}

/// `first` seconds, doubled with every attempt, at most `longest`.
fn doubled(first: u64, attempts: u32, longest: u64) -> Duration {
    let factor = 1_u64
        .checked_shl(attempts.saturating_sub(1))
        .unwrap_or(u64::MAX);
    Duration::from_secs(first.saturating_mul(factor).min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(code: i64) -> Verdict {
        Verdict {
            code,
            message: "words".to_owned(),
            request_id: None,
        }
    }

    fn wait(reply: Reply, attempts: u32) -> u64 {
        match decide(reply, attempts, 1) {
            Next::Again { within, .. } | Next::Barred { within, .. } => within.as_secs(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_code_0_and_20001_deliver() {
        assert_eq!(decide(Reply::Taken, 1, 50), Next::End(Outcome::Delivered));
        let warning = Outcome::DeliveredWithWarning(verdict(20001));
        assert_eq!(
            decide(Reply::TakenInPart(verdict(20001)), 1, 50),
            Next::End(warning)
        );
    }

    #[test]
    fn a_refusal_ends_one_event_and_never_a_batch() {
        assert_eq!(decide(Reply::Refused(verdict(40002)), 1, 2), Next::Halve);
        assert_eq!(
            decide(Reply::Refused(verdict(40002)), 1, 1),
            Next::End(Outcome::Refused(verdict(40002)))
        );
    }

    #[test]
    fn waits_double_up_to_a_bound() {
        let lost = || Reply::Unreachable(Trouble::TimedOut);
        assert_eq!(
            [1, 2, 3, 9, 10, 1000].map(|attempts| wait(lost(), attempts)),
            [1, 2, 4, 256, 300, 300]
        );
        assert_eq!(
            [1, 2, 5, 99].map(|attempts| wait(Reply::Barred(verdict(40105)), attempts)),
            [2, 4, 30, 30]
        );
        assert_eq!(
            [1, 2, 99].map(|attempts| wait(Reply::Throttled(verdict(40100)), attempts)),
            [120, 180, 660]
        );
    }

    #[test]
    fn an_unclear_code_is_given_up_after_a_few_attempts() {
        assert!(matches!(
            decide(Reply::Unclear(verdict(40101)), 7, 1),
            Next::Again { .. }
        ));
        assert_eq!(
            decide(Reply::Unclear(verdict(40101)), 8, 1),
            Next::End(Outcome::Refused(verdict(40101)))
        );
    }

    #[test]
    fn trouble_never_ends_an_event() {
        for trouble in [
            Trouble::TimedOut,
            Trouble::NotJson(404),
            Trouble::Connection(String::new()),
        ] {
            assert!(matches!(
                decide(Reply::Unreachable(trouble), u32::MAX, 1),
                Next::Again { .. }
            ));
        }
    }
}
