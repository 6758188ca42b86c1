//! What follows from TikTok's answer: an end, or another attempt.

use crate::{
    outcome::Outcome,
    tiktok::{Reply, Trouble, Verdict},
};

/// How often a code that senders read differently is tried.
const UNCLEAR_ATTEMPTS: u32 = 8;

/// What to do with the events of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// All have come to the same end.
    End(Outcome),
    /// Those at these places are refused, with TikTok's words; the others have come to an end.
    Apart {
        /// Places in the request.
        refused: Vec<(usize, Verdict)>,
        /// The end of the others.
        others: Outcome,
    },
    /// One of them is at fault; find out which.
    Narrow {
        /// The place that TikTok names.
        suspect: Option<usize>,
    },
    /// Send them again, more slowly.
    Again(Slow),
    /// Send them again, and say that nothing gets through.
    Barred(Verdict),
}

/// Why to send more slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slow {
    /// TikTok, or the way there, is in trouble.
    Trouble,
    /// TikTok refuses the token or its right to the pixel.
    Barred,
    /// TikTok wants fewer requests.
    Throttled,
}

/// Decides. `attempts` counts the sends of these events so far, the one that `reply` answers included;
/// `events` is how many there are.
pub fn decide(reply: Reply, attempts: u32, events: usize) -> Next {
    match reply {
        Reply::Taken(verdict) => Next::End(Outcome::Delivered(verdict)),
        Reply::TakenInPart { verdict, refused } => in_part(verdict, refused, events),
        Reply::Refused { index, .. } if events > 1 => Next::Narrow { suspect: index },
        // A gateway's 413 is about the size of all of them together.
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

/// 20001 is read for each event: those it names were not taken, the others were.
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
