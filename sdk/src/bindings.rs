//! The only exports to JavaScript. The page passes numbers and texts in, and the module returns effects.
//!
//! The module uses only `core`, without an allocator and a panic handler. A panic is a trap. The page catches the trap and
//! never calls the module again.

use core::panic::PanicInfo;

use duet_events::{Country, phone};
use lol_alloc::LeakingPageAllocator;
use spin::Mutex;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::{
    answer::Answer,
    consent::Consent,
    duet::{Call, Duet},
    effect::{Effect, Effects, Word},
    facts::Facts,
    once,
    outbox::Stored,
};

/// Allocates memory only once, when the page asks for space for the texts that it passes in.
#[global_allocator]
static ALLOCATOR: LeakingPageAllocator = LeakingPageAllocator;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// A page has one thread. The lock is needed only because this is a `static`.
static DUET: Mutex<Duet> = Mutex::new(Duet::NEW);

/// The country of phone numbers without a country code.
static COUNTRY: Mutex<Option<Country>> = Mutex::new(None);

/// The functions that the page provides to the module. `imports` in `effects.js` implements them, and `cargo xtask sdk`
/// compares this list with `effects.js`.
mod page {
    use wasm_bindgen::prelude::wasm_bindgen;

    #[wasm_bindgen]
    extern "C" {
        /// Milliseconds since 1970, by the visitor's clock.
        pub(super) fn now_ms() -> f64;
        /// A random number from 0 (included) to 1 (excluded).
        pub(super) fn random() -> f64;
        /// Whether the Pixel's result is known.
        pub(super) fn is_pixel_known() -> bool;
        /// Passes bytes to the page, as the result of the present call.
        pub(super) fn give(bytes: &[u8]);

        // The effects. The page carries out the effects after the present call has returned. Words and gates are passed as
        // numbers.
        pub(super) fn store(event: u32);
        pub(super) fn unstore(event: u32);
        pub(super) fn note(event: u32, word: u32);
        pub(super) fn unmark(event: u32);
        pub(super) fn settle(event: u32, word: u32);
        /// If the report is not about an event, `event` is 0.
        pub(super) fn report(event: u32, word: u32);
        pub(super) fn leave_alone(event: u32);
        pub(super) fn take(event: u32);
        pub(super) fn post(request: u32, is_leaving: bool);
        pub(super) fn wake_in(ms: u32);
        pub(super) fn adopt();
        pub(super) fn set_gate(gate: u32);
        pub(super) fn clear();
        pub(super) fn pause(ms: u32);
    }
}

/// Passes an effect to the page. The page carries the effect out after the present call.
#[inline(always)]
#[allow(clippy::inline_always, reason = "of a known effect one call is left")]
pub(crate) fn hand_over(effect: Effect) {
    match effect {
        Effect::Store { event } => page::store(event),
        Effect::Remove { event } => page::unstore(event),
        Effect::Note { event, word } => page::note(event, word as u32),
        Effect::Unmark { event } => page::unmark(event),
        Effect::Settle { event, word } => page::settle(event, word as u32),
        Effect::Report { event, word } => page::report(event.unwrap_or_default(), word as u32),
        Effect::Leave { event } => page::leave_alone(event),
        Effect::Take { event } => page::take(event),
        Effect::Post {
            request,
            is_leaving,
        } => page::post(request, is_leaving),
        Effect::Wake { ms } => page::wake_in(ms),
        Effect::Adopt => page::adopt(),
        Effect::Gate(gate) => page::set_gate(gate as u32),
        Effect::Clear => page::clear(),
        Effect::Pause { ms } => page::pause(ms),
    }
}

/// Runs a call of the page. The lock is always free, because the page never calls the module during a call.
#[inline(never)]
fn run(call: &Call<'_>) {
    let facts = Facts {
        now_ms: page::now_ms(),
        random: page::random(),
        pixel_known: page::is_pixel_known(),
    };
    if let Some(mut duet) = DUET.try_lock() {
        duet.call(call, &facts, &mut Effects::default());
    }
}

/// Runs [`Call::Init`]. `consent` is the number of a choice in [`Consent::ALL`].
#[wasm_bindgen]
pub fn init(consent: u32) {
    run(&Call::Init(Consent::read(consent)));
}

/// Runs [`Call::Consent`]. `consent` is the number of a choice in [`Consent::ALL`].
#[wasm_bindgen]
pub fn consent(consent: u32) {
    run(&Call::Consent(Consent::read(consent)));
}

/// Runs [`Call::Forget`].
#[wasm_bindgen]
pub fn forget() {
    run(&Call::Forget);
}

/// Runs [`Call::Add`]. The arguments are the event's number, creation time and size, whether the Pixel is off for the event,
/// and whether the event belongs to an order.
#[wasm_bindgen]
pub fn add(event: u32, created_ms: f64, bytes: u32, is_pixel_off: bool, has_order: bool) {
    run(&Call::Add(Stored {
        event,
        created_ms,
        bytes,
        is_pixel_off,
        has_order,
    }));
}

/// Runs [`Call::Find`], with the arguments of [`add`].
#[wasm_bindgen]
pub fn find(event: u32, created_ms: f64, bytes: u32, is_pixel_off: bool, has_order: bool) {
    run(&Call::Find(Stored {
        event,
        created_ms,
        bytes,
        is_pixel_off,
        has_order,
    }));
}

/// Runs [`Call::Wake`].
#[wasm_bindgen]
pub fn wake() {
    run(&Call::Wake);
}

/// Runs [`Call::Hurry`].
#[wasm_bindgen]
pub fn hurry() {
    run(&Call::Hurry);
}

/// Runs [`Call::Leave`].
#[wasm_bindgen]
pub fn leave() {
    run(&Call::Leave);
}

/// Runs [`Call::Answered`]. [`Answer`] describes the arguments.
#[wasm_bindgen]
pub fn answered(request: u32, http_status: u32, retry_after_ms: f64, results: &str) {
    run(&Call::Answered(Answer {
        request,
        http_status,
        retry_after_ms,
        results,
    }));
}

/// Runs [`Call::Look`].
#[wasm_bindgen]
pub fn look(pause_until_ms: f64) {
    run(&Call::Look { pause_until_ms });
}

/// Runs [`Call::Ended`]. `word` is the number of a word in [`Word::ALL`].
#[wasm_bindgen]
pub fn ended(event: u32, word: u32) {
    let word = Word::read(word);
    run(&Call::Ended { event, word });
}

/// Runs [`Call::Looked`].
#[wasm_bindgen]
pub fn looked() {
    run(&Call::Looked);
}

/// Passes the E.164 form of a phone number to [`page::give`]. The caller must pass a [plain](duet_events::plain::phone) text.
/// If the number cannot be dialled, passes nothing.
#[wasm_bindgen]
pub fn dialled(plain: &str) {
    let country = COUNTRY.try_lock().and_then(|it| *it);
    if let Ok(number) = phone::e164(plain.bytes().map(char::from), country) {
        page::give(number.write(&mut [0; 16]));
    }
}

/// Sets the country of phone numbers without a country code. Returns whether the country exists.
#[wasm_bindgen]
pub fn country(code: &str) -> bool {
    let Some(mut country) = COUNTRY.try_lock() else {
        return false;
    };
    *country = Country::parse(code);
    country.is_some()
}

/// Returns the legs on which an order's event was already fired, as [`once::believed`] does.
#[wasm_bindgen]
pub fn believed(fired: u32, fired_ms: f64, now_ms: f64) -> u32 {
    once::believed(fired, fired_ms, now_ms)
}
