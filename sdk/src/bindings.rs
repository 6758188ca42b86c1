//! The only export to JavaScript: one call in, its effects out.
//!
//! `core` alone has no allocator and no panic handler. A panic is a trap: the page's side catches it,
//! and never calls in here again.

use core::panic::PanicInfo;

use spin::Mutex;
use talc::wasm::{WasmDynamicTalc, new_wasm_dynamic_allocator};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::{
    duet::Duet,
    host::{self, Host},
};

#[global_allocator]
static ALLOCATOR: WasmDynamicTalc = new_wasm_dynamic_allocator();

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// A page has one thread; the lock is there because a `static` must have one.
static DUET: Mutex<Option<Duet>> = Mutex::new(None);

/// Runs a call; its effects go to the page's `hand_over`.
#[wasm_bindgen]
pub fn call(name: &str, input: &str) {
    let effects = DUET
        .lock()
        .get_or_insert_with(|| Duet::new(Host::PAGE))
        .call(name, input);
    host::page::hand_over(&effects.into_text());
}
