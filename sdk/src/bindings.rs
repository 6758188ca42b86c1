//! The only exports to JavaScript: numbers and texts in, effects out.
//!
//! `core` alone has no allocator and no panic handler. A panic is a trap: the page's side catches it,
//! and never calls in here again.

use core::panic::PanicInfo;

use duet_events::{Country, Hashed, id, name};
use lol_alloc::LeakingPageAllocator;
use spin::Mutex;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::{
    duet::{Duet, Gate, Said},
    effect::Effects,
    facts::Facts,
    once,
};

/// Nothing here allocates but the page, once, for the texts it hands over.
#[global_allocator]
static ALLOCATOR: LeakingPageAllocator = LeakingPageAllocator;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// A page has one thread; the lock is there because a `static` must have one.
static DUET: Mutex<Duet> = Mutex::new(Duet::NEW);

/// Whose phone numbers are written without a country code.
static COUNTRY: Mutex<Option<Country>> = Mutex::new(None);

/// What `core.js` gives the module.
pub(crate) mod page {
    use wasm_bindgen::prelude::wasm_bindgen;

    #[wasm_bindgen]
    extern "C" {
        /// Puts an effect on the list.
        pub(crate) fn effect(kind: u32, first: u32, second: u32);
        /// Hands bytes to whoever called.
        pub(super) fn give(bytes: &[u8]);
    }
}

/// Runs a call, by its number in [`kind`](crate::duet::kind); gives back its [`Gate`](crate::duet::Gate).
#[wasm_bindgen]
#[allow(
    clippy::too_many_arguments,
    reason = "numbers cross for free, and a structure would not"
)]
pub fn call(
    kind: u32,
    now_ms: f64,
    random: f64,
    pixel_known: bool,
    number: u32,
    ms: f64,
    size: u32,
    flags: u32,
    results: &str,
) -> u32 {
    let facts = Facts {
        now_ms,
        random,
        pixel_known,
    };
    let said = Said {
        number,
        ms,
        size,
        flags,
        results,
    };
    // Nothing a call does calls in here again, so the lock is free.
    let Some(mut duet) = DUET.try_lock() else {
        return Gate::Held as u32;
    };
    duet.call(kind, &said, &facts, &mut Effects::default()) as u32
}

/// Gives the digest of a personal value that is [plain](duet_events::plain): 0 for an e-mail address, 1 for a
/// phone number, 2 for an external id. Nothing for what cannot be one.
#[wasm_bindgen]
pub fn digest(which: u32, plain: &str) {
    let hashed = match which {
        0 => Hashed::of_email(plain),
        1 => Hashed::of_phone(
            plain.bytes().map(char::from),
            COUNTRY.try_lock().and_then(|it| *it),
        )
        .ok(),
        _ => Hashed::of_external_id(plain),
    };
    if let Some(hashed) = hashed {
        page::give(hashed.as_bytes());
    }
}

/// Reads phone numbers as this country's from here on; whether there is such a country.
#[wasm_bindgen]
pub fn country(code: &str) -> bool {
    let Some(mut country) = COUNTRY.try_lock() else {
        return false;
    };
    *country = Country::parse(code);
    country.is_some()
}

/// What is wrong with an event's name, by its number in [`Flaw`](name::Flaw); 0 for nothing. The lists of reserved
/// and known names have spaces between them.
#[wasm_bindgen]
pub fn flaw(event: &str, reserved: &str, known: &str) -> u32 {
    let [reserved, known] =
        [reserved, known].map(|list| list.as_bytes().split(|byte| *byte == b' '));
    let checked = name::check_against(reserved, known, event);
    checked.map_or_else(|flaw| flaw as u32, |()| 0)
}

/// Gives the id of an order's event.
#[wasm_bindgen]
pub fn id(event: &str, order_id: &str) {
    page::give(&id::of_order(event, order_id));
}

/// The legs to be fired and to be marked, see [`once::legs`].
#[wasm_bindgen]
pub fn legs(wanted: u32, fired: u32, fired_ms: f64, now_ms: f64) -> u32 {
    once::legs(wanted, fired, fired_ms, now_ms)
}
