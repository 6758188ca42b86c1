//! What this module asks of the page.
//!
//! Nothing here acts: every call leaves a list of effects, and `effects.js` carries them out in order
//! once the call is over. So a listener, a patched `fetch` or a `ttq` that calls back into Duet never
//! finds it half-way through something, and every decision can be tested without a page.
//!
//! The page knows the words and the texts: an effect has numbers only. On a page each goes to
//! [`bindings`](crate) at once, which has the page note it down; anywhere else they stay here.

use crate::consent::Gate;

/// Effects in the order they are to happen.
#[derive(Debug, Default)]
pub struct Effects {
    #[cfg(not(target_arch = "wasm32"))]
    list: alloc::vec::Vec<Effect>,
}

/// What the page is to do. An `event` and a `request` go by their numbers on this page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are named as they are meant")]
pub enum Effect {
    /// Stores an event.
    Store { event: u32 },
    /// Forgets what is stored of an event.
    Remove { event: u32 },
    /// Leaves the other pages of this site word of how an event ended that they may wait for.
    Note { event: u32, word: Word },
    /// Takes back that the order's event was fired.
    Unmark { event: u32 },
    /// Says how an event fares.
    Settle { event: u32, word: Word },
    /// Reports a loss, about an event or none.
    Report { event: Option<u32>, word: Word },
    /// Leaves a stored event to whoever has it.
    Leave { event: u32 },
    /// Puts an event into the next request.
    Take { event: u32 },
    /// Sends the next request.
    Post { request: u32, is_leaving: bool },
    /// Wants to be woken in so many milliseconds, unless it is woken before.
    Wake { ms: u32 },
    /// Wants to hear of everything stored, under the lock that all tabs of this site share.
    Adopt,
    /// From here on calls become this. Once it is open, this browser may be read, written to and spoken for, which brings
    /// [`Effect::Adopt`] with it; once it closes, the Pixel is stopped, as far as it lets itself be stopped.
    Gate(Gate),
    /// Forgets everything Duet knows and has stored on this browser.
    Clear,
    /// Keeps for all tabs that the proxy wants to be left alone for so many milliseconds; 0 for no longer.
    Pause { ms: u32 },
}

/// How an event ended, or why it has not yet, and what is reported. The first four are the proxy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The proxy has it, durably.
    Accepted,
    /// It was reported before.
    Duplicate,
    /// The proxy keeps it until its order is paid.
    Held,
    /// A rule is broken; it will not be sent again.
    Invalid,
    /// It waits in the outbox.
    Queued,
    /// It is given up: too old, or no room.
    Dropped,
    /// Consent is denied.
    Consent,
    /// There is no room for it.
    Full,
    /// It is too old.
    Expired,
    /// Only a person can remove the reason.
    Refused,
}

impl Word {
    /// All of them, with what the page's API calls them, as their numbers count them.
    pub const ALL: [(Self, &str); 10] = [
        (Self::Accepted, "accepted"),
        (Self::Duplicate, "duplicate"),
        (Self::Held, "held"),
        (Self::Invalid, "invalid"),
        (Self::Queued, "queued"),
        (Self::Dropped, "dropped"),
        (Self::Consent, "consent"),
        (Self::Full, "full"),
        (Self::Expired, "expired"),
        (Self::Refused, "refused"),
    ];

    /// Reads the number of how an event ended, of which the proxy has four words; without them it was given up.
    pub fn read(number: u32) -> Self {
        match number {
            0 => Self::Accepted,
            1 => Self::Duplicate,
            2 => Self::Held,
            3 => Self::Invalid,
            _ => Self::Dropped,
        }
    }
}

impl Effects {
    /// Adds an effect.
    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "on a page it is one call of an import"
    )]
    pub fn push(&mut self, effect: Effect) {
        #[cfg(target_arch = "wasm32")]
        crate::bindings::hand_over(effect);
        #[cfg(not(target_arch = "wasm32"))]
        self.list.push(effect);
    }

    /// What was asked for.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn into_list(self) -> alloc::vec::Vec<Effect> {
        self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_the_number_of_its_place() {
        for (place, (word, _)) in Word::ALL.into_iter().enumerate() {
            assert_eq!(word as usize, place);
            let read = if place < 4 { word } else { Word::Dropped };
            assert_eq!(Word::read(word as u32), read);
        }
    }
}
