//! Decides what follows from TikTok's answer: an outcome, or another attempt.

use crate::{
    outcome::Outcome,
    tiktok::{Reply, Trouble, Verdict},
};

/// After this many attempts, an answer with a code whose meaning is unclear counts as a refusal.
const UNCLEAR_ATTEMPTS: u32 = 8;

/// The next step for the events of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// All events have the same outcome.
    End(Outcome),
    /// TikTok refused some of the events. The other events have another outcome.
    Apart {
        /// The position in the request of each refused event, with TikTok's answer about the event.
        refused: Vec<(usize, Verdict)>,
        /// The outcome of the other events.
        others: Outcome,
    },
    /// One of the events is faulty. The request must be divided to find the faulty event.
    Narrow {
        /// The position of the event that TikTok's answer names, if it names one.
        suspect: Option<usize>,
    },
    /// Send the events again, more slowly.
    Again(Slow),
    /// Send the events again, and report that TikTok refuses the token.
    Barred(Verdict),
}

/// Why requests must be sent more slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slow {
    /// TikTok, or the connection to it, fails.
    Trouble,
    /// TikTok refuses the token, or says that the token has no right to the pixel.
    Barred,
    /// TikTok asked for fewer requests.
    Throttled,
}

/// Decides the next step for the events of a request. `attempts` counts how often these events have been sent, including the
/// request that `reply` answers. `events` is the number of these events.
pub fn decide(reply: Reply, attempts: u32, events: usize) -> Next {
    match reply {
        Reply::Taken(verdict) => Next::End(Outcome::Delivered(verdict)),
        Reply::TakenInPart { verdict, refused } => in_part(verdict, refused, events),
        Reply::Refused { index, .. } if events > 1 => Next::Narrow { suspect: index },
        // A gateway answers 413 if the whole request is too large, so a smaller request can succeed.
        Reply::Unreachable(Trouble::NotJson(413)) if events > 1 => Next::Narrow { suspect: None },
        Reply::Refused { verdict, .. } => Next::End(Outcome::Refused(verdict)),
        Reply::Unclear(verdict) if attempts >= UNCLEAR_ATTEMPTS => {
            let index = None;
            decide(Reply::Refused { verdict, index }, attempts, events)
        }
        Reply::Barred(verdict) => Next::Barred(verdict),
        Reply::Throttled(_) => Next::Again(Slow::Throttled),
        Reply::Later(_) | Reply::Unclear(_) | Reply::Unreachable(_) => Next::Again(Slow::Trouble),
    }
}

/// Reads the outcome of each event from an answer with code 20001: TikTok refused the events that the answer names, and
/// accepted the other events.
fn in_part(verdict: Verdict, refused: Vec<(usize, String)>, events: usize) -> Next {
    let refused: Vec<_> = refused
        .into_iter()
        .filter(|(index, _)| *index < events)
        .map(|(index, message)| {
            let words = Verdict {
                message,
                ..verdict.clone()
            };
            (index, words)
        })
        .collect();
    let others = Outcome::DeliveredWithWarning(verdict);
    if refused.is_empty() {
        Next::End(others)
    } else {
        Next::Apart { refused, others }
    }
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

    fn refused(index: Option<usize>) -> Reply {
        Reply::Refused {
            verdict: verdict(40002),
            index,
        }
    }

    fn in_part(refused: Vec<(usize, String)>) -> Reply {
        Reply::TakenInPart {
            verdict: verdict(20001),
            refused,
        }
    }

    #[test]
    fn only_code_0_and_20001_deliver() {
        let taken = decide(Reply::Taken(verdict(0)), 1, 50);
        assert_eq!(taken, Next::End(Outcome::Delivered(verdict(0))));
        let warning = Outcome::DeliveredWithWarning(verdict(20001));
        assert_eq!(decide(in_part(Vec::new()), 1, 50), Next::End(warning));
    }

    #[test]
    fn what_20001_names_is_refused_and_the_rest_is_delivered() {
        let named = vec![(3, "no".to_owned()), (50, "no such event".to_owned())];
        let words = Verdict {
            message: "no".to_owned(),
            ..verdict(20001)
        };
        assert_eq!(
            decide(in_part(named), 1, 50),
            Next::Apart {
                refused: vec![(3, words)],
                others: Outcome::DeliveredWithWarning(verdict(20001)),
            }
        );
    }

    #[test]
    fn a_refusal_ends_one_event_and_never_a_batch() {
        for index in [None, Some(1)] {
            let narrow = Next::Narrow { suspect: index };
            assert_eq!(decide(refused(index), 1, 2), narrow);
            let end = Next::End(Outcome::Refused(verdict(40002)));
            assert_eq!(decide(refused(index), 1, 1), end);
        }
    }

    #[test]
    fn what_may_pass_is_sent_again_for_as_long_as_it_takes() {
        let again = |slow| Next::Again(slow);
        for attempts in [1, 100, u32::MAX] {
            for (reply, next) in [
                (Reply::Throttled(verdict(40100)), again(Slow::Throttled)),
                (Reply::Later(verdict(50000)), again(Slow::Trouble)),
                (Reply::Unreachable(Trouble::TimedOut), again(Slow::Trouble)),
                (
                    Reply::Unreachable(Trouble::NotJson(502)),
                    again(Slow::Trouble),
                ),
                (Reply::Barred(verdict(40105)), Next::Barred(verdict(40105))),
            ] {
                assert_eq!(decide(reply, attempts, 1), next);
            }
        }
    }

    #[test]
    fn an_unclear_code_is_a_refusal_in_the_end() {
        let unclear = || Reply::Unclear(verdict(40101));
        assert_eq!(decide(unclear(), 7, 1), Next::Again(Slow::Trouble));
        assert_eq!(
            decide(unclear(), 8, 1),
            Next::End(Outcome::Refused(verdict(40101)))
        );
        assert_eq!(decide(unclear(), 8, 2), Next::Narrow { suspect: None });
    }

    #[test]
    fn a_request_that_is_too_large_is_narrowed() {
        let too_large = || Reply::Unreachable(Trouble::NotJson(413));
        assert_eq!(decide(too_large(), 1, 2), Next::Narrow { suspect: None });
        assert_eq!(decide(too_large(), 1, 1), Next::Again(Slow::Trouble));
    }
}
