//! The effects that this module requests from the page.
//!
//! This module does not act itself. Every call creates a list of effects, and `effects.js` carries them out in order after
//! the call. So a listener, a patched `fetch` or a `ttq` that calls Duet never finds an unfinished change. Every decision can
//! be tested without a page.
//!
//! The page has the words and the texts; an effect has only numbers. On a page, each effect goes to [`bindings`](crate) at
//! once, and the page records it. Outside of a page, this list collects the effects.

use crate::consent::Gate;

/// Effects in the order in which they are carried out.
#[derive(Debug, Default)]
pub struct Effects {
    #[cfg(not(target_arch = "wasm32"))]
    list: alloc::vec::Vec<Effect>,
}

/// An action of the page. An `event` and a `request` are their numbers on this page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are named as they are meant")]
pub enum Effect {
    /// Stores an event.
    Store { event: u32 },
    /// Removes a stored event.
    Remove { event: u32 },
    /// Stores how an event ended, for other pages of this site that may wait for it.
    Note { event: u32, word: Word },
    /// Removes the mark that the order's event was fired.
    Unmark { event: u32 },
    /// Reports the status of an event.
    Settle { event: u32, word: Word },
    /// Reports the loss of an event, or a loss without an event.
    Report { event: Option<u32>, word: Word },
    /// Leaves a stored event to its owner.
    Leave { event: u32 },
    /// Puts an event into the next request.
    Take { event: u32 },
    /// Sends the next request.
    Post { request: u32, is_leaving: bool },
    /// Asks for a wake-up after this time, unless something wakes it earlier.
    Wake { ms: u32 },
    /// Asks for all stored events, under the lock that all tabs of this site share.
    Adopt,
    /// Sets the handling of calls. Once the gate is open, this browser's storage may be read and written, and
    /// [`Effect::Adopt`] follows. Once it closes, the Pixel is stopped as far as possible.
    Gate(Gate),
    /// Removes everything that Duet knows and stored on this browser.
    Clear,
    /// Stores the proxy's request for a pause of this length, for all tabs; 0 ends the pause.
    Pause { ms: u32 },
}

/// The final status of an event, the reason why it is still open, or the subject of a report. The first four come from the
/// proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The proxy has stored the event.
    Accepted,
    /// The event was reported before.
    Duplicate,
    /// The proxy stores the event until its order is paid.
    Held,
    /// The event breaks a rule and will not be sent again.
    Invalid,
    /// The event waits in the outbox.
    Queued,
    /// Duet gave up the event: it is too old, or there is no room.
    Dropped,
    /// Consent is denied.
    Consent,
    /// There is no room for the event.
    Full,
    /// The event is too old.
    Expired,
    /// Only a person can remove the reason.
    Refused,
}

impl Word {
    /// All words with their names in the page's API, in the order of their numbers.
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

    /// Reads the number of a final status. The proxy uses four final statuses. Any other number means that the event was
    /// given up.
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

    /// Returns the requested effects.
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
