//! The only export to JavaScript: one call in, its effects out.
//!
//! `core` alone has no allocator and no panic handler. A panic is a trap: the page's side catches it,
//! and never calls in here again.

use core::panic::PanicInfo;

use lol_alloc::{FreeListAllocator, LockedAllocator};
use spin::Mutex;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::{
    duet::Duet,
    host::{self, Host},
};

#[global_allocator]
static ALLOCATOR: LockedAllocator<FreeListAllocator> =
    LockedAllocator::new(FreeListAllocator::new());

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// A page has one thread; the lock is there because a `static` must have one.
static DUET: Mutex<Option<Duet>> = Mutex::new(None);

/// Runs a call, by its number in [`duet`](crate::duet); its effects go to the page's `hand_over`.
#[wasm_bindgen]
pub fn call(kind: u32, input: &str) {
    let effects = DUET
        .lock()
        .get_or_insert_with(|| Duet::new(Host::PAGE))
        .call(kind, input);
    host::page::hand_over(&effects.into_text());
}
