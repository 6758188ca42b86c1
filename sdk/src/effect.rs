//! The effects that this module requests from the page.
//!
//! The WebAssembly module does nothing on the page itself. Every call makes a list of effects, and `effects.js` carries them
//! out in order after the call has returned. So a listener, a patched `fetch` or a patched `ttq` that calls Duet never finds a
//! half-changed state. Also, every decision can be tested without a page.
//!
//! Only the page has the words and the texts. An effect has only numbers. On a page, [`Effects`] passes each effect to
//! [`bindings`](crate) at once, and the page records it. In tests, [`Effects`] collects the effects in a list.

use crate::consent::Gate;

/// Effects in the order in which they are carried out.
#[derive(Debug, Default)]
pub struct Effects {
    #[cfg(not(target_arch = "wasm32"))]
    list: alloc::vec::Vec<Effect>,
}

/// An action that the page must carry out. `event` and `request` are the numbers that the event and the request have on this
/// page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are named as they are meant")]
pub enum Effect {
    /// Stores an event.
    Store { event: u32 },
    /// Removes a stored event.
    Remove { event: u32 },
    /// Stores how an event ended, for other pages of this site that may still have the event in their outboxes.
    Note { event: u32, word: Word },
    /// Removes the mark that says that this event of an order was already fired.
    Unmark { event: u32 },
    /// Reports the status of an event.
    Settle { event: u32, word: Word },
    /// Reports a loss: of this event, or of no particular event.
    Report { event: Option<u32>, word: Word },
    /// Leaves a stored event to another page, which owns it.
    Leave { event: u32 },
    /// Puts an event into the next request.
    Take { event: u32 },
    /// Sends the next request.
    Post { request: u32, is_leaving: bool },
    /// Asks for [`Call::Wake`](crate::duet::Call::Wake) after this time. An earlier wake-up that was requested before stays.
    Wake { ms: u32 },
    /// Asks for all stored events, under the lock that all tabs of this site share.
    Adopt,
    /// Sets how calls are handled. When the gate opens, this browser's storage may be read and written, and [`Effect::Adopt`]
    /// follows. When the gate closes, the Pixel is stopped as far as possible.
    Gate(Gate),
    /// Removes all data that Duet has in this page's memory and in this browser's storage.
    Clear,
    /// Stores that the proxy asked for a pause of this length, for all tabs of this site. A length of 0 ends the pause.
    Pause { ms: u32 },
}

/// The final status of an event, the reason why the event is still open, or the subject of a report. The first four words are
/// the proxy's results.
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
    /// Duet gave up the event, because the event is too old or there is no room for it.
    Dropped,
    /// Consent is denied.
    Consent,
    /// There is no room for the event.
    Full,
    /// The event is too old.
    Expired,
    /// The proxy rejected the request for a reason that only a person can remove.
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

    /// Returns the final status with this number. The numbers of the proxy's four results give these results. Any other number
    /// gives [`Word::Dropped`].
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

    /// Returns the collected effects.
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
