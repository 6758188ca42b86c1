//! What this module asks of the page.
//!
//! Nothing here acts: every call leaves a list of effects, and `effects.js` carries them out in order
//! once the call is over. So a listener, a patched `fetch` or a `ttq` that calls back into Duet never
//! finds it half-way through something, and every decision can be tested without a page.
//!
//! An effect is three numbers, of which the page knows the words and the texts: on a page they go to its
//! list one by one, anywhere else they stay here.

/// Effects in the order they are to happen.
#[derive(Debug, Default)]
pub struct Effects {
    #[cfg(not(target_arch = "wasm32"))]
    list: alloc::vec::Vec<(Effect, u32, u32)>,
}

/// The kinds of effects, by the numbers `effects.js` has for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Stores an event.
    Write,
    /// Forgets what is stored of an event.
    Remove,
    /// Leaves the other pages of this site word of how an event ended that they may wait for: its [`Word`].
    Note,
    /// Takes back that the order's event was fired.
    Unmark,
    /// Says how an event fares: its [`Word`].
    Settle,
    /// Reports a loss by its [`Word`], about an event or none.
    Report,
    /// Leaves a stored event to whoever has it.
    Leave,
    /// Puts an event into the next request.
    Take,
    /// Sends the next request: its number, whether the page is being left.
    Post,
    /// Wants to be woken in so many milliseconds, unless it is woken before.
    Wake,
    /// Wants to hear of everything stored, under the lock that all tabs of this site share.
    Adopt,
    /// Consent is given: from here on this browser may be read, written to and spoken for. Brings [`Effect::Adopt`]
    /// with it.
    Open,
    /// Stops the Pixel, as far as it lets itself be stopped; for good where consent is denied.
    Close,
    /// Forgets everything Duet knows and has stored on this browser.
    Clear,
    /// Keeps for all tabs that the proxy wants to be left alone for so many milliseconds; 0 for no longer.
    Pause,
}

/// How an event ended, or why it has not yet, and what is reported: the page's API has words for them,
/// in this order. The first four are the proxy's.
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

impl Effects {
    /// Adds an effect.
    #[inline(never)]
    pub fn push(&mut self, effect: Effect, first: u32, second: u32) {
        #[cfg(target_arch = "wasm32")]
        crate::bindings::page::effect(effect as u32, first, second);
        #[cfg(not(target_arch = "wasm32"))]
        self.list.push((effect, first, second));
    }

    /// Says how an event fares.
    pub fn settle(&mut self, event: u32, word: Word) {
        self.push(Effect::Settle, event, word as u32);
    }

    /// Reports a loss, about an event or none.
    pub fn report(&mut self, event: Option<u32>, word: Word) {
        self.push(Effect::Report, event.unwrap_or_default(), word as u32);
    }

    /// What was asked for.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn into_list(self) -> alloc::vec::Vec<(Effect, u32, u32)> {
        self.list
    }
}
